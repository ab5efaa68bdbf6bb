"""Documents by id: of ir_datasets' own stores, and of tables."""

import json
import mmap
import os
import tempfile
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError, did_you_mean, unknown_ids
from lir_data.samples import DocSample
from lir_data.sources import catalogue, hugging_face
from lir_data.sources.hugging_face import HuggingFaceName
from lir_data.sources.lines import BYTE_ORDER_MARK, binary_lines, parse_line
from lir_data.sources.local_files import LocalFile
from lir_data.sources.memory import MemoryTable
from lir_data.sources.packing import open_binary
from lir_data.sources.registered import portable
from lir_data.sources.rows import Table, count_rows, parsed_rows, place
from lir_data.sources.tables import check_text_fields, doc_parser, documents, row_parser
from lir_data.sources.unicode import clean

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
            return clean(doc.default_text())
        return clean(" ".join(str(getattr(doc, field)) for field in self._text_fields))


class TableDocuments:
    """The documents of tables: of local files, datasets of Hugging Face, or what is in memory.

    The first look-up reads the tables once and keeps where each document is; the texts stay there. A file is
    memory-mapped. Of one that cannot be read from the middle, packed, csv or parquet for instance, the texts are written for
    that into a temporary file, which the system removes with the process. A dataset of Hugging Face is streamed in order;
    for look-ups datasets keeps the whole in its cache.

    Args:
        tables: Where the documents are; together they are one collection, in which each id occurs once.
        text_fields: Fields to join by spaces; None for the default text.
        name: What messages call the collection.
    """

    def __init__(self, tables: Sequence[Table], text_fields: Sequence[str] | None, name: str) -> None:
        self._tables = tuple(tables)
        self._text_fields = None if text_fields is None else tuple(text_fields)
        self._name = name
        self._texts: _Texts | None = None
        self._count: int | None = None
        for table in tables:
            check_text_fields(table, text_fields)
        # A file of another format shows at once; of several some may be empty.
        firsts = [next(documents(table, self._text_fields), None) for table in tables]
        if not any(firsts):
            raise EmptySourceError(f"'{name}' holds no documents.")

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_texts": None}

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(map(count_rows, self._tables))
        return self._count

    def __iter__(self) -> Iterator[DocSample]:
        for table in self._tables:
            for _, (doc_id, text) in documents(table, self._text_fields):
                yield DocSample(doc_id, text)

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of documents, by id."""
        texts = self._look_up()
        wanted = list(dict.fromkeys(doc_ids))
        if unknown := [doc_id for doc_id in wanted if doc_id not in texts.places]:
            raise unknown_ids("document", unknown, self._name)
        return {doc_id: texts.of(doc_id) for doc_id in wanted}

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return the ids that are not there."""
        places = self._look_up().places
        return [doc_id for doc_id in dict.fromkeys(doc_ids) if doc_id not in places]

    def _look_up(self) -> "_Texts":
        if self._texts is None:
            texts = _Texts()
            for table in self._tables:
                texts.add(table, self._text_fields)
            self._texts = texts
        return self._texts


class _Texts:
    """Where each document of several tables is: one number, which tells the table as well."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self._starts: list[int] = []
        self._readers: list[Callable[[int], str]] = []
        self._end = 0

    def of(self, doc_id: str) -> str:
        """Return the text of a document that is there."""
        place = self.places[doc_id]
        table = bisect_right(self._starts, place) - 1
        return self._readers[table](place - self._starts[table])

    def add(self, table: Table, text_fields: Sequence[str] | None) -> None:
        """Find the documents of a table.

        Raises:
            MalformedLineError: If a document cannot be read, or is there already, in this table or one before.
        """
        start = self._end
        self._starts.append(start)

        def found(number: int, doc_id: str, position: int) -> None:
            if doc_id in self.places:
                raise MalformedLineError(f"{place(table, number)}: the document '{doc_id}' occurs twice.")
            self.places[doc_id] = start + position
            self._end = start + position + 1

        if not isinstance(table, LocalFile):
            self._readers.append(_numbered(table, text_fields, found))
        elif table.can_be_sought:
            self._readers.append(_in_place(table, text_fields, found))
        else:
            self._readers.append(_copied(table, text_fields, found))


#: Is told of each document: its number, for messages, its id, and where it is in its table.
_Found = Callable[[int, str, int], None]


def _numbered(
    table: HuggingFaceName | MemoryTable, text_fields: Sequence[str] | None, found: _Found
) -> Callable[[int], str]:
    """Find the documents of a table whose rows have numbers."""
    parse = row_parser(table, text_fields)
    if isinstance(table, MemoryTable):
        numbered, row = documents(table, text_fields), table.__getitem__
    else:
        whole = hugging_face.table(table)
        # The texts are looked at too, so that what is wrong with one shows now and not in the middle of work.
        numbered, row = parsed_rows(table, enumerate(whole, start=1), parse), whole.__getitem__
    for number, (doc_id, _) in numbered:
        found(number, doc_id, number - 1)
    return lambda position: parse(row(position))[1]


def _in_place(file: LocalFile, text_fields: Sequence[str] | None, found: _Found) -> Callable[[int], str]:
    """Find where the documents of a plain file of lines begin."""
    parse = doc_parser(file, text_fields)
    position = 0
    for number, line in enumerate(binary_lines(file.path), start=1):
        if (document := parse_line(file.path, number, line, parse)) is not None:
            marked = number == 1 and line.startswith(BYTE_ORDER_MARK)
            found(number, document[0], position + (len(BYTE_ORDER_MARK) if marked else 0))
        position += len(line)
    if not position:  # an empty file has nothing to map
        return str
    with open_binary(file.path) as opened:
        lines = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)

    def text(start: int) -> str:
        end = lines.find(b"\n", start)
        document = parse(lines[start : None if end < 0 else end].decode().rstrip("\r"))
        assert document is not None  # the line was parsed before, when its place was found
        return document[1]

    return text


def _copied(file: LocalFile, text_fields: Sequence[str] | None, found: _Found) -> Callable[[int], str]:
    """Copy the texts of a file into lines, each a text as JSON, that are found again."""
    position = 0
    with tempfile.TemporaryFile(prefix="lir-") as copy:
        for number, (doc_id, text) in documents(file, text_fields):
            found(number, doc_id, position)
            position += copy.write(json.dumps(text, ensure_ascii=False).encode() + b"\n")
        copy.flush()
        if not position:
            return str
        lines = mmap.mmap(copy.fileno(), 0, access=mmap.ACCESS_READ)
    return lambda start: json.loads(lines[start : lines.find(b"\n", start)].decode())
