"""Hard negatives: of what a system ranks high, the documents that are not relevant, as training tuples."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from lir_data.arguments import check_choice, check_count
from lir_data.errors import ArgumentError, EmptySourceError
from lir_data.sampling import generator
from lir_data.selection import without_identical_ids
from lir_data.sources.training_files import TrainingTuple
from lir_data.taken import GivenQrels, GivenRun, take_ordered_run, take_qrels, take_run
from lir_data.trec import in_order

logger = logging.getLogger("lir_data")

Strategy = Literal["top", "random"]


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which of a query's candidates become its negatives."""

    num_negatives: int
    range_min: int
    absolute_margin: float | None
    relative_margin: float | None
    max_score: float | None
    min_score: float | None
    strategy: Strategy
    seed: int

    @property
    def has_margin(self) -> bool:
        return self.absolute_margin is not None or self.relative_margin is not None

    def negatives(self, query_id: str, scores: Mapping[str, float], positives: Sequence[float]) -> list[str]:
        """Choose negatives.

        Args:
            query_id: The query's id.
            scores: Of the candidates, best first.
            positives: The scores of the relevant documents, as far as they are known.
        """
        if self.has_margin and not positives:
            return []  # nothing tells a false negative from a true one
        low, high = self._bounds(positives)
        allowed = [doc_id for doc_id, score in scores.items() if low <= score <= high]
        pool = allowed[self.range_min :]
        if self.strategy == "top" or len(pool) <= self.num_negatives:
            return pool[: self.num_negatives]
        drawn = generator(self.seed, 0, query_id).choice(len(pool), size=self.num_negatives, replace=False)
        return [pool[place] for place in sorted(drawn.tolist())]

    def _bounds(self, positives: Sequence[float]) -> tuple[float, float]:
        high = [float("inf")] if self.max_score is None else [self.max_score]
        # Of several relevant documents the lowest counts: what it lets through, all do.
        if self.absolute_margin is not None:
            high.append(min(positives) - self.absolute_margin)
        if self.relative_margin is not None:
            high.append(min(positives) - abs(min(positives)) * self.relative_margin)
        return float("-inf") if self.min_score is None else self.min_score, min(high)


def mine_negatives(
    run: GivenRun,
    qrels: GivenQrels,
    *,
    num_negatives: int = 3,
    range_min: int = 0,
    range_max: int | None = None,
    absolute_margin: float | None = None,
    relative_margin: float | None = None,
    max_score: float | None = None,
    min_score: float | None = None,
    sampling_strategy: Strategy = "top",
    teacher: GivenRun | None = None,
    seed: int = 0,
    ignore_identical_ids: bool = False,
) -> Iterator[TrainingTuple]:
    """Make training tuples of a run and judgements: a query, a relevant document, and negatives.

    A document that is judged relevant (above 0) is never a negative; one that is not judged, or not relevant, may be. The
    arguments mean what they do in ``mine_hard_negatives`` of sentence-transformers: the first ``range_max`` candidates are
    taken, those outside of the scores and margins are left out, ``range_min`` of the others are skipped, and of the rest
    negatives are chosen. A query may come out with fewer negatives than wanted, or none; how many do is logged.

    Args:
        run: Scores by document by query, or a source of them (see `read_run`).
        qrels: Relevance by document by query, or a source of them (see `read_qrels`).
        num_negatives: Negatives of each tuple.
        range_min: Candidates skipped from the top, since the highest of them may well be relevant and not judged.
        range_max: Candidates taken from the top of a ranking, in which relevant documents do not count; None for all.
        absolute_margin: A negative's score is at most that of the relevant document less this.
        relative_margin: A negative's score is at most that of the relevant document less this part of its size: with 0.05,
            of a relevant document that has 0.8, 0.76 (NV-Retriever's TopK-PercPos).
        max_score: The highest score of a negative.
        min_score: The lowest score of a negative.
        sampling_strategy: ``top``: those of the highest scores. ``random``: any.
        teacher: A better system's scores of the same documents, relevant ones included, or a source of them. They take the
            place of the run's in order, margins and bounds, and become the scores of the tuples. Candidates that it lacks
            are left out.
        seed: Decides, with the query id, what is drawn at random.
        ignore_identical_ids: Whether a document that has the query's own id is no candidate, where queries are documents.

    Returns:
        For each query of the run and each of its relevant documents one tuple: the query's id, the ids of the relevant
        document and of the negatives, best first, and the teacher's scores of them, if there is a teacher and it knows the
        relevant document. All tuples of a query have the same negatives; with a margin, the lowest score of its relevant
        documents counts, and where none has a score, there are no negatives.

    Raises:
        ArgumentError: If an argument is out of its range; arguments are checked before anything is read.
        EmptySourceError: If no query of the run has a relevant document.

    References:
        Karpukhin et al. (2020), *Dense Passage Retrieval*: negatives of BM25. Qu et al. (2021), *RocketQA*: negatives that a
        cross-encoder confirms. https://arxiv.org/abs/2010.08191. Moreira et al. (2024), *NV-Retriever*: margins below the
        positive's score. https://arxiv.org/abs/2407.15831
    """
    choice = check_mining(
        num_negatives=num_negatives,
        range_min=range_min,
        range_max=range_max,
        absolute_margin=absolute_margin,
        relative_margin=relative_margin,
        max_score=max_score,
        min_score=min_score,
        sampling_strategy=sampling_strategy,
        seed=seed,
    )
    judged, ranked = take_qrels(qrels), take_ordered_run(run)
    if ignore_identical_ids:
        ranked = without_identical_ids(ranked)
    taught = None if teacher is None else take_run(teacher)
    pairs = candidates(ranked, judged, check_count("mine_negatives", "range_max", range_max))
    if lacking := [query_id for query_id in ranked if query_id not in pairs]:
        logger.warning(
            "%d of the run's %d queries have no relevant document, '%s' the first; they make no tuples.",
            *(len(lacking), len(ranked), lacking[0]),
        )
    return _tuples(pairs, ranked, taught, choice)


