"""Exact search: compare every query with every vector, and keep what can be among the best k.

A block of rough scores (one matrix product) discards almost everything; what is left, within the error of that product,
is scored exactly. So the result depends on no block size, engine or number of threads.
"""

from typing import Protocol

import numpy as np
from jaxtyping import Float32, Float64, Int

from lir_index.config import Similarity
from lir_index.similarity import Vectors, exact_scores, rough_scores, slack
from lir_index.top_k import GROUP, Found, Mask, Positions, best, floors

Hits = tuple[
    Float32[np.ndarray, " q"], Int[np.ndarray, " hits"], Int[np.ndarray, " hits"], Float32[np.ndarray, " hits"]
]

# 256 x 16384 scores are 16 MiB: within a server's last-level cache.
_QUERIES = 256
_DOCUMENTS = 16384


class Engine(Protocol):
    """Whoever computes the rough scores: numpy, or torch on some device."""

    def hits(
        self,
        start: int,
        stop: int,
        queries: Float32[np.ndarray, "q dim"],
        floor: Float32[np.ndarray, " q"],
        margin: Float32[np.ndarray, " q"],
        k: int,
        allowed: Mask | None,
    ) -> Hits:
        """Score the documents from ``start`` up to ``stop``.

        Args:
            start: First document.
            stop: The one after the last document.
            queries: Prepared vectors.
            floor: A rough score that ``k`` documents seen before reach.
            margin: How far below the floor a document is still of interest.
            k: Number of results wanted.
            allowed: Which of these documents may be found; None for all.

        Returns:
            The floors, higher where this block raises them; and of the documents that are of interest, the query, the
            number within the block, and the rough score.
        """
        ...


class NumpyEngine:
    """Rough scores by numpy's matrix product.

    Args:
        vectors: Prepared vectors of the documents; they may be memory-mapped.
        similarity: How they are compared.
        positions: The documents to search, where it is not all of them.
    """

    def __init__(self, vectors: Vectors, similarity: Similarity, positions: Positions | None = None) -> None:
        self._vectors = vectors
        self._similarity: Similarity = similarity
        self._positions = positions

    def hits(
        self,
        start: int,
        stop: int,
        queries: Float32[np.ndarray, "q dim"],
        floor: Float32[np.ndarray, " q"],
        margin: Float32[np.ndarray, " q"],
        k: int,
        allowed: Mask | None,
    ) -> Hits:
        """See :class:`Engine`."""
        picked = slice(start, stop) if self._positions is None else self._positions[start:stop]
        scores = rough_scores(queries, self._vectors[picked], self._similarity)
        if allowed is not None:
            scores[:, ~allowed] = -np.inf
        # A floor costs little when k is small beside the block. Otherwise the one from the blocks before will do.
        if 2 * k * GROUP <= stop - start or np.isneginf(floor).any():
            floor = np.maximum(floor, floors(scores, k))
        # Of a flat array, numpy finds the places several times faster.
        places = np.flatnonzero(scores >= bounds(floor, margin)[:, None])
        query, document = np.divmod(places, stop - start)
        return floor, query, document, scores.reshape(-1)[places]


def search_exhaustively(
    vectors: Vectors,
    queries: Float32[np.ndarray, "q dim"],
    query_lengths: Float64[np.ndarray, " q"],
    k: int,
    *,
    similarity: Similarity,
    longest: float,
    ranks: Positions,
    allowed: Mask | None = None,
    engine: Engine | None = None,
) -> Found:
    """Find the best ``k`` documents of each query.

    Args:
        vectors: Prepared vectors of the documents.
        queries: Prepared vectors.
        query_lengths: Euclidean length of each query.
        k: Number of results wanted.
        similarity: How they are compared.
        longest: Euclidean length of the longest document.
        ranks: Place of each document in the order of ids.
        allowed: Which documents may be found; None for all.
        engine: Computes the rough scores; numpy by default.

    Returns:
        One entry for each query, with fewer than ``k`` documents where there are not more.
    """
    positions = None
    if allowed is not None and engine is None and 4 * np.count_nonzero(allowed) < len(allowed):
        # Of few, the vectors are gathered; of many, the scores of the others are thrown away.
        positions, allowed = np.flatnonzero(allowed), None
    engine = engine or NumpyEngine(vectors, similarity, positions)
    margins = slack(query_lengths, longest, vectors.shape[1], similarity)
    count = len(vectors) if positions is None else len(positions)
    found: Found = []
    for first in range(0, len(queries), _QUERIES):
        chosen = slice(first, first + _QUERIES)
        pool = _Pool(vectors, queries[chosen], margins[chosen], k, similarity, ranks)
        for start in range(0, count, _DOCUMENTS):
            stop = min(start + _DOCUMENTS, count)
            block = None if allowed is None else allowed[start:stop]
            pool.floor, query, document, score = engine.hits(
                start, stop, pool.queries, pool.floor, pool.margin, k, block
            )
            pool.add(query, document + start if positions is None else positions[document + start], score)
        found += pool.results()
    return found


