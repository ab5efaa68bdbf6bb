"""Dense bi-encoders: Transformer, Pooling, then any of Dense, LayerNorm and Normalize; the same for each route of a router."""

from collections.abc import Mapping
from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import Settings, write_json
from lir_models.checkpoints.sentence_transformers.modules import (
    LAYERS,
    ROUTER,
    Chain,
    Module,
    is_l2,
    layer_class,
    layer_weights,
    not_said_of_case,
    read_layer_weights,
    read_layers,
    read_prompts,
    read_similarity,
    similarity_settings,
    write_chain,
    write_layer,
    write_settings,
)
from lir_models.checkpoints.sentence_transformers.transformer import read_transformer, write_transformer
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


def detect(chains: Mapping[Side, Chain], settings: Settings) -> bool:
    """Whether both sides are of these modules."""
    del settings
    return all(
        [module.name for module in chain[:2]] == ["Transformer", "Pooling"]
        and {module.name for module in chain[2:]} <= LAYERS
        for chain in chains.values()
    )


def read(folder: Path, chains: Mapping[Side, Chain], settings: Settings) -> Checkpoint:
    """Read the config."""
    query, doc = chains["query"], chains["doc"]
    layers = {side: read_layers(chain[2:], _width(chain[1])) for side, chain in chains.items()}
    normalizes = all(found[-1:] and is_l2(found[-1]) for found in layers.values())
    if normalizes:
        layers = {side: found[:-1] for side, found in layers.items()}
    transformers = {side: read_transformer(chain[0]) for side, chain in chains.items()}
    pools_prompt = {side: chain[1].settings.flag("include_prompt", True) for side, chain in chains.items()}
    if pools_prompt["query"] != pools_prompt["doc"]:
        raise CheckpointError(f"'{folder}' pools the prompts of queries or of documents alone; lir does both or none.")
    if transformers["query"].lowercase != transformers["doc"].lowercase:
        raise CheckpointError(f"'{folder}' lower-cases queries or documents alone; lir does both or none.")
    prompts = read_prompts(settings, lowercase=transformers["doc"].lowercase)
    config = BiEncoderConfig(
        similarity_function=read_similarity(settings, "cosine"),
        query_pooling_strategy=read_pooling(query[1]),
        doc_pooling_strategy=read_pooling(doc[1]),
        pool_prompt=pools_prompt["doc"],
        projection=layers["doc"] or None,
        normalization_strategy="l2" if normalizes else None,
        truncate_dim=settings.number("truncate_dim"),
        query_length=transformers["query"].lengths["query"],
        doc_length=transformers["doc"].lengths["doc"],
        query_prompt=prompts["query"],
        doc_prompt=prompts["doc"],
        lowercase=transformers["doc"].lowercase,
        shared_encoder=query == doc,
        query_projection=layers["query"] if layers["query"] != layers["doc"] else None,
    )
    return Checkpoint(
        kind="bi-encoder",
        config=config,
        folder=doc[0].folder,
        query_folder=None if config.shared_encoder else query[0].folder,
        heads=lambda side: read_layer_weights(chains[side]),
    )


def _width(pooling: Module) -> int | None:
    """Return the width of what a Pooling module gives."""
    settings, modes = pooling.settings, read_pooling(pooling)
    width = settings.number("embedding_dimension") or settings.number("word_embedding_dimension")
    return None if width is None else width * (len(modes) if isinstance(modes, tuple) else 1)


def read_pooling(module: Module) -> Pooling:
    """Read how a Pooling module pools."""
    settings = module.settings
    found: tuple[PoolingMode, ...]
    if "pooling_mode" in settings:
        modes = settings.texts("pooling_mode") if isinstance(settings["pooling_mode"], list) else None
        modes = [settings.text("pooling_mode")] if modes is None else modes
        unknown = [mode for mode in modes if mode not in _MODES]
        if unknown or not modes:
            raise CheckpointError(f"'{settings.path}' pools by {unknown or modes}; known are {', '.join(_MODES)}.")
        found = tuple(_MODES[mode] for mode in modes)
    else:
        found = tuple(mode for flag, mode in FLAGS.items() if settings.flag(flag, False)) or ("mean",)
    return found[0] if len(found) == 1 else found


def not_said(config: BiEncoderConfig) -> str:
    """Name what sentence-transformers has no word for; empty if it can say all of the config."""
    if type(config) not in (BiEncoderConfig, DprConfig) or config.form != "dense":
        return f"a {type(config).__name__} of {config.form} embeddings"
    for side in ("query", "doc"):
        field = f"{side}_pooling_strategy"
        if not _in_order(getattr(config, field)):
            return f"{field} {getattr(config, field)!r}"
    if config.shared_encoder and config.query_pooling_strategy != config.doc_pooling_strategy:
        return "poolings of queries and documents that differ"
    for field in ("sparsification_strategy", "add_marker_tokens"):
        if getattr(config, field):
            return f"{field} {getattr(config, field)!r}"
    return not_said_of_case(config)


def _in_order(pooling: Pooling) -> bool:
    """Whether the modes stand in the order of the flags, and each has one."""
    modes = pooling if isinstance(pooling, tuple) else (pooling,)
    return list(modes) == [mode for mode in FLAGS.values() if mode in modes]


def write(
    folder: Path, config: BiEncoderConfig, heads: Mapping[Side, HeadWeights], hidden_sizes: Mapping[Side, int]
) -> None:
    """Write the modules after the backbone, which lies in the folder already; of two encoders, a router of two chains."""
    if config.shared_encoder:
        folders = write_chain(folder, [_CLASSES + name for name in _names(config)])
        _write_modules(folders, config, "doc", heads["doc"], hidden_sizes["doc"])
        lengths: dict[Side, int | None] = {"query": config.query_length, "doc": config.doc_length}
        write_transformer(folders[0], lengths, lowercase=config.lowercase)
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
            folders = [folder / key for key in routes[route]]
            _write_modules(folders, rule, side, heads[side], hidden_sizes[side])
            length = config.query_length if side == "query" else config.doc_length
            write_transformer(folders[0], {"query": length, "doc": length}, lowercase=config.lowercase)
        parameters = {"default_route": None, "allow_empty_key": True}
        write_json(folder / ROUTER, {"types": types, "structure": routes, "parameters": parameters})
    write_settings(folder, **similarity_settings(config))


def _names(config: BiEncoderConfig) -> list[str]:
    layers = config.projection if isinstance(config.projection, tuple) else ()
    last = ["Normalize"] if config.normalization_strategy else []
    return ["Transformer", "Pooling", *map(layer_class, layers), *last]


def _write_modules(
    folders: list[Path], config: BiEncoderConfig, side: Side, heads: HeadWeights, hidden_size: int
) -> None:
    write_pooling(
        folders[1],
        config.query_pooling_strategy if side == "query" else config.doc_pooling_strategy,
        hidden_size,
        include_prompt=config.pool_prompt,
    )
    layers = config.projection if isinstance(config.projection, tuple) else ()
    for place, layer in enumerate(layers):
        write_layer(folders[2 + place], layer, layer_weights(heads, place))
    if config.normalization_strategy:
        folders[-1].mkdir()


def write_pooling(folder: Path, pooling: Pooling, hidden_size: int, *, include_prompt: bool = True) -> None:
    """Write a Pooling module."""
    modes = pooling if isinstance(pooling, tuple) else (pooling,)
    flags = {flag: mode in modes for flag, mode in FLAGS.items()}
    write_json(
        folder / "config.json", {"word_embedding_dimension": hidden_size, **flags, "include_prompt": include_prompt}
    )
