"""The files of a folder of parts: what each says, whether that can be true, and which of them belong together.

Whoever made them, nothing that they say is taken on trust: what does not fit is a :class:`PartsError` that names the file.
"""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lir_index.config import Aggregation, Similarity
from lir_index.contents import parsed
from lir_index.doc_ids import pack, unpack
from lir_index.embeddings import Batch, Form, first_not_finite
from lir_index.errors import DamagedPartsError, LirIndexError, PartsError, StorageError
from lir_index.metadata import Metadata
from lir_index.ownership import remove_file
from lir_index.storage import replacing

_FORMAT = "lir-parts"
_VERSION = 1
_RUN = "parts.json"
_PART = re.compile(r"rank-([0-9]{5})-part-([0-9]{6})\.safetensors")
_TEMPORARY = re.compile(r"(?:parts\.json|rank-([0-9]{5})(?:\.json|-part-[0-9]{6}\.safetensors))\.[0-9a-f]+\.tmp")
_NUMBER = re.compile(r"[0-9]{1,12}")
# numpy has no type for some of those that such a file may hold.
_NOT_READ = (SafetensorError, LookupError, TypeError, ValueError, AttributeError)
_MOST_RANKS = 10**5  # which have five digits


@dataclass(frozen=True)
class RunFile:
    """What ``parts.json`` says.

    Args:
        world_size: Number of processes that write parts.
        metadata: Where the embeddings come from.
        kept: Whether an index was built from the parts, which stayed behind on purpose.
    """

    world_size: int
    metadata: Metadata
    kept: bool = False

    @classmethod
    def read(cls, folder: Path) -> "RunFile":
        """Read ``parts.json``.

        Raises:
            PartsError: If there is none, or one of another format.
            DamagedPartsError: If it is not as it was written.
        """
        path = folder / _RUN
        if not is_begun(folder):
            raise PartsError(f"There are no parts in '{folder}': it has no {_RUN}.")
        values = _read_json(path)
        if values.get("format") != _FORMAT or values.get("format_version") != _VERSION:
            version = str(values.get("format_version"))[:20]
            raise PartsError(f"'{path}' has the format version {version}; this lir-index reads version {_VERSION}.")
        world_size, kept = values.get("world_size"), values.get("kept")
        if type(world_size) is not int or not 0 < world_size < _MOST_RANKS:
            raise _damaged(path, f"the number of processes is {world_size!r:.40}")
        if not isinstance(kept, bool):
            raise _damaged(path, f"whether the parts were kept is {kept!r:.40}")
        return cls(world_size, _metadata(path, values.get("metadata")), kept)

    def write(self, folder: Path) -> None:
        """Write ``parts.json``, or replace the one that is there."""
        values = {
            "format": _FORMAT,
            "format_version": _VERSION,
            "world_size": self.world_size,
            "metadata": self.metadata.as_dict(),
            "kept": self.kept,
        }
        with replacing(folder / _RUN) as temporary:
            temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False), encoding="utf-8")

    def check_same(self, other: "RunFile", folder: Path, *, whatever: Sequence[str] = ()) -> None:
        """Refuse parts of another model or other documents.

        Args:
            other: The run that wants to go on from these parts.
            folder: The parts, for the message.
            whatever: Names of metadata that may differ.

        Raises:
            PartsError: If they are of another run.
        """
        mine, theirs = self.metadata.as_dict(), other.metadata.as_dict()
        if mine["fingerprint"] is not None and mine["fingerprint"] == theirs["fingerprint"]:
            # The same model may go by two names, for instance a relative and an absolute path. Its fingerprint covers
            # its rule, which another version of lir may write in other words.
            whatever = [*whatever, "model", "rule"]
        mine["world_size"], theirs["world_size"] = self.world_size, other.world_size
        for name, value in mine.items():
            if theirs[name] != value and name not in whatever:
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
class PartFile:
    """A complete part, and what its header says.

    Args:
        path: The file.
        form: The form of its embeddings.
        dim: Components of a vector.
        num_docs: Documents in it.
        crc32: Checksum of its arrays.
        contents: The hash of the documents of its rank up to its last; None where that is unknown.
    """

    path: Path
    form: Form
    dim: int
    num_docs: int
    crc32: int
    contents: bytes | None

    @classmethod
    def describe(cls, path: Path) -> "PartFile":
        """Read the header of a part.

        Raises:
            DamagedPartsError: If it is not as it was written.
            PartsError: If it is no file of its own.
        """
        if path.is_symlink() or not path.is_file():
            raise PartsError(f"'{path}' is no file, and a part is one.", hint=_start_afresh(path))
        try:
            with safe_open(path, framework="numpy") as file:
                header = cast("dict[str, str]", file.metadata() or {})
            form = header["form"]
            if form not in get_args(Form):
                raise ValueError(f"there is no form {form!r:.40}")
            dim, num_docs, crc32 = (_number(header[name]) for name in ("dim", "num_docs", "crc32"))
            if dim >= 2**31:
                raise ValueError(f"a vector has {dim} components")
            if num_docs == 0:
                raise ValueError("it holds no documents")
            return cls(path, cast("Form", form), dim, num_docs, crc32, parsed(header.get("contents")))
        except OSError as error:
            raise _not_allowed(path, error) from error
        except _NOT_READ as error:
            raise _unreadable(path, error) from error

    def read(self) -> tuple[list[str], Batch]:
        """Read ids and embeddings.

        Raises:
            DamagedPartsError: If they are not as they were written.
        """
        arrays = self._read_arrays()
        crc = _crc32(arrays)
        if crc != self.crc32:
            raise _damaged(self.path, f"its checksum is {crc}, and it was {self.crc32}")
        doc_ids = self._doc_ids(arrays.pop("doc_ids", None), arrays.pop("doc_id_ends", None))
        batch = Batch(self.form, arrays, self.dim)
        if not batch.is_sound(self.num_docs):
            raise _damaged(self.path, f"its arrays are not those of {self.num_docs} documents")
        if first_not_finite(batch) is not None:
            raise _damaged(self.path, "an embedding holds a value that is no finite number")
        return doc_ids, batch

    def read_doc_ids(self) -> list[str]:
        """Read the ids alone."""
        arrays = self._read_arrays(["doc_ids", "doc_id_ends"])
        return self._doc_ids(arrays["doc_ids"], arrays["doc_id_ends"])

    def count_vectors(self) -> int:
        """Count the vectors, of several per document."""
        try:
            with safe_open(self.path, framework="numpy") as file:
                return int(file.get_slice("vectors").get_shape()[0])
        except OSError as error:
            raise _not_allowed(self.path, error) from error
        except _NOT_READ as error:
            raise _unreadable(self.path, error) from error

    def _doc_ids(self, data: npt.NDArray[Any] | None, ends: npt.NDArray[Any] | None) -> list[str]:
        try:
            if data is None or ends is None or data.dtype != np.uint8 or ends.dtype != np.int64:
                raise ValueError("they are missing, or of another type")
            lengths = np.diff(ends, prepend=0)
            if ends.shape != (self.num_docs,) or data.shape != (ends[-1],) or (lengths <= 0).any():
                raise ValueError("they do not fit together")
            return unpack(data, ends)
        except ValueError as error:
            raise _damaged(self.path, f"it does not hold the ids of {self.num_docs} documents: {error}") from error

    def _read_arrays(self, names: Sequence[str] | None = None) -> dict[str, npt.NDArray[Any]]:
        try:
            with safe_open(self.path, framework="numpy") as file:
                return {name: file.get_tensor(name) for name in names or file.keys()}
        except OSError as error:
            raise _not_allowed(self.path, error) from error
        except _NOT_READ as error:
            raise _unreadable(self.path, error) from error


