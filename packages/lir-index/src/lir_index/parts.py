"""Embeddings on their way into an index: files that are complete or absent, so that an interrupted run goes on.

A folder of parts holds ``parts.json`` (whose embeddings these are), and for each rank ``rank-00000-part-000000.safetensors``
and so on, with ``rank-00000.json`` when that rank is done. A part holds the arrays of its embeddings
(:mod:`lir_index.embeddings`), the ids of its documents, and a checksum.
"""

import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lir_index.doc_ids import pack, unpack
from lir_index.documents import check_documents, check_fit
from lir_index.embeddings import Batch, Form, concatenate, described
from lir_index.errors import EmbeddingsError, PartsError, StorageError
from lir_index.metadata import Metadata
from lir_index.ownership import remove_file
from lir_index.storage import naming, replacing

_FORMAT = "lir-parts"
_VERSION = 1
_PART = re.compile(r"rank-(\d{5})-part-(\d{6})\.safetensors")


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
        PartsError: If the folder holds the parts of another run, or damaged ones.
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
        self._max_bytes = max_bytes
        self._doc_ids: list[str] = []
        self._batches: list[Batch] = []
        self._bytes = 0
        run = _Run(world_size, Metadata.of(metadata))
        with naming(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        if (self._folder / "parts.json").exists():
            _Run.read(self._folder).check_same(run, self._folder)
        else:
            run.write(self._folder)
        self._dim = run.metadata.dim
        parts = _list_parts(self._folder, rank)
        # Of an interrupted run; what other ranks have begun is theirs.
        for leftover in self._folder.glob("*.tmp" if world_size == 1 else f"rank-{rank:05}*.tmp"):
            remove_file(leftover)
        self._num_parts = len(parts)
        self._num_docs = sum(part.num_docs for part in parts)
        self._form: Form | None = parts[0].form if parts else None
        self._dim = parts[0].dim if parts else self._dim

    @property
    def num_docs(self) -> int:
        """Documents in this rank's complete parts, those of earlier runs included."""
        return self._num_docs

    def append(self, doc_ids: Sequence[str], embeddings: object) -> None:
        """Add documents; a part is written when enough have come together.

        Args:
            doc_ids: One id for each document.
            embeddings: Dense ``[n, dim]``, a scipy sparse matrix or torch CSR tensor, packed ``(vectors, lengths)``, or
                the texts themselves, for a kind that needs no encoder.

        Raises:
            EmbeddingsError: If the embeddings are of another form or dimension than those before, differ in number
                from the ids, or hold a NaN or an infinity.
            DocumentIdError: If an id is no text or is empty.
        """
        doc_ids, batch = check_documents(doc_ids, embeddings)
        check_fit(self._form, self._dim, batch)
        if len(batch) == 0:
            return
        self._form, self._dim = batch.form, batch.dim
        step = max(1, self._max_bytes * len(batch) // max(1, batch.nbytes))
        for start in range(0, len(batch), step):
            piece = batch.rows(start, min(start + step, len(batch)))
            self._batches.append(piece)
            self._doc_ids += doc_ids[start : start + step]
            self._bytes += piece.nbytes
            if self._bytes >= self._max_bytes:
                self.flush()

    def flush(self) -> None:
        """Write what has been appended as a part of its own, so that it is not lost."""
        if not self._doc_ids:
            return
        remove_file(_done_path(self._folder, self._rank))
        _write_part(self._folder / _part_name(self._rank, self._num_parts), self._doc_ids, concatenate(self._batches))
        self._num_parts += 1
        self._num_docs += len(self._doc_ids)
        self._doc_ids, self._batches, self._bytes = [], [], 0

    def close(self) -> None:
        """Write the last part and mark this rank as done: an index is only built when every rank is."""
        self.flush()
        done = {"num_parts": self._num_parts, "num_docs": self._num_docs}
        with replacing(_done_path(self._folder, self._rank)) as temporary:
            temporary.write_text(json.dumps(done), encoding="utf-8")

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
        run = _Run.read(folder)
        self._parts: list[_Part] = []
        for rank in range(run.world_size):
            parts = _list_parts(folder, rank)
            done = _read_json(_done_path(folder, rank)) if _done_path(folder, rank).exists() else None
            if done is None:
                raise PartsError(
                    f"The parts in '{folder}' are unfinished: rank {rank} of {run.world_size} has not come to its end.",
                    hint="An interrupted 'lir index' goes on when you repeat the command.",
                )
            if done != {"num_parts": len(parts), "num_docs": sum(part.num_docs for part in parts)}:
                raise PartsError(f"Parts of rank {rank} are missing in '{folder}': it wrote {done.get('num_parts')}.")
            self._parts += parts
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


def num_docs_done(
    parts_dir: str | Path, rank: int, world_size: int, metadata: Mapping[str, Any] | Metadata | None = None
) -> int:
    """Count the documents that a rank need not encode again.

    Args:
        parts_dir: Folder of the parts; it may be missing.
        rank: Which process, from 0.
        world_size: Number of processes of the run that wants to go on.
        metadata: Where that run's embeddings come from; None leaves this unchecked.

    Returns:
        Number of documents in the rank's complete parts; 0 where there are none, or where the parts were kept from a
        run that came to its end.

    Raises:
        PartsError: If the parts were made by another run: another model, other documents, other number of processes.
    """
    folder = Path(parts_dir)
    if not (folder / "parts.json").exists() or is_kept(folder):
        return 0
    run = _Run.read(folder)
    run.check_same(_Run(world_size, run.metadata if metadata is None else Metadata.of(metadata)), folder)
    return sum(part.num_docs for part in _list_parts(folder, rank))


def mark_kept(parts_dir: str | Path) -> None:
    """Note that an index was built from these parts: the next run does not go on from them."""
    folder = Path(parts_dir)
    replace(_Run.read(folder), kept=True).write(folder)


def is_kept(parts_dir: str | Path) -> bool:
    """Whether the parts stayed behind on purpose, after an index was built from them."""
    return (Path(parts_dir) / "parts.json").exists() and _Run.read(Path(parts_dir)).kept


@dataclass(frozen=True)
class _Run:
    """What parts.json says."""

    world_size: int
    metadata: Metadata
    kept: bool = False

    @classmethod
    def read(cls, folder: Path) -> "_Run":
        path = folder / "parts.json"
        if not path.exists():
            raise PartsError(f"There are no parts in '{folder}': it has no parts.json.")
        values = _read_json(path)
        if not isinstance(values, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            values = {}
        if values.get("format") != _FORMAT or values.get("format_version") != _VERSION:
            version = values.get("format_version")
            raise PartsError(f"'{path}' has the format version {version!r}; this lir-index reads version {_VERSION}.")
        try:
            return cls(int(values["world_size"]), Metadata.of(values["metadata"]), bool(values["kept"]))
        except (KeyError, TypeError, ValueError) as error:
            raise PartsError(f"'{path}' is damaged: {error!r}.", hint=f"Delete '{folder}' to start afresh.") from error

    def write(self, folder: Path) -> None:
        values = {
            "format": _FORMAT,
            "format_version": _VERSION,
            "world_size": self.world_size,
            "metadata": self.metadata.as_dict(),
            "kept": self.kept,
        }
        with replacing(folder / "parts.json") as temporary:
            temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False), encoding="utf-8")

    def check_same(self, other: "_Run", folder: Path) -> None:
        mine, theirs = self.metadata.as_dict(), other.metadata.as_dict()
        if mine["fingerprint"] is not None and mine["fingerprint"] == theirs["fingerprint"]:
            # The same model may go by two names, for instance a relative and an absolute path. Its fingerprint covers
            # its rule, which another version of lir may write in other words.
            theirs |= {"model": mine["model"], "rule": mine["rule"]}
        mine["world_size"], theirs["world_size"] = self.world_size, other.world_size
        for name, value in mine.items():
            if theirs[name] != value:
                raise PartsError(
                    f"The parts in '{folder}' were made with {_words[name]} {value!r}, this run has {theirs[name]!r}.",
                    hint=f"Delete '{folder}' to start afresh.",
                )


_words = {
    "model": "the model",
    "fingerprint": "a model of the fingerprint",
    "documents": "the documents",
    "similarity": "the similarity",
    "dim": "the dimension",
    "form": "the form",
    "query_aggregation": "the aggregation of query vectors",
    "doc_aggregation": "the aggregation of document vectors",
    "rule": "the rule",
    "world_size": "the number of processes",
}


@dataclass(frozen=True)
class _Part:
    """A complete part file, and what its header says."""

    path: Path
    form: Form
    dim: int
    num_docs: int
    crc32: int

    def read(self) -> tuple[list[str], Batch]:
        arrays = self._read_arrays()
        crc = _crc32(arrays)
        if crc != self.crc32:
            raise PartsError(f"The part '{self.path}' is damaged: its checksum is {crc}, and it was {self.crc32}.")
        doc_ids = unpack(arrays.pop("doc_ids"), arrays.pop("doc_id_ends"))
        return doc_ids, Batch(self.form, arrays, self.dim)

    def read_doc_ids(self) -> list[str]:
        arrays = self._read_arrays(["doc_ids", "doc_id_ends"])
        return unpack(arrays["doc_ids"], arrays["doc_id_ends"])

    def count_vectors(self) -> int:
        return int(self._read_arrays(["lengths"])["lengths"].sum())

    def _read_arrays(self, names: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        try:
            with safe_open(self.path, framework="numpy") as file:
                return {name: file.get_tensor(name) for name in names or file.keys()}
        except (OSError, SafetensorError) as error:
            raise PartsError(f"The part '{self.path}' cannot be read: {error}.") from error


def _write_part(path: Path, doc_ids: Sequence[str], batch: Batch) -> None:
    data, ends = pack(doc_ids)
    arrays = {name: np.ascontiguousarray(array) for name, array in batch.arrays.items()}
    arrays |= {"doc_ids": data, "doc_id_ends": ends}
    header = {"form": batch.form, "dim": batch.dim, "num_docs": len(doc_ids), "crc32": _crc32(arrays)}
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, metadata={name: str(value) for name, value in header.items()})
        except SafetensorError as error:
            raise StorageError(f"The part '{path}' could not be written: {error}.") from error


def _list_parts(folder: Path, rank: int) -> list[_Part]:
    numbers = sorted(
        int(match[2]) for path in folder.iterdir() if (match := _PART.fullmatch(path.name)) and int(match[1]) == rank
    )
    if numbers != list(range(len(numbers))):
        missing = next(i for i, number in enumerate(numbers) if i != number)
        raise PartsError(
            f"The part '{folder / _part_name(rank, missing)}' is missing.", hint=f"Delete '{folder}' to start afresh."
        )
    return [_read_header(folder / _part_name(rank, number)) for number in numbers]


def _read_header(path: Path) -> _Part:
    try:
        with safe_open(path, framework="numpy") as file:
            header = cast("dict[str, str]", file.metadata())
        return _Part(path, cast("Form", header["form"]), *(int(header[name]) for name in ("dim", "num_docs", "crc32")))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise PartsError(
            f"The part '{path}' cannot be read: {error}.", hint=f"Delete '{path.parent}' to start afresh."
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PartsError(f"'{path}' cannot be read: {error}.") from error


def _crc32(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    crc = 0
    for name in sorted(arrays):
        crc = zlib.crc32(arrays[name].reshape(-1).view(np.uint8).data, crc)
    return crc


def _part_name(rank: int, number: int) -> str:
    return f"rank-{rank:05}-part-{number:06}.safetensors"


def _done_path(folder: Path, rank: int) -> Path:
    return folder / f"rank-{rank:05}.json"
