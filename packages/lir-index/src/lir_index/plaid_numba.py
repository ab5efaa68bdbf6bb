"""Which documents a multi-vector query is compared with, by machine code that numba makes of loops.

Imported only where numba is.
"""

import threading
from typing import Any

import numpy as np
from jaxtyping import Float32
from numba import njit

from lir_index.plaid_numpy import NumpyEngine, Similarities, Tokens
from lir_index.top_k import Positions


class NumbaEngine(NumpyEngine):
    """See :class:`lir_index.plaid_numpy.NumpyEngine`; the results are the same."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        # One set for each thread: making one anew costs a page fault for each of its pages.
        self._local = threading.local()

    def probe(
        self, similarities: Similarities, n_cells: int, threshold: float
    ) -> tuple[Positions, Float32[np.ndarray, " found"], Float32[np.ndarray, " q_vectors"]]:
        """See :meth:`lir_index.plaid_numpy.NumpyEngine.probe`."""
        if not hasattr(self._local, "buffers"):
            count = len(self.tokens.ends)
            self._local.buffers = np.zeros(count, np.float32), np.full(count, -1, np.int32), np.empty(count, np.int64)
        above, last, touched = self._local.buffers
        cells, values = _nearest(similarities, min(n_cells + 1, len(similarities)))
        count = _touch(
            above,
            last,
            touched,
            cells[:, : min(n_cells, len(similarities))],
            values,
            np.float32(threshold),
            self.tokens.list_ends,
            self.tokens.lists,
        )
        found = np.sort(touched[:count])
        scores = above[found]
        above[found] = 0
        last[found] = -1
        return found, scores, values[:, -1].copy()

    def interact(self, similarities: Similarities, documents: Positions) -> Float32[np.ndarray, " docs"]:
        """See :meth:`lir_index.plaid_numpy.NumpyEngine.interact`."""
        tokens = self.tokens
        return _interact(similarities, documents, tokens.ends, tokens.lengths, tokens.codes)

    def matches(
        self, similarities: Similarities, query: Float32[np.ndarray, "dim q_vectors"], documents: Positions
    ) -> Float32[np.ndarray, "docs q_vectors"]:
        """See :meth:`lir_index.plaid_numpy.NumpyEngine.matches`."""
        tokens = self.tokens
        if tokens.codec.n_bits == 16:
            return super().matches(similarities, query, documents)
        products = self.decoded(documents) @ query
        return _best(products, similarities, documents, tokens.ends, tokens.lengths, tokens.codes)

    def decoded(self, documents: Positions) -> Float32[np.ndarray, "n dim"]:
        """See :meth:`lir_index.plaid_numpy.NumpyEngine.decoded`."""
        tokens, codec = self.tokens, self.tokens.codec
        packed = tokens.packed.view(np.uint16) if codec.n_bits == 16 else tokens.packed
        found = _look_up(packed, tokens.rows(documents), codec.words)
        return found.view(np.float32)[:, : len(codec.scale)]


@njit(nogil=True, cache=True)
def _nearest(similarities: Any, count: int) -> Any:
    """For each query vector the centroids with the highest similarities, the highest first, and these."""
    centroids, vectors = similarities.shape
    cells = np.zeros((vectors, count), np.int64)
    values = np.full((vectors, count), -np.inf, np.float32)
    least = np.full(vectors, -np.inf, np.float32)
    for centroid in range(centroids):
        is_any = False
        for vector in range(vectors):
            is_any |= similarities[centroid, vector] > least[vector]
        if not is_any:
            continue
        for vector in range(vectors):
            value = similarities[centroid, vector]
            if value > least[vector]:
                place = count - 1
                while place > 0 and values[vector, place - 1] < value:
                    values[vector, place] = values[vector, place - 1]
                    cells[vector, place] = cells[vector, place - 1]
                    place -= 1
                values[vector, place] = value
                cells[vector, place] = centroid
                least[vector] = values[vector, count - 1]
    return cells, values


@njit(nogil=True, cache=True)
def _touch(
    above: Any, last: Any, touched: Any, cells: Any, values: Any, threshold: Any, list_ends: Any, lists: Any
) -> int:
    count = 0
    for vector in range(len(cells)):
        imputed = values[vector, values.shape[1] - 1]
        for place in range(cells.shape[1]):
            if values[vector, place] < threshold:
                break
            gain = values[vector, place] - imputed
            cell = cells[vector, place]
            for entry in range(list_ends[cell], list_ends[cell + 1]):
                document = lists[entry]
                if last[document] != vector:
                    if last[document] < 0:
                        touched[count] = document
                        count += 1
                    last[document] = vector
                    above[document] += gain
    return count


@njit(nogil=True, cache=True)
def _interact(similarities: Any, documents: Any, ends: Any, lengths: Any, codes: Any) -> Any:
    vectors = similarities.shape[1]
    scores = np.empty(len(documents), np.float32)
    best = np.empty(vectors, np.float32)
    for number in range(len(documents)):
        document = documents[number]
        best[:] = -np.inf
        for token in range(ends[document] - lengths[document], ends[document]):
            row = similarities[codes[token]]
            for vector in range(vectors):
                best[vector] = max(best[vector], row[vector])
        total = np.float32(0)
        for vector in range(vectors):
            total += best[vector]
        scores[number] = total
    return scores


@njit(nogil=True, cache=True)
def _look_up(packed: Any, rows: Any, words: Any) -> Any:
    width = packed.shape[1]
    found = np.empty((len(rows), width), words.dtype)
    for i in range(len(rows)):
        # By rows: else numba asks for each number whether the row is counted from the end.
        source, target = packed[rows[i]], found[i]
        for place in range(width):
            target[place] = words[source[place]]
    return found


@njit(nogil=True, cache=True)
def _best(products: Any, similarities: Any, documents: Any, ends: Any, lengths: Any, codes: Any) -> Any:
    vectors = products.shape[1]
    best = np.full((len(documents), vectors), -np.inf, np.float32)
    row = 0
    for number in range(len(documents)):
        document = documents[number]
        for token in range(ends[document] - lengths[document], ends[document]):
            code = codes[token]
            for vector in range(vectors):
                best[number, vector] = max(best[number, vector], products[row, vector] + similarities[code, vector])
            row += 1
    return best
