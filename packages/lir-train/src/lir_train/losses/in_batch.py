"""Losses in which the documents of the other queries of a batch are negatives."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lir_train.errors import ArgumentError
from lir_train.losses.loss import LossFunction, LossInput, check_temperature, masked_mean


class InBatchCrossEntropy(LossFunction):
    r"""Cross entropy of each query's best document against its own others and the other queries' documents.

    :math:`-\log \frac{\exp(s_+ / \tau)}{\sum_j \exp(s_j / \tau)}`, the mean over queries. The best document is the one
    of the highest target; a query whose targets are all 0 has none, and is left out. A document of another query that is
    the same document as one of the query's own is no negative.

    Args:
        pos_sampling_technique: Which of its own documents a query is given: ``all`` or just the best, ``first``.
        neg_sampling_technique: Which others: ``all`` documents of the other queries, the ``first`` (best) of each, or
            ``all_and_non_first``: all of them and the query's own that are not its best.
        max_num_neg_samples: Most documents of other queries a query is given, drawn at random; None for all.
        temperature: What scores are divided by; 0.05 suits cosine similarity.

    References:
        Henderson et al. (2017), *Efficient Natural Language Response Suggestion*. https://arxiv.org/abs/1705.00652
    """

    needs_all_scores = True

    def __init__(
        self,
        pos_sampling_technique: Literal["all", "first"] = "all",
        neg_sampling_technique: Literal["all", "first", "all_and_non_first"] = "all",
        max_num_neg_samples: int | None = None,
        temperature: float = 1.0,
    ) -> None:
        if pos_sampling_technique not in ("all", "first"):
            raise ArgumentError(f"pos_sampling_technique is '{pos_sampling_technique}'; it must be 'all' or 'first'.")
        if neg_sampling_technique not in ("all", "first", "all_and_non_first"):
            raise ArgumentError(
                f"neg_sampling_technique is '{neg_sampling_technique}'; it must be 'all', 'first' or 'all_and_non_first'."
            )
        self.pos_sampling_technique = pos_sampling_technique
        self.neg_sampling_technique = neg_sampling_technique
        self.max_num_neg_samples = max_num_neg_samples
        self.temperature = check_temperature(self, temperature)

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have ``all_scores``."""
        assert batch.all_scores is not None
        owner, place = batch.mask.nonzero(as_tuple=True)
        best = batch.targets.masked_fill(~batch.mask, -torch.inf).argmax(dim=1)
        is_best = place == best[owner]
        own = owner == torch.arange(len(batch.scores), device=owner.device).unsqueeze(1)

        positive = own & is_best
        others = ~own
        if self.neg_sampling_technique == "first":
            others = others & is_best
        if batch.doc_keys is not None:
            same = batch.doc_keys.unsqueeze(0) == batch.doc_keys.unsqueeze(1)
            others = others & ~(own.float() @ same.float()).bool()
        if self.max_num_neg_samples is not None:
            others = _draw(others, self.max_num_neg_samples)
        chosen = positive | others
        if self.pos_sampling_technique == "all" or self.neg_sampling_technique == "all_and_non_first":
            chosen = chosen | own
        scores = (batch.all_scores / self.temperature).masked_fill(~chosen, -torch.inf)
        losses = torch.nn.functional.cross_entropy(scores, positive.int().argmax(dim=1), reduction="none")
        return masked_mean(losses, (batch.targets.masked_fill(~batch.mask, 0.0) != 0).any(dim=1))


def _draw(mask: Bool[Tensor, "queries docs"], count: int) -> Bool[Tensor, "queries docs"]:
    """Keep so many true places of each row, at random."""
    order = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1.0)
    kept = torch.zeros_like(mask).scatter(1, order.topk(min(count, mask.shape[1]), dim=1).indices, True)
    return kept & mask
