"""Losses that learn a teacher's scores."""

import torch
from jaxtyping import Float
from torch import Tensor

from lir_train.losses.loss import LossFunction, LossInput, check_temperature, masked_mean, ordered_pairs


class SupervisedMarginMSE(LossFunction):
    r"""Squared error of the difference of two scores against that of the teacher's.

    :math:`((s_i - s_j) - (t_i - t_j))^2`, the mean over pairs with :math:`t_i > t_j`.

    References:
        Hofstätter et al. (2020), *Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge
        Distillation*. https://arxiv.org/abs/2010.02666
    """

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        score, target, is_before = ordered_pairs(batch)
        return masked_mean((score - target) ** 2, is_before)


class KLDivergence(LossFunction):
    r"""Kullback-Leibler divergence of the scores' distribution from the teacher's.

    :math:`\sum_i p_i \log(p_i / q_i)` with :math:`p = softmax(t / \tau)`, :math:`q = softmax(s / \tau)` over the
    documents of a query; the mean over queries.

    Args:
        temperature: What scores and targets are divided by.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        # A large negative number, not -inf: the difference of two infinities is no number.
        missing = torch.finfo(torch.float32).min
        student = (batch.scores / self.temperature).masked_fill(~batch.mask, missing).log_softmax(dim=1)
        teacher = (batch.targets / self.temperature).masked_fill(~batch.mask, missing).log_softmax(dim=1)
        divergence = torch.where(batch.mask, teacher.exp() * (teacher - student), 0.0)
        return divergence.sum(dim=1).mean()
