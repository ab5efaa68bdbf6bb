"""Documents by id: of ir_datasets' own stores, of local files, and of datasets of Hugging Face."""

import json
import mmap
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError, did_you_mean, unknown_ids
from lir_data.samples import DocSample
from lir_data.sources import catalogue, hugging_face
from lir_data.sources.hugging_face import HuggingFaceName
from lir_data.sources.lines import BYTE_ORDER_MARK, binary_lines, parse_line
from lir_data.sources.names import shown
from lir_data.sources.packing import is_packed, open_binary
from lir_data.sources.registered import portable
from lir_data.sources.rows import Table, count_rows, is_parquet, parsed_rows, place
from lir_data.sources.tables import check_text_fields, doc_parser, documents, row_parser

# Ids are looked up in a store so many at a time, so that the texts of a whole run need not fit in memory.
_CHUNK = 10_000


def not_found(ids: Iterable[str], look_up: Callable[[Sequence[str]], Mapping[str, Any]]) -> list[str]:
    """Return the ids that a look-up does not find, each once."""
    wanted = list(dict.fromkeys(ids))
    unknown: list[str] = []
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        found = look_up(chunk)
        unknown.extend(name for name in chunk if name not in found)
    return unknown


class CatalogueDocuments:
    """The documents of an id of ir_datasets. The first look-up builds ir_datasets' store, where there is none yet."""

    def __init__(self, dataset_id: str, text_fields: Sequence[str] | None) -> None:
        self._id = portable(dataset_id)
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
        return not_found(doc_ids, self._look_up)

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
    memory-mapped. Of a file that cannot be read from the middle, packed or parquet, the texts are written for that into
    a temporary file, which the system removes with the process.
    """

    def __init__(self, path: Path, text_fields: Sequence[str] | None) -> None:
        self._path = path
        self._text_fields = None if text_fields is None else tuple(text_fields)
        self._look_up_table: _TextsByPlace | None = None
        self._count: int | None = None
        check_text_fields(path, text_fields)
        # A file of another format shows at once.
        if next(iter(self), None) is None:
            raise EmptySourceError(f"'{shown(path)}' holds no documents.")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_look_up_table": None}

    def __len__(self) -> int:
        if self._count is None:
            self._count = count_rows(self._path)
        return self._count

    def __iter__(self) -> Iterator[DocSample]:
        for _, (doc_id, text) in documents(self._path, self._text_fields):
            yield DocSample(doc_id, text)

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of documents, by id."""
        table = self._look_up()
        wanted = list(dict.fromkeys(doc_ids))
        if unknown := [doc_id for doc_id in wanted if doc_id not in table.starts]:
            raise unknown_ids("document", unknown, shown(self._path))
        return {doc_id: table.text(doc_id) for doc_id in wanted}

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return the ids that are not there."""
        starts = self._look_up().starts
        return [doc_id for doc_id in dict.fromkeys(doc_ids) if doc_id not in starts]

    def _look_up(self) -> "_TextsByPlace":
        if self._look_up_table is None:
            in_place = not is_packed(self._path) and not is_parquet(self._path)
            make = _in_place if in_place else _copied
            self._look_up_table = make(self._path, self._text_fields)
        return self._look_up_table


class HuggingFaceDocuments:
    """The documents of a dataset of Hugging Face.

    In order they are streamed. The first look-up by id lets datasets keep the whole in its cache, and reads its ids.
    """

    def __init__(self, name: HuggingFaceName, text_fields: Sequence[str] | None) -> None:
        self._name = name
        self._text_fields = None if text_fields is None else tuple(text_fields)
        self._look_up_table: tuple[Any, dict[str, int]] | None = None
        if next(iter(self), None) is None:
            raise EmptySourceError(f"'{name}' holds no documents.")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_look_up_table": None}

    def __len__(self) -> int:
        return len(self._look_up()[0])

    def __iter__(self) -> Iterator[DocSample]:
        for _, (doc_id, text) in documents(self._name, self._text_fields):
            yield DocSample(doc_id, text)

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of documents, by id."""
        table, numbers = self._look_up()
        wanted = list(dict.fromkeys(doc_ids))
        if unknown := [doc_id for doc_id in wanted if doc_id not in numbers]:
            raise unknown_ids("document", unknown, self._name)
        parse = row_parser(self._text_fields)
        return {doc_id: parse(table[numbers[doc_id]])[1] for doc_id in wanted}

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return the ids that are not there."""
        _, numbers = self._look_up()
        return [doc_id for doc_id in dict.fromkeys(doc_ids) if doc_id not in numbers]

    def _look_up(self) -> tuple[Any, dict[str, int]]:
        if self._look_up_table is None:
            table, numbers = hugging_face.table(self._name), {}
            # The texts are looked at too, so that what is wrong with one shows now and not in the middle of work.
            rows = enumerate(table, start=1)
            for number, (doc_id, _) in parsed_rows(self._name, rows, row_parser(self._text_fields)):
                _check_new(doc_id, numbers, self._name, number)
                numbers[doc_id] = number - 1
            self._look_up_table = table, numbers
        return self._look_up_table


class _TextsByPlace(NamedTuple):
    """Where each document begins in lines that are memory-mapped, and what makes its text of its line."""

    lines: mmap.mmap
    starts: dict[str, int]
    text_of: Callable[[bytes], str]

    def text(self, doc_id: str) -> str:
        start = self.starts[doc_id]
        end = self.lines.find(b"\n", start)
        return self.text_of(self.lines[start : None if end < 0 else end])


def _in_place(path: Path, text_fields: Sequence[str] | None) -> _TextsByPlace:
    """Find where the documents of a plain file of lines begin."""
    parse = doc_parser(path, text_fields)
    starts: dict[str, int] = {}
    position = 0
    for number, line in enumerate(binary_lines(path), start=1):
        if (document := parse_line(path, number, line, parse)) is not None:
            _check_new(document[0], starts, path, number)
            marked = number == 1 and line.startswith(BYTE_ORDER_MARK)
            starts[document[0]] = position + (len(BYTE_ORDER_MARK) if marked else 0)
        position += len(line)
    with open_binary(path) as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # A line was parsed before, when its place was found.
    return _TextsByPlace(content, starts, lambda line: parse(line.decode().rstrip("\r"))[1])


def _copied(path: Path, text_fields: Sequence[str] | None) -> _TextsByPlace:
    """Copy the texts of a file into lines, each a text as JSON, that are found again."""
    starts: dict[str, int] = {}
    position = 0
    with tempfile.TemporaryFile(prefix="lir-") as copy:
        for number, (doc_id, text) in documents(path, text_fields):
            _check_new(doc_id, starts, path, number)
            starts[doc_id] = position
            # Half of a pair of surrogates, which JSON can hold, has to pass.
            position += copy.write(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        copy.flush()
        content = mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)
    return _TextsByPlace(content, starts, lambda line: json.loads(line.decode("utf-8", "surrogatepass")))


def _check_new(doc_id: str, known: Mapping[str, int], table: Table, number: int) -> None:
    if doc_id in known:
        raise MalformedLineError(f"{place(table, number)}: the document '{doc_id}' occurs twice.")
