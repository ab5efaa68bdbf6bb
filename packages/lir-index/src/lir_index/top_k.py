"""The best k of many scores, where equal scores are ordered by document id."""

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

Mask = Bool[np.ndarray, " docs"]
"""Which documents may be found."""

Positions = Int[np.ndarray, " n"]
Found = list[tuple[Int[np.ndarray, " found"], Float32[np.ndarray, " found"]]]
"""For each query, the positions of its documents, best first, and their scores."""

GROUP = 64
"""Size of a group of scores whose maximum stands for them, when a floor is sought."""


def best(scores: Float32[np.ndarray, " n"], ranks: Int[np.ndarray, " n"], k: int) -> Int64[np.ndarray, " found"]:
    """Find the best ``k`` scores; of equal ones, at the cut too, those with the smaller rank.

    Args:
        scores: No NaN.
        ranks: The place of each document in the order of ids.
        k: Number of results wanted.

    Returns:
        Positions in ``scores``, best first; all of them where there are fewer than ``k``.
    """
    if k < len(scores) // 4:
        cut = np.partition(scores, len(scores) - k)[len(scores) - k]
        kept = np.flatnonzero(scores >= cut)
        return kept[np.argsort(_keys(scores[kept], ranks[kept]))[:k]]
    return np.argsort(_keys(scores, ranks))[:k]


def _keys(scores: Float32[np.ndarray, " n"], ranks: Int[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Give numbers in whose order scores fall, and ranks rise where they are equal: sorting these once is faster."""
    # Read as integers, positive floats have their own order and negative ones the opposite; + 0 makes one zero of two.
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)
    return (np.where(bits < 0, bits & 0x7FFFFFFF, -bits) << 32) + ranks


def floors(scores: Float32[np.ndarray, "q n"], k: int) -> Float32[np.ndarray, " q"]:
    """Give each row a score that at least ``k`` of its scores reach; it may be less than the k-th best.

    The k-th largest of the maxima of small groups is such a score, and finding it reads the scores once, where a
    partition moves them about.

    Args:
        scores: Of each query.
        k: Number of results wanted.

    Returns:
        One score a query; minus infinity where ``n`` is less than ``k``.
    """
    count = scores.shape[1]
    if count < k:
        return np.full(len(scores), -np.inf, dtype=np.float32)
    groups = count // GROUP
    if groups >= 2 * k:
        scores = scores[:, : groups * GROUP].reshape(len(scores), GROUP, groups).max(axis=1)
        count = groups
    return np.partition(scores, count - k, axis=1)[:, count - k]
