"""model2vec's folders without modules of sentence-transformers: vectors, a tokenizer, and whether texts are normalised."""

from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint
from lir_models.checkpoints.files import read_settings, read_settings_if_there
from lir_models.checkpoints.sentence_transformers.static import token_limit
from lir_models.families.static import StaticConfig


def detect(folder: Path) -> bool:
    """Whether config.json says so."""
    return read_settings_if_there(folder / "config.json").get("model_type") == "model2vec"


def read(folder: Path) -> Checkpoint:
    """Read the config."""
    normalizes = read_settings(folder / "config.json").flag("normalize", False)
    length = token_limit(folder)
    config = StaticConfig(normalization_strategy="l2" if normalizes else None, query_length=length, doc_length=length)
    return Checkpoint(kind="bi-encoder", config=config, folder=folder)
