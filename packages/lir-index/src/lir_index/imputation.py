"""From the vectors that a query's vectors found to the documents they belong to, and a score for each."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64

from lir_index.max_sim import combine
from lir_index.segment import Space
from lir_index.similarity import exact_scores

Candidates = Sequence[Int64[np.ndarray, " found"]]
"""For each vector of a query, the places of the document vectors that it found."""


def documents_of(candidates: Candidates, ends: Int64[np.ndarray, " docs"]) -> Int64[np.ndarray, " found"]:
    """The documents that have any of the vectors, in rising order.

    Args:
        candidates: The vectors.
        ends: For each document, the place one past its last vector.
    """
    return np.unique(np.searchsorted(ends, np.concatenate(candidates), side="right"))


def imputed_scores(
    query: Float32[np.ndarray, "q_vectors dim"],
    candidates: Candidates,
    documents: Int64[np.ndarray, " found"],
    vectors: Any,
    ends: Int64[np.ndarray, " docs"],
    space: Space,
    strategy: Literal["min", "zero"],
) -> Float32[np.ndarray, " found"]:
    """Score documents by those of their vectors that were found.

    Args:
        query: Prepared vectors of one query.
        candidates: What each of them found.
        documents: The documents that have any of these.
        vectors: Prepared vectors of all documents, or what is indexed like them.
        ends: For each document, the place one past its last vector.
        space: How they are compared.
        strategy: What stands for the similarity of a query vector with a document of which it found nothing: ``min``
            takes the least similarity that the query vector found, ``zero`` is zero.

    References:
        Lee et al. (2023), *Rethinking the Role of Token Retrieval in Multi-Vector Retrieval*, equation 5, of ``min``.
        https://arxiv.org/abs/2304.01982
    """
    matches = np.full((len(documents), len(query)), -np.inf, dtype=np.float32)
    imputed = np.zeros(len(query), dtype=np.float32)
    for number, found in enumerate(candidates):
        if len(found) == 0:
            continue
        values = exact_scores(query[number], vectors[found], space.similarity)
        owners = np.searchsorted(documents, np.searchsorted(ends, found, side="right"))
        np.maximum.at(matches[:, number], owners, values)
        if strategy == "min":
            imputed[number] = values.min()
    matches = np.where(np.isneginf(matches), imputed, matches).astype(np.float64)
    return combine(matches, space.query_aggregation).astype(np.float32)
