"""Whether the files of an index are as they were written.

Their checksums are compared when an index is opened. So that this does not cost a pass over all bytes each time,
``verified.json`` notes size, inode and time of change of each file that was found to be sound; only a file that differs
from the note is read again. The first time, segments also look at what their files say (:meth:`Segment.check`): whoever
makes an index can put any checksum right.
"""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from lir_index.errors import DamagedIndexError, StorageError
from lir_index.fields import Fields, check_regular, read_json
from lir_index.ownership import is_segment_file
from lir_index.storage import replacing

VERIFIED = "verified.json"

Files = dict[str, dict[str, Any]]
"""For each file, by its path from the index's folder, ``bytes`` and ``sha256``."""


def describe(path: Path) -> dict[str, Any]:
    """Size and checksum of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def check_files(folder: Path, files: Files, *, thoroughly: bool = False) -> list[str]:
    """Compare files with what was written.

    Args:
        folder: Folder of the index.
        files: What was written.
        thoroughly: Whether to read every file, and not only those that have changed since they were found to be sound.

    Returns:
        The files that were read: for all that is known, new here.

    Raises:
        DamagedIndexError: If a file is missing, a link, of another size, or of other contents; or if there is one that the index
            would take for its own.
    """
    sound = {} if thoroughly else _read_notes(folder)
    changed: list[str] = []
    for segment in sorted({str(Path(name).parent) for name in files} - {"."}):
        _check_folder(folder, segment, files)
    for name, expected in files.items():
        path = folder / name
        try:
            check_regular(path)
            size = path.stat().st_size
        except FileNotFoundError as error:
            raise _missing(folder, path) from error
        if size != expected["bytes"]:
            raise DamagedIndexError(
                f"The index in '{folder}' is damaged: '{path}' has {size} bytes, not {expected['bytes']}."
            )
        if sound.get(name) != _note(path, expected):
            changed.append(name)
    for name in changed:
        try:
            seen = describe(folder / name)
        except FileNotFoundError as error:
            raise _missing(folder, folder / name) from error
        except OSError as error:
            raise DamagedIndexError(f"'{folder / name}' cannot be read: {error.strerror or error}.") from error
        if seen != files[name]:
            raise DamagedIndexError(f"The index in '{folder}' is damaged: '{folder / name}' is not as it was written.")
    return changed


def _check_folder(folder: Path, segment: str, files: Files) -> None:
    """Refuse a segment that is a link, or has a file that a kind might open although nobody has a checksum of it."""
    path = folder / segment
    if path.is_symlink():
        raise DamagedIndexError(f"The index in '{folder}' is damaged: '{path}' is a link, not a folder.")
    try:
        names = sorted(file.name for file in path.iterdir())
    except FileNotFoundError as error:
        raise _missing(folder, path) from error
    except OSError as error:
        raise DamagedIndexError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    for name in names:
        if is_segment_file(name) and f"{segment}/{name}" not in files:
            raise DamagedIndexError(f"The index in '{folder}' is damaged: '{path / name}' does not belong to it.")


def note_sound(folder: Path, files: Files) -> None:
    """Note that these files are as they were written; without effect where the folder cannot be written to."""
    # Beside a writer, files may go in the meantime; then there is nothing to note.
    with suppress(StorageError), replacing(folder / VERIFIED) as temporary:
        notes = {name: _note(folder / name, expected) for name, expected in files.items()}
        temporary.write_text(json.dumps(notes, indent=1, ensure_ascii=False), encoding="utf-8")


def _missing(folder: Path, path: Path) -> DamagedIndexError:
    return DamagedIndexError(f"The index in '{folder}' is damaged: the file '{path}' is missing.")


def _note(path: Path, expected: dict[str, Any]) -> list[Any]:
    stat = path.stat()
    return [stat.st_ino, stat.st_mtime_ns, expected["bytes"], expected["sha256"]]


def _read_notes(folder: Path) -> dict[str, Any]:
    try:
        return dict(Fields(folder / VERIFIED, read_json(folder / VERIFIED)))
    except (FileNotFoundError, DamagedIndexError):
        return {}
