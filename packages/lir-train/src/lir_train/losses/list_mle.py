"""Losses that are the likelihood of the ideal ranking."""

import torch
from jaxtyping import Float
from torch import Tensor

from lir_train.losses.loss import LossFunction, LossInput, check_temperature, filled, left_out, masked_mean


class ListMLE(LossFunction):
    r"""Negative log-likelihood of the ideal ranking, drawn from the scores document by document (Plackett-Luce).

    With documents in the order of their targets, the highest first,
    :math:`-\sum_i \left( s_i / \tau - \log \sum_{j \ge i} \exp(s_j / \tau) \right)`, the mean over queries. Equal targets
    keep the order in which the documents came, so that the same batch has the same loss.

    Args:
        temperature: What scores are divided by.
        respect_input_order: Whether documents come in their ideal order already, and targets are not looked at.

    References:
        Xia et al. (2008), *Listwise Approach to Learning to Rank: Theory and Algorithm*.
    """

    compares = "documents"

    def __init__(self, temperature: float = 1.0, *, respect_input_order: bool = False) -> None:
        self.temperature = check_temperature(self, temperature)
        self.respect_input_order = respect_input_order

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, _ = filled(batch)
        # Places without a document come last in either order.
        ideal = torch.zeros_like(batch.targets) if self.respect_input_order else batch.targets
        order = ideal.masked_fill(~batch.mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
        logits, mask = (scores / self.temperature).gather(1, order), batch.mask.gather(1, order)
        remaining = left_out(logits, mask).flip(1).logcumsumexp(dim=1).flip(1)
        losses = ((remaining - logits) * self.weights(mask.to(logits.dtype))).masked_fill(~mask, 0.0).sum(dim=1)
        return masked_mean(losses, mask.any(dim=1))

    def weights(self, mask: Float[Tensor, "queries docs"]) -> Float[Tensor, "queries docs"]:
        """Return what each rank counts; ``mask`` is 1 for the ranks that there are, the first ones, and 0 after them."""
        return mask


class PListMLE(ListMLE):
    r"""`ListMLE` in which the first ranks count more than the last.

    Rank :math:`i` of :math:`n` counts :math:`2^{n - i} - 1`, divided by the sum over ranks.

    Args:
        temperature: What scores are divided by.
        respect_input_order: Whether documents come in their ideal order already, and targets are not looked at.

    References:
        Lan et al. (2014), *Position-Aware ListMLE: A Sequential Learning Process for Ranking*.
    """

    def weights(self, mask: Float[Tensor, "queries docs"]) -> Float[Tensor, "queries docs"]:
        """Return what each rank counts; ``mask`` is 1 for the ranks that there are, the first ones, and 0 after them."""
        ranks = torch.arange(1, mask.shape[1] + 1, device=mask.device, dtype=mask.dtype)
        # Divided by 2^n, which overflows where there are many documents.
        weights = (torch.exp2(-ranks) - torch.exp2(-mask.sum(dim=1, keepdim=True))) * mask
        total = weights.sum(dim=1, keepdim=True)
        return weights / torch.where(total > 0, total, 1.0)
