"""Pairwise losses that are weighted by what a pair matters to nDCG."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_train.losses.arguments import check_choice, check_count, check_not_negative, check_positive
from lir_train.losses.gains import discounts, relative_gains
from lir_train.losses.loss import LossFunction, LossInput, filled, masked_mean

Weighting = Literal["none", "ndcg_loss1", "ndcg_loss2", "lambda_rank", "ndcg_loss2pp"]
Table = Float[Tensor, "queries docs"]
Pairs = Float[Tensor, "queries docs docs"]

#: The words of sentence-transformers.
_SCHEMES = {
    "NoWeightingScheme": "none",
    "NDCGLoss1Scheme": "ndcg_loss1",
    "NDCGLoss2Scheme": "ndcg_loss2",
    "LambdaRankScheme": "lambda_rank",
    "NDCGLoss2PPScheme": "ndcg_loss2pp",
}
_WEIGHTINGS = tuple(_SCHEMES.values())


class LambdaLoss(LossFunction):
    r"""Logistic loss of score differences, each weighted by what the pair matters to nDCG.

    :math:`-w_{ij} \log_2 \sigma(\sigma_0 (s_i - s_j))`, the mean over pairs with :math:`t_i > t_j`. With ranks :math:`r`
    by the scores, gains :math:`G = (2^t - 1) / \text{ideal DCG}` and discounts :math:`D(r) = \log_2(1 + r)`, the weight is

    ================  ================================================================================================
    ``none``          1: RankNet
    ``ndcg_loss1``    :math:`G_i / D(r_i)`, of all pairs, also those with :math:`t_i \le t_j`
    ``ndcg_loss2``    :math:`\delta_{ij} |G_i - G_j|` with
                      :math:`\delta_{ij} = |1/D(|r_i - r_j|) - 1/D(|r_i - r_j| + 1)|`
    ``lambda_rank``   :math:`|1/D(r_i) - 1/D(r_j)|\,|G_i - G_j|`
    ``ndcg_loss2pp``  :math:`\mu` times that of ``ndcg_loss2``, and that of ``lambda_rank``
    ================  ================================================================================================

    Weights have no gradient. Documents of equal scores are ranked in the order in which they came.

    Args:
        weighting: The weight; also by the name of a scheme of sentence-transformers, ``NDCGLoss2PPScheme`` for instance.
        k: Pairs count of which one is among the first ``k`` by the scores, and ranks up to it in the ideal DCG; None
            for all.
        sigma: :math:`\sigma_0`, what score differences are multiplied by.
        mu: :math:`\mu`.
        reduction_log: ``binary`` logarithm, the paper's, or ``natural``.

    References:
        Wang et al. (2018), *The LambdaLoss Framework for Ranking Metric Optimization*.
        https://dl.acm.org/doi/10.1145/3269206.3271784
    """

    compares = "targets"

    def __init__(
        self,
        weighting: str = "ndcg_loss2pp",
        k: int | None = None,
        sigma: float = 1.0,
        mu: float = 10.0,
        reduction_log: Literal["binary", "natural"] = "binary",
    ) -> None:
        weighting = _SCHEMES.get(weighting, weighting)
        check_choice(self, "weighting", weighting, _WEIGHTINGS)
        check_choice(self, "reduction_log", reduction_log, ("binary", "natural"))
        check_count(self, k=k)
        check_positive(self, sigma=sigma)
        check_not_negative(self, mu=mu)
        self.weighting = weighting
        self.k = k
        self.sigma = sigma
        self.mu = mu
        self.reduction_log = reduction_log

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss."""
        scores, targets = filled(batch)
        order = scores.detach().masked_fill(~batch.mask, -torch.inf).argsort(dim=1, descending=True, stable=True)
        scores, targets, mask = (values.gather(1, order) for values in (scores, targets.to(scores.dtype), batch.mask))
        gains, has_gain = relative_gains(targets, mask, k=self.k)
        chosen = mask.unsqueeze(2) & mask.unsqueeze(1)
        if self.weighting == "ndcg_loss1":
            chosen = chosen & has_gain[:, None, None]
        else:
            chosen = chosen & (targets.unsqueeze(2) > targets.unsqueeze(1))
        if self.k is not None:
            is_first = torch.arange(mask.shape[1], device=mask.device) < self.k
            chosen = chosen & (is_first.unsqueeze(1) | is_first.unsqueeze(0))
        losses = -nn.functional.logsigmoid(self.sigma * (scores.unsqueeze(2) - scores.unsqueeze(1)))
        loss = masked_mean(self._weights(gains) * losses, chosen)
        return loss / math.log(2) if self.reduction_log == "binary" else loss

    def _weights(self, gains: Table) -> Pairs:
        """Weigh pairs of documents that are ordered by their scores."""
        discount = discounts(gains)
        if self.weighting == "none":
            return torch.ones_like(gains).unsqueeze(2).expand(-1, -1, gains.shape[1])
        if self.weighting == "ndcg_loss1":
            return (gains * discount).unsqueeze(2).expand(-1, -1, gains.shape[1])
        gap = (gains.unsqueeze(2) - gains.unsqueeze(1)).abs()
        weights = torch.zeros_like(gap)
        if self.weighting != "lambda_rank":
            factor = self.mu if self.weighting == "ndcg_loss2pp" else 1.0
            weights = weights + factor * _distance_weights(discount) * gap
        if self.weighting != "ndcg_loss2":
            weights = weights + (discount.unsqueeze(1) - discount.unsqueeze(0)).abs() * gap
        return weights


def _distance_weights(discount: Float[Tensor, " docs"]) -> Float[Tensor, "docs docs"]:
    """Weigh two ranks by how far they are apart, 0 for a rank and itself."""
    ranks = torch.arange(len(discount), device=discount.device)
    distance = (ranks.unsqueeze(1) - ranks.unsqueeze(0)).abs()
    # One more than the widest distance: 1/D of the next rank.
    following = 1 / torch.log2(2.0 + torch.arange(1, len(discount) + 1, device=discount.device, dtype=discount.dtype))
    steps = torch.cat([discount.new_zeros(1), (discount - following)[:-1]])
    return steps[distance]
