"""From embeddings to scores: functions on tensors, float32."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_array
from torch import Tensor

from lir_models.embeddings import CoilEmbeddings, Packed, as_packed
from lir_models.fields import Aggregation, SimilarityFunction


def similarity(
    queries: Float[Tensor, "queries dim"], docs: Float[Tensor, "docs dim"], function: SimilarityFunction = "dot"
) -> Float[Tensor, "queries docs"]:
    """Compare every query with every document.

    Args:
        queries: Query embeddings.
        docs: Document embeddings.
        function: ``dot``, ``cosine``, or ``l2``, the negative Euclidean distance.

    Returns:
        Scores, float32; larger is better.
    """
    return _SIMILARITIES[function](queries.float(), docs.float())


def sparse_similarity(
    queries: csr_array, docs: csr_array, function: SimilarityFunction = "dot"
) -> Float[Tensor, "queries docs"]:
    """Compare every query with every document, from term weights; functions as in `similarity`."""
    scores = (queries @ docs.T).toarray()
    if function == "dot":
        return torch.from_numpy(scores)
    query_norms, doc_norms = (np.sqrt(part.multiply(part).sum(axis=1)) for part in (queries, docs))
    if function == "cosine":
        return torch.from_numpy(scores / np.maximum(query_norms[:, None] * doc_norms[None, :], 1e-12))
    squares = query_norms[:, None] ** 2 + doc_norms[None, :] ** 2 - 2 * scores
    return torch.from_numpy(-np.sqrt(np.maximum(squares, 0)))


def max_sim(
    queries: Packed,
    docs: Packed,
    function: SimilarityFunction = "dot",
    *,
    query_aggregation: Aggregation = "sum",
    doc_aggregation: Aggregation = "max",
) -> Float[Tensor, "queries docs"]:
    """Sum, over a query's vectors, the best match in each document.

    Args:
        queries: Vectors of queries.
        docs: Vectors of documents, at least one each.
        function: How two vectors are compared.
        query_aggregation: What is made of a query's vectors; ``sum`` is ColBERT's.
        doc_aggregation: What is made of a query vector's similarities with a document's; ``max`` is ColBERT's.

    Returns:
        Every query's score for every document, float32.

    References:
        Khattab and Zaharia (2020), *ColBERT*, equation 3. https://arxiv.org/abs/2004.12832
    """
    similarities = similarity(docs.vectors, queries.vectors, function)
    matches = _aggregate(similarities, docs.lengths, doc_aggregation)
    return _aggregate(matches.T.contiguous(), queries.lengths, query_aggregation)


def xtr(
    queries: Packed,
    docs: Packed,
    k: int,
    function: SimilarityFunction = "dot",
    *,
    missing: Literal["leave out", "impute"] = "impute",
) -> Float[Tensor, "queries docs"]:
    """Score by the ``k`` document tokens that each query token retrieves among all documents.

    Args:
        queries: Vectors of queries.
        docs: Vectors of all documents that tokens are retrieved from.
        k: Tokens that each query token retrieves.
        function: How two vectors are compared.
        missing: What becomes of a query token that retrieves none of a document's: ``leave out``, the mean over the
            others (the paper's training); ``impute``, the least similarity retrieved stands for it (the paper's
            search).

    References:
        Lee et al. (2023), *Rethinking the Role of Token Retrieval in Multi-Vector Retrieval*.
        https://arxiv.org/abs/2304.01982
    """
    similarities = similarity(docs.vectors, queries.vectors, function)
    least = similarities.topk(min(k, len(similarities)), dim=0).values[-1]
    is_retrieved = similarities >= least
    best = _aggregate(similarities.masked_fill(~is_retrieved, -torch.inf), docs.lengths, "max")
    found = best > -torch.inf
    if missing == "impute":
        return _aggregate(torch.where(found, best, least).T.contiguous(), queries.lengths, "mean")
    total = _aggregate(best.masked_fill(~found, 0.0).T.contiguous(), queries.lengths, "sum")
    return total / _aggregate(found.T.float().contiguous(), queries.lengths, "sum").clamp(min=1)


def coil(queries: CoilEmbeddings, docs: CoilEmbeddings) -> Float[Tensor, "queries docs"]:
    """Compare texts as wholes, and each query token with the document's tokens that are the same.

    A query token adds its best match, and nothing where no match is above 0.

    References:
        Gao et al. (2021), *COIL*. https://arxiv.org/abs/2104.07186
    """
    same = docs.token_ids.unsqueeze(1) == queries.token_ids.unsqueeze(0)
    # As in the authors' code, where a document's first token, which no query token equals, scores 0.
    matches = _aggregate(similarity(docs.vectors, queries.vectors) * same, docs.lengths, "max").clamp(min=0)
    tokens = _aggregate(matches.T.contiguous(), queries.lengths, "sum")
    return similarity(queries.text_vectors, docs.text_vectors) + tokens


def _aggregate(
    values: Float[Tensor, "total columns"], lengths: Int[Tensor, " rows"], aggregation: Aggregation
) -> Float[Tensor, "rows columns"]:
    """Aggregate the rows of each segment."""
    return torch.segment_reduce(values, aggregation, lengths=lengths, axis=0, unsafe=True)


def _unit(vectors: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    return torch.nn.functional.normalize(vectors, dim=-1, eps=1e-12)


_SIMILARITIES: dict[SimilarityFunction, Callable[[Tensor, Tensor], Tensor]] = {
    "dot": lambda queries, docs: queries @ docs.T,
    "cosine": lambda queries, docs: _unit(queries) @ _unit(docs).T,
    # The matrix-multiplication shortcut loses digits where a query is close to a document.
    "l2": lambda queries, docs: -torch.cdist(queries, docs, compute_mode="donot_use_mm_for_euclid_dist"),
}


def compare(
    queries: Any,
    docs: Any,
    function: SimilarityFunction,
    *,
    query_aggregation: Aggregation = "sum",
    doc_aggregation: Aggregation = "max",
) -> Float[Tensor, "queries docs"]:
    """Compare every query with every document, by the function that their form asks for."""
    if isinstance(docs, CoilEmbeddings):
        return coil(queries, docs)
    if isinstance(docs, csr_array):
        return sparse_similarity(queries, docs, function)
    if isinstance(queries, Packed) or isinstance(docs, Packed):
        return max_sim(
            as_packed(queries),
            as_packed(docs),
            function,
            query_aggregation=query_aggregation,
            doc_aggregation=doc_aggregation,
        )
    return similarity(queries, docs, function)
