"""The formats that models are published in, one a file: recognise, read, write.

A format is recognised from its files, never from a name.
"""

from pathlib import Path

from lir_models.checkpoints import lir, plain, sentence_transformers, sequence_classification
from lir_models.config import Recognised
from lir_models.errors import CheckpointError

# The first that recognises a folder reads it: lir's own file says most, a bare config.json least.
_FORMATS = (lir, sentence_transformers, sequence_classification, plain)


def recognise(folder: Path) -> Recognised:
    """Say what kind of model a folder holds, and by which rule it scores; no weights are read.

    Returns:
        The kind, and the config; None for a backbone, which has no rule yet.

    Raises:
        CheckpointError: If the folder holds no model, or one that cannot be read.
    """
    for checkpoint_format in _FORMATS:
        if checkpoint_format.detect(folder):
            return checkpoint_format.read(folder)
    raise CheckpointError(f"'{folder}' holds no model: it has neither lir.json, nor modules.json, nor config.json.")
