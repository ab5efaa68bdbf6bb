"""A model's folder is written whole or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from lir_models.checkpoints import ownership
from lir_models.errors import OutputExistsError, UnwritableOutputError


@contextmanager
def written_whole(folder: Path, *, overwrite: bool) -> Generator[Path]:
    """Give a temporary folder that takes the place of ``folder`` when all is written, or vanishes.

    Raises:
        OutputExistsError: If ``folder`` exists and is not to be overwritten, or holds more than a model that lir saved.
        UnwritableOutputError: If the system refuses to write; what was there stays.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise OutputExistsError(f"'{folder}' exists already, and is not overwritten unless asked for.")
    ownership.check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with ownership.temporary_folder(folder) as temporary:
            place = temporary / folder.name
            place.mkdir()  # unlike that of mkdtemp, for whom the umask lets read it
            yield place
            # safetensors 0.8 writes files for their owner alone (https://github.com/safetensors/safetensors/issues/782).
            for weights in place.rglob("*.safetensors"):
                weights.chmod(place.stat().st_mode & 0o666)
            _flush_to_disk(place)
            ownership.replace_model(place, folder)
    except (OSError, SafetensorError) as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise UnwritableOutputError(
            f"'{folder}' cannot be written: {reason}.", hint="what was there before is as it was"
        ) from error


def _flush_to_disk(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _reason(error: OSError | SafetensorError) -> str | None:
    """Return why the system refused; None if it was something else."""
    if isinstance(error, OSError):
        return error.strerror if error.errno is not None else None
    # "Error while serializing: I/O error: No space left on device (os error 28)"
    _, found, reason = str(error).rpartition("I/O error: ")
    return reason.partition(" (os error")[0] if found else None
