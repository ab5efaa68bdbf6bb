"""Losses over all of a query's documents, by softmax and by correlation."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from lir_train.losses.arguments import check_choice
from lir_train.losses.loss import (
    LossFunction,
    LossInput,
    best_docs,
    check_temperature,
    filled,
    left_out,
    masked_log_softmax,
    masked_mean,
)


class InfoNCE(LossFunction):
    r"""Cross entropy of a query's best document against its others.

    :math:`-\log \frac{\exp(s_+ / \tau)}{\sum_j \exp(s_j / \tau)}`, the mean over queries. The best document is the one
    of the highest target, the first of equals; a query whose targets are all 0 has none, and is left out.

    Args:
        temperature: What scores are divided by.

    References:
        van den Oord et al. (2018), *Representation Learning with Contrastive Predictive Coding*, equation 4.
        https://arxiv.org/abs/1807.03748
    """

    compares = "documents"

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, _ = filled(batch)
        best, has_best = best_docs(batch)
        log_probabilities = masked_log_softmax(scores / self.temperature, batch.mask)
        return masked_mean(-log_probabilities.gather(1, best.unsqueeze(1)).squeeze(1), has_best)


class MultiPositiveInfoNCE(LossFunction):
    r"""Cross entropy of all relevant documents of a query against all of its documents.

    With :math:`p = softmax(s / \tau)` and the relevant documents :math:`P`, those of a target above 0:
    :math:`-\frac{1}{|P|} \sum_{i \in P} \log p_i`, each of them should be found; or
    :math:`-\log \sum_{i \in P} p_i`, any of them will do. The mean over queries that have a relevant document.

    Args:
        positives: ``each`` or ``any``.
        temperature: What scores are divided by.

    References:
        ``each``: Khosla et al. (2020), *Supervised Contrastive Learning*, equation 2. https://arxiv.org/abs/2004.11362
        ``any``: Miech et al. (2020), *End-to-End Learning of Visual Representations from Uncurated Instructional Videos*. https://arxiv.org/abs/1912.06430
    """

    compares = "documents"

    def __init__(self, positives: Literal["each", "any"] = "each", temperature: float = 1.0) -> None:
        check_choice(self, "positives", positives, ("each", "any"))
        self.positives = positives
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = filled(batch)
        positive = targets > 0
        log_probabilities = masked_log_softmax(scores / self.temperature, batch.mask)
        if self.positives == "any":
            losses = -left_out(log_probabilities, positive).logsumexp(dim=1)
        else:
            losses = -(log_probabilities * positive).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
        return masked_mean(losses, positive.any(dim=1))


class ListNet(LossFunction):
    r"""Cross entropy of the scores' distribution against that of the targets.

    :math:`-\sum_i p_i \log q_i` with :math:`p = softmax(t)`, :math:`q = softmax(s / \tau)` over the documents of a
    query: the probabilities of being ranked first. The mean over queries.

    Args:
        temperature: What scores, and not targets, are divided by.

    References:
        Cao et al. (2007), *Learning to Rank: From Pairwise Approach to Listwise Approach*.
    """

    compares = "documents"

    def __init__(self, temperature: float = 1.0) -> None:
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = filled(batch)
        student = masked_log_softmax(scores / self.temperature, batch.mask)
        teacher = masked_log_softmax(targets, batch.mask).exp().masked_fill(~batch.mask, 0.0)
        return masked_mean(-(teacher * student).sum(dim=1), batch.mask.any(dim=1))


class PearsonCorrelation(LossFunction):
    r"""How far scores and targets are from lying on a line.

    :math:`1 - \frac{\sum_i (s_i - \bar{s}) (t_i - \bar{t})}{\lVert s - \bar{s} \rVert \lVert t - \bar{t} \rVert}`, the
    mean over queries. A query whose targets are all equal is left out. Scores that are all equal correlate with nothing,
    and have no gradient.

    References:
        Pearson (1895), *Notes on regression and inheritance in the case of two parents*.
    """

    compares = "targets"

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = filled(batch)
        score, score_differs = _unit_deviations(scores, batch)
        target, target_differs = _unit_deviations(targets.to(scores.dtype), batch)
        correlation = torch.where(score_differs, (score * target).sum(dim=1), 0.0)
        return masked_mean(1 - correlation, target_differs)


def _unit_deviations(
    values: Float[Tensor, "queries docs"], batch: LossInput
) -> tuple[Float[Tensor, "queries docs"], Tensor]:
    """Return each query's deviations from their mean, as a unit vector, and whether values differ at all."""
    mask = batch.mask
    # By the values themselves: the deviations of equal ones are rounding errors, and not always 0.
    differ = values.masked_fill(~mask, -torch.inf).amax(dim=1) > values.masked_fill(~mask, torch.inf).amin(dim=1)
    mean = values.sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    # Before the norm, so that nothing is divided by one of 0.
    deviations = (values - mean).masked_fill(~(mask & differ.unsqueeze(1)), 0.0)
    # Small ones have squares of 0; in units of the largest, they do not.
    largest = deviations.detach().abs().amax(dim=1, keepdim=True)
    deviations = deviations / torch.where(largest > 0, largest, 1.0)
    norm = torch.linalg.vector_norm(deviations, dim=1, keepdim=True)
    return deviations / torch.where(largest > 0, norm, 1.0), differ & (largest.squeeze(1) > 0)
