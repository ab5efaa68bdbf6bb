"""From embeddings to scores: functions on tensors, float32."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lir_models.config import SimilarityFunction


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


def max_sim(
    query: Float[Tensor, "q_tokens dim"],
    vectors: Float[Tensor, "total dim"],
    lengths: Int[Tensor, " docs"],
    function: SimilarityFunction = "dot",
) -> Float[Tensor, " docs"]:
    """Sum, over a query's tokens, the best match in each document.

    Documents lie packed: the first ``lengths[0]`` rows of ``vectors`` are the first document, and so on.

    Args:
        query: Token embeddings of one query.
        vectors: Token embeddings of all documents; ``total`` is the sum of the lengths.
        lengths: Tokens in each document, at least one.
        function: How two tokens are compared.

    Returns:
        One float32 score a document.

    References:
        Khattab and Zaharia (2020), *ColBERT*, equation 3. https://arxiv.org/abs/2004.12832
    """
    return torch.segment_reduce(similarity(vectors, query, function), "max", lengths=lengths, axis=0).sum(dim=1)


def _unit(vectors: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim"]:
    return torch.nn.functional.normalize(vectors, dim=-1, eps=1e-12)


_SIMILARITIES: dict[SimilarityFunction, Callable[[Tensor, Tensor], Tensor]] = {
    "dot": lambda queries, docs: queries @ docs.T,
    "cosine": lambda queries, docs: _unit(queries) @ _unit(docs).T,
    # The matrix-multiplication shortcut loses digits where a query is close to a document.
    "l2": lambda queries, docs: -torch.cdist(queries, docs, compute_mode="donot_use_mm_for_euclid_dist"),
}
