"""Cross-encoders of sentence-transformers from 5.4 on; before, they were sequence classifiers without modules."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_models.checkpoints import sequence_classification
from lir_models.checkpoints.activations import activation_of
from lir_models.checkpoints.checkpoint import Checkpoint
from lir_models.checkpoints.sentence_transformers.modules import Chain
from lir_models.config import CrossEncoderConfig
from lir_models.errors import CheckpointError


def read(folder: Path, chain: Chain, settings: Mapping[str, Any]) -> Checkpoint:
    """Read the config."""
    names = [module.name for module in chain]
    if names != ["Transformer"] or not sequence_classification.detect(folder):
        raise CheckpointError(
            f"'{folder}' is a sentence-transformers cross-encoder of the modules {', '.join(names)}; "
            "lir reads those whose Transformer is a sequence classifier."
        )
    checkpoint = sequence_classification.read(folder)
    if settings.get("activation_fn") and isinstance(checkpoint.config, CrossEncoderConfig):
        config = checkpoint.config.replace(activation=activation_of(settings["activation_fn"]))
        return Checkpoint(kind="cross-encoder", config=config, folder=folder)
    return checkpoint
