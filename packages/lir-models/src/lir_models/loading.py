"""From a reference to whichever model it means."""

from pathlib import Path

from lir_models.checkpoints import recognise
from lir_models.config import Kind
from lir_models.references import resolve


def detect(name_or_path: str | Path) -> Kind:
    """Say what a model reference leads to, from its small files alone.

    Returns:
        ``bi-encoder``, ``cross-encoder``, or ``backbone`` for a transformer that has no rule for scores yet.

    Raises:
        ModelNotFoundError: If there is no such model.
        CheckpointError: If its files cannot be read.
    """
    return recognise(resolve(name_or_path, weights=False))[0]


def load_model(name_or_path: str | Path, *, device: str | None = None):
    """Load a bi-encoder or a cross-encoder, as the files say; a plain backbone becomes a bi-encoder."""
    from lir_models.bi_encoder import BiEncoderModel
    from lir_models.cross_encoder import CrossEncoderModel

    if detect(name_or_path) == "cross-encoder":
        return CrossEncoderModel.from_pretrained(name_or_path, device=device)
    return BiEncoderModel.from_pretrained(name_or_path, device=device)


def read_config(name_or_path: str | Path):
    """Read the rule of a model without its weights; None for a plain backbone."""
    return recognise(resolve(name_or_path, weights=False))[1]