def write_part(
    folder: Path, rank: int, number: int, doc_ids: Sequence[str], batch: Batch, hashed: bytes | None
) -> None:
    """Write a part: it is complete, or absent.

    Args:
        folder: Folder of the parts.
        rank: Whose part.
        number: Which of its parts, from 0.
        doc_ids: The ids.
        batch: The embeddings.
        hashed: The hash of the rank's documents up to the last of these; None where that is unknown.
    """
    path = folder / _part_name(rank, number)
    data, ends = pack(doc_ids)
    arrays = {name: np.ascontiguousarray(array) for name, array in batch.arrays.items()}
    arrays |= {"doc_ids": data, "doc_id_ends": ends}
    header = {"form": batch.form, "dim": str(batch.dim), "num_docs": str(len(doc_ids)), "crc32": str(_crc32(arrays))}
    if hashed is not None:
        header["contents"] = hashed.hex()
    with replacing(path) as temporary:
        try:
            save_file(arrays, temporary, metadata=header)
        except SafetensorError as error:
            raise StorageError(f"The part '{path}' could not be written: {error}.") from error


def list_parts(folder: Path, rank: int) -> list[PartFile]:
    """Describe the parts of a rank, in order.

    Raises:
        DamagedPartsError: If one is missing or damaged.
    """
    numbers = sorted(int(match[2]) for match in _names(folder, _PART) if int(match[1]) == rank)
    if numbers != list(range(len(numbers))):
        missing = next(i for i, number in enumerate(numbers) if i != number)
        path = folder / _part_name(rank, missing)
        raise DamagedPartsError(f"The part '{path}' is missing.", hint=_start_afresh(path))
    return [PartFile.describe(folder / _part_name(rank, number)) for number in numbers]


def is_begun(folder: Path) -> bool:
    """Whether the folder says whose parts it holds, or is to hold."""
    return (folder / _RUN).exists()


