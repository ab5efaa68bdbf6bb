"""Losses over the vectors of texts that have several."""

from dataclasses import replace
from typing import Any

from jaxtyping import Float
from torch import Tensor

from lir_models.embeddings import CoilEmbeddings, Packed, as_packed
from lir_models.fields import SimilarityFunction
from lir_models.scoring import xtr
from lir_train.errors import ArgumentError
from lir_train.losses.arguments import check_choice, check_count
from lir_train.losses.in_batch import InBatchCrossEntropy
from lir_train.losses.loss import LossFunction, LossInput, check_temperature, left_out, masked_mean, own_scores
from lir_train.losses.roles import roles


class ContrastiveLocalLoss(LossFunction):
    r"""Cross entropy of the view of a query's best document that matches best against that document's other views.

    :math:`-\log \frac{\exp(\max_k s_k / \tau)}{\sum_k \exp(s_k / \tau)}` over the vectors :math:`k` of the best document,
    the mean over queries; it keeps views from becoming all alike. A query whose targets are all 0 has no best document,
    and is left out.

    Args:
        temperature: What similarities are divided by.

    References:
        Zhang et al. (2022), *Multi-View Document Representation Learning for Open-Domain Dense Retrieval*.
        https://arxiv.org/abs/2203.08372
    """

    needs_all_scores = True
    needs_embeddings = True

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have embeddings."""
        assert batch.embedded is not None
        docs = _packed(self, batch.embedded.docs)
        parts = roles(batch)
        # Each view as a document of its own, so that the model's own rule compares it.
        views = as_packed(docs.vectors)
        similarities = batch.embedded.compare(batch.embedded.queries, views) / self.temperature
        is_view = parts.positive[:, : len(docs.lengths)].repeat_interleave(docs.lengths, dim=1)
        similarities = left_out(similarities, is_view)
        return masked_mean(similarities.logsumexp(dim=1) - similarities.amax(dim=1), parts.has_positive)


class XtrCrossEntropy(InBatchCrossEntropy):
    r"""In-batch cross entropy of scores by token retrieval: each query token sees the ``k`` most similar tokens alone.

    A document's score is the mean, over the query tokens that retrieve any of its tokens, of the best match; the loss is
    `InBatchCrossEntropy` of such scores. Tokens are retrieved among the documents of all queries.

    Args:
        k: Tokens of all documents that each query token retrieves.
        temperature: What scores are divided by.
        similarity_function: How two vectors are compared: ``dot``, ``cosine`` or ``l2``.

    References:
        Lee et al. (2023), *Rethinking the Role of Token Retrieval in Multi-Vector Retrieval*.
        https://arxiv.org/abs/2304.01982
    """

    needs_embeddings = True

    def __init__(self, k: int, temperature: float = 1.0, similarity_function: SimilarityFunction = "dot") -> None:
        super().__init__(temperature=temperature)
        check_count(self, k=k)
        check_choice(self, "similarity_function", similarity_function, ("dot", "cosine", "l2"))
        self.needs_embeddings = True
        self.k = k
        self.similarity_function: SimilarityFunction = similarity_function

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have embeddings."""
        assert batch.embedded is not None
        queries, docs = (_packed(self, part) for part in (batch.embedded.queries, batch.embedded.all_docs))
        scores = xtr(queries, docs, self.k, self.similarity_function, missing="leave out")
        return super().compute(replace(batch, all_scores=scores, scores=own_scores(scores, batch.mask)))


def _packed(loss: LossFunction, embeddings: Any) -> Packed:
    if isinstance(embeddings, CoilEmbeddings):
        raise ArgumentError(
            f"{type(loss).__name__} compares vectors whatever their tokens are, and a COIL model compares those of equal "
            "tokens alone; InBatchCrossEntropy suits it."
        )
    return as_packed(embeddings)
