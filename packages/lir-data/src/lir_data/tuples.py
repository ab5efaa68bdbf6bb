"""Training tuples: a query with a relevant document and, mostly, others that are not."""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Literal, Self, get_args

from lir_data.documents import Documents, open_documents
from lir_data.errors import (
    ArgumentError,
    MalformedLineError,
    MissingPartError,
    UnknownIdError,
    check_choice,
    check_count,
)
from lir_data.order import Shard
from lir_data.queries import check_queries, open_queries
from lir_data.samples import RankSample
from lir_data.sources import catalogue
from lir_data.sources.names import full_name, is_file_name, short_name
from lir_data.sources.tables import existing, is_jsonl, json_object, numbered_lines
from lir_data.trec import read_qrels

Targets = Literal["order", "score"]

# A query id or text, ids or texts of its documents, and their scores where the source has any.
_Tuple = tuple[str, tuple[str, ...], tuple[float, ...] | None]

# Documents are looked up for so many tuples at a time: a store is quicker asked once than often.
_WINDOW = 512


class TupleDataset:
    """Tuples of a query and documents, the relevant one first, with a target for each document.

    Sources:
        - an id of ir_datasets with training pairs (``docpairs``);
        - an id, or a TREC qrels file, with judgements: one tuple for each relevant document, without negatives (for
          losses that take the other queries' documents as negatives);
        - a tsv file: ``query<TAB>relevant<TAB>other…``;
        - a jsonl file: ``{"query": …, "docs": [relevant, other…], "scores": […]}``, scores where there are any.

        Files hold texts, or ids if ``docs`` and ``queries`` say where the texts are.

    Args:
        tuples_dataset: An id of ir_datasets, or a file.
        targets: ``order``: 1 for the first document, 0 for the others. ``score``: the scores of the file.
        num_docs: Documents of a tuple that are kept, from the first; None for all.
        docs: Where a file's document ids lead to: an id of ir_datasets, or a file.
        queries: Where a file's query ids lead to.
    """

    def __init__(
        self,
        tuples_dataset: str,
        targets: Targets = "order",
        num_docs: int | None = None,
        docs: str | None = None,
        queries: str | None = None,
    ) -> None:
        check_choice("TupleDataset", "targets", targets, get_args(Targets))
        self.targets = targets
        self.num_docs = check_count("TupleDataset", "num_docs", num_docs)
        self.name = short_name(tuples_dataset)
        self.source = full_name(tuples_dataset)
        self.order = Shard()
        self._kind = _kind(tuples_dataset)
        if targets == "score" and self._kind != "file":
            raise ArgumentError(f"TupleDataset: targets is 'score', but '{tuples_dataset}' has no scores; use 'order'.")
        if (docs is None) != (queries is None):
            raise ArgumentError(
                "TupleDataset: give both docs and queries (the file holds ids), or neither (it holds texts)."
            )
        if is_file_name(tuples_dataset):
            if self._kind == "qrels" and docs is None:
                raise ArgumentError(f"'{tuples_dataset}' holds ids: docs and queries must say where the texts are.")
            self._texts = None if docs is None or queries is None else (docs, queries)
        else:
            self._texts = (tuples_dataset, tuples_dataset)
        if self._texts is not None:
            open_documents(self._texts[0])
            check_queries(self._texts[1])

    @cached_property
    def _documents(self) -> Documents:
        assert self._texts is not None
        return open_documents(self._texts[0])

    @cached_property
    def _queries(self) -> dict[str, str]:
        assert self._texts is not None
        return open_queries(self._texts[1])

    def __iter__(self) -> Iterator[RankSample]:
        window: list[_Tuple] = []
        for item in self.order.of(self._tuples()):
            window.append(item)
            if len(window) == _WINDOW:
                yield from self._samples(window)
                window = []
        yield from self._samples(window)

    def _samples(self, window: list[_Tuple]) -> Iterator[RankSample]:
        if self._texts is not None and window:
            texts = self._documents.get_many(doc_id for _, doc_ids, _ in window for doc_id in doc_ids)
        else:
            texts = {}
        for query, docs, scores in window:
            targets = scores if scores is not None else tuple(float(place == 0) for place in range(len(docs)))
            if self._texts is None:
                yield RankSample(query, query, docs, docs, targets)
            elif query not in self._queries:
                raise UnknownIdError(f"There is no query '{query}' in '{self._texts[1]}'.")
            else:
                yield RankSample(query, self._queries[query], docs, tuple(texts[doc_id] for doc_id in docs), targets)

    def _tuples(self) -> Iterator[_Tuple]:
        if self._kind == "docpairs":
            for pair in catalogue.load(self.source).docpairs_iter():
                yield pair.query_id, (pair.doc_id_a, pair.doc_id_b)[: self.num_docs], None
        elif self._kind == "qrels":
            for query_id, judgements in read_qrels(self.source).items():
                for doc_id, relevance in judgements.items():
                    if relevance > 0:
                        yield query_id, (doc_id,), None
        else:
            yield from self._file_tuples(Path(self.source))

    def _file_tuples(self, path: Path) -> Iterator[_Tuple]:
        wants_scores = self.targets == "score"
        for number, line in numbered_lines(path):
            if is_jsonl(path):
                values = json_object(path, number, line)
                query, docs, scores = values.get("query"), values.get("docs"), values.get("scores")
                if not isinstance(query, str) or not isinstance(docs, list) or not docs:
                    raise MalformedLineError(
                        f'{path}, line {number}: a tuple is {{"query": …, "docs": [relevant, other…]}}.'
                    )
            else:
                query, *docs = line.split("\t")
                scores = None
                if not docs:
                    raise MalformedLineError(
                        f"{path}, line {number}: there is no tab; a tuple is query, tab, relevant document, …"
                    )
            if wants_scores and (not isinstance(scores, list) or len(scores) != len(docs)):
                raise MalformedLineError(
                    f"{path}, line {number}: targets is 'score', but there is not one score a document."
                )
            kept = tuple(str(doc) for doc in docs)[: self.num_docs]
            yield query, kept, tuple(map(float, scores))[: self.num_docs] if wants_scores and scores else None

    def shard(self, num_shards: int, index: int) -> Self:
        """Return every ``num_shards``-th tuple, from ``index`` on."""
        return self.order.applied(self, num_shards=num_shards, index=index)

    def skip(self, count: int) -> Self:
        """Return the dataset without its first tuples."""
        return self.order.applied(self, skip=count)


def _kind(source: str) -> Literal["docpairs", "qrels", "file"]:
    if not is_file_name(source):
        dataset = catalogue.load(source)
        for part in ("docpairs", "qrels"):
            if catalogue.has(dataset, part):
                return part
        raise MissingPartError(
            f"The dataset '{source}' has neither training pairs nor judgements, so it makes no tuples."
        )
    path = existing(source)
    if is_jsonl(path):
        return "file"
    _, line = next(numbered_lines(path), (0, ""))
    columns = line.split()
    is_qrels = len(columns) == 4 and columns[3].lstrip("-").isdigit()
    return "qrels" if is_qrels else "file"
