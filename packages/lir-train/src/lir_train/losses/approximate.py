"""Losses that are measures of a ranking, with ranks made smooth."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lir_train.losses.arguments import check_choice
from lir_train.losses.gains import relative_gains
from lir_train.losses.loss import LossFunction, LossInput, check_temperature, filled, masked_mean

Table = Float[Tensor, "queries docs"]


class ApproxNDCG(LossFunction):
    r"""One minus nDCG, of smooth ranks.

    :math:`1 - \frac{1}{Z} \sum_i \frac{2^{t_i} - 1}{\log_2(1 + \hat{r}_i)}` with
    :math:`\hat{r}_i = 1 + \sum_{j \ne i} \sigma((s_j - s_i) / \tau)` and :math:`Z` the ideal ranking's DCG; the mean over
    queries that have a relevant document.

    Args:
        temperature: What score differences are divided by; the smaller, the closer to nDCG, and the fewer the pairs that
            have a gradient.
        scale_gains: Whether a document's gain is :math:`2^t - 1`; otherwise it is :math:`t`.

    References:
        Qin et al. (2010), *A General Approximation Framework for Direct Optimization of Information Retrieval Measures*.
    """

    compares = "documents"

    def __init__(self, temperature: float = 1.0, scale_gains: bool = True) -> None:
        self.temperature = check_temperature(self, temperature)
        self.scale_gains = scale_gains

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        targets = batch.targets.to(batch.scores.dtype)
        gains, has_gain = relative_gains(targets, batch.mask, exponential=self.scale_gains)
        ranks = approximate_ranks(batch, self.temperature)
        return masked_mean(1 - (gains / torch.log2(1 + ranks)).sum(dim=1), has_gain)


class ApproxMRR(LossFunction):
    r"""One minus the reciprocal rank, of smooth ranks.

    :math:`1 - \max_i \frac{\min(t_i, 1)}{\hat{r}_i}` with :math:`\hat{r}` as in `ApproxNDCG`; the mean over queries that
    have a relevant document.

    Args:
        temperature: What score differences are divided by.

    References:
        Qin et al. (2010), as `ApproxNDCG`.
    """

    compares = "documents"

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        _, targets = filled(batch)
        relevance = targets.clamp(0, 1)
        reciprocal = (relevance / approximate_ranks(batch, self.temperature)).amax(dim=1)
        return masked_mean(1 - reciprocal, (relevance > 0).any(dim=1))


class ApproxRankMSE(LossFunction):
    r"""Squared difference of each document's smooth rank by its score and its rank by its target.

    :math:`w_i (\hat{r}_i - r_i)^2` with :math:`\hat{r}` as in `ApproxNDCG`; the mean over documents. Documents of equal
    targets share the mean of their ranks.

    Args:
        temperature: What score differences are divided by.
        discount: What the first ranks count more: None, 1 for all; ``log2``, :math:`1 / \log_2(1 + r_i)`; or
            ``reciprocal``, :math:`1 / r_i`.

    References:
        Schlatt et al. (2025), *Rank-DistiLLM: Closing the Effectiveness Gap Between Cross-Encoders and LLMs for Passage
        Re-Ranking*. https://arxiv.org/abs/2405.07920
    """

    compares = "documents"

    def __init__(self, temperature: float = 1.0, discount: Literal["log2", "reciprocal"] | None = None) -> None:
        self.temperature = check_temperature(self, temperature)
        if discount is not None:
            check_choice(self, "discount", discount, ("log2", "reciprocal"))
        self.discount = discount

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        ranks = _target_ranks(batch)
        losses = torch.square(approximate_ranks(batch, self.temperature) - ranks)
        if self.discount == "log2":
            losses = losses / torch.log2(1 + ranks)
        elif self.discount == "reciprocal":
            losses = losses / ranks
        return masked_mean(losses, batch.mask)


class ADRMSE(ApproxRankMSE):
    r"""Approximate, discounted rank MSE: `ApproxRankMSE` with the discount ``log2``.

    Args:
        temperature: What score differences are divided by.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        super().__init__(temperature, "log2")


def approximate_ranks(batch: LossInput, temperature: float) -> Table:
    r"""Return :math:`1 + \sum_{j \ne i} \sigma((s_j - s_i) / \tau)` of each document of a query; at least 1 everywhere."""
    scores, _ = filled(batch)
    is_above = ((scores.unsqueeze(1) - scores.unsqueeze(2)) / temperature).sigmoid()
    itself = torch.eye(scores.shape[1], dtype=torch.bool, device=scores.device)
    return 1 + is_above.masked_fill(itself | ~batch.mask.unsqueeze(1), 0.0).sum(dim=2)


def _target_ranks(batch: LossInput) -> Table:
    """Return each document's rank by its target, from 1; the mean of the ranks that equal ones have."""
    _, targets = filled(batch)
    there = batch.mask.unsqueeze(1)
    above = ((targets.unsqueeze(1) > targets.unsqueeze(2)) & there).sum(dim=2)
    equal = ((targets.unsqueeze(1) == targets.unsqueeze(2)) & there).sum(dim=2)
    # Of a place without a document, whose rank nobody looks at, at least 1, so that nothing is divided by 0.
    return (above + (equal + 1) / 2).clamp(min=1).to(batch.scores.dtype)