def check_mining(
    *,
    num_negatives: int,
    range_min: int,
    range_max: int | None,
    absolute_margin: float | None,
    relative_margin: float | None,
    max_score: float | None,
    min_score: float | None,
    sampling_strategy: Strategy,
    seed: int,
) -> _Choice:
    """Check the arguments of `mine_negatives`, so that no long search or scoring ends at one.

    Raises:
        ArgumentError: If one is out of its range.
    """
    check_choice("mine_negatives", "sampling_strategy", sampling_strategy, get_args(Strategy))
    if num_negatives < 1:
        raise ArgumentError(f"mine_negatives: num_negatives is {num_negatives}; it must be at least 1.")
    if range_min < 0:
        raise ArgumentError(f"mine_negatives: range_min is {range_min}; it must be 0 or more.")
    range_max = check_count("mine_negatives", "range_max", range_max)
    if range_max is not None and range_max - range_min < num_negatives:
        raise ArgumentError(
            f"mine_negatives: range_max is {range_max} and range_min {range_min}, which leaves "
            f"{max(0, range_max - range_min)} candidates for {num_negatives} negatives."
        )
    if min_score is not None and max_score is not None and min_score > max_score:
        raise ArgumentError(f"mine_negatives: min_score is {min_score}, above max_score, which is {max_score}.")
    if seed < 0:
        raise ArgumentError(f"mine_negatives: seed is {seed}; it must be 0 or more.")
    return _Choice(
        num_negatives, range_min, absolute_margin, relative_margin, max_score, min_score, sampling_strategy, seed
    )


def candidates(
    run: Mapping[str, Mapping[str, float]], qrels: Mapping[str, Mapping[str, int]], range_max: int | None = None
) -> dict[str, tuple[list[str], list[str]]]:
    """Return, for each query of the run that has any, its relevant documents, and the top of the others in its ranking.

    Args:
        run: Scores by document by query, best first.
        qrels: Relevance by document by query.
        range_max: Candidates taken from the top; None for all.

    Raises:
        EmptySourceError: If there is no such query.
    """
    found: dict[str, tuple[list[str], list[str]]] = {}
    for query_id, scores in run.items():
        relevant = [doc_id for doc_id, relevance in qrels.get(query_id, {}).items() if relevance > 0]
        if relevant:
            known = set(relevant)
            others = [doc_id for doc_id in scores if doc_id not in known]
            found[query_id] = relevant, others[:range_max]
    if not found:
        raise EmptySourceError(f"None of the run's {len(run)} queries has a relevant document among the judgements.")
    return found


def _tuples(
    pairs: Mapping[str, tuple[list[str], list[str]]],
    run: Mapping[str, Mapping[str, float]],
    teacher: Mapping[str, Mapping[str, float]] | None,
    choice: _Choice,
) -> Iterator[TrainingTuple]:
    counts: Counter[str] = Counter()
    for query_id, (relevant, others) in pairs.items():
        known = run[query_id] if teacher is None else teacher.get(query_id, {})
        scores = {doc_id: known[doc_id] for doc_id in others if doc_id in known}
        scores = scores if teacher is None else in_order(scores)
        positives = [known[doc_id] for doc_id in relevant if doc_id in known]
        negatives = choice.negatives(query_id, scores, positives)
        counts["few"] += len(negatives) < choice.num_negatives
        counts["none"] += not negatives
        counts["unscored positives"] += choice.has_margin and not positives
        counts["unscored candidates"] += len(others) - len(scores)
        for doc_id in relevant:
            docs = (doc_id, *negatives)
            counts["unscored tuples"] += teacher is not None and doc_id not in known
            has_scores = teacher is not None and doc_id in known
            yield TrainingTuple(query_id, docs, tuple(float(known[doc]) for doc in docs) if has_scores else None)
    _report(counts, len(pairs), choice.num_negatives)


def _report(counts: Mapping[str, int], num_queries: int, num_negatives: int) -> None:
    if counts["few"]:
        logger.warning(
            "%d of %d queries have fewer than %d negatives, of which %d have none.",
            *(counts["few"], num_queries, num_negatives, counts["none"]),
        )
    if counts["unscored positives"]:
        logger.warning(
            "Of %d queries no relevant document has a score to keep a margin to, so they have no negatives.",
            counts["unscored positives"],
        )
    if counts["unscored candidates"]:
        logger.warning("%d candidates have no score by the teacher and were left out.", counts["unscored candidates"])
    if counts["unscored tuples"]:
        logger.warning(
            "%d tuples have no scores: the teacher has none of their relevant document.", counts["unscored tuples"]
        )
