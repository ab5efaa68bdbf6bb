"""Training tuples: a query with a relevant document and, mostly, others that are not."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from lir_data.arguments import check_choice, check_count
from lir_data.documents import Documents, open_documents
from lir_data.errors import ArgumentError, MissingPartError, unknown_ids
from lir_data.order import Divisible
from lir_data.queries import Queries
from lir_data.samples import RankSample
from lir_data.sources import catalogue
from lir_data.sources.lines import records
from lir_data.sources.names import beir_folder, existing, full_name, is_collection, is_file_name, short_name, shown
from lir_data.sources.registered import registered_source
from lir_data.sources.rows import is_jsonl
from lir_data.sources.training_files import TrainingTuple, looks_like_qrels, tuple_parser
from lir_data.trec import read_qrels

Targets = Literal["order", "score"]
Kind = Literal["docpairs", "qrels", "file"]

# Documents are looked up for so many tuples at a time: a store is quicker asked once than often.
_WINDOW = 512


class TupleDataset(Divisible):
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
        # ir_datasets knows pairs alone; a file that is registered as an id may have more documents, and scores.
        registered = registered_source(tuples_dataset, "docpairs")
        self._file = self.source if registered is None else registered
        self._kind = _kind_of(self._file)
        if targets == "score" and (self._kind != "file" or not is_jsonl(Path(self._file))):
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
        if self._kind == "file":
            next(self._tuples(), None)  # a file of another format shows at once

    def __iter__(self) -> Iterator[RankSample]:
        tuples = self.within.of(islice(self._tuples(), self.num_tuples))
        if self._documents is None or self._queries is None:
            for query, docs, scores in tuples:
                yield RankSample(query, query, docs, docs, self._targets(docs, scores))
            return
        while window := list(islice(tuples, _WINDOW)):
            yield from self._with_texts(window, self._documents, self._queries)

    def _with_texts(
        self, window: Sequence[TrainingTuple], documents: Documents, queries: Queries
    ) -> Iterable[RankSample]:
        asker = f"the dataset '{self.name}'"
        if unknown := [item.query for item in window if item.query not in queries.texts]:
            raise unknown_ids("query", list(dict.fromkeys(unknown)), shown(queries.source), asker)
        wanted = [doc_id for item in window for doc_id in item.docs]
        texts = documents.get_many(wanted)
        for query_id, doc_ids, scores in window:
            docs = tuple(texts[doc_id] for doc_id in doc_ids)
            yield RankSample(query_id, queries.texts[query_id], doc_ids, docs, self._targets(doc_ids, scores))

    def _targets(self, docs: Sequence[str], scores: Sequence[float] | None) -> tuple[float, ...]:
        if self.targets == "score":
            assert scores is not None
            return tuple(scores)
        return tuple(float(place == 0) for place in range(len(docs)))

    def _tuples(self) -> Iterator[TrainingTuple]:
        for query, docs, scores in self._whole_tuples():
            yield TrainingTuple(query, docs[: self.num_docs], None if scores is None else scores[: self.num_docs])

    def _whole_tuples(self) -> Iterator[TrainingTuple]:
        if self._kind == "docpairs":
            with catalogue.reading(self._file):
                for pair in catalogue.load(self._file).docpairs_iter():
                    yield TrainingTuple(pair.query_id, (pair.doc_id_a, pair.doc_id_b))
        elif self._kind == "qrels":
            for query_id, judgements in read_qrels(self._file).items():
                for doc_id, relevance in judgements.items():
                    if relevance > 0:
                        yield TrainingTuple(query_id, (doc_id,))
        else:
            path = existing(self._file)
            parse = tuple_parser(path, by_id=self._documents is not None, with_scores=self.targets == "score")
            for _, item in records(path, parse):
                yield item


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
