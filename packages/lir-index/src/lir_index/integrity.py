"""Whether the files of an index are as they were written.

Their checksums are compared when an index is opened. So that this does not cost a pass over all bytes each time,
``verified.json`` notes size, inode and time of change of each file that was found to be sound; only a file that differs
from the note is read again.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from lir_index.errors import DamagedIndexError, StorageError
from lir_index.storage import replacing

VERIFIED = "verified.json"

Files = dict[str, dict[str, Any]]
"""For each file, by its path from the index's folder, ``bytes`` and ``sha256``."""


def describe(path: Path) -> dict[str, Any]:
    """Size and checksum of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def check_files(folder: Path, files: Files, *, thoroughly: bool = False) -> None:
    """Compare files with what was written.

    Args:
        folder: Folder of the index.
        files: What was written.
        thoroughly: Whether to read every file, and not only those that have changed since they were found to be sound.

    Raises:
        DamagedIndexError: If a file is missing, of another size, or of other contents.
    """
    sound = {} if thoroughly else _read_notes(folder)
    changed: list[str] = []
    for name, expected in files.items():
        path = folder / name
        try:
            size = path.stat().st_size
        except OSError as error:
            raise DamagedIndexError(f"The index in '{folder}' is damaged: the file '{path}' is missing.") from error
        if size != expected["bytes"]:
            raise DamagedIndexError(
                f"The index in '{folder}' is damaged: '{path}' has {size} bytes, not {expected['bytes']}."
            )
        if sound.get(name) != _note(path, expected):
            changed.append(name)
    for name in changed:
        try:
            seen = describe(folder / name)
        except OSError as error:
            raise DamagedIndexError(f"'{folder / name}' cannot be read: {error.strerror or error}.") from error
        if seen != files[name]:
            raise DamagedIndexError(f"The index in '{folder}' is damaged: '{folder / name}' is not as it was written.")
    if changed:
        note_sound(folder, files)


def note_sound(folder: Path, files: Files) -> None:
    """Note that these files are as they were written; without effect where the folder cannot be written to."""
    notes = {name: _note(folder / name, expected) for name, expected in files.items()}
    with suppress(StorageError), replacing(folder / VERIFIED) as temporary:
        temporary.write_text(json.dumps(notes, indent=1, ensure_ascii=False), encoding="utf-8")


def _note(path: Path, expected: dict[str, Any]) -> list[Any]:
    stat = path.stat()
    return [stat.st_ino, stat.st_mtime_ns, expected["bytes"], expected["sha256"]]


def _read_notes(folder: Path) -> dict[str, Any]:
    try:
        notes = json.loads((folder / VERIFIED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}
