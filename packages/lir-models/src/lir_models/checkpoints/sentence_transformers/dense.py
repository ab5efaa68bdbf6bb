"""Dense bi-encoders: Transformer, Pooling, then any of Dense and Normalize; the same for each route of a router."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import read_json, write_json
from lir_models.checkpoints.sentence_transformers.modules import (
    ROUTER,
    SIMILARITIES,
    Chain,
    layer_weights,
    read_dense_layer,
    read_dense_weights,
    read_prompts,
    read_similarity,
    transformer_settings,
    write_chain,
    write_dense,
    write_settings,
    write_transformer_settings,
)
from lir_models.config import BiEncoderConfig
from lir_models.errors import CheckpointError
from lir_models.families.dpr import DprConfig
from lir_models.fields import Pooling, PoolingMode, Side

# Several flags are concatenated in this order; a list, from 5.4 on, in its own.
FLAGS: dict[str, PoolingMode] = {
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
_CLASSES = "sentence_transformers.models."


def detect(chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> bool:
    """Whether both sides are of these modules."""
    del settings
    return all(
        [module.name for module in chain[:2]] == ["Transformer", "Pooling"]
        and {module.name for module in chain[2:]} <= {"Dense", "Normalize", "Dropout"}
        for chain in chains.values()
    )


def read(folder: Path, chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> Checkpoint:
    """Read the config."""
    names = [module.name for module in chains["doc"] if module.name != "Dropout"]
    if "Normalize" in names[:-1]:
        raise CheckpointError(
            f"'{folder}' normalises before its last module ({', '.join(names)}); lir does so at the end."
        )
    layers = {side: _layers(chain) for side, chain in chains.items()}
    if _normalizes(chains["query"]) != _normalizes(chains["doc"]):
        raise CheckpointError(
            f"'{folder}' normalises embeddings of queries or of documents alone; lir does both or none."
        )
    transformers = {side: transformer_settings(chain[0].folder) for side, chain in chains.items()}
    pooling = {side: read_json(chain[1].folder / "config.json") for side, chain in chains.items()}
    prompts = read_prompts(settings)
    config = BiEncoderConfig(
        similarity_function=read_similarity(folder, settings.get("similarity_fn_name"), "cosine"),
        query_pooling_strategy=_pooling(pooling["query"]),
        doc_pooling_strategy=_pooling(pooling["doc"]),
        pool_prompt=pooling["doc"].get("include_prompt", True),
        projection=layers["doc"] or None,
        normalization_strategy="l2" if _normalizes(chains["doc"]) else None,
        query_length=transformers["query"].get("max_seq_length"),
        doc_length=transformers["doc"].get("max_seq_length"),
        query_prompt=prompts["query"],
        doc_prompt=prompts["doc"],
        lowercase=bool(transformers["doc"].get("do_lower_case", False)),
        shared_encoder=chains["query"] == chains["doc"],
        query_projection=layers["query"] if layers["query"] != layers["doc"] else None,
    )
    return Checkpoint(
        kind="bi-encoder",
        config=config,
        folder=chains["doc"][0].folder,
        query_folder=None if config.shared_encoder else chains["query"][0].folder,
        heads=lambda side: read_dense_weights(chains[side]),
    )


def _layers(chain: Chain):
    return tuple(read_dense_layer(module.folder) for module in chain if module.name == "Dense")


def _normalizes(chain: Chain) -> bool:
    return any(module.name == "Normalize" for module in chain)


def read_pooling(folder: Path) -> Pooling:
    """Read how a Pooling module pools."""
    return _pooling(read_json(folder / "config.json"))


def _pooling(values: Mapping[str, Any]) -> Pooling:
    found: tuple[PoolingMode, ...]
    if "pooling_mode" in values:
        modes = values["pooling_mode"] if isinstance(values["pooling_mode"], list) else [values["pooling_mode"]]
        unknown = [mode for mode in modes if mode not in _MODES]
        if unknown:
            raise CheckpointError(f"The checkpoint pools by '{unknown[0]}'; known are {', '.join(_MODES)}.")
        found = tuple(_MODES[mode] for mode in modes)
    else:
        found = tuple(mode for flag, mode in FLAGS.items() if values.get(flag)) or ("mean",)
    return found[0] if len(found) == 1 else found


def can_write(config: BiEncoderConfig) -> bool:
    """Whether sentence-transformers has a word for all that the config says."""
    if type(config) not in (BiEncoderConfig, DprConfig) or config.form != "dense":
        return False
    sides: list[tuple[Pooling, int | None]] = [
        (config.query_pooling_strategy, config.query_length),
        (config.doc_pooling_strategy, config.doc_length),
    ]
    return (
        all(_in_order(pooling) for pooling, _ in sides)
        # One encoder has one length: of queries, the documents' serves as well where it is larger.
        and (not config.shared_encoder or sides[0][0] == sides[1][0])
        and config.sparsification_strategy is config.truncate_dim is None
        and not config.add_marker_tokens
    )


def _in_order(pooling: Pooling) -> bool:
    """Whether the modes stand in the order of the flags, and each has one."""
    modes = pooling if isinstance(pooling, tuple) else (pooling,)
    return list(modes) == [mode for mode in FLAGS.values() if mode in modes]


def write(folder: Path, config: BiEncoderConfig, heads: Mapping[Side, HeadWeights], hidden_size: int) -> None:
    """Write the modules after the backbone, which lies in the folder already; of two encoders, a router of two chains."""
    if config.shared_encoder:
        folders = write_chain(folder, [_CLASSES + name for name in _names(config)])
        _write_modules(folders, config, "doc", heads["doc"], hidden_size)
    else:
        write_chain(folder, [_CLASSES + "Router"])
        routes: dict[str, list[str]] = {}
        types: dict[str, str] = {}
        sides: dict[Side, str] = {"query": "query", "doc": "document"}
        for side, route in sides.items():
            rule = config.of_query_encoder() if side == "query" else config
            names = _names(rule)
            routes[route] = [f"{route}_{place}_{name}" for place, name in enumerate(names)]
            types |= {key: _CLASSES + name for key, name in zip(routes[route], names, strict=True)}
            _write_modules([folder / key for key in routes[route]], rule, side, heads[side], hidden_size)
        parameters = {"default_route": None, "allow_empty_key": True}
        write_json(folder / ROUTER, {"types": types, "structure": routes, "parameters": parameters})
    names = {ours: theirs for theirs, ours in SIMILARITIES.items()}
    write_settings(
        folder,
        prompts={"query": config.query_prompt, "document": config.doc_prompt},
        default_prompt_name=None,
        similarity_fn_name=names[config.similarity_function],
    )


def _names(config: BiEncoderConfig) -> list[str]:
    layers = config.projection if isinstance(config.projection, tuple) else ()
    return ["Transformer", "Pooling", *["Dense"] * len(layers), *["Normalize"] * bool(config.normalization_strategy)]


def _write_modules(
    folders: list[Path], config: BiEncoderConfig, side: Side, heads: HeadWeights, hidden_size: int
) -> None:
    length = config.query_length if side == "query" else config.doc_length
    write_transformer_settings(folders[0], length=length, lowercase=config.lowercase)
    pooling = config.query_pooling_strategy if side == "query" else config.doc_pooling_strategy
    modes = pooling if isinstance(pooling, tuple) else (pooling,)
    flags = {flag: mode in modes for flag, mode in FLAGS.items()}
    values = {"word_embedding_dimension": hidden_size, **flags, "include_prompt": config.pool_prompt}
    write_json(folders[1] / "config.json", values)
    layers = config.projection if isinstance(config.projection, tuple) else ()
    for place, layer in enumerate(layers):
        write_dense(folders[2 + place], layer, layer_weights(heads, place))
    if config.normalization_strategy:
        folders[-1].mkdir()
