"""The chain of modules, and the settings that all kinds share."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lir_models.checkpoints.activations import ACTIVATION_PATHS, activation_of
from lir_models.checkpoints.files import read_json, read_json_if_there, read_weights, write_json
from lir_models.errors import CheckpointError
from lir_models.fields import DenseLayer, Side, SimilarityFunction

FILE = "modules.json"
SETTINGS = "config_sentence_transformers.json"
ROUTER = "router_config.json"

SIMILARITIES: dict[str, SimilarityFunction] = {"cosine": "cosine", "dot": "dot", "euclidean": "l2"}

_OLD_SETTINGS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
_ROUTES: dict[Side, tuple[str, ...]] = {"query": ("query",), "doc": ("document", "doc", "passage", "corpus")}


@dataclass(frozen=True)
class Module:
    """One module: the last part of its class path, and its folder."""

    name: str
    folder: Path


#: The modules that a side's texts go through.
Chain = list[Module]


def read_chains(folder: Path) -> dict[Side, Chain]:
    """Return each side's chain; they differ where there is a router.

    Raises:
        CheckpointError: If the file is damaged, or a router has no route for a side.
    """
    try:
        modules = sorted(read_json(folder / FILE), key=lambda module: module["idx"])
        chain = [Module(_class_name(module["type"]), folder / module["path"]) for module in modules]
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"'{folder / FILE}' is damaged: it is no list of modules ({error}).") from error
    return {side: [part for module in chain for part in _routed(module, side)] for side in ("query", "doc")}


def _class_name(path: str) -> str:
    return path.rpartition(".")[2]


def _routed(module: Module, side: Side) -> Chain:
    if module.name not in ("Router", "Asym"):
        return [module]
    file = module.folder / (ROUTER if (module.folder / ROUTER).is_file() else "config.json")
    settings = read_json(file)
    try:
        routes: Mapping[str, list[str]] = settings["structure"]
        types: Mapping[str, str] = settings["types"]
        route = next((name for name in _ROUTES[side] if name in routes), None)
        if route is None:
            raise CheckpointError(
                f"'{file}' routes {', '.join(routes)}; lir looks for 'query', and for 'document' or 'doc'."
            )
        return [Module(_class_name(types[name]), module.folder / name) for name in routes[route]]
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"'{file}' is damaged: it says no routes ({error}).") from error


def transformer_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of a Transformer module, under whichever name its version gave the file."""
    names = ["sentence_bert_config.json", *(f"sentence_{name}_config.json" for name in _OLD_SETTINGS)]
    return next((read_json(folder / name) for name in names if (folder / name).is_file()), {})


def read_prompts(settings: Mapping[str, Any]) -> dict[Side, str]:
    """Return each side's prompt, found as ``encode_query`` and ``encode_document`` of sentence-transformers find it."""
    prompts = settings.get("prompts") or {}
    default = prompts.get(settings.get("default_prompt_name") or "", "")
    doc_prompt = next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), default)
    return {"query": prompts.get("query", default) or "", "doc": doc_prompt or ""}


def read_similarity(folder: Path, name: str | None, default: SimilarityFunction) -> SimilarityFunction:
    """Return our name of a similarity function."""
    if name is None:
        return default
    if name not in SIMILARITIES:
        raise CheckpointError(f"'{folder}' compares by '{name}'; lir knows {', '.join(SIMILARITIES)}.")
    return SIMILARITIES[name]


def read_dense_layer(folder: Path) -> DenseLayer:
    """Read what a Dense module is."""
    values = read_json(folder / "config.json")
    return DenseLayer(
        in_features=values["in_features"],
        out_features=values["out_features"],
        bias=values.get("bias", True),
        activation=activation_of(values.get("activation_function", ACTIVATION_PATHS["tanh"])),
        residual=values.get("use_residual", False),
    )


def read_dense_weights(chain: Chain) -> dict[str, Any]:
    """Read the weights of a chain's dense layers, by the names that lir gives them."""
    weights = [read_weights(module.folder) for module in chain if module.name == "Dense"]
    return {f"layers.{place}.{name}": value for place, layer in enumerate(weights) for name, value in layer.items()}


def write_dense(folder: Path, layer: DenseLayer, weights: Mapping[str, Any]) -> None:
    """Write a Dense module."""
    from safetensors.torch import save_file

    values: dict[str, Any] = {
        "in_features": layer.in_features,
        "out_features": layer.out_features,
        "bias": layer.bias,
        "activation_function": ACTIVATION_PATHS[layer.activation],
    }
    write_json(folder / "config.json", values | ({"use_residual": True} if layer.residual else {}))
    save_file(dict(weights), folder / "model.safetensors")


def layer_weights(weights: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return the weights of one dense layer, by the names that sentence-transformers gives them."""
    prefix = f"layers.{place}."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def write_chain(folder: Path, classes: list[str]) -> list[Path]:
    """Write ``modules.json``.

    Args:
        folder: The model's folder.
        classes: Class paths, in order.

    Returns:
        Each module's folder.
    """
    modules = [
        {"idx": index, "name": str(index), "path": f"{index}_{_class_name(path)}" if index else "", "type": path}
        for index, path in enumerate(classes)
    ]
    write_json(folder / FILE, modules)
    return [folder / str(module["path"]) for module in modules]


def write_transformer_settings(folder: Path, *, length: int | None, lowercase: bool) -> None:
    """Write the settings of a Transformer module, as versions before 5.4 do."""
    values = {} if length is None else {"max_seq_length": length}
    write_json(folder / "sentence_bert_config.json", {**values, "do_lower_case": lowercase})


def write_settings(folder: Path, **values: Any) -> None:
    """Write the model's settings, adding to those that are there."""
    write_json(folder / SETTINGS, read_json_if_there(folder / SETTINGS) | values)
