"""A loss over the pairs of all queries together."""

import torch
from jaxtyping import Float
from torch import Tensor

from lir_train.gather import gather
from lir_train.losses.loss import LossFunction, LossInput, check_temperature, left_out


class CoSENT(LossFunction):
    r"""Logistic loss of all score differences at once, also of documents of different queries.

    :math:`\log\left(1 + \sum_{t_i > t_j} \exp((s_j - s_i) / \tau)\right)` over all documents of a batch, of all
    processes. Scores and targets must mean the same for all queries, as those of sentence similarity do.

    Args:
        temperature: What score differences are divided by.

    References:
        Su (2022), *CoSENT: A More Efficient Sentence Vector Scheme than Sentence-BERT*. https://kexue.fm/archives/8847
    """

    def __init__(self, temperature: float = 0.05) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = gather(batch.scores[batch.mask]), gather(batch.targets[batch.mask])
        differences = (scores.unsqueeze(0) - scores.unsqueeze(1)) / self.temperature
        chosen = targets.unsqueeze(1) > targets.unsqueeze(0)
        logits = left_out(differences, chosen).flatten()
        return torch.cat([logits.new_zeros(1), logits]).logsumexp(dim=0)
