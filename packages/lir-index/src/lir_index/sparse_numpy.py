"""Scores of all documents from postings, by numpy."""

import numpy as np
from jaxtyping import Float32, Float64, Int64

from lir_index.postings import Rows
from lir_index.ragged import ranges
from lir_index.sparse_rows import Terms, Weights
from lir_index.top_k import GROUP, Mask

Candidates = Int64[np.ndarray, " candidates"]
Scores = Float32[np.ndarray, " candidates"]


class NumpyEngine:
    """Adds postings up, term by term.

    Args:
        postings: Weights by term.
        num_docs: Documents that they name.

    Attributes:
        takes_threads: Whether several queries can be searched at a time.
    """

    takes_threads = False

    def __init__(self, postings: Rows, num_docs: int) -> None:
        self._postings = postings
        self._num_docs = num_docs

    def candidates(self, terms: Terms, weights: Weights, k: int, margin: float, allowed: Mask | None) -> Candidates:
        """Find all documents with a positive score that can be among the best ``k``.

        Args:
            terms: Of one query.
            weights: Not negative.
            k: Number of results wanted.
            margin: By which part of a score a rough score can be wrong.
            allowed: Which documents may be found; None for all.

        Returns:
            Positions in rising order.
        """
        scores = np.zeros(self._num_docs, dtype=np.float32)
        indptr, indices, data = self._postings.indptr, self._postings.indices, self._postings.data
        for term, weight in zip(terms.tolist(), weights, strict=True):
            entries = slice(int(indptr[term]), int(indptr[term + 1]))
            # No document occurs twice in a term's postings, so nothing is lost by adding with an index.
            scores[indices[entries]] += weight * data[entries]
        if allowed is not None:
            scores[~allowed] = 0
        return select(scores, k, margin)

    def scored_candidates(
        self,
        terms: Terms,  # noqa: ARG002 - for those that add up in float64
        weights: Weights,  # noqa: ARG002
        k: int,  # noqa: ARG002
        allowed: Mask | None,  # noqa: ARG002
    ) -> tuple[Candidates, Scores] | None:
        """Find the candidates together with their exact scores.

        Args:
            terms: Of one query, all of them.
            weights: Not negative.
            k: Number of results wanted.
            allowed: Which documents may be found; None for all.

        Returns:
            Positions in rising order, and scores; None where it is faster to score the candidates by themselves.
        """
        return None


class NumpyScorer:
    """Scores a few documents exactly: summed in float64, in the order of their terms, and rounded once.

    Args:
        documents: Weights by document.
        dim: Size of the vocabulary.
    """

    def __init__(self, documents: Rows, dim: int) -> None:
        self._documents = documents
        self._dim = dim

    def __call__(self, candidates: Candidates, terms: Terms, weights: Weights) -> Scores:
        """Score documents.

        Args:
            candidates: Their positions.
            terms: Of one query.
            weights: Of one query.
        """
        query: Float64[np.ndarray, " dim"] = np.zeros(self._dim)
        query[terms] = weights
        starts = self._documents.indptr[candidates]
        lengths = self._documents.indptr[candidates + 1] - starts
        rows = ranges(starts, lengths)
        products = query[self._documents.indices[rows]] * self._documents.data[rows]
        owners = np.repeat(np.arange(len(candidates)), lengths)
        return np.bincount(owners, weights=products, minlength=len(candidates)).astype(np.float32)


def select(scores: Float32[np.ndarray, " n"], k: int, margin: float) -> Candidates:
    """Find the positive scores that can be among the best ``k``.

    First the maxima of short runs are compared: the k-th largest of them is a score that ``k`` documents reach, and only
    runs above it are looked at again.

    Args:
        scores: Rough ones.
        k: Number of results wanted.
        margin: By which part of a score a rough score can be wrong.
    """
    runs = len(scores) // GROUP
    if runs < 2 * k:
        floor = np.partition(scores, len(scores) - k)[len(scores) - k]
        return np.flatnonzero((scores >= floor * (1 - margin)) & (scores > 0))
    grid = scores[: runs * GROUP].reshape(runs, GROUP)
    maxima = grid.max(axis=1)
    least = max(np.partition(maxima, runs - k)[runs - k] * (1 - margin), np.finfo(np.float32).tiny)
    high = np.flatnonzero(maxima >= least)
    row, column = np.nonzero(grid[high] >= least)
    rest = np.flatnonzero(scores[runs * GROUP :] >= least) + runs * GROUP
    found = np.concatenate([high[row] * GROUP + column, rest])
    if len(found) <= k:
        return found
    # The k-th largest maximum may be well below the k-th largest score.
    values = scores[found]
    return found[values >= np.partition(values, len(values) - k)[len(values) - k] * (1 - margin)]
