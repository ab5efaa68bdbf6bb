"""Embeddings on their way into an index: files that are complete or absent, so that an interrupted run goes on.

A folder of parts holds ``parts.json`` (whose embeddings these are), and for each rank ``rank-00000-part-000000.safetensors``
and so on, with ``rank-00000.json`` when that rank is done. A part holds the arrays of its embeddings
(:mod:`lir_index.embeddings`), the ids of its documents, a checksum, and a hash of the documents that were read for it and
for those before it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

from lir_index.contents import NOTHING, extended, joined
from lir_index.documents import check_documents, check_fit
from lir_index.embeddings import Batch, Form, concatenate, described
from lir_index.errors import DamagedPartsError, DocumentIdError, EmbeddingsError, PartsError
from lir_index.metadata import Metadata
from lir_index.part_files import (
    PartFile,
    RunFile,
    check_done,
    is_begun,
    is_done,
    list_parts,
    mark_done,
    mark_unfinished,
    ranks_with_parts,
    remove_strays,
    write_part,
)
from lir_index.seen_ids import SeenIds
from lir_index.storage import naming


class PartWriter:
    """Appends the embeddings of one rank to its own part files.

    Opened again on the same folder, it goes on after the last complete part. As a context manager, it ends with
    :meth:`close`, or with :meth:`flush` where the block raises.

    Args:
        parts_dir: Folder for the parts of all ranks; made where it is missing.
        rank: Which process this is, from 0.
        world_size: Number of processes that write parts into this folder.
        metadata: Where the embeddings come from: any of the fields of :class:`lir_index.metadata.Metadata`.
        max_bytes: A part is written when its embeddings have about this many bytes.

    Raises:
        PartsError: If the folder holds the parts of another run, or damaged ones. Parts without a ``parts.json``, of which
            nobody knows whose they are, are removed.
        StorageError: If the folder cannot be written to.
    """

    def __init__(
        self,
        parts_dir: str | Path,
        rank: int = 0,
        world_size: int = 1,
        *,
        metadata: Mapping[str, Any] | Metadata | None = None,
        max_bytes: int = 64 * 2**20,
    ) -> None:
        self._folder = Path(parts_dir)
        self._rank = rank
        self._world_size = world_size
        self._max_bytes = max_bytes
        self._doc_ids: list[str] = []
        self._digests: list[bytes] | None = []
        self._batches: list[Batch] = []
        self._bytes = 0
        run = RunFile(world_size, Metadata.of(metadata))
        with naming(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._is_folder = _identity(self._folder)
        remove_strays(self._folder, rank, world_size)
        if is_begun(self._folder):
            RunFile.read(self._folder).check_same(run, self._folder)
        else:
            run.write(self._folder)
        self._parts = list_parts(self._folder, rank)
        self._num_parts = len(self._parts)
        self._num_docs = sum(part.num_docs for part in self._parts)
        self._contents = self._parts[-1].contents if self._parts else NOTHING
        self._form: Form | None = self._parts[0].form if self._parts else None
        self._dim = self._parts[0].dim if self._parts else run.metadata.dim
        self._seen = SeenIds()
        for part in self._parts:
            self._seen.add(part.read_doc_ids())

    @property
    def num_docs(self) -> int:
        """Documents in this rank's complete parts, those of earlier runs included."""
        return self._num_docs

    def append(self, doc_ids: Sequence[str], embeddings: object, digests: Sequence[bytes] | None = None) -> None:
        """Add documents; a part is written when enough have come together.

        Args:
            doc_ids: One id for each document.
            embeddings: Dense ``[n, dim]``, a scipy sparse matrix or torch CSR tensor, packed ``(vectors, lengths)``, or
                the texts themselves, for a kind that needs no encoder.
            digests: For each document a hash of its id and its text. A run that goes on tells by them whether the
                documents are still the same.

        Raises:
            EmbeddingsError: If the embeddings are of another form or dimension than those before, differ in number
                from the ids, or hold a NaN or an infinity.
            DocumentIdError: If an id is no text or is empty, or this rank had it before.
            PartsError: If the folder has been removed.
            StorageError: If the operating system refuses to write.
        """
        doc_ids, batch = check_documents(doc_ids, embeddings)
        check_fit(self._form, self._dim, batch)
        if len(batch) == 0:
            return
        self._check_folder()
        self._check_new(doc_ids)
        self._form, self._dim = batch.form, batch.dim
        step = max(1, self._max_bytes * len(batch) // max(1, batch.nbytes))
        for start in range(0, len(batch), step):
            piece = batch.rows(start, min(start + step, len(batch)))
            self._batches.append(piece)
            self._doc_ids += doc_ids[start : start + step]
            if digests is None:
                self._digests = None
            elif self._digests is not None:
                self._digests += digests[start : start + step]
            self._bytes += piece.nbytes
            if self._bytes >= self._max_bytes:
                self.flush()

    def flush(self) -> None:
        """Write what has been appended as a part of its own, so that it is not lost."""
        if not self._doc_ids:
            return
        self._check_folder()
        mark_unfinished(self._folder, self._rank)
        known = None if self._contents is None or self._digests is None else self._contents
        hashed = None if known is None else extended(known, self._digests or ())
        write_part(self._folder, self._rank, self._num_parts, self._doc_ids, concatenate(self._batches), hashed)
        self._num_parts += 1
        self._num_docs += len(self._doc_ids)
        self._contents = hashed
        self._doc_ids, self._digests, self._batches, self._bytes = [], [], [], 0

    def close(self) -> None:
        """Write the last part and mark this rank as done: an index is only built when every rank is."""
        self.flush()
        self._check_folder()
        mark_done(self._folder, self._rank, self._num_parts, self._num_docs)

    def _check_folder(self) -> None:
        """Find out as soon as possible that the folder was removed, or is another one now."""
        try:
            is_there = _identity(self._folder) == self._is_folder and is_begun(self._folder)
        except OSError:
            is_there = False
        if not is_there:
            raise PartsError(
                f"'{self._folder}' is gone: somebody removed it, and what was encoded with it.",
                hint="Repeat the command to begin anew.",
            )

    def _check_new(self, doc_ids: Sequence[str]) -> None:
        suspects = set(self._seen.add(doc_ids))
        if not suspects:
            return
        first: dict[str, int] = {}
        written = (part.read_doc_ids() for part in list_parts(self._folder, self._rank))
        for place, doc_id in enumerate(chain(*written, self._doc_ids, doc_ids), start=1):
            # Others have only the same hash.
            if doc_id in suspects and first.setdefault(doc_id, place) != place:
                raise DocumentIdError(
                    f"The document id '{doc_id}' occurs twice, as documents {first[doc_id]} and {place}"
                    f"{'' if self._world_size == 1 else f' of process {self._rank}'}.",
                    hint="Give each document an id of its own.",
                )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: type[BaseException] | None, *_: object) -> None:
        if error_type is None:
            self.close()
        else:
            self.flush()