def bounds(floor: Float32[np.ndarray, " q"], margin: Float32[np.ndarray, " q"]) -> Float32[np.ndarray, " q"]:
    """Give the least rough score that is of interest; documents that are not allowed have minus infinity."""
    return np.maximum(floor - margin, np.finfo(np.float32).min)


def rescore(
    vectors: Vectors,
    query: Float32[np.ndarray, " dim"],
    candidates: Int[np.ndarray, " candidates"],
    k: int,
    similarity: Similarity,
    ranks: Positions,
) -> tuple[Int[np.ndarray, " found"], Float32[np.ndarray, " found"]]:
    """Score candidates exactly, and order the best ``k`` of them by score and then by document id."""
    # Rows of a memory-mapped array are read from the front to the back.
    candidates = np.sort(candidates)
    # A chunk at a time: where everything is tied, everything is a candidate.
    step = max(1, 2**22 // max(1, vectors.shape[1]))
    scores = np.concatenate(
        [
            exact_scores(query, vectors[candidates[start : start + step]], similarity)
            for start in range(0, max(1, len(candidates)), step)
        ]
    )
    order = best(scores, ranks[candidates], k)
    # + 0.0 turns a negative zero into zero, as -sqrt(0) is one.
    return candidates[order], scores[order] + np.float32(0)


def thinned_out(
    vectors: Vectors,
    query: Float32[np.ndarray, " dim"],
    margin: float,
    candidates: Int[np.ndarray, " candidates"],
    k: int,
    similarity: Similarity,
) -> Int[np.ndarray, " kept"]:
    """Drop candidates that are not among the best ``k`` of them, by rough scores.

    Args:
        vectors: Prepared vectors of the documents.
        query: One prepared vector.
        margin: How far below the k-th best rough score a document of the best ``k`` can be.
        candidates: Not fewer than ``k``.
        k: Number of results wanted.
        similarity: How they are compared.
    """
    candidates = np.sort(candidates)
    scores = rough_scores(query[None], vectors[candidates], similarity)[0]
    return candidates[scores >= np.partition(scores, len(scores) - k)[len(scores) - k] - margin]


class _Pool:
    """The candidates of some queries, while the documents pass by."""

    def __init__(
        self,
        vectors: Vectors,
        queries: Float32[np.ndarray, "q dim"],
        margin: Float32[np.ndarray, " q"],
        k: int,
        similarity: Similarity,
        ranks: Positions,
    ) -> None:
        self.queries = queries
        self.margin = margin
        self.floor = np.full(len(queries), -np.inf, dtype=np.float32)
        self._k = k
        self._vectors = vectors
        self._similarity: Similarity = similarity
        self._ranks = ranks
        self._query: Positions = np.empty(0, dtype=np.int64)
        self._document: Positions = np.empty(0, dtype=np.int64)
        self._score: Float32[np.ndarray, " n"] = np.empty(0, dtype=np.float32)
        # Beyond this, candidates are thinned out: memory is bounded, and it happens rarely.
        self._full = len(queries) * (4 * k + 1024)

    def add(
        self,
        query: Int[np.ndarray, " hits"],
        document: Int[np.ndarray, " hits"],
        score: Float32[np.ndarray, " hits"],
    ) -> None:
        self._query = np.concatenate([self._query, query])
        self._document = np.concatenate([self._document, document])
        self._score = np.concatenate([self._score, score])
        if len(self._query) > self._full:
            self._thin_out()

    def results(self) -> Found:
        self._raise_floor()
        return [self._best(query, self._document[members]) for query, members in enumerate(self._members())]

    def _thin_out(self) -> None:
        self._raise_floor()
        if len(self._query) <= self._full // 2:
            return
        # So many are within the margin: ties. Only the exact score and the document id can tell them apart.
        query, document, score = self._query, self._document, self._score
        kept = np.zeros(len(query), dtype=bool)
        for number, members in enumerate(self._members()):
            chosen, _ = self._best(number, document[members])
            kept[members] = np.isin(document[members], chosen)
        self._query, self._document, self._score = query[kept], document[kept], score[kept]

    def _raise_floor(self) -> None:
        """Find the k-th best rough score of all candidates, and drop those that are too far below it."""
        order = np.lexsort((-self._score, self._query))
        self._query, self._document, self._score = self._query[order], self._document[order], self._score[order]
        counts = np.bincount(self._query, minlength=len(self.queries))
        starts = np.cumsum(counts) - counts
        enough = counts >= self._k
        self.floor[enough] = np.maximum(self.floor[enough], self._score[starts[enough] + self._k - 1])
        kept = self._score >= (self.floor - self.margin)[self._query]
        self._query, self._document, self._score = self._query[kept], self._document[kept], self._score[kept]

    def _members(self) -> list[slice]:
        """Where each query's candidates lie, after :meth:`_raise_floor` has sorted them."""
        ends = np.cumsum(np.bincount(self._query, minlength=len(self.queries)))
        return [slice(int(start), int(end)) for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _best(
        self, query: int, candidates: Int[np.ndarray, " candidates"]
    ) -> tuple[Int[np.ndarray, " found"], Float32[np.ndarray, " found"]]:
        return rescore(self._vectors, self.queries[query], candidates, self._k, self._similarity, self._ranks)
