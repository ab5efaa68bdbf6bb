"""Collections of documents: read from the start, or by id."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

from lir_data.errors import ArgumentError, UnknownIdError, check_count
from lir_data.order import Shard
from lir_data.samples import DocSample
from lir_data.sources import catalogue
from lir_data.sources.names import full_name, is_file_name, short_name
from lir_data.sources.tables import doc_parser, existing, numbered_lines, open_binary


class Documents(Protocol):
    """A collection of documents."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[DocSample]: ...

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of documents.

        Raises:
            UnknownIdError: If the collection lacks any; the message names the first.
        """
        ...

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return those of the ids that the collection does not have."""
        ...


def open_documents(source: str, text_fields: Sequence[str] | None = None) -> Documents:
    """Open a collection; nothing is read yet.

    Args:
        source: An id of ir_datasets, or a file: tsv (``doc_id<TAB>text``) or jsonl (``doc_id``, ``text`` and, where
            there is one, ``title``, which then precedes the text), plain or .gz.
        text_fields: Fields to join by spaces, in place of the default text.

    Raises:
        SourceNotFoundError: If there is no such dataset or file.
        MissingPartError: If the dataset has no documents.
    """
    if is_file_name(source):
        return _FileDocuments(existing(source), text_fields)
    return _CatalogueDocuments(source, text_fields)


def _found(texts: dict[str, str], doc_ids: Sequence[str], source: object) -> dict[str, str]:
    unknown = [doc_id for doc_id in doc_ids if doc_id not in texts]
    if unknown:
        raise UnknownIdError(unknown_documents(unknown, source))
    return texts


def unknown_documents(unknown: Sequence[str], source: object) -> str:
    """Return the sentence about documents that a collection does not have."""
    others = f", nor {len(unknown) - 1} more that are asked for" if len(unknown) > 1 else ""
    return f"There is no document '{unknown[0]}' in '{source}'{others}."


class _CatalogueDocuments:
    """The documents of an id of ir_datasets."""

    def __init__(self, dataset_id: str, text_fields: Sequence[str] | None) -> None:
        self._id = dataset_id
        self._text_fields = text_fields
        fields = catalogue.load_with(dataset_id, "docs").docs_cls()._fields
        for field in text_fields or ():
            if field not in fields:
                raise ArgumentError(
                    f"The documents of '{dataset_id}' have no field '{field}'; they have {', '.join(fields)}."
                )

    def _text(self, doc: Any) -> str:
        if self._text_fields is None:
            return doc.default_text()
        return " ".join(str(getattr(doc, field)) for field in self._text_fields)

    def __len__(self) -> int:
        return catalogue.load(self._id).docs_count()

    def __iter__(self) -> Iterator[DocSample]:
        for doc in catalogue.load(self._id).docs_iter():
            yield DocSample(doc.doc_id, self._text(doc))

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        wanted = list(dict.fromkeys(doc_ids))
        found = catalogue.load(self._id).docs_store().get_many(wanted)
        return _found({doc_id: self._text(doc) for doc_id, doc in found.items()}, wanted, self._id)

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        wanted = list(dict.fromkeys(doc_ids))
        found = catalogue.load(self._id).docs_store().get_many(wanted)
        return [doc_id for doc_id in wanted if doc_id not in found]


class _FileDocuments:
    """The documents of a file. The first look-up by id reads the file once, and keeps where each document begins."""

    def __init__(self, path: Path, text_fields: Sequence[str] | None) -> None:
        self._path = path
        self._parse = doc_parser(path, text_fields)
        self._text_fields = text_fields
        self._places: dict[str, tuple[int, int]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_text_fields": self._text_fields, "_places": self._places}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _parse=doc_parser(state["_path"], state["_text_fields"]))

    def __len__(self) -> int:
        return sum(1 for _ in numbered_lines(self._path))

    def __iter__(self) -> Iterator[DocSample]:
        for number, line in numbered_lines(self._path):
            yield DocSample(*self._parse(number, line))

    def _offsets(self) -> dict[str, tuple[int, int]]:
        """Return byte offset (in the unpacked file) and line number of each document."""
        if self._places is None:
            places: dict[str, tuple[int, int]] = {}
            offset = 0
            with open_binary(self._path) as file:
                for number, line in enumerate(file, start=1):
                    if text := line.decode("utf-8").rstrip("\r\n"):
                        places[self._parse(number, text)[0]] = (offset, number)
                    offset += len(line)
            self._places = places
        return self._places

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        wanted = list(dict.fromkeys(doc_ids))
        places = self._offsets()
        texts: dict[str, str] = {}
        with open_binary(self._path) as file:
            # In the order of the file, so that a gzip file is unpacked once.
            for doc_id in sorted((doc_id for doc_id in wanted if doc_id in places), key=lambda doc_id: places[doc_id]):
                offset, number = places[doc_id]
                file.seek(offset)
                texts[doc_id] = self._parse(number, file.readline().decode("utf-8").rstrip("\r\n"))[1]
        return _found(texts, wanted, self._path)

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        places = self._offsets()
        return [doc_id for doc_id in dict.fromkeys(doc_ids) if doc_id not in places]


class DocDataset:
    """The documents of a collection, one after the other.

    Args:
        doc_dataset: An id of ir_datasets that has documents, or a file (see `open_documents`).
        num_docs: Only so many, from the start; None for all.
        text_fields: Fields to join by spaces, in place of the default text (title and text).
    """

    def __init__(self, doc_dataset: str, num_docs: int | None = None, text_fields: list[str] | None = None) -> None:
        self.num_docs = check_count("DocDataset", "num_docs", num_docs)
        self.documents = open_documents(doc_dataset, text_fields)
        self.name = short_name(doc_dataset)
        self.source = full_name(doc_dataset)
        self.order = Shard()

    def __iter__(self) -> Iterator[DocSample]:
        return self.order.of(islice(self.documents, self.num_docs))

    def __len__(self) -> int:
        total = len(self.documents)
        return self.order.count(total if self.num_docs is None else min(total, self.num_docs))

    def shard(self, num_shards: int, index: int) -> Self:
        """Return every ``num_shards``-th document, from ``index`` on."""
        return self.order.applied(self, num_shards=num_shards, index=index)

    def skip(self, count: int) -> Self:
        """Return the dataset without its first documents."""
        return self.order.applied(self, skip=count)
