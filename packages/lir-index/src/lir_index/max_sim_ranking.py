"""The best documents by MaxSim: all are compared roughly, and exactly those that can be among the best."""

from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from lir_index.max_sim import max_sim
from lir_index.max_sim_rough import margins
from lir_index.ragged import ranges
from lir_index.segment import Space
from lir_index.similarity import Vectors
from lir_index.top_k import Found, Positions, best


class MaxSimRanking:
    """Ranks documents of several vectors.

    Args:
        engine: Compares roughly: see :class:`lir_index.max_sim_rough.NumpyEngine`.
        vectors: Prepared vectors of all documents, or what is indexed like them.
        lengths: Vectors of each document.
        longest: Euclidean length of the longest vector.
        space: How they are compared.
        ranks: Place of each document in the order of ids.
    """

    def __init__(
        self,
        engine: Any,
        vectors: Any,
        lengths: Int64[np.ndarray, " docs"],
        longest: float,
        space: Space,
        ranks: Positions,
    ) -> None:
        self._engine = engine
        self._vectors = vectors
        self._lengths = lengths
        self._ends = np.cumsum(lengths)
        self._most_vectors = int(lengths.max(initial=0))
        self._longest = longest
        self._space = space
        self._ranks = ranks

    def best(
        self,
        vectors: Vectors,
        norms: Float64[np.ndarray, " q_vectors"],
        lengths: Int64[np.ndarray, " q"],
        k: int,
        documents: Positions,
    ) -> Found:
        """Find the best of some documents for each query.

        Args:
            vectors: Prepared vectors of some queries, one query behind the other.
            norms: Their Euclidean lengths.
            lengths: Vectors of each query, at least one.
            k: Number of results wanted.
            documents: The documents, in rising order; each has a vector.
        """
        rough = self._engine.scores(vectors, lengths, self._lengths, documents, self._space)
        margin = margins(norms, lengths, self._longest, self._most_vectors, self._space)
        results: Found = []
        for query, stop in enumerate(np.cumsum(lengths).tolist()):
            scores, k = rough[query], min(k, len(documents))
            cut = np.partition(scores, len(scores) - k)[len(scores) - k]
            candidates = documents[scores >= cut - margin[query]]
            results.append(self._compare(vectors[stop - lengths[query] : stop], candidates, k))
        return results

    def _compare(
        self, query: Vectors, candidates: Positions, k: int
    ) -> tuple[Int64[np.ndarray, " found"], Float32[np.ndarray, " found"]]:
        similarity, query_aggregation = self._space.similarity, self._space.query_aggregation
        scores = np.empty(len(candidates), dtype=np.float32)
        # Some at a time: where all are tied, all are candidates.
        for start in range(0, len(candidates), 1024):
            some = slice(start, start + 1024)
            lengths = self._lengths[candidates[some]]
            rows = ranges(self._ends[candidates[some]] - lengths, lengths)
            scores[some] = max_sim(
                query, self._vectors[rows], lengths, similarity, query_aggregation, self._space.doc_aggregation
            )
        order = best(scores, self._ranks[candidates], k)
        # + 0.0 turns a negative zero into zero.
        return candidates[order], scores[order] + np.float32(0)