class Parts:
    """The complete parts of all ranks, to be read in order: rank by rank, and as they were appended.

    Args:
        parts_dir: Folder that :class:`PartWriter` wrote to.

    Raises:
        PartsError: If there are no parts, a rank is not done, or a file is damaged or missing.
        EmbeddingsError: If the ranks wrote embeddings of different form or dimension.
    """

    is_prepared = False

    def __init__(self, parts_dir: str | Path) -> None:
        folder = Path(parts_dir)
        run = RunFile.read(folder)
        ranks: list[list[PartFile]] = []
        for rank in range(run.world_size):
            ranks.append(list_parts(folder, rank))
            check_done(folder, rank, run.world_size, ranks[-1])
        self._parts = [part for parts in ranks for part in parts]
        if not self._parts:
            raise PartsError(f"The parts in '{folder}' hold no document, and an index needs at least one.")
        kinds = sorted({(part.form, part.dim) for part in self._parts})
        if len(kinds) > 1:
            seen = " and ".join(described(form, dim) for form, dim in kinds)
            raise EmbeddingsError(f"The ranks wrote what does not fit together: {seen}.")
        self.metadata: Metadata = run.metadata
        """Where the embeddings come from."""
        self.form: Form = self._parts[0].form
        """Which of the forms the embeddings have."""
        self.dim: int = self._parts[0].dim
        """Components of a vector."""
        self.num_docs: int = sum(part.num_docs for part in self._parts)
        """Documents in all parts."""
        self.contents: str | None = joined([_contents(parts) for parts in ranks])
        """The hash of the documents' ids and texts; None where it is unknown."""

    @property
    def num_vectors(self) -> int:
        """Vectors of all documents: as many as documents, or more where each has several."""
        if self.form != "multi-vector":
            return self.num_docs
        return sum(part.count_vectors() for part in self._parts)

    def doc_ids(self) -> Iterator[list[str]]:
        """The ids of each part's documents."""
        for part in self._parts:
            yield part.read_doc_ids()

    def __iter__(self) -> Iterator[tuple[list[str], Batch]]:
        """The ids and the embeddings of each part; one part is in memory at a time."""
        for part in self._parts:
            yield part.read()


