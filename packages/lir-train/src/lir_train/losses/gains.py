"""What a document is worth in nDCG, by its relevance and by its rank."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Table = Float[Tensor, "queries docs"]


def relative_gains(
    targets: Table, mask: Bool[Tensor, "queries docs"], *, exponential: bool = True, k: int | None = None
) -> tuple[Table, Bool[Tensor, " queries"]]:
    r"""Return each document's gain, divided by the DCG of its query's ideal ranking.

    Args:
        targets: Relevance; below 0 counts as 0.
        mask: Whether there is a document.
        exponential: Whether the gain is :math:`2^t - 1`; otherwise it is :math:`t`.
        k: How many ranks count; None for all.

    Returns:
        Gains, 0 where there is no document, and whether a query has any; of one that has none, all are 0.
    """
    targets = targets.masked_fill(~mask, 0.0).clamp(min=0)
    if exponential:
        # 2^t - 1 is divided by 2^max, so that a teacher's scores, which can be large, do not overflow; the DCG is too.
        highest = targets.amax(dim=1, keepdim=True)
        gains = torch.exp2(targets - highest) - torch.exp2(-highest)
    else:
        gains = targets
    ideal = (gains.sort(dim=1, descending=True).values * discounts(gains))[:, :k].sum(dim=1, keepdim=True)
    has_gain = ideal > 0
    return gains / torch.where(has_gain, ideal, 1.0), has_gain.squeeze(1)


def discounts(like: Table) -> Float[Tensor, " docs"]:
    r"""Return :math:`1 / \log_2(1 + i)` for ranks 1, 2, …."""
    ranks = torch.arange(1, like.shape[1] + 1, device=like.device, dtype=like.dtype)
    return 1 / torch.log2(1 + ranks)
