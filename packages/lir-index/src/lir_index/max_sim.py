"""MaxSim: how a query of several vectors is compared with documents of several vectors, exactly."""

import numpy as np
from jaxtyping import Float, Float32, Float64, Int

from lir_index.config import Aggregation, Similarity
from lir_index.ragged import cut

_REDUCE = {"sum": np.add, "mean": np.add, "max": np.maximum}


def max_sim(
    query: Float32[np.ndarray, "q_vectors dim"],
    vectors: Float32[np.ndarray, "total dim"],
    lengths: Int[np.ndarray, " docs"],
    similarity: Similarity = "dot",
    query_aggregation: Aggregation = "sum",
    doc_aggregation: Aggregation = "max",
    floor: Float32[np.ndarray, " q_vectors"] | None = None,
) -> Float32[np.ndarray, " docs"]:
    """Sum, over a query's vectors, the best match in each document; or aggregate otherwise.

    Computed in float64 and rounded once, so that equal documents have equal scores, whatever lies beside them.

    Args:
        query: Prepared vectors of one query.
        vectors: Prepared vectors of the documents: the first ``lengths[0]`` rows are the first document's, and so on.
        lengths: Vectors of each document, at least one.
        similarity: dot and cosine take the inner product, l2 the negative distance.
        query_aggregation: What is made of the values of a query's vectors; ``sum`` is ColBERT's.
        doc_aggregation: What is made of a query vector's similarities with a document's vectors; ``max`` is ColBERT's.
        floor: What a query vector finds in any document at least; None for nothing.

    Returns:
        One score a document; more is better.

    References:
        Khattab and Zaharia (2020), *ColBERT*, equation 3. https://arxiv.org/abs/2004.12832
    """
    scores = np.empty(len(lengths), dtype=np.float32)
    wide = query.astype(np.float64)
    # A few megabytes of similarities at a time.
    for docs, rows in cut(lengths, 2**18 // max(1, len(query))):
        matches = aggregate(
            similarities(vectors[rows].astype(np.float64), wide, similarity), lengths[docs], doc_aggregation
        )
        if floor is not None:
            np.maximum(matches, floor, out=matches)
        scores[docs] = combine(matches, query_aggregation)
    return scores


def similarities(
    vectors: Float[np.ndarray, "total dim"], query: Float[np.ndarray, "q_vectors dim"], similarity: Similarity
) -> Float[np.ndarray, "total q_vectors"]:
    """Compare every document vector with every query vector; of l2, the negative distance."""
    products = vectors @ query.T
    if similarity != "l2":
        return products
    squares = np.einsum("ij,ij->i", vectors, vectors)[:, None] + np.einsum("ij,ij->i", query, query)
    return -np.sqrt(np.maximum(squares - 2 * products, 0))


def aggregate(
    values: Float[np.ndarray, "total columns"], lengths: Int[np.ndarray, " rows"], aggregation: Aggregation
) -> Float[np.ndarray, "rows columns"]:
    """Aggregate the rows of each segment; every segment has at least one."""
    starts = np.cumsum(lengths) - lengths
    reduced = _REDUCE[aggregation].reduceat(values, starts, axis=0)
    return reduced / lengths[:, None] if aggregation == "mean" else reduced


def combine(matches: Float64[np.ndarray, "docs q_vectors"], aggregation: Aggregation) -> Float64[np.ndarray, " docs"]:
    """Make one score of the values of a query's vectors."""
    return getattr(matches, aggregation)(axis=1)
