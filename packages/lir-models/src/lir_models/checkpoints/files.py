"""Reading and writing the small files of a checkpoint, and its heads' weights."""

import json
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lir_models.errors import CheckpointError, OutputExistsError


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CheckpointError: If it is damaged; the message gives the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"'{path}' is damaged: it is no JSON ({error}).") from error


def read_json_if_there(path: Path) -> dict[str, Any]:
    """Read a JSON object, or return an empty one where there is no such file."""
    return read_json(path) if path.is_file() else {}


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file that a person can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Read the weights of one module: ``model.safetensors``, or ``pytorch_model.bin`` (tensors only, no code)."""
    if (folder / "model.safetensors").is_file():
        from safetensors.torch import load_file

        return load_file(folder / "model.safetensors")
    if (folder / "pytorch_model.bin").is_file():
        return torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    raise CheckpointError(f"'{folder}' has no weights: neither model.safetensors nor pytorch_model.bin.")


@contextmanager
def written_whole(folder: Path, *, overwrite: bool) -> Generator[Path]:
    """Give a temporary folder that takes the place of ``folder`` when all is written, or vanishes.

    Raises:
        OutputExistsError: If ``folder`` exists and is not to be overwritten.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise OutputExistsError(f"'{folder}' exists already, and is not overwritten unless asked for.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        yield temporary
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
        if folder.exists():
            folder.rename(old / folder.name)
        temporary.chmod(0o755)
        temporary.rename(folder)
        shutil.rmtree(old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
