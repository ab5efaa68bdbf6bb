"""Scores of all documents from postings, by machine code that numba makes of loops. Imported only where numba is."""

import threading
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt32
from numba import njit

from lir_index.postings import Rows
from lir_index.sparse_numpy import Candidates, Scores
from lir_index.sparse_rows import Terms, Weights
from lir_index.top_k import GROUP, Mask


class NumbaEngine:
    """See :class:`lir_index.sparse_numpy.NumpyEngine`; the results are the same."""

    takes_threads = True

    def __init__(self, postings: Rows, num_docs: int) -> None:
        self._postings = postings
        self._indices = _unsigned(postings.indices)
        self._num_docs = num_docs
        # One accumulator for each thread: making one anew costs a page fault for each of its pages.
        self._local = threading.local()

    def candidates(self, terms: Terms, weights: Weights, k: int, margin: float, allowed: Mask | None) -> Candidates:
        """See :meth:`lir_index.sparse_numpy.NumpyEngine.candidates`."""
        return self._find(np.float32, terms, weights, k, margin, allowed)[0]

    def scored_candidates(
        self, terms: Terms, weights: Weights, k: int, allowed: Mask | None
    ) -> tuple[Candidates, Scores] | None:
        """See :meth:`lir_index.sparse_numpy.NumpyEngine.scored_candidates`.

        Adding up in float64, term by term in their order, gives what scoring a document by itself gives. It takes 0.3 ns
        a posting longer, since there are twice as many bytes to change; a document by itself takes 0.5 us.
        """
        indptr = self._postings.indptr
        if int((indptr[terms + 1] - indptr[terms]).sum()) > 1500 * k:
            return None
        # Scores that differ in float64 may be one in float32.
        margin = float(np.finfo(np.float32).eps)
        found, scores = self._find(np.float64, terms, weights, k, margin, allowed)
        return found, scores.astype(np.float32)

    def _find(
        self, dtype: Any, terms: Terms, weights: Weights, k: int, margin: float, allowed: Mask | None
    ) -> tuple[Candidates, Any]:
        scores, maxima = self._buffers(dtype)
        postings = self._postings
        _add_up(scores, postings.indptr, self._indices, postings.data, terms, weights.astype(dtype))
        if allowed is not None:
            scores[: len(allowed)][~allowed] = 0
        _maxima(scores, maxima)
        floor = 0.0 if len(maxima) < k else np.partition(maxima, len(maxima) - k)[len(maxima) - k]
        found = _collect(scores, maxima, dtype(max(floor * (1 - margin), np.finfo(np.float32).tiny)))
        values = scores[found]
        if len(found) > k:
            kept = values >= np.partition(values, len(values) - k)[len(values) - k] * (1 - margin)
            found, values = found[kept], values[kept]
        return found, values

    def _buffers(self, dtype: Any) -> tuple[Any, Any]:
        buffers = self._local.__dict__.setdefault("buffers", {})
        if dtype not in buffers:
            runs = -(-self._num_docs // GROUP)
            # Whole runs: what lies behind the last document stays 0, and is never found.
            buffers[dtype] = np.zeros(runs * GROUP, dtype), np.zeros(runs, dtype)
        return buffers[dtype]


class NumbaScorer:
    """See :class:`lir_index.sparse_numpy.NumpyScorer`; the results are the same."""

    def __init__(self, documents: Rows, dim: int) -> None:
        self._documents = documents
        self._indices = _unsigned(documents.indices)
        self._dim = dim
        self._local = threading.local()

    def __call__(self, candidates: Candidates, terms: Terms, weights: Weights) -> Scores:
        """See :class:`lir_index.sparse_numpy.NumpyScorer`."""
        if not hasattr(self._local, "query"):
            self._local.query = np.zeros(self._dim)
        query, rows = self._local.query, self._documents
        query[terms] = weights
        try:
            return _score_rows(rows.indptr, self._indices, rows.data, candidates, query)
        finally:
            query[terms] = 0


def _unsigned(indices: Int32[np.ndarray, " n"]) -> UInt32[np.ndarray, " n"]:
    # numba lets a negative index count from the end, and asks each one of a signed type: a quarter of the time.
    return indices.view(np.uint32)


@njit(nogil=True, cache=True)
def _add_up(scores: Any, indptr: Any, indices: Any, data: Any, terms: Any, weights: Any) -> None:
    scores[:] = 0
    for i in range(len(terms)):
        start, stop = indptr[terms[i]], indptr[terms[i] + 1]
        _add(scores, indices[start:stop], data[start:stop], weights[i])


@njit(nogil=True, cache=True)
def _add(scores: Any, documents: Any, data: Any, weight: Any) -> None:
    # Four at a time, which are four different documents: so the processor need not wait for a sum before it reads the next.
    whole = len(documents) // 4
    four, values = documents[: 4 * whole].reshape(whole, 4), data[: 4 * whole].reshape(whole, 4)
    for i in range(whole):
        first = scores[four[i, 0]] + weight * values[i, 0]
        second = scores[four[i, 1]] + weight * values[i, 1]
        third = scores[four[i, 2]] + weight * values[i, 2]
        fourth = scores[four[i, 3]] + weight * values[i, 3]
        scores[four[i, 0]] = first
        scores[four[i, 1]] = second
        scores[four[i, 2]] = third
        scores[four[i, 3]] = fourth
    for i in range(4 * whole, len(documents)):
        scores[documents[i]] += weight * data[i]


@njit(nogil=True, cache=True, fastmath=True)
def _maxima(scores: Any, maxima: Any) -> None:
    for run in range(len(maxima)):
        highest = scores[run * GROUP]
        for place in range(run * GROUP + 1, (run + 1) * GROUP):
            highest = max(highest, scores[place])
        maxima[run] = highest


@njit(nogil=True, cache=True)
def _collect(scores: Any, maxima: Any, least: Any) -> Any:
    runs = 0
    for run in range(len(maxima)):
        runs += maxima[run] >= least
    # Written whether it belongs there or not, and overwritten if not: a branch would be guessed wrong too often.
    found = np.empty(runs * GROUP + 1, np.int64)
    count = 0
    for run in range(len(maxima)):
        if maxima[run] >= least:
            for place in range(run * GROUP, (run + 1) * GROUP):
                found[count] = place
                count += scores[place] >= least
    return found[:count]


@njit(nogil=True, cache=True)
def _score_rows(indptr: Any, indices: Any, data: Any, documents: Any, query: Any) -> Any:
    scores = np.empty(len(documents), np.float32)
    # Four sums side by side, each in its own order: so none waits for another one's memory or additions.
    whole = len(documents) // 4 * 4
    for i in range(0, whole, 4):
        starts, stops = indptr[documents[i : i + 4]], indptr[documents[i : i + 4] + 1]
        terms_0, values_0 = indices[starts[0] : stops[0]], data[starts[0] : stops[0]]
        terms_1, values_1 = indices[starts[1] : stops[1]], data[starts[1] : stops[1]]
        terms_2, values_2 = indices[starts[2] : stops[2]], data[starts[2] : stops[2]]
        terms_3, values_3 = indices[starts[3] : stops[3]], data[starts[3] : stops[3]]
        shortest = (stops - starts).min()
        sum_0 = sum_1 = sum_2 = sum_3 = 0.0
        for j in range(shortest):
            sum_0 += query[terms_0[j]] * values_0[j]
            sum_1 += query[terms_1[j]] * values_1[j]
            sum_2 += query[terms_2[j]] * values_2[j]
            sum_3 += query[terms_3[j]] * values_3[j]
        scores[i] = _go_on(sum_0, terms_0, values_0, query, shortest)
        scores[i + 1] = _go_on(sum_1, terms_1, values_1, query, shortest)
        scores[i + 2] = _go_on(sum_2, terms_2, values_2, query, shortest)
        scores[i + 3] = _go_on(sum_3, terms_3, values_3, query, shortest)
    for i in range(whole, len(documents)):
        start, stop = indptr[documents[i]], indptr[documents[i] + 1]
        scores[i] = _go_on(0.0, indices[start:stop], data[start:stop], query, 0)
    return scores


@njit(nogil=True, cache=True)
def _go_on(total: Any, terms: Any, values: Any, query: Any, start: Any) -> Any:
    for i in range(start, len(terms)):
        total += query[terms[i]] * values[i]
    return total
