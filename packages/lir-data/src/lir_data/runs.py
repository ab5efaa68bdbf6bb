"""Rankings with their texts, to be re-ranked or learnt from."""

from collections.abc import Iterator
from functools import cached_property
from typing import Literal, Self, get_args

from lir_data.documents import Documents, open_documents, unknown_documents
from lir_data.errors import ArgumentError, MissingPartError, UnknownIdError, check_choice, check_count
from lir_data.order import Shard
from lir_data.queries import check_queries, open_queries, own_qrels
from lir_data.samples import RankSample
from lir_data.sampling import SamplingStrategy, generator, sample
from lir_data.sources import catalogue
from lir_data.sources.names import full_name, is_file_name, short_name
from lir_data.trec import Qrels, Run, read_qrels, read_run

Targets = Literal["relevance", "rank", "score"]


class RunDataset:
    """The ranked documents of each query.

    Args:
        run_path_or_id: A TREC run, or an id of ir_datasets that comes with a run (``scoreddocs``).
        depth: Documents of each ranking that are kept, from the top; None for all.
        sample_size: Documents drawn from those; None for all.
        sampling_strategy: How: ``top``, ``random``, ``log_random`` (the higher the likelier), ``top_and_random``,
            ``single_relevant`` (one relevant document, then others that are not).
        targets: What a model should learn: ``relevance`` (of the judgements; 0 without one), ``rank`` (the best has
            the number of documents, the last 1) or ``score``; None for nothing.
        normalize_targets: Whether the targets of a query are stretched to reach from 0 to 1.
        add_docs_not_in_ranking: Whether relevant documents that the run lacks are put at its end.
        docs: Where the document ids lead to: an id of ir_datasets, or a file; an id of a run knows it.
        queries: Where the query ids lead to.
        qrels: Judgements, a TREC file or an id; an id of a run or of queries knows its own.
        seed: Of the drawing; together with the epoch and the query it decides.
    """

    def __init__(
        self,
        run_path_or_id: str,
        depth: int | None = None,
        sample_size: int | None = None,
        sampling_strategy: SamplingStrategy = "top",
        targets: Targets | None = None,
        normalize_targets: bool = False,
        add_docs_not_in_ranking: bool = False,
        docs: str | None = None,
        queries: str | None = None,
        qrels: str | None = None,
        seed: int = 0,
    ) -> None:
        check_choice("RunDataset", "sampling_strategy", sampling_strategy, get_args(SamplingStrategy))
        check_choice("RunDataset", "targets", targets, (*get_args(Targets), None))
        self.depth = check_count("RunDataset", "depth", depth)
        self.sample_size = check_count("RunDataset", "sample_size", sample_size)
        self.sampling_strategy: SamplingStrategy = sampling_strategy
        self.targets = targets
        self.normalize_targets = normalize_targets
        self.add_docs_not_in_ranking = add_docs_not_in_ranking
        self.seed = seed
        self.epoch = 0
        self.name = short_name(run_path_or_id)
        self.source = full_name(run_path_or_id)
        self.order = Shard()
        own = None if is_file_name(run_path_or_id) else run_path_or_id
        if own is not None:
            catalogue.load_with(own, "scoreddocs")
        for argument, value in (("docs", docs or own), ("queries", queries or own)):
            if value is None:
                raise ArgumentError(
                    f"RunDataset: '{run_path_or_id}' holds ids; {argument} must say where the texts are."
                )
        self._docs_source = docs or own or ""
        self._queries_source = queries or own or ""
        self._documents: Documents = open_documents(self._docs_source)
        check_queries(self._queries_source)
        self._qrels_source = qrels or own_qrels(self._queries_source)
        if self._qrels_source is None and (targets == "relevance" or sampling_strategy == "single_relevant"):
            needs = "targets is 'relevance'" if targets == "relevance" else "sampling_strategy is 'single_relevant'"
            raise MissingPartError(
                f"RunDataset: {needs}, but '{run_path_or_id}' has no judgements; name them as qrels."
            )
        self._run: Run = read_run(run_path_or_id)
        if qrels is not None:
            read_qrels(qrels)

    @cached_property
    def qrels(self) -> Qrels | None:
        """The judgements, if there are any."""
        return None if self._qrels_source is None else read_qrels(self._qrels_source)

    @cached_property
    def _queries(self) -> dict[str, str]:
        queries = open_queries(self._queries_source)
        for query_id in self._run:
            if query_id not in queries:
                raise UnknownIdError(
                    f"The run '{self.source}' has the query '{query_id}', '{self._queries_source}' has not."
                )
        return queries

    @cached_property
    def _query_ids(self) -> list[str]:
        return list(self._run)

    def _ranking(self, query_id: str) -> dict[str, float]:
        """Return the scores that are kept of a ranking, best first."""
        scores = dict(list(self._run[query_id].items())[: self.depth])
        if self.add_docs_not_in_ranking and self.qrels is not None:
            worst = min(scores.values(), default=0.0)
            for doc_id, relevance in self.qrels.get(query_id, {}).items():
                if relevance > 0:
                    scores.setdefault(doc_id, worst)
        return scores

    def check_documents(self) -> None:
        """Look every query and document of the run up, so that no long work ends at an unknown id.

        Raises:
            UnknownIdError: If there are any; the message names the first and counts the others.
        """
        _ = self._queries
        wanted = dict.fromkeys(doc_id for query_id in self._query_ids for doc_id in self._ranking(query_id))
        unknown = self._documents.missing(wanted)
        if unknown:
            raise UnknownIdError(
                f"The run '{self.source}' does not fit. {unknown_documents(unknown, self._docs_source)}"
            )

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, so that each draws anew."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.order.count(len(self._run))

    def __getitem__(self, item: int) -> RankSample:
        if not 0 <= item < len(self):
            raise IndexError(f"There is no query at {item}; the run has {len(self)}.")
        query_id = self._query_ids[self.order.position(item)]
        scores = self._ranking(query_id)
        judged = (self.qrels or {}).get(query_id, {})
        if self.sample_size is not None:
            ids = list(scores)
            relevant = [judged.get(doc_id, 0) > 0 for doc_id in ids]
            random = generator(self.seed, self.epoch, query_id)
            positions = sample(self.sampling_strategy, self.sample_size, relevant, random)
        else:
            ids, positions = list(scores), list(range(len(scores)))
        chosen = tuple(ids[position] for position in positions)
        texts = self._documents.get_many(chosen)
        if self.targets is None:
            targets = None
        elif self.targets == "relevance":
            targets = tuple(float(max(0, judged.get(doc_id, 0))) for doc_id in chosen)
        elif self.targets == "rank":
            targets = tuple(float(len(ids) - position) for position in positions)
        else:
            targets = tuple(scores[doc_id] for doc_id in chosen)
        if targets and self.normalize_targets:
            low, high = min(targets), max(targets)
            targets = tuple((target - low) / ((high - low) or 1.0) for target in targets)
        return RankSample(query_id, self._queries[query_id], chosen, tuple(texts[doc_id] for doc_id in chosen), targets)

    def __iter__(self) -> Iterator[RankSample]:
        return (self[item] for item in range(len(self)))

    def shard(self, num_shards: int, index: int) -> Self:
        """Return every ``num_shards``-th query, from ``index`` on."""
        return self.order.applied(self, num_shards=num_shards, index=index)

    def skip(self, count: int) -> Self:
        """Return the dataset without its first queries."""
        return self.order.applied(self, skip=count)
