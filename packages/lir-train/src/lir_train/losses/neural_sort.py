"""Losses that are measures of a ranking, with sorting made smooth."""

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lir_train.losses.arguments import check_count, check_positive
from lir_train.losses.gains import discounts, relative_gains
from lir_train.losses.loss import LossFunction, LossInput, check_temperature, filled, masked_mean

Matrices = Float[Tensor, "queries docs docs"]
Places = Bool[Tensor, "queries docs docs"]


class NeuralLossFunction(LossFunction):
    r"""A loss over a smooth permutation: how much of each document lies at each rank.

    NeuralSort: row :math:`i` of :math:`n` is :math:`softmax(((n + 1 - 2i) s - A \mathbf{1}) / \tau)` with
    :math:`A_{jk} = |s_j - s_k|`. Its rows sum to 1; Sinkhorn's algorithm makes its columns do so too.

    Args:
        temperature: What scores are divided by; the smaller, the closer to a permutation.
        tol: How far from 1 the sums of a query's columns may be when its matrix is not scaled any further.
        max_iter: How often rows and columns are scaled at most.

    References:
        Grover et al. (2019), *Stochastic Optimization of Sorting Networks via Continuous Relaxations*, equation 5.
        https://arxiv.org/abs/1903.08850
    """

    compares = "documents"

    def __init__(self, temperature: float = 1.0, tol: float = 1e-5, max_iter: int = 50) -> None:
        self.temperature = check_temperature(self, temperature)
        check_positive(self, tol=tol)
        check_count(self, max_iter=max_iter)
        self.tol = tol
        self.max_iter = max_iter

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, _ = filled(batch)
        count = batch.mask.sum(dim=1)
        ranks = torch.arange(1, scores.shape[1] + 1, device=scores.device)
        places = (ranks <= count.unsqueeze(1)).unsqueeze(2) & batch.mask.unsqueeze(1)
        logits = _neural_sort(scores / self.temperature, batch.mask, count)
        permutations = _sinkhorn(logits.masked_fill(~places, 0.0), places, self.tol, self.max_iter)
        return self.compute_from_permutations(permutations, batch)

    @abstractmethod
    def compute_from_permutations(self, permutations: Matrices, batch: LossInput) -> Float[Tensor, ""]:
        """Return the mean loss.

        Args:
            permutations: Of each query, rank by document, how much of the document lies at the rank; 0 where there is no
                document, and at ranks that there are none for.
            batch: The batch.
        """


class NeuralNDCG(NeuralLossFunction):
    r"""One minus nDCG, of a smooth permutation.

    :math:`1 - \frac{1}{Z} \sum_i \frac{\sum_j \hat{P}_{ij} (2^{t_j} - 1)}{\log_2(1 + i)}` with :math:`\hat{P}` as in
    `NeuralLossFunction` and :math:`Z` the ideal ranking's DCG; the mean over queries that have a relevant document.

    Args:
        temperature: What scores are divided by; the smaller, the closer to nDCG.
        k: How many ranks count; None for all.
        tol: How far from 1 the sums of a query's columns may be when its matrix is not scaled any further.
        max_iter: How often rows and columns are scaled at most.

    References:
        Pobrotyn and Białobrzeski (2021), *NeuralNDCG: Direct Optimisation of a Ranking Metric via Differentiable
        Relaxation of Sorting*. https://arxiv.org/abs/2102.07831
    """

    def __init__(
        self, temperature: float = 1.0, k: int | None = None, *, tol: float = 1e-5, max_iter: int = 50
    ) -> None:
        super().__init__(temperature, tol, max_iter)
        check_count(self, k=k)
        self.k = k

    def compute_from_permutations(self, permutations: Matrices, batch: LossInput) -> Float[Tensor, ""]:
        """Return the mean loss."""
        gains, has_gain = relative_gains(batch.targets.to(permutations.dtype), batch.mask, k=self.k)
        at_rank = (permutations * gains.unsqueeze(1)).sum(dim=2)
        return masked_mean(1 - (at_rank * discounts(gains))[:, : self.k].sum(dim=1), has_gain)


def _neural_sort(
    scores: Float[Tensor, "queries docs"], mask: Bool[Tensor, "queries docs"], count: Int[Tensor, " queries"]
) -> Matrices:
    """Return the logits of NeuralSort, rank by document."""
    ranks = torch.arange(1, scores.shape[1] + 1, device=scores.device)
    distances = (scores.unsqueeze(2) - scores.unsqueeze(1)).abs().masked_fill(~mask.unsqueeze(1), 0.0).sum(dim=2)
    factors = (count.unsqueeze(1) + 1 - 2 * ranks).to(scores.dtype)
    return factors.unsqueeze(2) * scores.unsqueeze(1) - distances.unsqueeze(1)


def _sinkhorn(logits: Matrices, places: Places, tol: float, max_iter: int) -> Matrices:
    """Make rows and columns sum to 1, in the logarithm: exponentials of large logits have no sum to divide by."""
    nothing = torch.finfo(logits.dtype).min
    there = places.any(dim=1)
    logits = _normalized(logits, places, 2)
    for _ in range(max_iter):
        sums = logits.detach().masked_fill(~places, nothing).logsumexp(dim=1).exp()
        # Query by query, so that the other queries of a batch change nothing.
        unfinished = ((sums - 1).abs().masked_fill(~there, 0.0) > tol).any(dim=1)
        if not unfinished.any():
            break
        scaled = _normalized(_normalized(logits, places, 1), places, 2)
        logits = torch.where(unfinished[:, None, None], scaled, logits)
    return logits.exp().masked_fill(~places, 0.0)


def _normalized(logits: Matrices, places: Places, dim: int) -> Matrices:
    filled = logits.masked_fill(~places, torch.finfo(logits.dtype).min)
    return (logits - filled.logsumexp(dim=dim, keepdim=True)).masked_fill(~places, 0.0)
