"""Several runs made into one: by the ranks of their documents, or by their scores."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Literal, get_args

import numpy as np

from lir_data.arguments import check_choice, check_count
from lir_data.errors import ArgumentError
from lir_data.taken import GivenRun, take_run
from lir_data.trec import Run, in_order

Normalization = Literal["min-max", "z-score", "none"]

# What a run says of a query: the worth of each document, and that of a document it lacks.
_Opinion = tuple[dict[str, float], float]

# Scores are float32 (see `in_order`); what is within its range neither overflows nor becomes NaN in sums of float64.
_LARGEST = float(np.finfo(np.float32).max)


def reciprocal_rank_fusion(
    runs: Sequence[GivenRun], *, k: float = 60, weights: Sequence[float] | None = None, depth: int | None = None
) -> Run:
    """Fuse runs by ranks: a document's score is the sum of ``weight / (k + rank)`` over the runs that have it.

    Ranks begin at 1. They follow the scores, equal ones by ascending document id; what the scores are does not matter.

    Args:
        runs: Scores by document by query, or sources of them (see `read_run`).
        k: Weakens the lead of the first ranks; more than 0. The paper found 60 to do well on many collections.
        weights: How much each run counts, 0 or more; None for all alike, 1. A run of weight 0 is left out: what it
            alone has is not in the result.
        depth: Documents kept of each fused ranking, from the top; None for all.

    Returns:
        For each query of any run its documents' scores, best first, equal ones by ascending document id.

    Raises:
        ArgumentError: If there is no run, the weights are not one a run, are negative or all 0, k or depth is out of its
            range, or a score is NaN. Arguments are checked before anything is read.

    References:
        Cormack, Clarke and Buettcher (2009), *Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
        Methods*. https://doi.org/10.1145/1571941.1572114
    """
    if not 0 < k < math.inf:
        raise ArgumentError(f"reciprocal_rank_fusion: k is {k}; it must be more than 0, and finite.")
    depth = check_count("reciprocal_rank_fusion", "depth", depth)

    def opinion(scores: dict[str, float]) -> _Opinion:
        return {doc_id: 1 / (k + rank) for rank, doc_id in enumerate(scores, start=1)}, 0.0

    return _fuse(runs, _checked(weights, len(runs)), depth, opinion, largest=math.inf)


def weighted_fusion(
    runs: Sequence[GivenRun],
    *,
    weights: Sequence[float] | None = None,
    normalize: Normalization = "min-max",
    depth: int | None = None,
) -> Run:
    """Fuse runs by scores: a document's score is the weighted sum of its scores, each run's normalized for each query.

    A document that a run lacks ranks below those that the run has, so it counts there as the lowest of them; 0 if the
    run lacks the query.

    Args:
        runs: Scores by document by query, or sources of them (see `read_run`).
        weights: How much each run counts, 0 or more; None for all alike, 1. A run of weight 0 is left out: what it
            alone has is not in the result.
        normalize: How the scores of a query are made comparable: ``min-max``, they reach from 0 to 1 (a document that
            the run lacks has 0; equal scores, and that of one document alone, become 1); ``z-score``, their mean is 0
            and their standard deviation 1 (equal scores become 0); ``none``, they stay.
        depth: Documents kept of each fused ranking, from the top; None for all.

    Returns:
        For each query of any run its documents' scores, best first, equal ones by ascending document id.

    Raises:
        ArgumentError: If there is no run, the weights are not one a run, are negative or all 0, there is no such
            normalization (the message names the nearest), depth is out of its range, or a score is NaN or infinite as
            float32. Arguments are checked before anything is read.

    References:
        Fox and Shaw (1994), *Combination of Multiple Searches*: CombSUM. Lee (1997), *Analyses of Multiple Evidence
        Combination*: ``min-max``. https://doi.org/10.1145/258525.258587. Montague and Aslam (2001), *Relevance Score
        Normalization for Metasearch*: ``z-score``. https://doi.org/10.1145/502585.502657
    """
    check_choice("weighted_fusion", "normalize", normalize, get_args(Normalization))
    depth = check_count("weighted_fusion", "depth", depth)

    def opinion(scores: dict[str, float]) -> _Opinion:
        # As float32, so that equal scores are those that are so elsewhere, and a run fuses alike before and after it is
        # written.
        values = _NORMALIZE[normalize](np.fromiter(scores.values(), np.float32).astype(np.float64))
        lacking = 0.0 if normalize == "min-max" else float(values.min())
        return dict(zip(scores, values.tolist(), strict=True)), lacking

    return _fuse(runs, _checked(weights, len(runs)), depth, opinion, largest=_LARGEST)


def _min_max(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    # Not 0, which would make the only hit of a run worth as much as a document that it did not find.
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def _z_score(values: np.ndarray) -> np.ndarray:
    # Of equal values the standard deviation may come out as a little more than 0.
    return (values - values.mean()) / values.std() if values.max() > values.min() else np.zeros_like(values)


_NORMALIZE: dict[Normalization, Callable[[np.ndarray], np.ndarray]] = {
    "min-max": _min_max,
    "z-score": _z_score,
    "none": np.asarray,
}


def _checked(weights: Sequence[float] | None, num_runs: int) -> list[float]:
    """Return one weight a run."""
    if num_runs == 0:
        raise ArgumentError("There is no run to fuse; one at least is needed.")
    if weights is None:
        return [1.0] * num_runs
    if len(weights) != num_runs:
        raise ArgumentError(
            f"The number of weights is {len(weights)}, that of runs {num_runs}; each run needs a weight."
        )
    for number, weight in enumerate(weights, start=1):
        if not 0 <= weight <= _LARGEST:
            raise ArgumentError(f"The weight of run {number} is {weight}; it must be 0 or more, and finite as float32.")
    if not any(weights):
        raise ArgumentError("The weights are all 0; one at least must be more.")
    return [float(weight) for weight in weights]


def _fuse(
    runs: Sequence[GivenRun],
    weights: Sequence[float],
    depth: int | None,
    opinion: Callable[[dict[str, float]], _Opinion],
    *,
    largest: float,
) -> Run:
    """Sum up, for each query, what the runs say of its documents.

    Args:
        runs: The runs, or their sources.
        weights: One a run.
        depth: Documents kept of each query; None for all.
        opinion: Turns the scores of a query, at least one and best first, into what they are worth.
        largest: No score may be further from 0.
    """
    loaded = [take_run(run, f" in run {number}") for number, run in enumerate(runs, start=1)]
    heard = [entry for entry in zip(range(1, len(runs) + 1), weights, loaded, strict=True) if entry[1] > 0]
    fused: Run = {}
    for query_id in dict.fromkeys(query_id for _, _, run in heard for query_id in run):
        opinions: list[tuple[float, dict[str, float], float]] = []
        for number, weight, run in heard:
            if scores := run.get(query_id):
                _check_scores(scores, largest, query_id, number)
                opinions.append((weight, *opinion(in_order(scores))))
        doc_ids = list(dict.fromkeys(doc_id for _, values, _ in opinions for doc_id in values))
        columns = [[weight * values.get(doc_id, lacking) for doc_id in doc_ids] for weight, values, lacking in opinions]
        # fsum rounds once: documents of equal worth stay equal, and the order of the runs changes nothing.
        sums = dict(zip(doc_ids, map(math.fsum, zip(*columns, strict=True)), strict=True))
        fused[query_id] = dict(islice(in_order(sums).items(), depth))
    return fused


def _check_scores(scores: Mapping[str, float], largest: float, query_id: str, number: int) -> None:
    for doc_id, score in scores.items():
        if abs(score) <= largest:
            continue
        where = f"The score of '{doc_id}' for the query '{query_id}' in run {number}"
        if math.isnan(score):
            raise ArgumentError(f"{where} is NaN, which has no rank.")
        raise ArgumentError(
            f"{where} is {score}; a weighted sum needs scores that are finite as float32.",
            hint="reciprocal rank fusion looks at ranks alone",
        )
