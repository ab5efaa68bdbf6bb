"""MaxSim of queries with all documents, by matrix products: fast, and wrong by a margin that is known."""

from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from lir_index.max_sim import aggregate, similarities
from lir_index.ragged import cut, ranges
from lir_index.segment import Space
from lir_index.similarity import Vectors, slack
from lir_index.threads import blas_threads, in_threads
from lir_index.top_k import Positions

# Document vectors at a time: their similarities with the queries' vectors stay in a core's cache.
_VECTORS = 4096


class NumpyEngine:
    """Rough scores by numpy.

    Args:
        vectors: Prepared vectors of all documents, memory-mapped or not, or what is indexed like them.
        num_threads: Blocks of documents that are compared at a time; None for as many as there are processors.
    """

    def __init__(self, vectors: Any, num_threads: int | None = None) -> None:
        self._vectors = vectors
        self._num_threads = num_threads

    def scores(
        self,
        queries: Vectors,
        query_lengths: Int64[np.ndarray, " q"],
        lengths: Int64[np.ndarray, " docs"],
        documents: Positions,
        space: Space,
    ) -> Float32[np.ndarray, "q chosen"]:
        """Score some documents.

        Args:
            queries: Prepared vectors of some queries, one query behind the other.
            query_lengths: Vectors of each query, at least one.
            lengths: Vectors of each document of the index.
            documents: The documents to be scored, in rising order; each has a vector.
            space: How they are compared.
        """
        ends = np.cumsum(lengths)

        def score(block: Positions) -> Float32[np.ndarray, "q block"]:
            vectors = self._vectors[rows_of_block(block, lengths, ends)]
            matches = aggregate(similarities(vectors, queries, space.similarity), lengths[block], space.doc_aggregation)
            return aggregate(matches.T, query_lengths, space.query_aggregation)

        blocks = blocks_of(documents, lengths, _VECTORS)
        # One thread for each block's product: blocks do not wait for each other.
        with blas_threads(1):
            return np.concatenate(in_threads(score, blocks, self._num_threads), axis=1)


def blocks_of(documents: Positions, lengths: Int64[np.ndarray, " docs"], most: int) -> list[Positions]:
    """Cut documents into blocks of at most so many vectors."""
    return [documents[some] for some, _ in cut(lengths[documents], most)]


def rows_of_block(
    block: Positions, lengths: Int64[np.ndarray, " docs"], ends: Int64[np.ndarray, " docs"]
) -> slice | Int64[np.ndarray, " total"]:
    """Where the vectors of some documents lie; of documents that lie side by side, without a list of places."""
    if block[-1] - block[0] == len(block) - 1:
        return slice(int(ends[block[0]] - lengths[block[0]]), int(ends[block[-1]]))
    return ranges(ends[block] - lengths[block], lengths[block])


def margins(
    norms: Float64[np.ndarray, " q_vectors"],
    query_lengths: Int64[np.ndarray, " q"],
    longest: float,
    most_vectors: int,
    space: Space,
) -> Float32[np.ndarray, " q"]:
    """How far below the k-th best rough score a document of the exact top k can be.

    Args:
        norms: Euclidean lengths of the queries' vectors.
        query_lengths: Vectors of each query.
        longest: Euclidean length of the longest document vector.
        most_vectors: Of a document.
        space: How they are compared.
    """
    # Each sum over vectors has roundings of its own.
    terms = space.dim + int(query_lengths.max()) + (0 if space.doc_aggregation == "max" else most_vectors)
    each = slack(norms, longest, terms, space.similarity).astype(np.float64)
    if space.similarity == "l2":
        # That of squared distances: of distances it is the root, if they are short.
        each = 2 * np.sqrt(each)
    if space.doc_aggregation == "sum":
        each *= most_vectors
    return aggregate(each[:, None], query_lengths, space.query_aggregation)[:, 0].astype(np.float32)
