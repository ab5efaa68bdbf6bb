"""What ir_datasets is given of local sources: one class for each part of a dataset.

Only `register_dataset` imports this: ir_datasets takes half a second.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import Any

from ir_datasets.formats import (
    BaseDocPairs,
    BaseDocs,
    BaseQrels,
    BaseQueries,
    BaseScoredDocs,
    GenericDoc,
    GenericDocPair,
    GenericQuery,
    GenericScoredDoc,
    TrecQrel,
)
from ir_datasets.indices import Docstore
from ir_datasets.util import apply_sub_slice, slice_idx

from lir_data.documents import Documents, open_documents
from lir_data.queries import open_queries
from lir_data.sources import catalogue
from lir_data.sources.lines import records
from lir_data.sources.local_files import LocalFile
from lir_data.sources.names import is_file_name
from lir_data.sources.parts import PartName
from lir_data.sources.rows import Table, find_table, parsed
from lir_data.sources.training_files import Form, TrainingTuple, recognise, split_line
from lir_data.trec import judgements_of, read_run


class SourceDocs(BaseDocs):
    """The documents of a source."""

    def __init__(self, source: str) -> None:
        self._source = source

    @cached_property
    def _documents(self) -> Documents:
        return open_documents(self._source)

    def docs_iter(self) -> "DocsIterator":
        """Return the documents in order; ``[10:20]`` and ``[7]`` choose of them."""
        return DocsIterator(self._documents)

    def docs_store(self) -> "SourceDocstore":
        """Return the documents by id."""
        return SourceDocstore(self._documents)

    def docs_count(self) -> int:
        """Return their number."""
        return len(self._documents)

    def docs_cls(self) -> type[GenericDoc]:
        """Return the type of a document."""
        return GenericDoc


class DocsIterator:
    """Documents in order.

    Args:
        documents: All there are.
        chosen: Which of them, all three values given; None for all.
    """

    def __init__(self, documents: Documents, chosen: slice | None = None) -> None:
        self._documents = documents
        self._chosen = chosen
        part = slice(None) if chosen is None else chosen
        self._items = islice(documents, part.start, part.stop, part.step)

    def __iter__(self) -> Iterator[GenericDoc]:
        return self

    def __next__(self) -> GenericDoc:
        sample = next(self._items)
        return GenericDoc(sample.doc_id, sample.doc)

    def __getitem__(self, key: slice | int) -> Any:
        whole = slice(0, len(self._documents), 1) if self._chosen is None else self._chosen
        if isinstance(key, slice):
            return DocsIterator(self._documents, apply_sub_slice(whole, key))
        for doc in DocsIterator(self._documents, slice_idx(whole, key)):
            return doc
        raise IndexError(f"There is no document at {key}.")


class SourceDocstore(Docstore):
    """Documents by id, as ir_datasets has them: one that is not there is left out."""

    def __init__(self, documents: Documents) -> None:
        super().__init__(GenericDoc)
        self._documents = documents

    def get_many_iter(self, doc_ids: Iterable[str]) -> Iterator[GenericDoc]:
        """Yield the documents that are there."""
        wanted = list(dict.fromkeys(doc_ids))
        missing = set(self._documents.missing(wanted))
        texts = self._documents.get_many(doc_id for doc_id in wanted if doc_id not in missing)
        return (GenericDoc(doc_id, text) for doc_id, text in texts.items())


class SourceQueries(BaseQueries):
    """The queries of a source."""

    def __init__(self, source: str) -> None:
        self._source = source

    def queries_iter(self) -> Iterator[GenericQuery]:
        """Yield the queries in order."""
        return (GenericQuery(*item) for item in open_queries(self._source).items())


class SourceQrels(BaseQrels):
    """The judgements of a source."""

    def __init__(self, source: str) -> None:
        self._source = source

    def qrels_iter(self) -> Iterator[TrecQrel]:
        """Yield the judgements; the iteration is the subtopic, where there is one."""
        for query_id, subtopic, doc_id, relevance in judgements_of(self._source):
            yield TrecQrel(query_id, doc_id, relevance, subtopic or "0")

    def qrels_cls(self) -> Any:
        """Return the type of a judgement, which is `TrecQrel`."""
        return TrecQrel

    def qrels_defs(self) -> dict[int, str]:
        """Return what each relevance means: a file does not say."""
        return {}


class SourceScoredDocs(BaseScoredDocs):
    """The run of a source."""

    def __init__(self, source: str) -> None:
        self._source = source

    def scoreddocs_iter(self) -> Iterator[GenericScoredDoc]:
        """Yield the documents of each query, best first."""
        for query_id, scores in read_run(self._source).items():
            for doc_id, score in scores.items():
                yield GenericScoredDoc(query_id, doc_id, score)


class SourceDocPairs(BaseDocPairs):
    """The training tuples of a source, as pairs: the first document with each of the others."""

    def __init__(self, source: str) -> None:
        self._source = source

    def docpairs_iter(self) -> Iterator[GenericDocPair]:
        """Yield the pairs in order."""
        if not is_file_name(self._source):
            yield from catalogue.load(self._source).docpairs_iter()
            return
        for item in _tuples(find_table(self._source, "tuples")):
            for other in item.docs[item.num_positives or 1 :]:
                yield GenericDocPair(item.query, item.docs[0], other)


def _tuples(table: Table) -> Iterator[TrainingTuple]:
    form: Form | None = None

    def parse(values: Any) -> TrainingTuple:
        nonlocal form
        form = form or recognise(values)
        return form.parse(values)

    if isinstance(table, LocalFile) and table.layout in ("lines", "json lines"):
        is_json = table.layout == "json lines"
        items = records(table.path, lambda line: parse(split_line(line, is_json=is_json)), table.start)
    else:
        items = parsed(table, parse, parse)
    return (item for _, item in items)


#: What gives ir_datasets each part.
HANDLERS: dict[PartName, Any] = {
    "docs": SourceDocs,
    "queries": SourceQueries,
    "qrels": SourceQrels,
    "scoreddocs": SourceScoredDocs,
    "docpairs": SourceDocPairs,
}
