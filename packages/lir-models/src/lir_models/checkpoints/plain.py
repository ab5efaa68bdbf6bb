"""A plain backbone: a Hugging Face folder without any rule for scores."""

from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint


def detect(folder: Path) -> bool:
    """Whether transformers can read this folder."""
    return (folder / "config.json").is_file()


def read(folder: Path) -> Checkpoint:
    """A backbone has no config of ours; the caller chooses one."""
    return Checkpoint(kind="backbone", config=None, folder=folder)
