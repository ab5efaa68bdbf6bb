"""Scores of all documents from postings, by machine code that numba makes of loops. Imported only where numba is."""

import threading
from typing import Any

import numpy as np
from jaxtyping import Float32
from numba import njit

from lir_index.postings import Rows
from lir_index.sparse_numpy import Candidates
from lir_index.sparse_rows import Terms, Weights
from lir_index.top_k import GROUP, Mask


class NumbaEngine:
    """See :class:`lir_index.sparse_numpy.NumpyEngine`; the results are the same."""

    takes_threads = True

    def __init__(self, postings: Rows, num_docs: int) -> None:
        self._postings = postings
        self._num_docs = num_docs
        # One accumulator for each thread: making one anew costs a page fault for each of its pages.
        self._local = threading.local()

    def candidates(self, terms: Terms, weights: Weights, k: int, margin: float, allowed: Mask | None) -> Candidates:
        """See :meth:`lir_index.sparse_numpy.NumpyEngine.candidates`."""
        scores, maxima = self._buffers()
        postings = self._postings
        _add_up(scores, postings.indptr, postings.indices, postings.data, terms, weights)
        if allowed is not None:
            scores[: len(allowed)][~allowed] = 0
        _maxima(scores, maxima)
        floor = 0.0 if len(maxima) < k else np.partition(maxima, len(maxima) - k)[len(maxima) - k]
        found = _collect(scores, maxima, np.float32(max(floor * (1 - margin), np.finfo(np.float32).tiny)))
        if len(found) <= k:
            return found
        values = scores[found]
        return found[values >= np.partition(values, len(values) - k)[len(values) - k] * (1 - margin)]

    def _buffers(self) -> tuple[Any, Any]:
        if not hasattr(self._local, "buffers"):
            runs = -(-self._num_docs // GROUP)
            # Whole runs: what lies behind the last document stays 0, and is never found.
            self._local.buffers = np.zeros(runs * GROUP, np.float32), np.zeros(runs, np.float32)
        return self._local.buffers


class NumbaScorer:
    """See :class:`lir_index.sparse_numpy.NumpyScorer`; the results are the same."""

    def __init__(self, documents: Rows, dim: int) -> None:
        self._documents = documents
        self._dim = dim
        self._local = threading.local()

    def __call__(self, candidates: Candidates, terms: Terms, weights: Weights) -> Float32[np.ndarray, " candidates"]:
        """See :class:`lir_index.sparse_numpy.NumpyScorer`."""
        if not hasattr(self._local, "query"):
            self._local.query = np.zeros(self._dim)
        query, rows = self._local.query, self._documents
        query[terms] = weights
        try:
            return _score_rows(rows.indptr, rows.indices, rows.data, candidates, query)
        finally:
            query[terms] = 0


@njit(nogil=True, cache=True)
def _add_up(scores: Any, indptr: Any, indices: Any, data: Any, terms: Any, weights: Any) -> None:
    scores[:] = 0
    for i in range(len(terms)):
        weight = weights[i]
        for entry in range(indptr[terms[i]], indptr[terms[i] + 1]):
            scores[indices[entry]] += weight * data[entry]


@njit(nogil=True, cache=True, fastmath=True)
def _maxima(scores: Any, maxima: Any) -> None:
    for run in range(len(maxima)):
        highest = scores[run * GROUP]
        for place in range(run * GROUP + 1, (run + 1) * GROUP):
            highest = max(highest, scores[place])
        maxima[run] = highest


@njit(nogil=True, cache=True)
def _collect(scores: Any, maxima: Any, least: Any) -> Any:
    count = 0
    for run in range(len(maxima)):
        if maxima[run] >= least:
            for place in range(run * GROUP, (run + 1) * GROUP):
                count += scores[place] >= least
    found = np.empty(count, np.int64)
    count = 0
    for run in range(len(maxima)):
        if maxima[run] >= least:
            for place in range(run * GROUP, (run + 1) * GROUP):
                if scores[place] >= least:
                    found[count] = place
                    count += 1
    return found


@njit(nogil=True, cache=True)
def _score_rows(indptr: Any, indices: Any, data: Any, documents: Any, query: Any) -> Any:
    scores = np.empty(len(documents), np.float32)
    for i in range(len(documents)):
        total = 0.0
        for entry in range(indptr[documents[i]], indptr[documents[i] + 1]):
            total += query[indices[entry]] * data[entry]
        scores[i] = total
    return scores
