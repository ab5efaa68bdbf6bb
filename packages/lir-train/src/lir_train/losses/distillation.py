"""Losses that learn a teacher's scores as a distribution."""

from jaxtyping import Float
from torch import Tensor

from lir_train.losses.arguments import check_positive
from lir_train.losses.loss import LossFunction, LossInput, check_temperature, filled, masked_log_softmax, masked_mean


class KLDivergence(LossFunction):
    r"""Kullback-Leibler divergence of the scores' distribution from the teacher's.

    :math:`\sum_i p_i \log(p_i / q_i)` with :math:`p = softmax(t / \tau_t)`, :math:`q = softmax(s / \tau_s)` over the
    documents of a query; the mean over queries.

    ColBERT's and Lightning IR's distillation is this with a temperature of 1. The gradient becomes smaller by the square
    of the temperature; sentence-transformers, as Hinton et al., multiply it back: ``scale_by_temperature=True``.

    Args:
        temperature: What scores and targets are divided by.
        student_temperature: What scores are divided by, where it is another; None for ``temperature``.
        teacher_temperature: What targets are divided by, where it is another; None for ``temperature``.
        scale_by_temperature: Whether the loss is multiplied by :math:`\tau_s^2`.

    References:
        Hinton et al. (2015), *Distilling the Knowledge in a Neural Network*, section 2. https://arxiv.org/abs/1503.02531
    """

    compares = "documents"

    def __init__(
        self,
        temperature: float = 1.0,
        student_temperature: float | None = None,
        teacher_temperature: float | None = None,
        *,
        scale_by_temperature: bool = False,
    ) -> None:
        self.temperature = check_temperature(self, temperature)
        check_positive(self, student_temperature=student_temperature, teacher_temperature=teacher_temperature)
        self.student_temperature = temperature if student_temperature is None else student_temperature
        self.teacher_temperature = temperature if teacher_temperature is None else teacher_temperature
        self.scale_by_temperature = scale_by_temperature

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = filled(batch)
        student = masked_log_softmax(scores / self.student_temperature, batch.mask)
        teacher = masked_log_softmax(targets / self.teacher_temperature, batch.mask)
        divergence = (teacher.exp() * (teacher - student)).masked_fill(~batch.mask, 0.0).sum(dim=1)
        loss = masked_mean(divergence, batch.mask.any(dim=1))
        return loss * self.student_temperature**2 if self.scale_by_temperature else loss
