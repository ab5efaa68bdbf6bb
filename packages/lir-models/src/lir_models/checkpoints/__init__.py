"""The formats that models are published in, one a file: recognise, read, write.

A format is recognised from its files, never from a name.
"""

from pathlib import Path

from lir_models.checkpoints import (
    adapter,
    coil,
    colbert,
    lightning_ir,
    lir,
    model2vec,
    plain,
    sentence_transformers,
    sequence_classification,
)
from lir_models.checkpoints.checkpoint import Checkpoint, HeadWeights, Kind
from lir_models.checkpoints.files import readable
from lir_models.checkpoints.safety import check_folder
from lir_models.errors import CheckpointError, ConfigError

__all__ = ["Checkpoint", "HeadWeights", "Kind", "recognise"]

# The first that recognises a folder reads it: lir's own file says most, a bare config.json least.
_FORMATS = (lir, lightning_ir, sentence_transformers, model2vec, colbert, coil, sequence_classification, adapter, plain)


def recognise(folder: Path) -> Checkpoint:
    """Say what kind of model a folder holds, and by which rule it scores; no weights are read.

    Raises:
        CheckpointError: If the folder holds no model, or one that cannot be read.
    """
    with readable(folder):
        check_folder(folder)
        for checkpoint_format in _FORMATS:
            if checkpoint_format.detect(folder):
                try:
                    return checkpoint_format.read(folder)
                except ConfigError as error:
                    raise CheckpointError(f"'{folder}' asks for a rule that cannot be: {error}") from error
    raise CheckpointError(f"'{folder}' holds no model: it has neither lir.json, nor modules.json, nor config.json.")
