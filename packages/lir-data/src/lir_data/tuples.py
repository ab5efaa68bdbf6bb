"""Training tuples: a query with a relevant document and, mostly, others that are not."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from lir_data.arguments import check_choice, check_count
from lir_data.documents import Documents, open_documents
from lir_data.errors import ArgumentError, MissingPartError, unknown_ids
from lir_data.order import OrderedDataset
from lir_data.queries import Queries
from lir_data.samples import RankSample
from lir_data.sources import catalogue
from lir_data.sources.lines import binary_lines, parse_line
from lir_data.sources.names import beir_folder, existing, full_name, is_collection, is_file_name, short_name, shown
from lir_data.sources.rows import is_jsonl
from lir_data.sources.training_files import TrainingTuple, looks_like_qrels, tuple_parser
from lir_data.trec import read_qrels

Targets = Literal["order", "score"]
Kind = Literal["docpairs", "qrels", "file"]

# Documents are looked up for so many tuples at a time: a store is quicker asked once than often.
_TOGETHER = 512


#: A line of a file with its number, or what needs no parsing.
Record = tuple[int, bytes] | TrainingTuple


class TupleDataset(OrderedDataset[Record, RankSample]):
    """Tuples of a query and documents, the relevant one first, each as a `RankSample` with targets; for fine-tuning.

    Sources:
        - an id of ir_datasets with training pairs (``docpairs``);
        - an id, or a TREC qrels file, with judgements: one tuple of one document for each judgement above 0, for losses
          that take the other queries' documents as negatives;
        - a tsv file: ``query<TAB>relevant<TAB>other<TAB>…``;
        - a jsonl file: ``{"query": "…", "docs": ["relevant", "other", …], "scores": [3.5, 1, …]}``, the scores where
          there are any; of ids, ``{"query_id": "…", "doc_ids": […], "scores": […]}``.

    Files may be gzipped. They hold texts, or ids if ``docs`` and ``queries`` say where the texts are. A text without
    an id is its own id.

    Args:
        tuples_dataset: An id of ir_datasets, or a file.
        targets: ``order``: 1 for the first document, 0 for the others. ``score``: the scores of the file.
        num_docs: Documents kept of each tuple, from the first; None for all.
        docs: What a file's document ids name: an id of ir_datasets, or a file.
        queries: What a file's query ids name: an id of ir_datasets, or a file.
        num_tuples: Only so many tuples, from the start; None for all.
    """

    def __init__(
        self,
        tuples_dataset: str,
        targets: Targets = "order",
        num_docs: int | None = None,
        docs: str | None = None,
        queries: str | None = None,
        num_tuples: int | None = None,
    ) -> None:
        check_choice("TupleDataset", "targets", targets, get_args(Targets))
        self.targets: Targets = targets
        self.num_docs = check_count("TupleDataset", "num_docs", num_docs)
        self.num_tuples = check_count("TupleDataset", "num_tuples", num_tuples)
        self.name = short_name(tuples_dataset)
        self.source = full_name(tuples_dataset)
        self._kind = _kind_of(tuples_dataset)
        if targets == "score" and (self._kind != "file" or not is_jsonl(Path(self.source))):
            raise ArgumentError(
                f"TupleDataset: targets is 'score', but '{tuples_dataset}' has no scores; only jsonl files have. "
                "Use targets='order'."
            )
        if is_collection(tuples_dataset):
            docs, queries = docs or tuples_dataset, queries or tuples_dataset
        if (docs is None) != (queries is None):
            raise ArgumentError(
                "TupleDataset: give docs and queries (the file holds ids), or neither (it holds texts)."
            )
        if docs is None and self._kind == "qrels":
            raise ArgumentError(f"'{tuples_dataset}' holds ids: docs and queries must say where the texts are.")
        self._documents: Documents | None = None if docs is None else open_documents(docs)
        self._queries: Queries | None = None if queries is None else Queries(queries)
        if self._documents is not None:
            self.together = _TOGETHER
        if self._kind == "file":
            for record in islice(self.records(0), 1):  # a file of another format shows at once
                self._tuple(record)

    def records(self, _: int, /) -> Iterable[Record]:
        """Return the lines of a file, the pairs of an id or the judgements."""
        if self._kind == "qrels":
            return self._judged[: self.num_tuples]
        return islice(self._lines() if self._kind == "file" else self._pairs(), self.num_tuples)

    def complete(self, records: Sequence[Record], _: int, /) -> Sequence[RankSample]:
        """Parse lines, and look up the texts of all."""
        tuples = [self._tuple(record) for record in records]
        if self._documents is None or self._queries is None:
            return [RankSample(query, query, docs, docs, self._targets(docs, scores)) for query, docs, scores in tuples]
        queries = self._queries.texts
        if unknown := [item.query for item in tuples if item.query not in queries]:
            asker = f"the dataset '{self.name}'"
            raise unknown_ids("query", list(dict.fromkeys(unknown)), shown(self._queries.source), asker)
        texts = self._documents.get_many(doc_id for item in tuples for doc_id in item.docs)
        return [
            RankSample(query, queries[query], docs, tuple(texts[doc] for doc in docs), self._targets(docs, scores))
            for query, docs, scores in tuples
        ]

    def _targets(self, docs: Sequence[str], scores: Sequence[float] | None) -> tuple[float, ...]:
        if self.targets == "score":
            assert scores is not None
            return tuple(scores)
        return tuple(float(place == 0) for place in range(len(docs)))

    def _tuple(self, record: Record) -> TrainingTuple:
        if isinstance(record, TrainingTuple):
            query, docs, scores = record
        else:
            path = Path(self.source)
            parse = tuple_parser(path, by_id=self._documents is not None, with_scores=self.targets == "score")
            item = parse_line(path, *record, parse)
            assert item is not None
            query, docs, scores = item
        return TrainingTuple(query, docs[: self.num_docs], None if scores is None else scores[: self.num_docs])

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        for number, line in enumerate(binary_lines(existing(self.source)), start=1):
            if line.rstrip(b"\r\n"):
                yield number, line

    def _pairs(self) -> Iterator[TrainingTuple]:
        with catalogue.reading(self.source):
            for pair in catalogue.load(self.source).docpairs_iter():
                yield TrainingTuple(pair.query_id, (pair.doc_id_a, pair.doc_id_b))

    @cached_property
    def _judged(self) -> list[TrainingTuple]:
        return [
            TrainingTuple(query_id, (doc_id,))
            for query_id, judgements in read_qrels(self.source).items()
            for doc_id, relevance in judgements.items()
            if relevance > 0
        ]


def _kind_of(source: str) -> Kind:
    if beir_folder(source) is not None:
        return "qrels"
    if is_file_name(source):
        return "qrels" if looks_like_qrels(existing(source)) else "file"
    dataset = catalogue.load(source)
    if catalogue.has(dataset, "docpairs"):
        return "docpairs"
    if catalogue.has(dataset, "qrels"):
        return "qrels"
    raise MissingPartError(f"The dataset '{source}' has neither training pairs nor judgements, so it makes no tuples.")
