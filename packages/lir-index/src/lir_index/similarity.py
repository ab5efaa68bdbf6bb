"""The three ways to compare a query with a document: exactly for a few, fast for many, and how far the two may differ."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float32, Float64

from lir_index.config import Similarity
from lir_index.errors import EmbeddingsError

#: Vectors as they are compared.
Vectors = Float32[np.ndarray, "n dim"]

LONGEST = 1e18
"""Squares of longer vectors come near the largest float32, 3.4e38."""


def norms(vectors: Float[np.ndarray, "n dim"]) -> Float64[np.ndarray, " n"]:
    """The Euclidean length of each row, summed in float64."""
    wide = vectors.astype(np.float64)
    return np.sqrt(np.einsum("ij,ij->i", wide, wide))


def prepare(
    vectors: Float[np.ndarray, "n dim"], similarity: Similarity, name: Callable[[int], str]
) -> tuple[Float32[np.ndarray, "n dim"], Float64[np.ndarray, " n"]]:
    """Bring vectors into the shape in which they are compared.

    Args:
        vectors: Finite.
        similarity: Vectors are scaled to unit length for the cosine; zero vectors stay zero, and score 0.
        name: Says whose vector the one at a position is, for the error message.

    Returns:
        The vectors as float32, and the length of each.

    Raises:
        EmbeddingsError: If a vector is so long that its square is no float32.
    """
    lengths = norms(vectors)
    if similarity == "cosine":
        vectors = vectors / np.where(lengths > 0, lengths, 1)[:, None]
        lengths = (lengths > 0).astype(np.float64)
    check_lengths(lengths, name)
    return np.ascontiguousarray(vectors, dtype=np.float32), lengths


def check_lengths(lengths: Float64[np.ndarray, " n"], name: Callable[[int], str]) -> None:
    """Refuse vectors so long that their squares are no float32.

    Args:
        lengths: Of each vector.
        name: Says whose vector the one at a position is, for the error message.

    Raises:
        EmbeddingsError: If one is.
    """
    if lengths.size and lengths.max() > LONGEST:
        longest = int(lengths.argmax())
        raise EmbeddingsError(
            f"The embedding of {name(longest)} has the length {lengths[longest]:.3g}; at most {LONGEST:.0e} can be compared."
        )


def exact_scores(
    query: Float32[np.ndarray, " dim"], documents: Float32[np.ndarray, "n dim"], similarity: Similarity
) -> Float32[np.ndarray, " n"]:
    """Score a few documents so that equal vectors have equal scores, whatever lies beside them.

    Products are summed in float64, row by row in one fixed order, and rounded once. A matrix product does not do that:
    it sums a row in another order at the edge of a block.

    Args:
        query: One prepared vector.
        documents: Prepared vectors.
        similarity: dot and cosine give the inner product, l2 the negative distance.

    Returns:
        One score a document; more is better.
    """
    scores = np.empty(len(documents), dtype=np.float32)
    wide_query = query.astype(np.float64)
    # A chunk and its product stay in the processor's cache.
    step = max(1, 2**16 // max(1, len(query)))
    for start in range(0, len(documents), step):
        wide = documents[start : start + step].astype(np.float64)
        if similarity == "l2":
            wide -= wide_query
            scores[start : start + step] = -np.sqrt((wide * wide).sum(axis=1))
        else:
            wide *= wide_query
            scores[start : start + step] = wide.sum(axis=1)
    return scores


def rough_scores(
    queries: Float32[np.ndarray, "q dim"], documents: Float32[np.ndarray, "n dim"], similarity: Similarity
) -> Float32[np.ndarray, "q n"]:
    """Score all queries against all documents by one matrix product.

    Returns:
        Of dot and cosine the score, of l2 the negative squared distance; wrong by half of :func:`slack` at most.
    """
    scores = queries @ documents.T
    if similarity == "l2":
        scores *= 2
        scores -= np.einsum("ij,ij->i", documents, documents)
        scores -= np.einsum("ij,ij->i", queries, queries)[:, None]
    return scores


def slack(
    query_lengths: Float64[np.ndarray, " q"], longest: float, dim: int, similarity: Similarity
) -> Float32[np.ndarray, " q"]:
    """How far below the k-th best rough score a document of the exact top k can be.

    A float32 sum of ``dim`` products is wrong by at most ``dim`` roundings of the largest possible sum, in any order of
    summation; the k-th best score and the document's own may both be wrong, in opposite directions.

    Args:
        query_lengths: Euclidean length of each query.
        longest: Euclidean length of the longest document.
        dim: Components of a vector.
        similarity: Decides which score :func:`rough_scores` gives.

    Returns:
        One number a query, at least 0.

    References:
        Higham (2002), *Accuracy and Stability of Numerical Algorithms*, section 3.1.
    """
    largest = (query_lengths + longest) ** 2 if similarity == "l2" else query_lengths * longest
    unit = float(np.finfo(np.float32).eps)
    # Products below the smallest normal number may be flushed to zero, each of them.
    flushed = np.where(largest > 0, float(np.finfo(np.float32).tiny), 0.0)
    return ((dim + 8) * (unit * largest + 2 * flushed)).astype(np.float32)
