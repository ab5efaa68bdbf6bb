"""Folders of sentence-transformers, up to 5.3 and from 5.4 on: bi-encoders and cross-encoders.

A module is known by the last part of its class path, which both generations share.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from lir_models.checkpoints import sequence_classification
from lir_models.checkpoints.files import read_json, read_json_if_there, read_weights, write_json
from lir_models.checkpoints.sequence_classification import ACTIVATION_PATHS, activation_of
from lir_models.config import (
    BiEncoderConfig,
    CrossEncoderConfig,
    DenseLayer,
    Pooling,
    PoolingMode,
    Recognised,
    SimilarityFunction,
)
from lir_models.errors import CheckpointError

# Several flags are concatenated in this order; a list, from 5.4 on, in its own.
_FLAGS: dict[str, PoolingMode] = {
    "pooling_mode_cls_token": "first",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weighted_mean",
    "pooling_mode_lasttoken": "last",
}
_MODES: dict[str, PoolingMode] = {
    "cls": "first",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weighted_mean",
    "lasttoken": "last",
}
_SIMILARITIES: dict[str, SimilarityFunction] = {"cosine": "cosine", "dot": "dot", "euclidean": "l2"}
_OLD_SETTINGS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")


def detect(folder: Path) -> bool:
    """Whether the folder has a chain of modules, or just the settings of one."""
    return (folder / "modules.json").is_file()


def read(folder: Path) -> Recognised:
    """Read kind and config from the chain of modules."""
    modules = _modules(folder)
    settings = read_json_if_there(folder / "config_sentence_transformers.json")
    names = [name for name, _ in modules]
    if settings.get("model_type") == "CrossEncoder":
        return _read_cross_encoder(folder, names, settings)
    if names[:1] != ["Transformer"] or names[1:2] != ["Pooling"] or set(names[2:]) - {"Dense", "Normalize"}:
        raise CheckpointError(
            f"'{folder}' is a sentence-transformers model of the modules {', '.join(names)}; "
            "lir reads Transformer, Pooling, then any of Dense and Normalize."
        )
    if "Normalize" in names[:-1]:
        raise CheckpointError(
            f"'{folder}' normalises before its last module ({', '.join(names)}); lir does so at the end."
        )
    length, lowercase = _lengths(folder / modules[0][1])
    pooling = read_json(folder / modules[1][1] / "config.json")
    mode = _pooling(pooling)
    prompts = settings.get("prompts") or {}
    default = prompts.get(settings.get("default_prompt_name") or "", "")
    doc_prompt = next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), default)
    return "bi-encoder", BiEncoderConfig(
        similarity_function=_similarity(folder, settings.get("similarity_fn_name")),
        query_pooling_strategy=mode,
        doc_pooling_strategy=mode,
        pool_prompt=pooling.get("include_prompt", True),
        projection=tuple(_dense_layer(folder / path) for name, path in modules if name == "Dense") or None,
        normalization_strategy="l2" if "Normalize" in names else None,
        query_length=length,
        doc_length=length,
        query_prompt=prompts.get("query", default),
        doc_prompt=doc_prompt,
        lowercase=lowercase,
    )


def read_head_weights(folder: Path) -> list[dict[str, Tensor]]:
    """Read the weights of the dense layers, in their order."""
    return [read_weights(folder / path) for name, path in _modules(folder) if name == "Dense"]


def write(folder: Path, config: BiEncoderConfig, heads: list[dict[str, Tensor]], hidden_size: int) -> None:
    """Write the files that make sentence-transformers, old and new, load the model and give the same embeddings.

    The class paths are the old ones: every version reads those, and only new versions read the new.
    """
    from safetensors.torch import save_file

    mode = config.doc_pooling_strategy
    modes = mode if isinstance(mode, tuple) else (mode,)
    layers = config.projection if isinstance(config.projection, tuple) else ()
    chain = ["Transformer", "Pooling", *["Dense"] * len(layers), *["Normalize"] * bool(config.normalization_strategy)]
    modules: list[dict[str, Any]] = [
        {
            "idx": index,
            "name": str(index),
            "path": f"{index}_{name}" if index else "",
            "type": f"sentence_transformers.models.{name}",
        }
        for index, name in enumerate(chain)
    ]
    write_json(folder / "modules.json", modules)
    length = {} if config.doc_length is None else {"max_seq_length": config.doc_length}
    write_json(folder / "sentence_bert_config.json", {**length, "do_lower_case": config.lowercase})
    flags = {flag: mode in modes for flag, mode in _FLAGS.items()}
    pooling = {"word_embedding_dimension": hidden_size, **flags, "include_prompt": config.pool_prompt}
    write_json(folder / "1_Pooling" / "config.json", pooling)
    for index, (layer, weights) in enumerate(zip(layers, heads, strict=True), start=2):
        place = folder / f"{index}_Dense"
        values: dict[str, Any] = {
            "in_features": layer.in_features,
            "out_features": layer.out_features,
            "bias": layer.bias,
            "activation_function": ACTIVATION_PATHS[layer.activation],
        }
        write_json(place / "config.json", values | ({"use_residual": True} if layer.residual else {}))
        save_file(weights, place / "model.safetensors")
    if config.normalization_strategy:
        (folder / modules[-1]["path"]).mkdir()
    names = {ours: theirs for theirs, ours in _SIMILARITIES.items()}
    settings = {
        "prompts": {"query": config.query_prompt, "document": config.doc_prompt},
        "default_prompt_name": None,
        "similarity_fn_name": names[config.similarity_function],
    }
    write_json(folder / "config_sentence_transformers.json", settings)


def can_write(config: BiEncoderConfig) -> bool:
    """Whether sentence-transformers has a word for all that the config says."""
    modes = (
        config.doc_pooling_strategy
        if isinstance(config.doc_pooling_strategy, tuple)
        else (config.doc_pooling_strategy,)
    )
    order = [mode for mode in _FLAGS.values() if mode in modes]
    return config.query_pooling_strategy == config.doc_pooling_strategy and list(modes) == order


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Return class name and path of each module, in order."""
    try:
        modules = sorted(read_json(folder / "modules.json"), key=lambda module: module["idx"])
        return [(module["type"].rpartition(".")[2], module["path"]) for module in modules]
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"'{folder / 'modules.json'}' is damaged: it is no list of modules ({error}).") from error


