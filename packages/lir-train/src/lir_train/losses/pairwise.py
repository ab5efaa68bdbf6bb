"""Losses over pairs of a query's documents."""

from jaxtyping import Float
from torch import Tensor, nn

from lir_train.losses.loss import LossFunction, LossInput, check_temperature, masked_mean, ordered_pairs


class RankNet(LossFunction):
    r"""Logistic loss of the score difference, over all pairs where one document should come before the other.

    :math:`\log(1 + \exp(-(s_i - s_j) / \tau))`, the mean over pairs with :math:`t_i > t_j`.

    Args:
        temperature: What score differences are divided by.

    References:
        Burges et al. (2005), *Learning to Rank using Gradient Descent*.
    """

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        score, _, is_before = ordered_pairs(batch)
        return masked_mean(nn.functional.softplus(-score / self.temperature), is_before)
