"""Queries, with their judgements where there are any."""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice

from lir_data.arguments import check_count
from lir_data.errors import EmptySourceError, MalformedLineError
from lir_data.judgements import find_qrels
from lir_data.order import OrderedDataset
from lir_data.samples import QuerySample
from lir_data.sources import catalogue, tables
from lir_data.sources.given import Given, source_of
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import beir_folder, full_name, is_file_name, short_name, shown
from lir_data.sources.rows import find_tables, place
from lir_data.sources.unicode import clean
from lir_data.trec import Qrels, read_qrels


def open_queries(source: Given) -> dict[str, str]:
    """Read queries.

    Args:
        source: An id of ir_datasets; a BEIR folder, of which ``folder/split`` are the queries that are judged in
            qrels/split.tsv; a file or a dataset of Hugging Face (``hf:NAME``): tsv (``query_id<TAB>text``, or below a
            header), csv, jsonl, an array of JSON or parquet (``query_id``, ``qid``, ``_id`` or ``id``; ``text``, ``query`` or
            ``question``), or topics of TREC, of which the title is taken (the description with ``topics.trec?text=desc``).
            Several files, fields of other names and what is in memory are given as to `open_documents`.

    Returns:
        The texts by query id, in the order of the source.

    Raises:
        SourceNotFoundError: If there is no such dataset or file.
        MissingPartError: If the dataset has no queries.
        MalformedLineError: If a line cannot be read, or a query occurs twice.
        EmptySourceError: If the file has none.
    """
    found = source_of(source, "queries")
    if not isinstance(found, MemoryTable) and not is_file_name(found):
        dataset = catalogue.load_with(found, "queries")
        with catalogue.reading(found):
            return {query.query_id: clean(query.default_text()) for query in dataset.queries_iter()}
    folder = beir_folder(found)
    wanted = None if folder is None or folder.split is None else read_qrels(found)
    texts: dict[str, str] = {}
    for table in find_tables(found, "queries"):
        for number, (query_id, text) in tables.queries(table):
            if query_id in texts:
                raise MalformedLineError(f"{place(table, number)}: the query '{query_id}' occurs twice.")
            if wanted is None or query_id in wanted:
                texts[query_id] = text
    if not texts:
        raise EmptySourceError(f"'{shown(found)}' holds no queries.")
    return texts


class Queries:
    """The queries of a source, read when they are needed; those of a file at once, so that its mistakes show early.

    Args:
        source: What `open_queries` takes.
    """

    def __init__(self, source: Given) -> None:
        found = source_of(source, "queries")
        self.source = found if isinstance(found, MemoryTable) else full_name(found)
        if isinstance(found, MemoryTable) or is_file_name(found):
            _ = self.texts
        else:
            catalogue.load_with(found, "queries")

    @cached_property
    def texts(self) -> dict[str, str]:
        """The texts by query id."""
        return open_queries(self.source)


class QueryDataset(OrderedDataset[tuple[str, str], QuerySample]):
    """The queries of a dataset, one `QuerySample` after the other; for searching.

    Args:
        query_dataset: An id of ir_datasets that has queries, a BEIR folder, a file or several, or what is in memory (see
            `open_queries`). ``source`` is then None: nothing opens it again.
        num_queries: Only so many, from the start; None for all.
        qrels: Judgements to measure with (see `read_qrels`); None for those of the id
            or of the BEIR folder's split, if there are any.
    """

    def __init__(self, query_dataset: Given, num_queries: int | None = None, qrels: Given | None = None) -> None:
        source = source_of(query_dataset, "queries")
        self.num_queries = check_count("QueryDataset", "num_queries", num_queries)
        self._queries = Queries(source)
        self._judgements = find_qrels(qrels, source)
        self.name = short_name(source)
        self.source = None if isinstance(self._queries.source, MemoryTable) else self._queries.source

    @property
    def qrels(self) -> Qrels | None:
        """The judgements of all queries, if there are any."""
        return None if self._judgements is None else self._judgements.qrels

    @property
    def query_ids(self) -> list[str]:
        """The ids of the queries, in the order in which they are read."""
        return [query_id for query_id, _ in self.in_order(self.epoch)]

    def records(self, _: int, /) -> Sequence[tuple[str, str]]:
        """Return ids and texts."""
        return list(islice(self._queries.texts.items(), self.num_queries))

    def complete(self, records: Sequence[tuple[str, str]], _: int, /) -> Sequence[QuerySample]:
        """Make a sample of each."""
        return [QuerySample(query_id, text) for query_id, text in records]

    def __len__(self) -> int:
        total = len(self._queries.texts)
        return self._count(total if self.num_queries is None else min(total, self.num_queries))
