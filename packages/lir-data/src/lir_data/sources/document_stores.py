"""Documents by id: from ir_datasets' own stores, and from local files."""

import mmap
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError, did_you_mean, unknown_ids
from lir_data.samples import DocSample
from lir_data.sources import catalogue
from lir_data.sources.lines import BYTE_ORDER_MARK, binary_lines, open_binary, parse_line, records
from lir_data.sources.names import shown
from lir_data.sources.tables import doc_parser

# Ids are looked up in a store so many at a time, so that the texts of a whole run need not fit in memory.
_CHUNK = 10_000


class CatalogueDocuments:
    """The documents of an id of ir_datasets. The first look-up builds ir_datasets' store, where there is none yet."""

    def __init__(self, dataset_id: str, text_fields: Sequence[str] | None) -> None:
        self._id = dataset_id
        self._text_fields = text_fields
        self._stores: dict[tuple[int, int], Any] = {}
        dataset = catalogue.load_with(dataset_id, "docs")
        for field in text_fields or ():
            fields = dataset.docs_cls()._fields
            if field not in fields:
                near = did_you_mean(field, fields)
                raise ArgumentError(
                    f"The documents of '{dataset_id}' have no field '{field}'; they have {', '.join(fields)}.{near}"
                )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_stores": {}}

    def __len__(self) -> int:
        with catalogue.reading(self._id):
            count = catalogue.load(self._id).docs_count()
        if count is None:
            raise TypeError(f"The number of documents of '{self._id}' is not known.")
        return count

    def __iter__(self) -> Iterator[DocSample]:
        with catalogue.reading(self._id):
            for doc in catalogue.load(self._id).docs_iter():
                yield DocSample(doc.doc_id, self._text(doc))

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of documents, by id."""
        wanted = list(dict.fromkeys(doc_ids))
        found = self._look_up(wanted)
        if unknown := [doc_id for doc_id in wanted if doc_id not in found]:
            raise unknown_ids("document", unknown, self._id)
        return {doc_id: self._text(found[doc_id]) for doc_id in wanted}

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return the ids that are not there."""
        wanted = list(dict.fromkeys(doc_ids))
        unknown: list[str] = []
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            found = self._look_up(chunk)
            unknown.extend(doc_id for doc_id in chunk if doc_id not in found)
        return unknown

    def _look_up(self, doc_ids: Sequence[str]) -> dict[str, Any]:
        with catalogue.reading(self._id):
            # A store reads from where its files stand, which threads and a forked process's parent would move.
            reader = os.getpid(), threading.get_ident()
            if reader not in self._stores:
                self._stores[reader] = catalogue.load(self._id).docs_store()
            return self._stores[reader].get_many(doc_ids)

    def _text(self, doc: Any) -> str:
        if self._text_fields is None:
            return doc.default_text()
        return " ".join(str(getattr(doc, field)) for field in self._text_fields)


class FileDocuments:
    """The documents of a local file.

    The first look-up reads the file once and keeps where each document begins; the texts stay in the file, which is
    memory-mapped. A .gz file is unpacked for that into a temporary file, which the system removes with the process.
    """

    def __init__(self, path: Path, text_fields: Sequence[str] | None) -> None:
        self._path = path
        self._parse = doc_parser(path, text_fields)
        self._look_up_table: tuple[mmap.mmap, dict[str, int]] | None = None
        self._count: int | None = None
        # A file of another format shows at once.
        if next(iter(self), None) is None:
            raise EmptySourceError(f"'{shown(path)}' holds no documents.")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_look_up_table": None}

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for line in binary_lines(self._path) if line.rstrip(b"\r\n"))
        return self._count

    def __iter__(self) -> Iterator[DocSample]:
        for _, (doc_id, text) in records(self._path, self._parse):
            yield DocSample(doc_id, text)

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of documents, by id."""
        content, starts = self._look_up()
        wanted = list(dict.fromkeys(doc_ids))
        if unknown := [doc_id for doc_id in wanted if doc_id not in starts]:
            raise unknown_ids("document", unknown, shown(self._path))
        return {doc_id: self._text_at(content, starts[doc_id]) for doc_id in wanted}

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return the ids that are not there."""
        _, starts = self._look_up()
        return [doc_id for doc_id in dict.fromkeys(doc_ids) if doc_id not in starts]

    def _text_at(self, content: mmap.mmap, start: int) -> str:
        end = content.find(b"\n", start)
        line = content[start : None if end < 0 else end]
        # It was parsed before, when its place was found.
        return self._parse(line.decode().rstrip("\r"))[1]

    def _look_up(self) -> tuple[mmap.mmap, dict[str, int]]:
        if self._look_up_table is None:
            starts = self._starts()
            self._look_up_table = _mapped(self._path), starts
        return self._look_up_table

    def _starts(self) -> dict[str, int]:
        """Return, for each document, the position of its line's first byte in the unpacked file."""
        starts: dict[str, int] = {}
        position = 0
        for number, line in enumerate(binary_lines(self._path), start=1):
            if (document := parse_line(self._path, number, line, self._parse)) is not None:
                if document[0] in starts:
                    raise MalformedLineError(
                        f"{shown(self._path)}, line {number}: the document '{document[0]}' occurs twice."
                    )
                marked = number == 1 and line.startswith(BYTE_ORDER_MARK)
                starts[document[0]] = position + (len(BYTE_ORDER_MARK) if marked else 0)
            position += len(line)
        return starts


def _mapped(path: Path) -> mmap.mmap:
    with open_binary(path) as file:
        if path.suffix != ".gz":
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with tempfile.TemporaryFile(prefix="lir-") as unpacked:
            shutil.copyfileobj(file, unpacked, 1 << 20)
            unpacked.flush()
            return mmap.mmap(unpacked.fileno(), 0, access=mmap.ACCESS_READ)
