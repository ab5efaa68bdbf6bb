"""Stanford ColBERT: a transformer and a matrix in one file, the settings in ``artifact.metadata``."""

import string
from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights
from lir_models.checkpoints.files import Settings, read_settings, read_settings_if_there, read_tokenizer, read_weights
from lir_models.errors import CheckpointError
from lir_models.families.col import ColConfig
from lir_models.fields import DenseLayer, ScoringMask, Side

_METADATA = "artifact.metadata"


def detect(folder: Path) -> bool:
    """Whether config.json names the architecture."""
    return "HF_ColBERT" in read_settings_if_there(folder / "config.json").items_of("architectures")


def read(folder: Path) -> Checkpoint:
    """Read the config; what the metadata do not say is as in colbert-ai's code."""
    settings = read_settings_if_there(folder / _METADATA)
    similarity = settings.text("similarity", "cosine")
    if similarity != "cosine":
        raise CheckpointError(
            f"'{folder}' compares by '{similarity}', in colbert-ai the negative squared distance; lir reads 'cosine'."
        )
    hidden_size = read_settings(folder / "config.json").number("hidden_size", 0)
    config = ColConfig(
        embedding_dim=None,
        projection=(DenseLayer(in_features=hidden_size, out_features=_dim(folder, settings), bias=False),),
        normalization_strategy="l2",
        query_length=settings.number("query_maxlen", 32),
        doc_length=settings.number("doc_maxlen", 220),
        add_marker_tokens=True,
        query_marker=settings.text("query_token_id", "[unused0]"),
        doc_marker=settings.text("doc_token_id", "[unused1]"),
        query_expansion=True,
        attend_to_query_expanded_tokens=settings.flag("attend_to_mask_tokens", False),
        doc_mask_scoring_tokens=_punctuation(folder) if settings.flag("mask_punctuation", True) else None,
    )
    return Checkpoint(kind="bi-encoder", config=config, folder=folder, heads=lambda side: _head(folder, side))


def _dim(folder: Path, settings: Settings) -> int:
    if "dim" in settings:
        return settings.number("dim", 0)
    return read_weights(folder, lambda name: name == "linear.weight")["linear.weight"].shape[0]


def _head(folder: Path, side: Side) -> HeadWeights:
    del side
    weights = read_weights(folder, lambda name: name == "linear.weight")
    return {"layers.0.linear.weight": weights["linear.weight"]} if weights else {}


def _punctuation(folder: Path) -> ScoringMask:
    """Return the tokens that colbert-ai masks: the first that each mark of punctuation by itself is made of."""
    tokenizer = read_tokenizer(folder)
    if tokenizer is None:
        return "punctuation"
    firsts = [tokenizer.encode(mark, add_special_tokens=False).tokens[:1] for mark in string.punctuation]
    return tuple(dict.fromkeys(token for first in firsts for token in first))
