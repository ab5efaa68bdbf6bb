"""From a reference to whichever model it means."""

from pathlib import Path
from typing import Any

from lir_models import registry
from lir_models.checkpoints import Checkpoint, Kind, recognise
from lir_models.references import HubOptions, resolve

_DEFAULT = HubOptions()


def open_checkpoint(name_or_path: str | Path, hub: HubOptions = _DEFAULT) -> Checkpoint:
    """Say what a reference leads to, from its small files, and from the registry what they do not say."""
    return registry.complete(name_or_path, recognise(resolve(name_or_path, weights=False, hub=hub)))


def with_weights(name_or_path: str | Path, checkpoint: Checkpoint, hub: HubOptions = _DEFAULT) -> Checkpoint:
    """Have the weights at hand too: of a hub model they come into the folder of the small files."""
    folder = resolve(name_or_path, hub=hub)
    # The names of weights may say what the small files do not.
    return registry.complete(name_or_path, recognise(folder)) if checkpoint.config is None else checkpoint


def detect(name_or_path: str | Path) -> Kind:
    """Say what a model reference leads to, from its small files alone.

    Returns:
        ``bi-encoder``, ``cross-encoder``, or ``backbone`` for a transformer that has no rule for scores yet.

    Raises:
        ModelNotFoundError: If there is no such model.
        CheckpointError: If its files cannot be read.
    """
    return open_checkpoint(name_or_path).kind


def load_model(name_or_path: str | Path, **options: Any):
    """Load a bi-encoder or a cross-encoder, as the files say; a plain backbone becomes a bi-encoder.

    Args:
        name_or_path: As in `BiEncoderModel.from_pretrained`, whose other arguments are understood as well.
        **options: ``device``, ``dtype``, ``revision``, and so on.
    """
    from lir_models.bi_encoder import BiEncoderModel
    from lir_models.cross_encoder import CrossEncoderModel

    kind = CrossEncoderModel if detect(name_or_path) == "cross-encoder" else BiEncoderModel
    return kind.from_pretrained(name_or_path, **options)


def read_config(name_or_path: str | Path):
    """Read the rule of a model without its weights; None for a plain backbone."""
    return open_checkpoint(name_or_path).config
