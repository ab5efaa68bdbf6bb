"""Losses over single documents."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_train.losses.arguments import check_positive
from lir_train.losses.loss import LossFunction, LossInput, filled, masked_mean


class BinaryCrossEntropy(LossFunction):
    r"""Cross entropy of each document's probability of being relevant.

    :math:`-w\,t \log \sigma(s) - (1 - t) \log(1 - \sigma(s))`, the mean over documents. Targets are probabilities: those
    below 0 count as 0, those above 1 as 1, so that graded judgements can be learnt from.

    Args:
        pos_weight: :math:`w`, what a relevant document counts more than one that is not; None for 1.

    References:
        Nogueira and Cho (2019), *Passage Re-ranking with BERT*, equation 1. https://arxiv.org/abs/1901.04085
    """

    def __init__(self, pos_weight: float | None = None) -> None:
        check_positive(self, pos_weight=pos_weight)
        self.pos_weight = pos_weight

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = filled(batch)
        weight = None if self.pos_weight is None else scores.new_tensor(self.pos_weight)
        losses = nn.functional.binary_cross_entropy_with_logits(
            scores, targets.clamp(0, 1).to(scores.dtype), pos_weight=weight, reduction="none"
        )
        return masked_mean(losses, batch.mask)


class MeanSquaredError(LossFunction):
    r"""Squared difference of each document's score and target.

    :math:`(s - t)^2`, the mean over documents.

    References:
        Cossock and Zhang (2006), *Subset Ranking Using Regression*.
    """

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = filled(batch)
        return masked_mean(torch.square(scores - targets), batch.mask)
