"""Static embeddings: StaticEmbedding, then any of Dense, LayerNorm and Normalize."""

from collections.abc import Mapping
from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import Settings, read_tokenizer, read_weights
from lir_models.checkpoints.sentence_transformers.modules import (
    LAYERS,
    Chain,
    is_l2,
    layer_class,
    layer_weights,
    read_layer_weights,
    read_layers,
    read_prompts,
    read_similarity,
    similarity_settings,
    write_chain,
    write_layer,
    write_settings,
)
from lir_models.errors import CheckpointError
from lir_models.families.static import StaticConfig
from lir_models.fields import Side

_CLASSES = "sentence_transformers.models."


def detect(chains: Mapping[Side, Chain], settings: Settings) -> bool:
    """Whether the first module holds a vector for each token."""
    del settings
    return chains["doc"] == chains["query"] and (
        [module.name for module in chains["doc"][:1]] == ["StaticEmbedding"]
        and {module.name for module in chains["doc"][1:]} <= LAYERS
    )


def read(folder: Path, chains: Mapping[Side, Chain], settings: Settings) -> Checkpoint:
    """Read the config."""
    del folder
    chain = chains["doc"]
    layers = read_layers(chain[1:], _width(chain[0].folder) if len(chain) > 1 else None)
    normalizes = bool(layers) and is_l2(layers[-1])
    length = token_limit(chain[0].folder)
    prompts = read_prompts(settings)
    config = StaticConfig(
        similarity_function=read_similarity(settings, "cosine"),
        projection=(layers[:-1] if normalizes else layers) or None,
        normalization_strategy="l2" if normalizes else None,
        truncate_dim=settings.number("truncate_dim"),
        query_length=length,
        doc_length=length,
        query_prompt=prompts["query"],
        doc_prompt=prompts["doc"],
    )
    return Checkpoint(
        kind="bi-encoder", config=config, folder=chain[0].folder, heads=lambda _: read_layer_weights(chain)
    )


def token_limit(folder: Path) -> int | None:
    """Return how many tokens the tokenizer in a folder keeps; None for all."""
    tokenizer = read_tokenizer(folder)
    return None if tokenizer is None or tokenizer.truncation is None else tokenizer.truncation["max_length"]


def _width(folder: Path) -> int:
    weights = read_weights(folder, lambda name: name in ("embedding.weight", "embeddings"))
    if not weights:
        raise CheckpointError(f"'{folder}' holds no vectors of tokens.")
    return next(iter(weights.values())).shape[1]


def not_said(config: StaticConfig) -> str:
    """Name what sentence-transformers has no word for; empty if it can say all of the config."""
    if config.query_length != config.doc_length:
        return "lengths of queries and documents that differ, of static embeddings"
    for field in ("sparsification_strategy", "lowercase"):
        if getattr(config, field):
            return f"{field} {getattr(config, field)!r} of static embeddings"
    return ""


def write(folder: Path, config: StaticConfig, heads: Mapping[Side, HeadWeights]) -> None:
    """Write the modules after the vectors, which lie in the folder already."""
    layers = config.projection if isinstance(config.projection, tuple) else ()
    names = ["StaticEmbedding", *map(layer_class, layers), *["Normalize"] * bool(config.normalization_strategy)]
    folders = write_chain(folder, [_CLASSES + name for name in names])
    for place, layer in enumerate(layers):
        write_layer(folders[1 + place], layer, layer_weights(heads["doc"], place))
    if config.normalization_strategy:
        folders[-1].mkdir()
    # The module has no settings: the tokenizer's own file says how many tokens it keeps.
    tokenizer = read_tokenizer(folder)
    tokenizer.no_padding()
    if config.doc_length is None:
        tokenizer.no_truncation()
    else:
        tokenizer.enable_truncation(config.doc_length)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_settings(folder, **similarity_settings(config))
