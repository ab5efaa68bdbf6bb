"""The files of a training's checkpoints: written whole or not at all, and removed only where they are lir's."""

import io
import os
import re
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.strategies import Strategy

from lir_models.checkpoints import ownership
from lir_models.checkpoints.ownership import remove_file, replace_file
from lir_train.errors import CheckpointError, ForeignFileError

_TEMPORARY = re.compile(r"\..+\.ckpt\.([0-9]+)\.part")
# What zip files begin with, such as torch writes.
_ZIP = b"PK"


class WholeCheckpointIO(TorchCheckpointIO):
    """Lightning's way to checkpoints, except that a file on this machine is written whole or not at all.

    Lightning makes the file in memory, writes it to the temporary folder and moves it from there; where that is another
    file system, a move is a copy over the only good checkpoint. Here it is written beside its place, to the disk itself,
    and takes that place at once.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint.

        Raises:
            CheckpointError: If the system refuses, as on a full disk; what was there stays.
        """
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        file: _Remembering | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _sweep(path.parent)
            try:
                with _Remembering(temporary, "wb") as file:
                    torch.save(checkpoint, file)
                    os.fsync(file.fileno())
                replace_file(temporary, path)
            finally:
                remove_file(temporary)
            _flush_folder(path.parent)
        except (OSError, RuntimeError) as error:
            # torch makes a RuntimeError of what the file raised.
            refusal = error if isinstance(error, OSError) else file and file.error
            if refusal is None:
                raise
            raise CheckpointError(
                f"The checkpoint '{path}' cannot be written: {refusal.strerror or refusal}.",
                hint="what was there before is as it was",
            ) from error

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove the file of a checkpoint, and nothing that is no file."""
        if "://" in str(path):
            super().remove_checkpoint(path)
        elif Path(path).is_file():
            remove_file(Path(path))


class _Remembering(io.FileIO):
    """A file that remembers why it could not be written."""

    error: OSError | None = None

    def write(self, data: Any) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Write all of it: a file without a buffer may write less than it is given."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while left:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
            raise
        return size


def write_whole(strategy: Strategy) -> None:
    """Let a strategy write checkpoints whole, unless it has its own way."""
    if type(strategy.checkpoint_io) is TorchCheckpointIO:
        strategy.checkpoint_io = WholeCheckpointIO()


def _sweep(folder: Path) -> None:
    """Remove what killed processes left of checkpoints that they were writing."""
    for path in folder.glob(".*.part"):
        found = _TEMPORARY.fullmatch(path.name)
        if (
            found
            and not path.is_symlink()
            and path.is_file()
            and not ownership.is_running(int(found[1]))
            and _is_begun(path)
        ):
            remove_file(path)


def _is_begun(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_ZIP)) in (b"", _ZIP)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_checkpoints(folder: Path, names: tuple[str, ...]) -> None:
    """Refuse a folder that holds anything but checkpoints of certain names, with their models.

    Args:
        folder: The folder; it may be missing.
        names: Names without ``.ckpt``: ``last`` stands for ``last.ckpt``, ``last-v1.ckpt`` and so on.

    Raises:
        ForeignFileError: If it is a link, or something else is in it; the message names that.
        ForeignFolderError: If a model's folder holds more than a model that lir saved.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ForeignFileError(f"'{folder}' is no folder of checkpoints, and is left alone.")
    for path in _entries(folder):
        if ownership.is_temporary(path) or _TEMPORARY.fullmatch(path.name):
            continue
        if path.name.endswith(".ckpt"):
            is_ours = _is_called(path.name.removesuffix(".ckpt"), names) and path.is_file() and not path.is_symlink()
        else:
            is_ours = _is_called(path.name, names) and path.is_dir()
            if is_ours and not path.is_symlink():
                ownership.check_replaceable(path)
        if not is_ours:
            raise ForeignFileError(
                f"'{folder}' holds something else than checkpoints of lir, for instance '{path.name}', "
                "so nothing in it is removed.",
                hint="move that, or name another output",
            )


def remove_checkpoints(folder: Path, names: tuple[str, ...]) -> None:
    """Remove the checkpoints of certain names, with their models; the folder stays.

    Raises:
        ForeignFileError: If something else is in the folder; nothing is removed.
    """
    check_checkpoints(folder, names)
    for path in _entries(folder):
        if path.is_dir() and not ownership.is_temporary(path):
            ownership.remove_model(path)
        elif path.name.endswith(".ckpt"):
            remove_file(path)
    if folder.is_dir():
        _sweep(folder)
        ownership.sweep(folder)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _is_called(name: str, names: tuple[str, ...]) -> bool:
    return any(re.fullmatch(rf"{re.escape(each)}(-v[0-9]+)?", name) for each in names)
