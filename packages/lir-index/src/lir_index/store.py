"""How an index's folder changes: new files under new names, then a new ``index.json``, then the old files go.

So a reader finds the old index or the new one, whenever the process that changes it is killed. One process changes an
index at a time.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import numpy as np

from lir_index.config import IndexConfig
from lir_index.doc_ids import write_doc_ids
from lir_index.documents import Documents
from lir_index.errors import (
    ForeignIndexError,
    IndexExistsError,
    LirIndexError,
    NoIndexError,
)
from lir_index.integrity import VERIFIED, describe, note_sound
from lir_index.locks import FolderLock
from lir_index.manifest import NAME, Deleted, Manifest, SegmentEntry
from lir_index.ownership import check_ours, remove_file, remove_leftovers, remove_segment
from lir_index.segment import Segment, Space
from lir_index.storage import flush_to_disk, naming
from lir_index.top_k import Positions


@contextmanager
def changing(folder: Path, held: FolderLock | None = None) -> Generator[None]:
    """Keep other processes from changing the index, and remove what no ``index.json`` names, before and after.

    Args:
        folder: Folder of the index; made where it is missing.
        held: The lock of the folder, where the caller has it already; it stays locked then.

    Raises:
        BusyIndexError: If another process is changing the index.
        ForeignIndexError: If the folder holds something that lir did not put there; nothing is removed then.
        StorageError: If the operating system refuses to write.
    """
    with FolderLock(folder) if held is None else nullcontext(), naming(folder):
        check_ours(folder, is_index=(folder / NAME).exists())
        _remove_leftovers(folder)
        yield
        _remove_leftovers(folder)


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that an index must not be written to.

    Args:
        folder: Where the index is to be; it may be missing.
        overwrite: Whether an index may be replaced.

    Raises:
        IndexExistsError: If there is an index, and ``overwrite`` is not set.
        ForeignIndexError: If the folder holds something that lir did not put there.
    """
    if folder.exists() and not folder.is_dir():
        raise ForeignIndexError(f"'{folder}' is a file, and an index is a folder.")
    check_ours(folder)
    if not (folder / NAME).exists():
        return
    try:
        Manifest.read(folder)
    except ForeignIndexError:
        raise
    except LirIndexError:
        # Damaged, or of another version: an index all the same.
        pass
    if not overwrite:
        raise IndexExistsError(
            f"There is an index in '{folder}' already.", hint="Give another folder, or allow to overwrite it."
        )


def write_segment(
    folder: Path,
    documents: Documents,
    kind: type[Segment],
    config: IndexConfig,
    space: Space,
    like: Segment | None = None,
) -> SegmentEntry:
    """Write the files of a new segment; where that fails, nothing of them is left.

    Args:
        folder: Folder of the index.
        documents: What is to be indexed.
        kind: The index kind.
        config: Its config.
        space: How the embeddings are compared.
        like: A segment of the same index, where there is one.

    Raises:
        DocumentIdError: If two documents have the same id.
        StorageError: If the operating system refuses to write.
    """
    data = folder / f"segment-{_new_number(folder)}"
    data.mkdir()
    try:
        write_doc_ids(data, documents.doc_ids())
        details = kind.write(data, documents, config, space, like)
        paths = sorted(data.iterdir())
        files = {path.name: describe(path) for path in paths}
        for path in (*paths, data):
            flush_to_disk(path)
    except BaseException:
        with suppress(LirIndexError):
            remove_segment(data)
        raise
    return SegmentEntry(data.name, documents.num_docs, files, dict(details))


def commit(folder: Path, manifest: Manifest) -> None:
    """Make the index what the manifest says; until then it is what it was."""
    manifest.write(folder)
    note_sound(folder, manifest.files)


def write_deleted(folder: Path, positions: Positions) -> Deleted | None:
    """Write which documents are deleted; where that fails, nothing of it is left."""
    if len(positions) == 0:
        return None
    path = folder / f"deleted-{_new_number(folder)}.npy"
    try:
        np.save(path, positions.astype(np.int64))
        flush_to_disk(path)
    except BaseException:
        with suppress(LirIndexError):
            remove_file(path)
        raise
    return Deleted(path.name, len(positions), **describe(path))


def _new_number(folder: Path) -> int:
    """A number that nothing has, or had: a reader that knows an older index.json finds its own files or none."""
    names = [re.fullmatch(r"(?:segment-|deleted-)([0-9]+)(?:\.npy)?", path.name) for path in folder.iterdir()]
    # What was made last is always in use, so that the largest number never becomes free.
    return 1 + max((int(name[1]) for name in names if name), default=0)


def _remove_leftovers(folder: Path) -> None:
    """Remove what no index.json names: an older index, or an interrupted change."""
    try:
        manifest = Manifest.read(folder)
        named = {VERIFIED, *(Path(file).parts[0] for file in manifest.files)}
    except NoIndexError:
        named = set[str]()
    except ForeignIndexError:
        raise
    except LirIndexError:
        # A damaged index is kept until the new one is complete: someone may yet want its files.
        return
    remove_leftovers(folder, named)
