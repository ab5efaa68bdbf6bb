"""Queries, with their judgements where there are any."""

from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import Self

from lir_data.errors import MalformedLineError, check_count
from lir_data.order import Shard
from lir_data.samples import QuerySample
from lir_data.sources import catalogue
from lir_data.sources.names import full_name, is_file_name, short_name
from lir_data.sources.tables import existing, read_queries
from lir_data.trec import Qrels, read_qrels


def open_queries(source: str) -> dict[str, str]:
    """Read queries.

    Args:
        source: An id of ir_datasets, or a file: tsv (``query_id<TAB>text``) or jsonl (``query_id``, ``text``), plain
            or .gz.

    Returns:
        The texts by query id, in the order of the source.

    Raises:
        SourceNotFoundError: If there is no such dataset or file.
        MissingPartError: If the dataset has no queries.
        MalformedLineError: If a line cannot be read, or a query occurs twice.
    """
    if not is_file_name(source):
        queries = catalogue.load_with(source, "queries").queries_iter()
        return {query.query_id: query.default_text() for query in queries}
    path = existing(source)
    texts: dict[str, str] = {}
    for query_id, text in read_queries(path):
        if query_id in texts:
            raise MalformedLineError(f"{path}: the query '{query_id}' occurs twice.")
        texts[query_id] = text
    return texts


def check_queries(source: str) -> None:
    """Refuse a source that is no file and no dataset with queries; nothing is read."""
    if is_file_name(source):
        existing(source)
    else:
        catalogue.load_with(source, "queries")


def own_qrels(source: str) -> str | None:
    """Return the source of judgements that comes with a dataset's id, if there is one."""
    return source if not is_file_name(source) and catalogue.has(catalogue.load(source), "qrels") else None


class QueryDataset:
    """The queries of a dataset, one after the other.

    Args:
        query_dataset: An id of ir_datasets that has queries, or a file (see `open_queries`).
        num_queries: Only so many, from the start; None for all.
        qrels: Judgements for evaluation, a TREC file or an id; an id's own are found without it.
    """

    def __init__(self, query_dataset: str, num_queries: int | None = None, qrels: str | None = None) -> None:
        self.num_queries = check_count("QueryDataset", "num_queries", num_queries)
        check_queries(query_dataset)
        self.name = short_name(query_dataset)
        self.source = full_name(query_dataset)
        self.order = Shard()
        self._qrels_source = qrels or own_qrels(query_dataset)
        if qrels is not None:
            read_qrels(qrels)

    @cached_property
    def queries(self) -> dict[str, str]:
        """The texts by query id."""
        return dict(islice(open_queries(self.source).items(), self.num_queries))

    @cached_property
    def qrels(self) -> Qrels | None:
        """The judgements, if there are any."""
        return None if self._qrels_source is None else read_qrels(self._qrels_source)

    def __iter__(self) -> Iterator[QuerySample]:
        return self.order.of(QuerySample(*item) for item in self.queries.items())

    def __len__(self) -> int:
        return self.order.count(len(self.queries))

    def shard(self, num_shards: int, index: int) -> Self:
        """Return every ``num_shards``-th query, from ``index`` on."""
        return self.order.applied(self, num_shards=num_shards, index=index)

    def skip(self, count: int) -> Self:
        """Return the dataset without its first queries."""
        return self.order.applied(self, skip=count)
