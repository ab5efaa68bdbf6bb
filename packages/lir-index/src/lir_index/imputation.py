"""From the vectors that a query's vectors found to the documents they belong to, and a score for each."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Int64

from lir_index.embeddings import ranges
from lir_index.max_sim import combine, max_sim
from lir_index.segment import Space
from lir_index.similarity import exact_scores


def score_candidates(
    query: Float32[np.ndarray, "q_vectors dim"],
    candidates: Sequence[Int64[np.ndarray, " found"]],
    vectors: Any,
    ends: Int64[np.ndarray, " docs"],
    space: Space,
    strategy: Literal["gather", "min", "zero"],
) -> tuple[Int64[np.ndarray, " docs"], Float32[np.ndarray, " docs"]]:
    """Score all documents of which a query vector found a vector.

    Args:
        query: Prepared vectors of one query.
        candidates: For each query vector, the places of the document vectors that it found.
        vectors: Prepared vectors of all documents, or what is indexed like them.
        ends: For each document, the place one past its last vector.
        space: How they are compared.
        strategy: What stands for the similarity of a query vector with a document of which it found nothing:
            ``gather`` computes it, ``min`` takes the least similarity that the query vector found, ``zero`` is zero.

    Returns:
        The documents in rising order, and their scores.

    References:
        Lee et al. (2023), *Rethinking the Role of Token Retrieval in Multi-Vector Retrieval*, equation 5, of ``min``.
        https://arxiv.org/abs/2304.01982
    """
    places = np.concatenate(candidates)
    owners = np.searchsorted(ends, places, side="right")
    documents = np.unique(owners)
    if len(documents) == 0:
        return documents, np.empty(0, dtype=np.float32)
    if strategy == "gather":
        starts = np.where(documents > 0, ends[documents - 1], 0)
        lengths = ends[documents] - starts
        rows = ranges(starts, lengths)
        scores = max_sim(
            query, vectors[rows], lengths, space.similarity, space.query_aggregation, space.doc_aggregation
        )
        return documents, scores
    counts = [len(found) for found in candidates]
    matches = np.full((len(documents), len(query)), -np.inf, dtype=np.float32)
    imputed = np.zeros(len(query), dtype=np.float32)
    for number, (found, stop) in enumerate(zip(candidates, np.cumsum(counts), strict=True)):
        if len(found) == 0:
            continue
        values = exact_scores(query[number], vectors[found], space.similarity)
        np.maximum.at(matches[:, number], np.searchsorted(documents, owners[stop - len(found) : stop]), values)
        if strategy == "min":
            imputed[number] = values.min()
    matches = np.where(np.isneginf(matches), imputed, matches).astype(np.float64)
    return documents, combine(matches, space.query_aggregation).astype(np.float32)
