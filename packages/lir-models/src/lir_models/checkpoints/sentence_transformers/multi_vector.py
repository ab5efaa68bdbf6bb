"""Multi-vector encoders of sentence-transformers from 6.0 on: Transformer, Dense, MultiVectorMask, Normalize."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models.checkpoints.checkpoint import Checkpoint
from lir_models.checkpoints.files import Settings, read_tokenizer
from lir_models.checkpoints.sentence_transformers.modules import (
    Chain,
    read_layer_weights,
    read_layers,
    read_prompts,
)
from lir_models.checkpoints.sentence_transformers.transformer import read_transformer
from lir_models.errors import CheckpointError
from lir_models.families.col import ColConfig
from lir_models.fields import Aggregation, NormLayer, Side

_MODULES = {"Dense", "MultiVectorMask", "Normalize", "HierarchicalTokenPooling"}
_SIMILARITIES: dict[str, Aggregation] = {"maxsim": "sum", "meanmaxsim": "mean"}


def detect(chains: Mapping[Side, Chain], settings: Settings) -> bool:
    """Whether the settings say so, or a module that only these models have."""
    names = [module.name for module in chains["doc"]]
    return names[:1] == ["Transformer"] and (
        settings.text("model_type") == "MultiVectorEncoder" or "MultiVectorMask" in names
    )


def read(folder: Path, chains: Mapping[Side, Chain], settings: Settings) -> Checkpoint:
    """Read the config."""
    chain = chains["doc"]
    names = [module.name for module in chain]
    if chains["query"] != chain or set(names[1:]) - _MODULES:
        raise CheckpointError(
            f"'{folder}' is a multi-vector encoder of the modules {', '.join(names)}; lir reads Transformer and "
            f"{', '.join(sorted(_MODULES))}, the same for queries and documents."
        )
    similarity = settings.text("similarity_fn_name") or "maxsim"
    if similarity not in _SIMILARITIES:
        raise CheckpointError(f"'{folder}' compares by '{similarity}'; lir knows {', '.join(_SIMILARITIES)}.")
    layers = read_layers(
        [module for module in chain if module.name in ("Dense", "Normalize")], None, "token_embeddings"
    )
    normalizes = isinstance(layers[-1] if layers else None, NormLayer)
    transformer = read_transformer(chain[0], expands=True)
    expansion = transformer.expansion
    strategy = expansion.text("strategy", "min")
    if expansion and strategy not in ("fixed", "min"):
        raise CheckpointError(f"'{folder}' fills queries up by the strategy '{strategy}'; lir knows 'fixed' and 'min'.")
    # The strategy "fixed" cuts queries at the length that it fills them up to, "min" does not.
    is_fixed = bool(expansion) and strategy == "fixed"
    filled = expansion.number("length", 32) if expansion else None
    query_length = filled if is_fixed else transformer.lengths["query"]
    if filled is not None and query_length is not None:
        query_length = max(query_length, filled)
    mask = _masks(chain)
    prompts = read_prompts(settings)
    config = ColConfig(
        embedding_dim=None,
        projection=(layers[:-1] if normalizes else layers) or None,
        normalization_strategy="l2" if normalizes else None,
        query_length=query_length,
        query_expansion_length=None if is_fixed else filled,
        doc_length=transformer.lengths["doc"],
        query_prompt=prompts["query"],
        doc_prompt=prompts["doc"],
        lowercase=transformer.lowercase,
        query_expansion=bool(expansion),
        attend_to_query_expanded_tokens=expansion.flag("attend", False),
        expansion_token=expansion.text("token") or None,
        query_mask_scoring_tokens=mask["query"],
        doc_mask_scoring_tokens=mask["document"],
        query_aggregation_function=_SIMILARITIES[similarity],
        **_token_pooling(chain),
    )
    return Checkpoint(
        kind="bi-encoder", config=config, folder=chain[0].folder, heads=lambda _: read_layer_weights(chain)
    )


def _masks(chain: Chain) -> dict[str, tuple[str, ...] | None]:
    module = next((module for module in chain if module.name == "MultiVectorMask"), None)
    if module is None:
        return {"query": None, "document": None}
    settings = module.settings
    if settings.get("keep_only_token_ids"):
        raise CheckpointError(f"'{chain[0].folder}' scores tokens of some ids alone, those of images; lir reads texts.")
    tokenizer = read_tokenizer(chain[0].folder)
    # Words that are no tokens mask nothing.
    words = tuple(
        word for word in settings.texts("skiplist_words") if not tokenizer or tokenizer.token_to_id(word) is not None
    )
    tasks = settings.texts("skiplist_tasks") or ["document"]
    return {task: (words or None) if task in tasks else None for task in ("query", "document")}


def _token_pooling(chain: Chain) -> dict[str, Any]:
    module = next((module for module in chain if module.name == "HierarchicalTokenPooling"), None)
    if module is None:
        return {}
    settings = module.settings
    tasks = settings.get("tasks")
    if tasks not in (None, "document", ["document"]):
        raise CheckpointError(f"'{settings.path}' pools the tokens of {tasks!r}; lir pools those of documents.")
    return {
        "pool_factor": settings.number("pool_factor", 1),
        "protected_tokens": settings.number("num_protected_tokens", 1, least=0),
    }
