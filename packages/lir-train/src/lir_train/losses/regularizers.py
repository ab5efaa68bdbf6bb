"""Penalties of large embeddings, which make those of a sparse model sparse."""

from abc import abstractmethod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from lir_train.errors import ArgumentError
from lir_train.gather import sum_over_processes
from lir_train.losses.arguments import check_not_negative, check_positive
from lir_train.losses.loss import LossFunction, LossInput

Vectors = Float[Tensor, "texts dim"]


class Regularization(LossFunction):
    """A penalty of queries' embeddings and of documents', each with a weight.

    Means are over the texts of all processes; of models that give a text several vectors, over vectors. A scheduler may
    set the weights: they are plain attributes.

    Args:
        query_weight: What the penalty of the queries is multiplied by.
        doc_weight: What that of the documents is multiplied by.
        query_threshold: Queries of no more values that are not 0 count as sparse enough, as all 0; None for none.
        doc_threshold: The same of documents.
    """

    needs_embeddings = True
    needs_targets = False

    def __init__(
        self,
        query_weight: float = 1e-4,
        doc_weight: float = 1e-4,
        query_threshold: int | None = None,
        doc_threshold: int | None = None,
    ) -> None:
        check_not_negative(
            self,
            query_weight=query_weight,
            doc_weight=doc_weight,
            query_threshold=query_threshold,
            doc_threshold=doc_threshold,
        )
        self.query_weight = query_weight
        self.doc_weight = doc_weight
        self.query_threshold = query_threshold
        self.doc_threshold = doc_threshold

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have embeddings."""
        assert batch.embedded is not None
        queries = _without_sparse(_vectors(batch.embedded.queries), self.query_threshold)
        docs = _without_sparse(_vectors(batch.embedded.docs), self.doc_threshold)
        return self.query_weight * self.query_penalty(queries) + self.doc_weight * self.doc_penalty(docs)

    @abstractmethod
    def penalty(self, vectors: Vectors) -> Float[Tensor, ""]:
        """Return the penalty of this and all other processes' vectors."""

    def query_penalty(self, vectors: Vectors) -> Float[Tensor, ""]:
        """Return the penalty of queries."""
        return self.penalty(vectors)

    def doc_penalty(self, vectors: Vectors) -> Float[Tensor, ""]:
        """Return the penalty of documents."""
        return self.penalty(vectors)


class FLOPSRegularization(Regularization):
    r"""How many multiplications a comparison is expected to take: :math:`\sum_v (\frac{1}{N} \sum_i |e_{iv}|)^2`.

    Args:
        query_weight: What the penalty of the queries is multiplied by.
        doc_weight: What that of the documents is multiplied by.
        query_threshold: Queries of no more values that are not 0 count as sparse enough, as all 0; None for none.
        doc_threshold: The same of documents.

    References:
        Paria et al. (2020), *Minimizing FLOPs to Learn Efficient Sparse Representations*.
        https://arxiv.org/abs/2004.05665
    """

    def penalty(self, vectors: Vectors) -> Float[Tensor, ""]:
        """Return the penalty of this and all other processes' vectors."""
        return torch.square(_mean(vectors.abs())).sum()


