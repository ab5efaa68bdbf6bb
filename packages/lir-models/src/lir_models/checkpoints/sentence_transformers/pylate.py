"""PyLate's folders: Transformer and Dense, and in the settings the markers, lengths, expansion and masks of ColBERT."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import Settings, read_tokenizer
from lir_models.checkpoints.sentence_transformers.modules import (
    Chain,
    layer_weights,
    read_layer_weights,
    read_layers,
    read_prompts,
    write_chain,
    write_dense,
    write_settings,
)
from lir_models.checkpoints.sentence_transformers.transformer import read_transformer, write_transformer
from lir_models.config import BiEncoderConfig
from lir_models.errors import CheckpointError
from lir_models.families.col import ColConfig
from lir_models.fields import DenseLayer, Side
from lir_models.tokenization import Tokenizer

# What PyLate does where the settings are silent.
_QUERY_LENGTH, _DOC_LENGTH = 32, 180


def detect(chains: Mapping[Side, Chain], settings: Settings) -> bool:
    """Whether the settings say so, or have a word that only PyLate has."""
    names = [module.name for module in chains["doc"]]
    says_so = settings.text("model_type") == "ColBERT" or "query_prefix" in settings or "skiplist_words" in settings
    return says_so and names[:1] == ["Transformer"] and set(names[1:]) <= {"Dense"}


def read(folder: Path, chains: Mapping[Side, Chain], settings: Settings) -> Checkpoint:
    """Read the config."""
    similarity = settings.text("similarity_fn_name") or "maxsim"
    if similarity.lower() not in ("maxsim", "cosine", "dot"):  # the latter two are the base class's, and not used
        raise CheckpointError(f"'{folder}' compares by '{similarity}'; of PyLate's lir knows MaxSim.")
    chain = chains["doc"]
    transformer = read_transformer(chain[0])
    expands = settings.flag("do_query_expansion", True)
    markers = {"query": settings.text("query_prefix", "[Q] "), "doc": settings.text("document_prefix", "[D] ")}
    prompts = read_prompts(settings)
    config = ColConfig(
        embedding_dim=None,
        projection=read_layers(chain[1:], None, "token_embeddings") or None,
        normalization_strategy="l2",
        query_length=settings.number("query_length", _QUERY_LENGTH),
        doc_length=settings.number("document_length", _DOC_LENGTH),
        query_prompt=prompts["query"].removeprefix(markers["query"]),
        doc_prompt=prompts["doc"].removeprefix(markers["doc"]),
        lowercase=transformer.lowercase,
        add_marker_tokens=any(markers.values()),
        query_marker=markers["query"],
        doc_marker=markers["doc"],
        query_expansion=expands,
        attend_to_query_expanded_tokens=expands and settings.flag("attend_to_expansion_tokens", False),
        doc_mask_scoring_tokens=_masked(
            settings.texts("skiplist_words")
            if settings.get("skiplist_words") is not None
            else list(string.punctuation),
            chain[0].folder,
        ),
    )
    return Checkpoint(
        kind="bi-encoder", config=config, folder=chain[0].folder, heads=lambda _: read_layer_weights(chain)
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


def not_said(config: BiEncoderConfig) -> str:
    """Name what PyLate has no word for; empty if it can say all of the config."""
    layers = config.projection if isinstance(config.projection, tuple) else ()
    if type(config) is not ColConfig or not layers or not all(isinstance(layer, DenseLayer) for layer in layers):
        return f"a {type(config).__name__} with the layers {layers!r}"
    wanted: dict[str, Any] = {
        "normalization_strategy": "l2",
        "query_aggregation_function": "sum",
        "doc_aggregation_function": "max",
        "shared_encoder": True,
        "pool_factor": 1,
    }
    nothing = (
        "sparsification_strategy", "truncate_dim", "query_mask_scoring_tokens", "query_prompt", "doc_prompt",
        "doc_expansion", "expansion_token", "query_expansion_length",
    )  # fmt: skip
    for field in (*wanted, *nothing):
        value = getattr(config, field)
        if value != wanted.get(field) and (field in wanted or value):
            return f"{field} {value!r}"
    if config.similarity_function == "l2" or None in (config.query_length, config.doc_length):
        return "distances as scores, or texts of any length"
    return ""


def write(folder: Path, config: ColConfig, heads: Mapping[Side, HeadWeights], tokenizer: Tokenizer) -> None:
    """Write the modules after the backbone, which lies in the folder already."""
    layers = [layer for layer in config.projection or () if isinstance(layer, DenseLayer)]
    classes = ["sentence_transformers.models.Transformer", *["pylate.models.Dense.Dense"] * len(layers)]
    folders = write_chain(folder, classes)
    length = config.doc_length
    write_transformer(folders[0], {"query": length, "doc": length}, lowercase=config.lowercase)
    for place, layer in enumerate(layers):
        write_dense(folders[1 + place], layer, layer_weights(heads["doc"], place))
    masked = config.doc_mask_scoring_tokens
    if masked == "punctuation":
        # Of a mark that is no token, PyLate would mask the unknown token.
        masked = tuple(mark for mark in string.punctuation if tokenizer.has_token(mark))
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
        skiplist_words=list(masked or ()),
        prompts={},
        default_prompt_name=None,
    )