@dataclass(frozen=True)
class Done:
    """What an interrupted run has done of a rank's documents.

    Args:
        num_docs: How many, from the first on.
        contents: The hash of their ids and texts; None where it is unknown.
    """

    num_docs: int = 0
    contents: bytes | None = NOTHING


def find_done(
    parts_dir: str | Path,
    rank: int,
    world_size: int,
    metadata: Mapping[str, Any] | Metadata | None = None,
    *,
    whatever: Sequence[str] = (),
) -> Done:
    """Find out how many documents a rank need not encode again, and read their embeddings to see that they are sound.

    Args:
        parts_dir: Folder of the parts; it may be missing.
        rank: Which process, from 0.
        world_size: Number of processes of the run that wants to go on.
        metadata: Where that run's embeddings come from; None leaves this unchecked.
        whatever: Names of metadata that may differ.

    Returns:
        What the rank's complete parts hold; nothing where there are none, or where the parts were kept from a run that
        came to its end.

    Raises:
        PartsError: If the parts were made by another run: another model, other documents, other number of processes.
        DamagedPartsError: If they are damaged, or nothing says whose they are.
    """
    folder = Path(parts_dir)
    if not folder.exists():
        return Done()
    if not is_begun(folder):
        if any(list_parts(folder, rank)):
            raise DamagedPartsError(f"'{folder}' has no parts.json, which says whose embeddings these are.")
        return Done()
    run = RunFile.read(folder)
    if run.kept:
        return Done()
    wanted = RunFile(world_size, run.metadata if metadata is None else Metadata.of(metadata))
    run.check_same(wanted, folder, whatever=whatever)
    parts = list_parts(folder, rank)
    for part in parts:
        part.read()
    return Done(sum(part.num_docs for part in parts), _contents(parts))


def num_docs_done(
    parts_dir: str | Path, rank: int, world_size: int, metadata: Mapping[str, Any] | Metadata | None = None
) -> int:
    """Count the documents that a rank need not encode again; see :func:`find_done`."""
    return find_done(parts_dir, rank, world_size, metadata).num_docs


def name_anew(parts_dir: str | Path, metadata: Metadata) -> None:
    """Note that the same documents are found under another name now."""
    folder = Path(parts_dir)
    if is_begun(folder):
        replace(RunFile.read(folder), metadata=metadata).write(folder)


def mark_kept(parts_dir: str | Path) -> None:
    """Note that an index was built from these parts: the next run does not go on from them."""
    folder = Path(parts_dir)
    replace(RunFile.read(folder), kept=True).write(folder)


def is_kept(parts_dir: str | Path) -> bool:
    """Whether the parts stayed behind on purpose, after an index was built from them."""
    return is_begun(Path(parts_dir)) and RunFile.read(Path(parts_dir)).kept


def are_left_over(parts_dir: str | Path) -> bool:
    """Whether the parts may be those of a run that was killed after its end, when some of them had been removed perhaps."""
    folder = Path(parts_dir)
    if not is_begun(folder):
        return False
    try:
        run = RunFile.read(folder)
        return not run.kept and all(is_done(folder, rank) for rank in ranks_with_parts(folder))
    except PartsError:
        return False


def _contents(parts: Sequence[PartFile]) -> bytes | None:
    return parts[-1].contents if parts else NOTHING


def _identity(folder: Path) -> tuple[int, int]:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino
