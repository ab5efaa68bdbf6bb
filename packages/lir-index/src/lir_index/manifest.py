"""``index.json``: what an index is, and which files belong to it. Written last, so that what it names is complete."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast, get_args

from lir_index.config import Aggregation, Similarity
from lir_index.embeddings import Form
from lir_index.errors import DamagedIndexError, ForeignIndexError, IndexVersionError, NoIndexError
from lir_index.fields import Fields, read_json
from lir_index.integrity import Files
from lir_index.segment import Space
from lir_index.storage import replacing

NAME = "index.json"
FORMAT = "lir-index"
FORMAT_VERSION = 3
_READABLE = (2, FORMAT_VERSION)


@dataclasses.dataclass(frozen=True)
class SegmentEntry:
    """What ``index.json`` says of a segment.

    Args:
        folder: The folder, beside ``index.json``, that holds the files.
        num_docs: Documents in it, deleted ones too.
        files: For each file, ``bytes`` and ``sha256``.
        details: What the kind notes about its own files.
    """

    folder: str
    num_docs: int
    files: dict[str, dict[str, Any]]
    details: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Deleted:
    """What ``index.json`` says of documents that were deleted.

    Args:
        file: The file, beside ``index.json``, with their positions: int64, rising.
        num_docs: How many they are.
        bytes: Size of the file.
        sha256: Its checksum.
    """

    file: str
    num_docs: int
    bytes: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What ``index.json`` says.

    Args:
        kind: The index kind, a name in :mod:`lir_index.kinds`.
        parameters: The fields of the config that it was built with.
        form: The form of the embeddings.
        dim: Components of a vector.
        embedding_dim: Components of a vector as the encoder gives it: more than ``dim`` where they are truncated.
        dtype: The type of a component on disk.
        similarity: How two vectors are compared.
        query_aggregation: How the values of a query's vectors become one score.
        doc_aggregation: How a query vector's similarities with a document's vectors become one value.
        num_docs: Documents that can be found.
        model: Name of the model that made the embeddings; None if unknown.
        fingerprint: Fingerprint of that model; None if unknown.
        documents: Where the texts are found; None if unknown.
        rule: How the model makes embeddings of texts: its whole config, uninterpreted; None if unknown.
        segments: The files.
        deleted: Which documents are in a segment and cannot be found; None where there are none.
        contents: A hash of the documents' ids and texts, as they were read; None if unknown, or if documents came or went.
        created_by: Package and version that wrote the index.
        format_version: Version of this format.
    """

    kind: str
    parameters: dict[str, Any]
    form: Form
    dim: int
    embedding_dim: int
    dtype: str
    similarity: Similarity
    query_aggregation: Aggregation
    doc_aggregation: Aggregation
    num_docs: int
    model: str | None
    fingerprint: str | None
    documents: str | None
    rule: dict[str, Any] | None
    segments: tuple[SegmentEntry, ...]
    deleted: Deleted | None = None
    contents: str | None = None
    created_by: str = dataclasses.field(default_factory=lambda: f"lir-index {version('lir-index')}")
    format_version: int = FORMAT_VERSION

    @property
    def space(self) -> Space:
        """What the embeddings are like."""
        return Space(self.form, self.dim, self.similarity, self.query_aggregation, self.doc_aggregation)

    @property
    def files(self) -> Files:
        """For each file, by its path from the index's folder, ``bytes`` and ``sha256``."""
        return dict(self._files())

    def _files(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for segment in self.segments:
            for name, told in segment.files.items():
                yield f"{segment.folder}/{name}", told
        if self.deleted is not None:
            yield self.deleted.file, {"bytes": self.deleted.bytes, "sha256": self.deleted.sha256}

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of an index.

        Raises:
            NoIndexError: If there is none.
            ForeignIndexError: If it is not one of lir.
            IndexVersionError: If its format is newer, or older than can be read.
            DamagedIndexError: If it is not as it was written.
        """
        path = folder / NAME
        try:
            values = read_json(path)
        except FileNotFoundError:
            raise NoIndexError(
                f"There is no index in '{folder}': it has no {NAME}.",
                hint="An interrupted 'lir index' goes on when you repeat the command.",
            ) from None
        if not isinstance(values, dict) or values.get("format") != FORMAT:  # pyright: ignore[reportUnknownMemberType]
            raise ForeignIndexError(f"'{path}' is not of lir: its format is not '{FORMAT}'.")
        return cls._checked(path, cast("dict[str, Any]", values))

    @classmethod
    def _checked(cls, path: Path, values: dict[str, Any]) -> "Manifest":
        del values["format"]
        seen = values.get("format_version")
        if type(seen) is not int or seen not in _READABLE:
            raise IndexVersionError(
                f"'{path}' has the format version {seen!r:.80}, and this lir-index reads {' and '.join(map(str, _READABLE))}.",
                hint=f"It was written by {values.get('created_by')!r:.80}: install that version, or build the index again.",
            )
        checksum = values.pop("checksum", None)
        if checksum != _checksum(values):
            raise DamagedIndexError(f"'{path}' is damaged: it was changed after it was written.")
        if seen == 2:
            values |= {"rule": None, "contents": None}
        # A checksum can be put right by whoever changes a file: what it says is looked at all the same.
        fields = Fields(path, values)
        fields.only([field.name for field in dataclasses.fields(cls)])
        segments = tuple(_read_segment(entry) for entry in fields.objects("segments"))
        if not segments or len({segment.folder for segment in segments}) < len(segments):
            raise DamagedIndexError(f"'{path}' is damaged: it names no segment, or one of them twice.")
        return cls(
            kind=fields.text("kind"),
            parameters=fields.plain("parameters"),
            form=fields.one_of("form", get_args(Form)),
            dim=fields.count("dim"),
            embedding_dim=fields.count("embedding_dim"),
            dtype=fields.text("dtype"),
            similarity=fields.one_of("similarity", get_args(Similarity)),
            query_aggregation=fields.one_of("query_aggregation", get_args(Aggregation)),
            doc_aggregation=fields.one_of("doc_aggregation", get_args(Aggregation)),
            num_docs=fields.count("num_docs"),
            model=fields.text_or_none("model"),
            fingerprint=fields.text_or_none("fingerprint"),
            documents=fields.text_or_none("documents"),
            rule=None if fields["rule"] is None else fields.plain("rule"),
            segments=segments,
            deleted=None if fields["deleted"] is None else _read_deleted(fields.object("deleted")),
            contents=fields.text_or_none("contents"),
            created_by=fields.text("created_by"),
            format_version=seen,
        )

    @property
    def checksum(self) -> str:
        """A text that differs between indexes of other files or settings."""
        return _checksum(dataclasses.asdict(self))

    def write(self, folder: Path) -> None:
        """Write ``index.json``, or replace the one that is there, in one step."""
        values = dataclasses.asdict(self)
        values = {"format": FORMAT, **values, "checksum": _checksum(values)}
        with replacing(folder / NAME) as temporary:
            temporary.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_segment(entry: Fields) -> SegmentEntry:
    entry.only([field.name for field in dataclasses.fields(SegmentEntry)])
    files = entry.object("files")
    for name in files:
        # One plain component: nothing that leads out of the folder.
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
            files.refuse_name(name)
    return SegmentEntry(
        folder=entry.matching("folder", "segment-[0-9]+", "the name of a segment"),
        num_docs=entry.count("num_docs", 1),
        files={name: _read_file(files.object(name)) for name in files},
        details=entry.plain("details"),
    )


def _read_file(told: Fields) -> dict[str, Any]:
    told.only(("bytes", "sha256"))
    return {"bytes": told.count("bytes"), "sha256": told.matching("sha256", "[0-9a-f]{64}", "a checksum")}


def _read_deleted(told: Fields) -> Deleted:
    told.only([field.name for field in dataclasses.fields(Deleted)])
    return Deleted(
        file=told.matching("file", r"deleted-[0-9]+\.npy", "the name of such a file"),
        num_docs=told.count("num_docs", 1),
        bytes=told.count("bytes"),
        sha256=told.matching("sha256", "[0-9a-f]{64}", "a checksum"),
    )


def _checksum(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