def _read_cross_encoder(folder: Path, names: list[str], settings: dict[str, Any]) -> Recognised:
    if names != ["Transformer"] or not sequence_classification.detect(folder):
        raise CheckpointError(
            f"'{folder}' is a sentence-transformers cross-encoder of the modules {', '.join(names)}; "
            "lir reads those whose Transformer is a sequence classifier."
        )
    kind, config = sequence_classification.read(folder)
    if settings.get("activation_fn") and isinstance(config, CrossEncoderConfig):
        config = config.replace(activation=activation_of(settings["activation_fn"]))
    return kind, config


def _lengths(folder: Path) -> tuple[int | None, bool]:
    """Return the length of a Transformer module (None: as the tokenizer says), and whether it lower-cases."""
    names = ["sentence_bert_config.json", *(f"sentence_{name}_config.json" for name in _OLD_SETTINGS)]
    settings = next((read_json(folder / name) for name in names if (folder / name).is_file()), {})
    return settings.get("max_seq_length"), bool(settings.get("do_lower_case", False))


def _pooling(values: dict[str, Any]) -> Pooling:
    found: tuple[PoolingMode, ...]
    if "pooling_mode" in values:
        modes = values["pooling_mode"] if isinstance(values["pooling_mode"], list) else [values["pooling_mode"]]
        unknown = [mode for mode in modes if mode not in _MODES]
        if unknown:
            raise CheckpointError(f"The checkpoint pools by '{unknown[0]}'; known are {', '.join(_MODES)}.")
        found = tuple(_MODES[mode] for mode in modes)
    else:
        found = tuple(mode for flag, mode in _FLAGS.items() if values.get(flag)) or ("mean",)
    return found[0] if len(found) == 1 else found


def _similarity(folder: Path, name: str | None) -> SimilarityFunction:
    if name is not None and name not in _SIMILARITIES:
        raise CheckpointError(f"'{folder}' compares by '{name}'; lir knows {', '.join(_SIMILARITIES)}.")
    return _SIMILARITIES[name or "cosine"]


def _dense_layer(folder: Path) -> DenseLayer:
    values = read_json(folder / "config.json")
    return DenseLayer(
        in_features=values["in_features"],
        out_features=values["out_features"],
        bias=values.get("bias", True),
        activation=activation_of(values.get("activation_function", ACTIVATION_PATHS["tanh"])),
        residual=values.get("use_residual", False),
    )
