"""The chain of modules, and the settings that all kinds share."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lir_models.checkpoints.activations import ACTIVATION_PATHS, activation_of
from lir_models.checkpoints.files import (
    Settings,
    read_json,
    read_settings,
    read_settings_if_there,
    read_weights,
    write_json,
)
from lir_models.checkpoints.safety import inside
from lir_models.config import BiEncoderConfig
from lir_models.errors import CheckpointError
from lir_models.fields import DenseLayer, Layer, NormLayer, Side, SimilarityFunction

FILE = "modules.json"
SETTINGS = "config_sentence_transformers.json"
ROUTER = "router_config.json"

SIMILARITIES: dict[str, SimilarityFunction] = {"cosine": "cosine", "dot": "dot", "euclidean": "l2"}

#: What may come after one vector a text is made; at inference Dropout does nothing.
LAYERS = {"Dense", "LayerNorm", "Normalize", "Dropout"}

_ROUTES: dict[Side, tuple[str, ...]] = {"query": ("query",), "doc": ("document", "doc", "passage", "corpus")}


@dataclass(frozen=True)
class Module:
    """One module: the last part of its class path, and its folder."""

    name: str
    folder: Path

    @property
    def settings(self) -> Settings:
        """Its ``config.json``; empty where it has none."""
        return read_settings_if_there(self.folder / "config.json")


#: The modules that a side's texts go through.
Chain = list[Module]


def read_chains(folder: Path) -> dict[Side, Chain]:
    """Return each side's chain; they differ where there is a router.

    Raises:
        CheckpointError: If the file is damaged, a folder is none of the model's, or a router has no route for a side.
    """
    modules = read_json(folder / FILE)
    if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
        raise CheckpointError(f"'{folder / FILE}' is damaged: it is no list of modules.")
    chain: Chain = []
    for place, values in enumerate(modules):
        settings = Settings(values, folder / FILE, f"[{place}].")
        chain.append(Module(_class_name(settings.text("type")), inside(folder, settings.text("path"))))
    return {side: [part for module in chain for part in _routed(module, side)] for side in ("query", "doc")}


def _class_name(path: str) -> str:
    return path.rpartition(".")[2]


def _routed(module: Module, side: Side) -> Chain:
    if module.name not in ("Router", "Asym"):
        return [module]
    file = module.folder / (ROUTER if (module.folder / ROUTER).is_file() else "config.json")
    settings = read_settings(file)
    routes, types = settings.inner("structure"), settings.inner("types")
    if settings.inner("parameters").inner("route_mappings"):
        raise CheckpointError(
            f"'{file}' has route_mappings; lir takes the routes by their names, 'query' and 'document'."
        )
    route = next((name for name in _ROUTES[side] if name in routes), None)
    if route is None:
        raise CheckpointError(
            f"'{file}' routes {', '.join(routes)}; lir looks for 'query', and for 'document' or 'doc'."
        )
    for name in routes.texts(route):
        if name not in types:
            raise CheckpointError(f"'{file}' is damaged: it has no type of '{name}'.")
    return [Module(_class_name(types.text(name)), inside(module.folder, name)) for name in routes.texts(route)]


def read_prompts(settings: Settings, *, lowercase: bool = False) -> dict[Side, str]:
    """Return each side's prompt, found as ``encode_query`` and ``encode_document`` of sentence-transformers find it.

    Args:
        settings: The model's.
        lowercase: Whether texts are lower-cased; sentence-transformers does so once the prompt is before them.
    """
    prompts, default = settings.inner("prompts"), default_prompt(settings)
    doc = next((name for name in ("document", "passage", "corpus") if name in prompts), None)
    found: dict[Side, str] = {
        "query": prompts.text("query") if "query" in prompts else default,
        "doc": default if doc is None else prompts.text(doc),
    }
    return {side: prompt.lower() if lowercase else prompt for side, prompt in found.items()}


def not_said_of_case(config: BiEncoderConfig) -> str:
    """Name a prompt in capitals before lower-cased texts, which sentence-transformers lower-cases too."""
    has_capitals = any(prompt != prompt.lower() for prompt in (config.query_prompt, config.doc_prompt))
    return "a prompt in capitals before lower-cased texts" if config.lowercase and has_capitals else ""


def default_prompt(settings: Settings) -> str:
    """Return the prompt that is used where none is asked for."""
    name, prompts = settings.text("default_prompt_name"), settings.inner("prompts")
    if name and name not in prompts:
        raise CheckpointError(
            f"'{settings.path}' has the default prompt '{name}', and the prompts {', '.join(prompts)}."
        )
    return prompts.text(name) if name else ""


def read_similarity(settings: Settings, default: SimilarityFunction) -> SimilarityFunction:
    """Return our name of the similarity function."""
    name = settings.text("similarity_fn_name")
    if not name:
        return default
    if name not in SIMILARITIES:
        raise CheckpointError(f"'{settings.path}' compares by '{name}'; lir knows {', '.join(SIMILARITIES)}.")
    return SIMILARITIES[name]


def read_layer(module: Module, width: int | None, on: str, *, into: str = "") -> Layer:
    """Read what a module between pooling and scores is: Dense, LayerNorm or Normalize.

    Args:
        module: The module.
        width: Of what it is given, where that is known.
        on: What it must read, of all that modules hand on, and write;
        into: unless it must write something else.
    """
    settings = module.settings
    for key, name in (("module_input_name", on), ("module_output_name", into or on)):
        if settings.text(key, on) != name:
            raise CheckpointError(f"'{settings.path}' has {key} '{settings.text(key, on)}'; here lir reads '{name}'.")
    if module.name == "LayerNorm":
        return NormLayer(norm="layer", features=settings.number("dimension", 0))
    if module.name == "Normalize":
        return NormLayer(norm="l2", features=width or 0)
    return DenseLayer(
        in_features=settings.number("in_features", 0),
        out_features=settings.number("out_features", 0),
        bias=settings.flag("bias", True),
        activation=activation_of(settings.text("activation_function", ACTIVATION_PATHS["tanh"])),
        residual=settings.flag("use_residual", False),
    )


def read_layers(chain: Chain, width: int | None, on: str = "sentence_embedding") -> tuple[Layer, ...]:
    """Read the layers of a chain, in order; at inference Dropout does nothing."""
    layers: list[Layer] = []
    for module in chain:
        if module.name != "Dropout":
            layers.append(read_layer(module, layers[-1].out_features if layers else width, on))
    return tuple(layers)


def read_layer_weights(chain: Chain) -> dict[str, Any]:
    """Read the weights of a chain's layers, by the names that lir gives them."""
    layers = [module for module in chain if module.name in ("Dense", "LayerNorm", "Normalize")]
    return {
        f"layers.{place}.{name}": weight
        for place, module in enumerate(layers)
        if module.name != "Normalize"
        for name, weight in read_weights(module.folder).items()
    }