def is_done(folder: Path, rank: int) -> bool:
    """Whether a rank says that it has written all of its parts."""
    return _done_path(folder, rank).exists()


def ranks_with_parts(folder: Path) -> set[int]:
    """Return the ranks that have written parts."""
    return {int(match[1]) for match in _names(folder, _PART)}


def remove_strays(folder: Path, rank: int, world_size: int) -> None:
    """Remove what an interrupted run left half written, and, where nothing says whose they are, all parts.

    Args:
        folder: Folder of the parts; it exists.
        rank: What other ranks are writing is left alone.
        world_size: Number of processes.
    """
    for match in _names(folder, _TEMPORARY):
        if world_size == 1 or match[1] == f"{rank:05}":
            remove_file(folder / match[0])
    if not is_begun(folder):
        for match in _names(folder, _PART):
            mark_unfinished(folder, int(match[1]))
            remove_file(folder / match[0])


def mark_done(folder: Path, rank: int, num_parts: int, num_docs: int) -> None:
    """Note that a rank has written all of its parts."""
    with replacing(_done_path(folder, rank)) as temporary:
        temporary.write_text(json.dumps({"num_parts": num_parts, "num_docs": num_docs}), encoding="utf-8")


def mark_unfinished(folder: Path, rank: int) -> None:
    """Take back that a rank has written all of its parts."""
    remove_file(_done_path(folder, rank))


def check_done(folder: Path, rank: int, world_size: int, parts: Sequence[PartFile]) -> None:
    """Refuse parts of a rank that are not all there.

    Raises:
        PartsError: If the rank has not come to its end.
        DamagedPartsError: If parts are missing, or the note of their number is damaged.
    """
    path = _done_path(folder, rank)
    if not is_done(folder, rank):
        raise PartsError(
            f"The parts in '{folder}' are unfinished: rank {rank} of {world_size} has not come to its end.",
            hint="An interrupted 'lir index' goes on when you repeat the command.",
        )
    done = _read_json(path)
    if done != {"num_parts": len(parts), "num_docs": sum(part.num_docs for part in parts)}:
        written = str(done.get("num_parts"))[:20]
        raise DamagedPartsError(f"Parts of rank {rank} are missing in '{folder}': it wrote {written}.")


def _names(folder: Path, pattern: re.Pattern[str]) -> list[re.Match[str]]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise _not_allowed(folder, error) from error
    return [match for name in names if (match := pattern.fullmatch(name))]


def _metadata(path: Path, values: object) -> Metadata:
    if not isinstance(values, dict):
        raise _damaged(path, "it does not say where the embeddings come from")
    known = {field.name for field in fields(Metadata)}
    for name, value in cast("dict[str, object]", values).items():
        if name not in known:
            raise _damaged(path, f"there is no metadata {name!r:.40}")
        if value is None:
            continue
        choices = _CHOICES.get(name)
        wanted = {"dim": int, "rule": dict}.get(name, str)
        if type(value) is not wanted or (choices is not None and value not in choices):
            raise _damaged(path, f"{_words[name]} is {value!r:.40}")
    try:
        return Metadata.of(cast("dict[str, Any]", values))
    except LirIndexError as error:
        raise _damaged(path, str(error)) from error


_CHOICES: dict[str, tuple[str, ...]] = {
    "similarity": get_args(Similarity),
    "query_aggregation": get_args(Aggregation),
    "doc_aggregation": get_args(Aggregation),
}


def _read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; of another file an empty one."""
    if path.is_symlink() or not path.is_file():
        raise PartsError(f"'{path}' is no file of its own.", hint=_start_afresh(path))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _not_allowed(path, error) from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    return cast("dict[str, Any]", values) if isinstance(values, dict) else {}


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r:.40} is no number")
    return int(text)


def _crc32(arrays: Mapping[str, npt.NDArray[Any]]) -> int:
    crc = 0
    for name in sorted(arrays):
        crc = zlib.crc32(arrays[name].reshape(-1).view(np.uint8).data, crc)
    return crc


def _damaged(path: Path, why: str) -> DamagedPartsError:
    return DamagedPartsError(f"'{path}' is damaged: {why}.", hint=_start_afresh(path))


def _unreadable(path: Path, error: BaseException) -> DamagedPartsError:
    return DamagedPartsError(f"'{path}' cannot be read: {str(error)[:200]}.", hint=_start_afresh(path))


def _not_allowed(path: Path, error: OSError) -> PartsError:
    """Say what the operating system refuses; the file itself may be as it was written."""
    return PartsError(f"'{path}' cannot be read: {error.strerror or error}.")


def _start_afresh(path: Path) -> str:
    return f"Delete '{path.parent}' to start afresh."


def _part_name(rank: int, number: int) -> str:
    return f"rank-{rank:05}-part-{number:06}.safetensors"


def _done_path(folder: Path, rank: int) -> Path:
    return folder / f"rank-{rank:05}.json"
