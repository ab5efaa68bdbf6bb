"""PyLate's folders: Transformer and Dense, and in the settings the markers, lengths, expansion and masks of ColBERT."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import read_tokenizer
from lir_models.checkpoints.sentence_transformers.modules import (
    Chain,
    layer_weights,
    read_dense_layer,
    read_dense_weights,
    transformer_settings,
    write_chain,
    write_dense,
    write_settings,
    write_transformer_settings,
)
from lir_models.config import BiEncoderConfig
from lir_models.families.col import ColConfig
from lir_models.fields import Side

# What PyLate does where the settings are silent.
_DEFAULTS: dict[str, Any] = {
    "query_prefix": "[Q] ",
    "document_prefix": "[D] ",
    "query_length": 32,
    "document_length": 180,
    "do_query_expansion": True,
    "attend_to_expansion_tokens": False,
    "skiplist_words": list(string.punctuation),
}


def detect(chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> bool:
    """Whether the settings say so, or have a word that only PyLate has."""
    names = [module.name for module in chains["doc"]]
    says_so = settings.get("model_type") == "ColBERT" or "query_prefix" in settings or "skiplist_words" in settings
    return says_so and names[:1] == ["Transformer"] and set(names[1:]) <= {"Dense"}


def read(folder: Path, chains: Mapping[Side, Chain], settings: Mapping[str, Any]) -> Checkpoint:
    """Read the config."""
    del folder
    chain = chains["doc"]
    values = {name: default if settings.get(name) is None else settings[name] for name, default in _DEFAULTS.items()}
    expands = bool(values["do_query_expansion"])
    config = ColConfig(
        embedding_dim=None,
        projection=tuple(read_dense_layer(module.folder) for module in chain[1:]) or None,
        normalization_strategy="l2",
        query_length=values["query_length"],
        doc_length=values["document_length"],
        lowercase=bool(transformer_settings(chain[0].folder).get("do_lower_case", False)),
        add_marker_tokens=bool(values["query_prefix"] or values["document_prefix"]),
        query_marker=values["query_prefix"],
        doc_marker=values["document_prefix"],
        query_expansion=expands,
        attend_to_query_expanded_tokens=expands and bool(values["attend_to_expansion_tokens"]),
        doc_mask_scoring_tokens=_masked(values["skiplist_words"], chain[0].folder),
    )
    return Checkpoint(
        kind="bi-encoder", config=config, folder=chain[0].folder, heads=lambda _: read_dense_weights(chain)
    )


def _masked(words: list[str], folder: Path) -> tuple[str, ...] | None:
    """Return the tokens that PyLate masks: for words that are no tokens, it masks the unknown token."""
    tokenizer = read_tokenizer(folder)
    if tokenizer is None:
        return tuple(words) or None
    known = [word for word in words if tokenizer.token_to_id(word) is not None]
    unknown = next((token for token in ("[UNK]", "<unk>") if tokenizer.token_to_id(token) is not None), None)
    if len(known) < len(words) and unknown is not None:
        known.append(unknown)
    return tuple(known) or None


def can_write(config: BiEncoderConfig) -> bool:
    """Whether PyLate has a word for all that the config says."""
    return (
        type(config) is ColConfig
        and isinstance(config.projection, tuple)
        and config.normalization_strategy == "l2"
        and config.similarity_function in ("dot", "cosine")
        and (config.query_aggregation_function, config.doc_aggregation_function) == ("sum", "max")
        and config.sparsification_strategy is config.truncate_dim is config.query_mask_scoring_tokens is None
        and config.query_length is not None
        and config.doc_length is not None
        and not (config.query_prompt or config.doc_prompt or config.doc_expansion)
        and config.expansion_token is config.query_expansion_length is None
        and config.shared_encoder
        and config.pool_factor == 1
    )


def write(folder: Path, config: ColConfig, heads: Mapping[Side, HeadWeights]) -> None:
    """Write the modules after the backbone, which lies in the folder already."""
    layers = config.projection if isinstance(config.projection, tuple) else ()
    classes = ["sentence_transformers.models.Transformer", *["pylate.models.Dense.Dense"] * len(layers)]
    folders = write_chain(folder, classes)
    write_transformer_settings(folders[0], length=config.doc_length, lowercase=config.lowercase)
    for place, layer in enumerate(layers):
        write_dense(folders[1 + place], layer, layer_weights(heads["doc"], place))
    masked = config.doc_mask_scoring_tokens
    has_markers = config.add_marker_tokens
    write_settings(
        folder,
        model_type="ColBERT",
        similarity_fn_name="MaxSim",
        query_prefix=config.query_marker if has_markers else "",
        document_prefix=config.doc_marker if has_markers else "",
        query_length=config.query_length,
        document_length=config.doc_length,
        do_query_expansion=config.query_expansion,
        attend_to_expansion_tokens=config.attend_to_query_expanded_tokens,
        skiplist_words=list(string.punctuation) if masked == "punctuation" else list(masked or ()),
        prompts={},
        default_prompt_name=None,
    )
