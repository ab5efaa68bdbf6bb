"""Multi-vector encoders of sentence-transformers from 6.0 on: Transformer, Dense, MultiVectorMask, Normalize."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models.checkpoints.checkpoint import Checkpoint
from lir_models.checkpoints.files import read_json, read_tokenizer
from lir_models.checkpoints.sentence_transformers.modules import (
    Chain,
    read_dense_layer,
    read_dense_weights,
    read_prompts,
    transformer_settings,
)
from lir_models.errors import CheckpointError
from lir_models.families.col import ColConfig
from lir_models.fields import Aggregation, Side

_MODULES = {"Dense", "MultiVectorMask", "Normalize", "HierarchicalTokenPooling"}
_SIMILARITIES: dict[str, Aggregation] = {"maxsim": "sum", "meanmaxsim": "mean"}


def detect(chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> bool:
    """Whether the settings say so, or a module that only these models have."""
    names = [module.name for module in chains["doc"]]
    return names[:1] == ["Transformer"] and (
        settings.get("model_type") == "MultiVectorEncoder" or "MultiVectorMask" in names
    )


def read(folder: Path, chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> Checkpoint:
    """Read the config."""
    chain = chains["doc"]
    names = [module.name for module in chain]
    if chains["query"] != chain or set(names[1:]) - _MODULES:
        raise CheckpointError(
            f"'{folder}' is a multi-vector encoder of the modules {', '.join(names)}; lir reads Transformer and "
            f"{', '.join(sorted(_MODULES))}, the same for queries and documents."
        )
    similarity = settings.get("similarity_fn_name") or "maxsim"
    if similarity not in _SIMILARITIES:
        raise CheckpointError(f"'{folder}' compares by '{similarity}'; lir knows {', '.join(_SIMILARITIES)}.")
    transformer = transformer_settings(chain[0].folder)
    expansion = transformer.get("query_expansion") or {}
    length = transformer.get("max_seq_length")
    # The strategy "fixed" cuts queries at the length that it fills them up to, "min" does not.
    is_fixed = expansion.get("strategy") == "fixed"
    query_length = expansion["length"] if is_fixed else transformer.get("query_length") or length
    mask = _masks(chain)
    prompts = read_prompts(settings)
    config = ColConfig(
        embedding_dim=None,
        projection=tuple(read_dense_layer(module.folder) for module in chain if module.name == "Dense") or None,
        normalization_strategy="l2" if "Normalize" in names else None,
        query_length=query_length,
        query_expansion_length=None if is_fixed else expansion.get("length"),
        doc_length=transformer.get("document_length") or length,
        query_prompt=prompts["query"],
        doc_prompt=prompts["doc"],
        lowercase=bool(transformer.get("do_lower_case", False)),
        query_expansion=bool(expansion),
        attend_to_query_expanded_tokens=bool(expansion.get("attend", False)),
        expansion_token=expansion.get("token"),
        query_mask_scoring_tokens=mask["query"],
        doc_mask_scoring_tokens=mask["document"],
        query_aggregation_function=_SIMILARITIES[similarity],
        **_token_pooling(chain),
    )
    return Checkpoint(
        kind="bi-encoder", config=config, folder=chain[0].folder, heads=lambda _: read_dense_weights(chain)
    )


def _masks(chain: Chain) -> dict[str, tuple[str, ...] | None]:
    module = next((module for module in chain if module.name == "MultiVectorMask"), None)
    values = {} if module is None else read_json(module.folder / "config.json")
    if values.get("keep_only_token_ids"):
        raise CheckpointError(f"'{chain[0].folder}' scores tokens of some ids alone, those of images; lir reads texts.")
    tokenizer = read_tokenizer(chain[0].folder)
    # Words that are no tokens mask nothing.
    found = (
        word for word in values.get("skiplist_words") or () if not tokenizer or tokenizer.token_to_id(word) is not None
    )
    words = tuple(found) or None
    tasks = values.get("skiplist_tasks") or ["document"]
    return {task: words if task in tasks else None for task in ("query", "document")}


def _token_pooling(chain: Chain) -> dict[str, Any]:
    module = next((module for module in chain if module.name == "HierarchicalTokenPooling"), None)
    if module is None:
        return {}
    values = read_json(module.folder / "config.json")
    return {
        "pool_factor": int(values.get("pool_factor", 1)),
        "protected_tokens": values.get("num_protected_tokens", 1),
    }