class DFFLOPSRegularization(FLOPSRegularization):
    r"""`FLOPSRegularization` that penalizes terms of many documents: :math:`\sum_v (\frac{w_v}{N} \sum_i |e_{iv}|)^2`.

    :math:`w_v = 1 / (1 + (x_v^{\log_\alpha 2} - 1)^\beta)`, where :math:`x_v` is the share of documents that have the
    term: 0 for none, 1/2 for :math:`\alpha`, 1 for all. Queries are penalized without such weights.

    The paper counts in the documents of its validation, now and then; here the share is a moving average over the
    batches of the training, that of the first batch to begin with.

    Args:
        query_weight: What the penalty of the queries is multiplied by.
        doc_weight: What that of the documents is multiplied by.
        alpha: The share of documents, between 0 and 1, at which the weight is 1/2.
        beta: How steep the weight is there.
        decay: What the shares keep of those before at each batch, at least 0 and less than 1.

    References:
        Porco et al. (2025), *An Alternative to FLOPS Regularization to Effectively Productionize SPLADE-Doc*. https://arxiv.org/abs/2505.15070
    """

    def __init__(
        self,
        query_weight: float = 1e-4,
        doc_weight: float = 1e-4,
        alpha: float = 0.1,
        beta: float = 10.0,
        decay: float = 0.99,
    ) -> None:
        super().__init__(query_weight, doc_weight)
        check_positive(self, beta=beta)
        if not 0 < alpha < 1:
            raise ArgumentError(f"{type(self).__name__}: alpha is {alpha}; it must be greater than 0 and less than 1.")
        if not 0 <= decay < 1:
            raise ArgumentError(f"{type(self).__name__}: decay is {decay}; it must be at least 0 and less than 1.")
        self.alpha = alpha
        self.beta = beta
        self.decay = decay
        #: The share of documents that have each term; None before the first batch.
        self.frequencies: Float[Tensor, " dim"] | None = None

    def doc_penalty(self, vectors: Vectors) -> Float[Tensor, ""]:
        """Return the penalty of documents."""
        seen = _mean((vectors.detach() != 0).to(vectors.dtype))
        before = seen if self.frequencies is None else self.frequencies.to(seen)
        self.frequencies = self.decay * before + (1 - self.decay) * seen
        return self.penalty(vectors * self._weights(self.frequencies))

    def _weights(self, frequencies: Float[Tensor, " dim"]) -> Float[Tensor, " dim"]:
        # Of a share of 0 the power is infinite, and the weight 0. Rounding can bring a share above 1.
        exponent = torch.log(frequencies.new_tensor(2.0)) / torch.log(frequencies.new_tensor(self.alpha))
        return 1 / (1 + (frequencies.clamp(max=1) ** exponent - 1) ** self.beta)


class L1Regularization(Regularization):
    r"""The mean sum of absolute values: :math:`\frac{1}{N} \sum_i \lVert e_i \rVert_1`.

    Args:
        query_weight: What the penalty of the queries is multiplied by.
        doc_weight: What that of the documents is multiplied by.
        query_threshold: Queries of no more values that are not 0 count as sparse enough, as all 0; None for none.
        doc_threshold: The same of documents.

    References:
        Tibshirani (1996), *Regression Shrinkage and Selection via the Lasso*.
    """

    def penalty(self, vectors: Vectors) -> Float[Tensor, ""]:
        """Return the penalty of this and all other processes' vectors."""
        return _mean(vectors.abs()).sum()


class L2Regularization(Regularization):
    r"""The mean Euclidean length: :math:`\frac{1}{N} \sum_i \lVert e_i \rVert_2`.

    Args:
        query_weight: What the penalty of the queries is multiplied by.
        doc_weight: What that of the documents is multiplied by.
        query_threshold: Queries of no more values that are not 0 count as sparse enough, as all 0; None for none.
        doc_threshold: The same of documents.

    References:
        Hoerl and Kennard (1970), *Ridge Regression*.
    """

    def penalty(self, vectors: Vectors) -> Float[Tensor, ""]:
        """Return the penalty of this and all other processes' vectors."""
        return _mean(torch.linalg.vector_norm(vectors, dim=1, keepdim=True)).sum()


def _vectors(embeddings: Any) -> Vectors:
    """Return the vectors of embeddings of any form."""
    return embeddings.vectors if isinstance(embeddings, tuple) else embeddings  # pyright: ignore[reportAttributeAccessIssue]


def _without_sparse(vectors: Vectors, threshold: int | None) -> Vectors:
    """Set to 0 what has no more values than the threshold."""
    if threshold is None:
        return vectors
    is_sparse = (vectors != 0).sum(dim=1, keepdim=True) <= threshold
    return vectors.masked_fill(is_sparse, 0.0)


def _mean(vectors: Vectors) -> Float[Tensor, " dim"]:
    """Return the mean over the texts of all processes."""
    count = sum_over_processes(vectors.new_tensor(float(len(vectors))))
    return sum_over_processes(vectors.sum(dim=0)) / count.clamp(min=1)