def write_dense(folder: Path, layer: DenseLayer, weights: Mapping[str, Any], **names: str) -> None:
    """Write a Dense module; names say what it reads and writes, where that is not the usual."""
    from safetensors.torch import save_file

    values: dict[str, Any] = {
        "in_features": layer.in_features,
        "out_features": layer.out_features,
        "bias": layer.bias,
        "activation_function": ACTIVATION_PATHS[layer.activation],
        **names,
    }
    write_json(folder / "config.json", values | ({"use_residual": True} if layer.residual else {}))
    save_file(dict(weights), folder / "model.safetensors")


def write_layer(folder: Path, layer: Layer, weights: Mapping[str, Any]) -> None:
    """Write the module of one layer."""
    from safetensors.torch import save_file

    if isinstance(layer, DenseLayer):
        write_dense(folder, layer, weights)
    elif layer.norm == "layer":
        write_json(folder / "config.json", {"dimension": layer.features})
        save_file(dict(weights), folder / "model.safetensors")
    else:
        folder.mkdir()


def layer_class(layer: Layer) -> str:
    """Return the name of sentence-transformers' class for a layer."""
    if isinstance(layer, DenseLayer):
        return "Dense"
    return "LayerNorm" if layer.norm == "layer" else "Normalize"


def is_l2(layer: Layer) -> bool:
    """Whether a layer scales to length 1."""
    return isinstance(layer, NormLayer) and layer.norm == "l2"


def layer_weights(weights: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return the weights of one layer, by the names that sentence-transformers gives them."""
    prefix = f"layers.{place}."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def write_chain(folder: Path, classes: Collection[str]) -> list[Path]:
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


def write_settings(folder: Path, **values: Any) -> None:
    """Write the model's settings, adding to those that are there."""
    write_json(folder / SETTINGS, read_settings_if_there(folder / SETTINGS) | values)


def similarity_settings(config: BiEncoderConfig) -> dict[str, Any]:
    """Return what the model's settings say of prompts, comparison and truncation."""
    names = {ours: theirs for theirs, ours in SIMILARITIES.items()}
    truncation = {} if config.truncate_dim is None else {"truncate_dim": config.truncate_dim}
    return {
        "prompts": {"query": config.query_prompt, "document": config.doc_prompt},
        "default_prompt_name": None,
        "similarity_fn_name": names[config.similarity_function],
        **truncation,
    }
