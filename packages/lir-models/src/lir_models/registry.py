"""Published models whose files do not say what they are, and by which rule they score."""

from dataclasses import replace
from pathlib import Path

from lir_models.checkpoints import Checkpoint
from lir_models.config import BiEncoderConfig, CrossEncoderConfig

_registered: dict[str, BiEncoderConfig | CrossEncoderConfig] = {}


def register_checkpoint(name_or_path: str | Path, config: BiEncoderConfig | CrossEncoderConfig) -> None:
    """Say by which rule a model scores whose files do not.

    Args:
        name_or_path: A folder, or an id of the Hugging Face hub.
        config: The rule.
    """
    _registered[_key(name_or_path)] = config


def complete(name_or_path: str | Path, checkpoint: Checkpoint) -> Checkpoint:
    """Add to what a model's files say what is registered for it."""
    config = _registered.get(_key(name_or_path))
    if config is None:
        return checkpoint
    kind = "bi-encoder" if isinstance(config, BiEncoderConfig) else "cross-encoder"
    return replace(checkpoint, kind=kind, config=config)


def _key(name_or_path: str | Path) -> str:
    folder = Path(name_or_path).expanduser()
    return str(folder.resolve()) if folder.is_dir() else str(name_or_path)
