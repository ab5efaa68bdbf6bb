"""Losses over pairs of a query's documents."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_train.errors import ArgumentError
from lir_train.losses.arguments import check_choice, check_not_negative
from lir_train.losses.loss import (
    Compared,
    LossFunction,
    LossInput,
    check_temperature,
    filled,
    masked_mean,
    ordered_pairs,
)


class RankNet(LossFunction):
    r"""Logistic loss of the score difference, over all pairs where one document should come before the other.

    :math:`\log(1 + \exp(-(s_i - s_j) / \tau))`, the mean over pairs with :math:`t_i > t_j`.

    Args:
        temperature: What score differences are divided by.

    References:
        Burges et al. (2005), *Learning to Rank using Gradient Descent*, equation 3.
    """

    compares = "targets"

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        score, _, is_before = ordered_pairs(batch)
        return masked_mean(nn.functional.softplus(-score / self.temperature), is_before)


class TripletMargin(LossFunction):
    r"""What a document's score lacks of being by a margin above that of one that should come after it.

    :math:`\max(0, m - (s_i - s_j))`, the mean over pairs with :math:`t_i > t_j`.

    Args:
        margin: :math:`m`, in the unit of scores.

    References:
        Schroff et al. (2015), *FaceNet*, of distances. https://arxiv.org/abs/1503.03832
    """

    compares = "targets"

    def __init__(self, margin: float = 1.0) -> None:
        check_not_negative(self, margin=margin)
        self.margin = margin

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        score, _, is_before = ordered_pairs(batch)
        return masked_mean((self.margin - score).relu(), is_before)


class MarginMSE(LossFunction):
    r"""Squared error of the difference of two scores.

    :math:`((s_i - s_j) - m_{ij})^2`, the mean over pairs.

    Args:
        margin: :math:`m_{ij}`: ``scores``, the difference of the targets :math:`t_i - t_j`; or one number for all pairs.
        pairs: ``ordered``, all with :math:`t_i > t_j`; or ``first``, a query's first document with each other one,
            whatever their targets.

    References:
        Hofstätter et al. (2020), *Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge
        Distillation*. https://arxiv.org/abs/2010.02666
    """

    compares = "targets"

    def __init__(
        self, margin: float | Literal["scores"] = "scores", pairs: Literal["ordered", "first"] = "ordered"
    ) -> None:
        if isinstance(margin, str) and margin != "scores":
            raise ArgumentError(f"{type(self).__name__}: margin is {margin!r}; it must be a number or 'scores'.")
        check_choice(self, "pairs", pairs, ("ordered", "first"))
        self.margin = margin
        self.pairs = pairs
        self.compares: Compared = "targets" if pairs == "ordered" else "documents"

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        if self.pairs == "ordered":
            score, target, chosen = ordered_pairs(batch)
        else:
            scores, targets = filled(batch)
            score, target = scores[:, :1] - scores[:, 1:], targets[:, :1] - targets[:, 1:]
            chosen = batch.mask[:, :1] & batch.mask[:, 1:]
        margin = target if isinstance(self.margin, str) else self.margin
        return masked_mean(torch.square(score - margin), chosen)


class SupervisedMarginMSE(MarginMSE):
    r"""Squared error of the difference of two scores against that of their targets, over all pairs.

    :math:`((s_i - s_j) - (t_i - t_j))^2`, the mean over pairs with :math:`t_i > t_j`; `MarginMSE` as it is without
    arguments.
    """

    def __init__(self) -> None:
        super().__init__()


class ConstantMarginMSE(MarginMSE):
    r"""Squared error of the difference of two scores against one margin for all pairs.

    :math:`((s_i - s_j) - m)^2`, the mean over pairs with :math:`t_i > t_j`.

    Args:
        margin: :math:`m`, in the unit of scores.
    """

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__(margin)
