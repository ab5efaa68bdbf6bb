"""What lir may remove from the folder of an index: only what carries its own marks, whatever it is called.

A name proves nothing: a folder ``parts`` or ``segment-1`` may be someone's work. So a folder counts as ours only if
everything in it is a regular file that lir writes there, and links are never followed. Nothing else in lir-index
removes a file or a folder; a test sees to that.
"""

import re
import stat
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from lir_index.errors import ForeignIndexError, StorageError

PARTS = "parts"
"""The folder, inside that of the index, where callbacks keep the parts."""

_PARTS_MARK, _SEGMENT_MARK, _INDEX_MARK = "parts.json", "doc_ids.bin", "index.json"

_TEMPORARY = r"(\.[0-9a-f]+\.tmp)?"
_SEGMENT = re.compile(r"segment-[0-9]+")
_INDEX_FILE = re.compile(rf"index\.json{_TEMPORARY}")
# These come into being only beside an index.json.
_BESIDE_INDEX = re.compile(rf"verified\.json{_TEMPORARY}|deleted-[0-9]+\.npy")
_PART_FILE = re.compile(
    rf"(parts\.json|rank-[0-9]{{5}}\.json|rank-[0-9]{{5}}-part-[0-9]{{6}}\.safetensors){_TEMPORARY}"
)
# What the kinds write, and what they write on the way to it.
_SEGMENT_FILE = re.compile(
    "|".join(
        (
            r"doc_ids\.(bin|ends\.npy|rank\.npy)",
            r"(vectors|lengths)\.npy",
            r"index\.faiss",
            r"(text_vectors|unordered|owners|tokens|ends|places)\.npy",  # coil
            r"(centroids|scale|values|codes|residuals|cells\.indptr|cells\.documents)\.npy",  # plaid
            r"(documents|postings|heaviest)\.(indptr|indices|data)\.npy",  # sparse
            r"clusters\.index\.seismic",
            r"texts(\.lengths)?\.npy|((data|indices|indptr)\.csc|nonoccurrence_array)\.index\.npy",  # bm25
            r"(vocab|params)\.index\.json",
        )
    )
)
# NFS keeps a removed file under such a name while a reader has it open.
_KEPT_BY_NFS = re.compile(r"\.nfs[0-9a-f]+")


def check_ours(folder: Path, *, is_index: bool = False) -> None:
    """Refuse a folder in which something would be removed, or mixed up, that lir did not put there.

    Args:
        folder: Folder of an index, or where one is to be; it may be missing.
        is_index: Whether an index is in it already. Then only what is called as if it were ours is refused; a README
            beside the index is in nobody's way.

    Raises:
        ForeignIndexError: If there is something; the message names it.
        StorageError: If the folder cannot be read.
    """
    for path in _listed(folder):
        foreign = _foreign(path)
        if foreign is not None and not (is_index and not _is_called_ours(path)):
            raise _refusal(folder, foreign)


def is_segment_file(name: str) -> bool:
    """Whether a file of a segment may have this name."""
    return _SEGMENT_FILE.fullmatch(name) is not None


def remove_leftovers(folder: Path, named: Collection[str]) -> None:
    """Remove segments and other files of ours from the folder of an index; what cannot be removed now stays.

    Args:
        folder: Folder of the index. Its parts are left alone.
        named: Names in it that ``index.json`` needs.
    """
    for path in _listed(folder):
        if path.name in named or path.name in (_INDEX_MARK, PARTS) or _foreign(path) is not None:
            continue
        with suppress(StorageError):
            if _SEGMENT.fullmatch(path.name):
                remove_segment(path)
            else:
                remove_file(path)


def remove_segment(folder: Path) -> None:
    """Remove a segment; without effect where there is none.

    Raises:
        ForeignIndexError: If it holds anything else than a segment's files; all of it stays.
        StorageError: If the operating system refuses.
    """
    _remove_folder(folder, _foreign_in_segment(folder), _SEGMENT_MARK)


def remove_parts(folder: Path) -> None:
    """Remove a folder of parts, of any name; without effect where there is none.

    Raises:
        ForeignIndexError: If it holds anything else than parts; all of it stays.
        StorageError: If the operating system refuses.
    """
    _remove_folder(folder, _foreign_in_parts(folder), _PARTS_MARK)


def remove_file(path: Path) -> None:
    """Remove a file that lir writes into an index, a segment or a folder of parts; without effect where it is gone.

    Raises:
        ForeignIndexError: If lir writes no file of that name, or it is a folder or a link.
        StorageError: If the operating system refuses.
    """
    if not _is_file(path, _INDEX_FILE, _BESIDE_INDEX, _PART_FILE, _SEGMENT_FILE):
        raise _refusal(path.parent, path)
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"'{path}' could not be removed: {error.strerror or error}.") from error


def _remove_folder(folder: Path, foreign: Path | None, mark: str) -> None:
    if foreign is not None:
        raise _refusal(folder, foreign)
    # The mark goes last: killed halfway, the folder is still known as ours.
    for path in sorted(_listed(folder), key=lambda path: path.name == mark):
        if not _KEPT_BY_NFS.fullmatch(path.name):
            remove_file(path)
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise StorageError(f"'{folder}' could not be removed: {error.strerror or error}.") from error


def _foreign(path: Path) -> Path | None:
    """What is not ours of an entry in the folder of an index: all of it, or the first thing in it."""
    if path.name == PARTS:
        return _foreign_in_parts(path)
    if _SEGMENT.fullmatch(path.name):
        return _foreign_in_segment(path)
    if _is_file(path, _INDEX_FILE) or (_is_file(path, _BESIDE_INDEX) and _mode(path.parent / _INDEX_MARK)):
        return None
    return None if _is_file(path) else path


def _foreign_in_parts(folder: Path) -> Path | None:
    if _mode(folder) and not stat.S_ISDIR(_mode(folder)):
        return folder
    return next((path for path in _listed(folder) if not _is_file(path, _PART_FILE)), None)


def _foreign_in_segment(folder: Path) -> Path | None:
    if _mode(folder) and not stat.S_ISDIR(_mode(folder)):
        return folder
    files = [path for path in _listed(folder) if not _KEPT_BY_NFS.fullmatch(path.name)]
    foreign = next((path for path in files if not _is_file(path, _SEGMENT_FILE)), None)
    # Document ids are written first and removed last: without them, vectors.npy may be anybody's.
    is_marked = any(path.name == _SEGMENT_MARK for path in files)
    return files[0] if foreign is None and files and not is_marked else foreign


def _is_file(path: Path, *patterns: re.Pattern[str]) -> bool:
    """Whether it is a regular file of such a name, or one that NFS keeps, or has gone in the meantime."""
    mode = _mode(path)
    known = any(pattern.fullmatch(path.name) for pattern in (*patterns, _KEPT_BY_NFS))
    return mode == 0 or (known and stat.S_ISREG(mode))


def _is_called_ours(path: Path) -> bool:
    return path.name == PARTS or path.name.startswith(("segment-", "deleted-", "index.json", "verified.json"))


def _mode(path: Path) -> int:
    """What kind of thing it is, itself and not what it links to; 0 if there is nothing."""
    try:
        return path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _listed(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"'{folder}' cannot be read: {error.strerror or error}.") from error


def _refusal(folder: Path, foreign: Path) -> ForeignIndexError:
    name = foreign.relative_to(folder) if foreign != folder else foreign.name
    return ForeignIndexError(
        f"'{folder}' holds something that lir did not put there: '{name}'.",
        hint="Give the index a folder of its own, or move that elsewhere.",
    )
