"""Collections of documents: read from the start, or by id."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from lir_data.arguments import check_count
from lir_data.errors import ArgumentError
from lir_data.order import OrderedDataset
from lir_data.passages import PassageDocuments, Windows, cut_source, find_windows, parse_source
from lir_data.samples import DocSample
from lir_data.sources.document_stores import CatalogueDocuments, TableDocuments
from lir_data.sources.given import Given, source_of
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import Source, full_name, is_file_name, short_name, shown
from lir_data.sources.rows import find_tables


class Documents(Protocol):
    """A collection of documents; it can be sent to other processes, and used by several threads."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[DocSample]: ...

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of documents, by id, in the order asked for.

        Raises:
            UnknownIdError: If the collection lacks any; the message names the first and counts the others.
        """
        ...

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return those of the ids that the collection does not have, each once."""
        ...


def open_documents(source: Given, text_fields: Sequence[str] | None = None) -> Documents:
    """Open a collection.

    Nothing is read but a first line or row. The first look-up by id reads the whole: ir_datasets builds its store, a
    dataset of Hugging Face goes to its cache, of a file the place of each document is kept (the texts of a parquet or
    packed file go for that into a temporary file).

    Args:
        source: An id of ir_datasets; a BEIR folder; a dataset of Hugging Face (``hf:NAME?config=…&split=…``); or a file: tsv
            (``doc_id<TAB>text``, or below a header), or csv, jsonl, an array of JSON, or parquet (``doc_id``, ``docno``,
            ``docid``, ``pid``, ``_id`` or ``id``; ``text``, ``contents``, ``body`` or ``passage``; ``title``, where there is
            one). Another field is named behind it: ``docs.jsonl?id=number&text=headline+lead``. All but parquet may be
            packed (.gz, .zst, .bz2, .xz). ``#passages=150,75`` at the end opens the passages of the documents (see
            `lir_data.passages`).

            A list of files, a folder of files of one format, or a pattern such as ``part-*.jsonl`` is one collection.

            Or what is in memory: a list of texts, whose ids are ``0``, ``1`` and so on, of pairs ``(id, text)`` or of
            mappings with the names above; a mapping from ids to texts; a table of pandas, polars, pyarrow or datasets.

            Half of a pair of surrogates in a text, which JSON can hold, is read as U+FFFD, and in an id it is refused. NUL is
            read as any other character, and bytes that are not UTF-8 are refused.
        text_fields: Fields to join by spaces; None for ir_datasets' default text, or title and text of a file.

    Raises:
        SourceNotFoundError: If there is no such dataset or file.
        MissingPartError: If the dataset has no documents.
        EmptySourceError: If the file has none.
        UnreadableSourceError: If a file is damaged, or needs an extra of lir-data that is not installed.
        ArgumentError: If a field is not among those of the dataset.
        MalformedLineError: If a line cannot be read.
    """
    found = source_of(source, "docs")
    if isinstance(found, MemoryTable):
        return TableDocuments([found], text_fields, found.name)
    name, windows = parse_source(found)
    if windows is not None:
        return PassageDocuments(open_documents(name, text_fields), windows, name)
    if not is_file_name(name):
        return CatalogueDocuments(name, text_fields)
    tables = find_tables(name, "docs")
    return TableDocuments(tables, text_fields, str(tables[0]) if len(tables) == 1 else shown(name))


class DocDataset(OrderedDataset[DocSample, DocSample]):
    """The documents of a collection, one `DocSample` after the other; for indexing.

    Args:
        doc_dataset: An id of ir_datasets that has documents, a file or several, or what is in memory (see
            `open_documents`). ``source`` is then None: nothing opens it again.
        num_docs: Only so many, from the start; None for all.
        text_fields: Fields to join by spaces; None for the default text.
        passage_length: Cuts each document into passages of so many words, with the ids ``D#0``, ``D#1`` and so on (see
            `lir_data.passages`); they are then the items that `shard` and `skip` count. None for whole documents.
        passage_stride: Words from the start of a passage to that of the next; None for half of ``passage_length``.
    """

    def __init__(
        self,
        doc_dataset: Given,
        num_docs: int | None = None,
        text_fields: Sequence[str] | None = None,
        passage_length: int | None = None,
        passage_stride: int | None = None,
    ) -> None:
        source = source_of(doc_dataset, "docs")
        self.num_docs = check_count("DocDataset", "num_docs", num_docs)
        self.passage_windows = find_windows("DocDataset", passage_length, passage_stride)
        self.documents = open_documents(source, text_fields)
        self.name = short_name(source if isinstance(source, MemoryTable) else parse_source(source)[0])
        self.source = _full_source(source, self.passage_windows)

    def records(self, _: int, /) -> Iterable[DocSample]:
        """Yield the documents or their passages; there is nothing to look up."""
        docs = islice(self.documents, self.num_docs)
        return docs if self.passage_windows is None else self.passage_windows.passages(docs)

    def complete(self, records: Sequence[DocSample], _: int, /) -> Sequence[DocSample]:
        """Return the documents."""
        return records

    def __len__(self) -> int:
        if self.passage_windows is not None:
            raise TypeError(f"The number of passages of '{self.name}' is not known before they are cut.")
        total = len(self.documents)
        return self._count(total if self.num_docs is None else min(total, self.num_docs))


def _full_source(source: Source, windows: Windows | None) -> str | None:
    """Return the name that opens the same documents, cut alike, from any folder; None of what is in memory."""
    if isinstance(source, MemoryTable):
        return None
    name, own = parse_source(source)
    if own is not None and windows is not None:
        raise ArgumentError(f"DocDataset: '{source}' is cut into passages already; leave passage_length out.")
    return cut_source(full_name(name), own or windows)
