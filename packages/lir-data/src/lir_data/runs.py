"""Rankings with their texts, to be re-ranked or learnt from."""

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import Literal, get_args

from lir_data.arguments import check_choice, check_count
from lir_data.documents import open_documents
from lir_data.errors import ArgumentError, MissingPartError, unknown_ids
from lir_data.judgements import find_qrels
from lir_data.order import OrderedDataset
from lir_data.passages import find_windows
from lir_data.queries import Queries
from lir_data.run_texts import texts_of
from lir_data.samples import RankSample, RankTargets
from lir_data.sampling import SamplingStrategy, generator, sample
from lir_data.sources import catalogue
from lir_data.sources.external import DOCS, QUERIES, find_external
from lir_data.sources.given import Given, source_of
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import full_name, is_collection, is_file_name, short_name, shown
from lir_data.trec import Qrels, Run, read_run

Targets = Literal["relevance", "subtopic_relevance", "rank", "score"]


class RunDataset(OrderedDataset[str, RankSample]):
    """The ranked documents of each query, as a `RankSample`; for re-ranking, and for fine-tuning with targets.

    ``dataset[i]`` is the ranking of the i-th query of the run.

    Args:
        run_path_or_id: What `read_run` reads, in a file or in memory; an id of ir_datasets that comes with a run
            (``scoreddocs``), or of a published training set beside it, such as
            ``msmarco-passage/train/rank-distillm-set-encoder``.
        depth: Documents kept of each ranking, from the top; None for all.
        sample_size: Documents drawn from those; None for all. Of a ranking that has fewer, all come.
        sampling_strategy: How they are drawn: ``top``; ``random``; ``log_random``, the higher the likelier;
            ``top_and_random``, half of each; ``single_relevant``, one relevant document first, then others that are
            not.
        targets: What a model should learn of each document, larger is better: ``relevance``, by the judgements, 0 where
            there is none or it is negative; ``subtopic_relevance``, that for each subtopic of the query, by the ids of
            the subtopics in ascending order; ``rank``, the number of documents for the best, 1 for the last;
            ``score``, that of the run; None for nothing.
        normalize_targets: Whether the targets of a query are stretched to reach from 0 to 1; equal ones become 0.
        add_docs_not_in_ranking: Whether relevant documents that the ranking lacks are put at its end, with the score of
            its last.
        docs: What the document ids name (see `open_documents`); None for the id of the run or of the queries, for the texts
            in the run itself (``query`` and ``text`` of jsonl, for instance), or for the id of ir_datasets that the file of the
            run is named after: ``vaswani.trec``, ``bm25__beir-nfcorpus-test.run``.
        queries: What the query ids name (see `open_queries`); None as with ``docs``.
        qrels: Judgements (see `read_qrels`); None for those of the queries' id, if it has any.
        text_fields: Fields of a document to join by spaces; None for the default text.
        seed: Decides what is drawn, together with the epoch (see `set_epoch`) and the query id.
        passage_length: Puts in the place of each document its passages of so many words, with the ids ``D#0``, ``D#1`` and
            so on, and the document's target; `aggregate_passages` makes scores of documents of theirs. None for whole
            documents.
        passage_stride: Words from the start of a passage to that of the next; None for half of ``passage_length``.
        ignore_identical_ids: Whether the document that has the query's own id is left out of each ranking, where queries
            are documents (ArguAna, Quora); ``depth`` counts the others.
    """

    def __init__(
        self,
        run_path_or_id: Given,
        depth: int | None = None,
        sample_size: int | None = None,
        sampling_strategy: SamplingStrategy = "top",
        targets: Targets | None = None,
        normalize_targets: bool = False,
        add_docs_not_in_ranking: bool = False,
        docs: Given | None = None,
        queries: Given | None = None,
        qrels: Given | None = None,
        text_fields: Sequence[str] | None = None,
        seed: int = 0,
        passage_length: int | None = None,
        passage_stride: int | None = None,
        ignore_identical_ids: bool = False,
    ) -> None:
        check_choice("RunDataset", "sampling_strategy", sampling_strategy, get_args(SamplingStrategy))
        run = source_of(run_path_or_id, "run")
        docs_source = None if docs is None else source_of(docs, "docs")
        queries_source = None if queries is None else source_of(queries, "queries")
        check_choice("RunDataset", "targets", targets, (*get_args(Targets), None))
        if seed < 0:
            raise ArgumentError(f"RunDataset: seed is {seed}; it must be 0 or more.")
        self.passage_windows = find_windows("RunDataset", passage_length, passage_stride)
        self.depth = check_count("RunDataset", "depth", depth)
        self.ignore_identical_ids = ignore_identical_ids
        self.sample_size = check_count("RunDataset", "sample_size", sample_size)
        self.sampling_strategy: SamplingStrategy = sampling_strategy
        self.targets: Targets | None = targets
        self.normalize_targets = normalize_targets
        self.add_docs_not_in_ranking = add_docs_not_in_ranking
        self.seed = seed
        self.name = short_name(run)
        self._external = None if isinstance(run, MemoryTable) else find_external(run)
        self._source = full_name(run) if self._external is None and not isinstance(run, MemoryTable) else run
        self.source = None if isinstance(self._source, MemoryTable) else self._source
        own = None
        if self._external is not None:
            if not self._external.is_run:
                raise MissingPartError(f"'{shown(run)}' holds tuples, not rankings; read it with TupleDataset.")
            docs_source, queries_source = docs_source or DOCS, queries_source or QUERIES
        elif isinstance(run, MemoryTable) or is_file_name(run):
            _ = self._run  # what is wrong with a file shows at once; an id's may have to be downloaded
        else:
            own = run
            catalogue.load_with(own, "scoreddocs")
        queries_source = queries_source or own
        if own is None and (queries_source is None or (docs_source is None and not is_collection(queries_source))):
            texts = texts_of(run)
            if queries_source is None and texts.queries is not None:
                queries_source = source_of(texts.queries, "queries")
            if docs_source is None and texts.docs is not None:
                docs_source = source_of(texts.docs, "docs")
            qrels = texts.qrels if qrels is None else qrels
        if docs_source is None:
            docs_source = own or (
                queries_source if queries_source is not None and is_collection(queries_source) else None
            )
        if queries_source is None or docs_source is None:
            lacking = "queries" if queries_source is None else "docs"
            raise ArgumentError(f"RunDataset: '{shown(run)}' holds ids; {lacking} must say where the texts are.")
        self._docs_source = docs_source
        self._documents = open_documents(docs_source, text_fields)
        self._queries = Queries(queries_source)
        self._judgements = find_qrels(qrels, queries_source)
        self._check_judgements(shown(run))

    def _check_judgements(self, source: str) -> None:
        """Refuse what needs judgements where there are none."""
        for needs, what in (
            (self.targets in ("relevance", "subtopic_relevance"), f"targets is '{self.targets}'"),
            (self.sampling_strategy == "single_relevant", "sampling_strategy is 'single_relevant'"),
            (self.add_docs_not_in_ranking, "add_docs_not_in_ranking is set"),
        ):
            if needs and self._judgements is None:
                raise MissingPartError(
                    f"RunDataset: {what}, but there are no judgements for '{source}'; name some as qrels."
                )

    @property
    def qrels(self) -> Qrels | None:
        """The judgements of all queries, if there are any."""
        return None if self._judgements is None else self._judgements.qrels

    @property
    def query_ids(self) -> list[str]:
        """The ids of the queries, in the order in which they are read."""
        return list(self.in_order(self.epoch))

    @property
    def doc_ids(self) -> set[str]:
        """The ids of all documents that may be drawn."""
        return {doc_id for query_id in self.in_order(self.epoch) for doc_id in self._scores(query_id)}

    @property
    def num_docs(self) -> int:
        """Documents of all rankings together, as they are kept and drawn.

        Raises:
            TypeError: If they are passages, which nobody can count before they are cut.
        """
        if self.passage_windows is not None:
            raise TypeError(f"The number of passages of '{self.name}' is not known before they are cut.")
        counts = (len(self._scores(query_id)) for query_id in self.in_order(self.epoch))
        return sum(count if self.sample_size is None else min(count, self.sample_size) for count in counts)

    @cached_property
    def _run(self) -> Run:
        return read_run(self._source if self._external is None else self._external.path())

    @cached_property
    def _query_ids(self) -> list[str]:
        return list(self._run)

    def check_documents(self) -> None:
        """Look up every query and document of the whole run, so that no long work ends at an unknown id.

        Raises:
            UnknownIdError: If there are any; the message names the first and counts the others.
        """
        run = f"the run '{shown(self._source)}'"
        if unknown := [query_id for query_id in self._query_ids if query_id not in self._queries.texts]:
            raise unknown_ids("query", unknown, shown(self._queries.source), run)
        wanted = (doc_id for query_id in self._query_ids for doc_id in self._scores(query_id))
        if unknown := self._documents.missing(wanted):
            raise unknown_ids("document", unknown, str(self._docs_source), run)

    def records(self, _: int, /) -> Sequence[str]:
        """Return the queries' ids."""
        return self._query_ids

    def complete(self, records: Sequence[str], epoch: int, /) -> Sequence[RankSample]:
        """Draw the documents of each query, and look their texts up."""
        if unknown := [query_id for query_id in records if query_id not in self._queries.texts]:
            raise unknown_ids("query", unknown, shown(self._queries.source), f"the run '{shown(self._source)}'")
        rankings = [(query_id, self._scores(query_id)) for query_id in records]
        drawn = [self._draw(query_id, list(scores), epoch) for query_id, scores in rankings]
        texts = self._documents.get_many(doc_id for doc_ids in drawn for doc_id in doc_ids)
        samples = [
            RankSample(
                query_id,
                self._queries.texts[query_id],
                doc_ids,
                tuple(texts[doc_id] for doc_id in doc_ids),
                self._targets_of(query_id, doc_ids, scores),
            )
            for (query_id, scores), doc_ids in zip(rankings, drawn, strict=True)
        ]
        return samples if self.passage_windows is None else [self.passage_windows.cut(ranking) for ranking in samples]

    def __len__(self) -> int:
        return self._count(len(self._run))

    def __getitem__(self, item: int) -> RankSample:
        places = self._places(len(self._run), self.epoch)
        if not -len(places) <= item < len(places):
            raise IndexError(f"There is no query at {item}; the run has {len(places)}.")
        return self.complete([self._query_ids[places[item]]], self.epoch)[0]

    def _scores(self, query_id: str) -> dict[str, float]:
        """Return the scores that are kept of a ranking, best first."""
        ranked = self._run[query_id].items()
        if self.ignore_identical_ids:
            ranked = [item for item in ranked if item[0] != query_id]
        scores = dict(islice(ranked, self.depth))
        if self.add_docs_not_in_ranking:
            last = min(scores.values(), default=0.0)
            for doc_id in sorted(self._relevances(query_id)):
                if self._relevances(query_id)[doc_id] > 0:
                    scores.setdefault(doc_id, last)
        return scores

    def _relevances(self, query_id: str) -> dict[str, int]:
        return (self.qrels or {}).get(query_id, {})

    def _draw(self, query_id: str, doc_ids: Sequence[str], epoch: int) -> tuple[str, ...]:
        """Return the documents that are drawn."""
        if self.sample_size is None:
            return tuple(doc_ids)
        relevances = self._relevances(query_id)
        relevant = [relevances.get(doc_id, 0) > 0 for doc_id in doc_ids]
        random = generator(self.seed, epoch, query_id)
        return tuple(doc_ids[place] for place in sample(self.sampling_strategy, self.sample_size, relevant, random))

    def _targets_of(self, query_id: str, doc_ids: Sequence[str], scores: dict[str, float]) -> RankTargets | None:
        match self.targets:
            case None:
                return None
            case "subtopic_relevance":
                return self._subtopic_relevances(query_id, doc_ids)
            case "relevance":
                relevances = self._relevances(query_id)
                targets = [float(max(0, relevances.get(doc_id, 0))) for doc_id in doc_ids]
            case "rank":
                places = {doc_id: place for place, doc_id in enumerate(scores)}
                targets = [float(len(scores) - places[doc_id]) for doc_id in doc_ids]
            case "score":
                targets = [float(scores[doc_id]) for doc_id in doc_ids]
        return tuple(_stretched(targets) if self.normalize_targets else targets)

    def _subtopic_relevances(self, query_id: str, doc_ids: Sequence[str]) -> tuple[tuple[float, ...], ...]:
        assert self._judgements is not None
        # Of a query without judgements one subtopic is known, by which no document is relevant.
        subtopics = self._judgements.subtopics.get(query_id, {"0": {}})
        flat = [
            float(max(0, subtopics[subtopic].get(doc_id, 0))) for doc_id in doc_ids for subtopic in sorted(subtopics)
        ]
        flat = _stretched(flat) if self.normalize_targets else flat
        return tuple(tuple(flat[place : place + len(subtopics)]) for place in range(0, len(flat), len(subtopics)))


def _stretched(targets: Sequence[float]) -> list[float]:
    """Make the lowest target 0 and the highest 1; equal ones become 0."""
    low, high = min(targets, default=0.0), max(targets, default=0.0)
    return [(target - low) / (high - low) if high > low else 0.0 for target in targets]
