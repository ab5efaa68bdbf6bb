"""Collections of documents: read from the start, or by id."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol

from lir_data.arguments import check_count
from lir_data.errors import ArgumentError
from lir_data.order import Divisible
from lir_data.passages import PassageDocuments, Windows, cut_source, find_windows, parse_source
from lir_data.samples import DocSample
from lir_data.sources.document_stores import CatalogueDocuments, FileDocuments
from lir_data.sources.names import existing, full_name, is_file_name, short_name


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


def open_documents(source: str, text_fields: Sequence[str] | None = None) -> Documents:
    """Open a collection.

    Nothing is read but a file's first line. The first look-up by id reads the whole: ir_datasets builds its store, of a
    file the place of each document is kept (a .gz file is unpacked for that, into a temporary file).

    Args:
        source: An id of ir_datasets, or a file: tsv (``doc_id<TAB>text``) or jsonl (``doc_id``, ``_id`` or ``id``;
            ``text`` or ``contents``; ``title``, where there is one), plain or .gz. ``#passages=150,75`` behind it opens the
            passages of its documents (see `lir_data.passages`).
        text_fields: Fields to join by spaces; None for ir_datasets' default text, or title and text of a file.

    Raises:
        SourceNotFoundError: If there is no such dataset or file.
        MissingPartError: If the dataset has no documents.
        EmptySourceError: If the file has none.
        ArgumentError: If a field is not among those of the dataset.
        MalformedLineError: If a line cannot be read.
    """
    source, windows = parse_source(source)
    if windows is not None:
        return PassageDocuments(open_documents(source, text_fields), windows, source)
    if is_file_name(source):
        return FileDocuments(existing(source), text_fields)
    return CatalogueDocuments(source, text_fields)


class DocDataset(Divisible):
    """The documents of a collection, one `DocSample` after the other; for indexing.

    Args:
        doc_dataset: An id of ir_datasets that has documents, or a file (see `open_documents`).
        num_docs: Only so many, from the start; None for all.
        text_fields: Fields to join by spaces; None for the default text.
        passage_length: Cuts each document into passages of so many words, with the ids ``D#0``, ``D#1`` and so on (see
            `lir_data.passages`); they are then the items that `shard` and `skip` count. None for whole documents.
        passage_stride: Words from the start of a passage to that of the next; None for half of ``passage_length``.
    """

    def __init__(
        self,
        doc_dataset: str,
        num_docs: int | None = None,
        text_fields: Sequence[str] | None = None,
        passage_length: int | None = None,
        passage_stride: int | None = None,
    ) -> None:
        self.num_docs = check_count("DocDataset", "num_docs", num_docs)
        self.windows = find_windows("DocDataset", passage_length, passage_stride)
        self.documents = open_documents(doc_dataset, text_fields)
        self.name = short_name(parse_source(doc_dataset)[0])
        self.source = _full_source(doc_dataset, self.windows)

    def __iter__(self) -> Iterator[DocSample]:
        docs = islice(self.documents, self.num_docs)
        return self.within.of(docs if self.windows is None else self.windows.passages(docs))

    def __len__(self) -> int:
        if self.windows is not None:
            raise TypeError(f"The number of passages of '{self.name}' is not known before they are cut.")
        total = len(self.documents)
        return len(self.within.positions(total if self.num_docs is None else min(total, self.num_docs)))


def _full_source(source: str, windows: Windows | None) -> str:
    """Return the name that opens the same documents, cut alike, from any folder."""
    name, own = parse_source(source)
    if own is not None and windows is not None:
        raise ArgumentError(f"DocDataset: '{source}' is cut into passages already; leave passage_length out.")
    return cut_source(full_name(name), own or windows)
