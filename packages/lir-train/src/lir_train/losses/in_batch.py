"""Losses in which the documents of the other queries of a batch are negatives."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lir_train.errors import ArgumentError
from lir_train.losses.arguments import check_choice, check_choices, check_count, check_not_negative
from lir_train.losses.directions import DIRECTIONS, Contrast, Direction, doc_to_doc, doc_to_query, query_to_query
from lir_train.losses.loss import LossFunction, LossInput, check_temperature, left_out, masked_mean
from lir_train.losses.roles import Mask, Roles, roles

Scores = Float[Tensor, "queries all_docs"]


class InBatchLossFunction(LossFunction):
    """Cross entropy of each query's best document against negatives, of its own documents and of other queries'.

    A document of another query that is the same document as one of the query's own is no negative, nor is a document of an
    equal query. A query whose targets are all 0 has no best document, and is left out.

    Args:
        max_num_neg_samples: Most documents of other queries a query is given, drawn at random; None for all.
        temperature: What scores are divided by.
        false_negative_margin: Negatives that score more than so much above the best document are taken for relevant, and
            left out; None keeps all. In the unit of scores, before they are divided; it may be negative.
    """

    needs_all_scores = True

    def __init__(
        self,
        max_num_neg_samples: int | None = None,
        temperature: float = 1.0,
        false_negative_margin: float | None = None,
    ) -> None:
        check_count(self, max_num_neg_samples=max_num_neg_samples)
        self.max_num_neg_samples = max_num_neg_samples
        self.temperature = check_temperature(self, temperature)
        self.false_negative_margin = false_negative_margin

    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the loss; the batch must have ``all_scores``."""
        assert batch.all_scores is not None
        parts = roles(batch)
        positive = batch.all_scores.masked_fill(~parts.positive, 0.0).sum(dim=1)
        own, others = self.negatives(batch, parts)
        negatives = self._without_false(batch.all_scores, own | others, positive)
        if self.max_num_neg_samples is not None:
            negatives = (negatives & own) | _draw(negatives & others, self.max_num_neg_samples)
        logits = batch.all_scores / self.temperature + self.penalties(batch.all_scores.detach(), parts)
        contrasts = [left_out(logits, negatives | parts.positive)]
        for contrast in self.other_directions(batch, parts):
            kept = self._without_false(contrast.scores, contrast.kept, positive)
            if contrast.is_positive is not None:
                kept = kept | contrast.is_positive
            contrasts.append(left_out(contrast.scores / self.temperature, kept))
        return masked_mean(self.log_normalizer(contrasts) - positive / self.temperature, parts.has_positive)

    @abstractmethod
    def negatives(self, batch: LossInput, parts: Roles) -> tuple[Mask, Mask]:
        """Return the negatives among a query's own documents and those among the others."""

    def penalties(self, scores: Scores, parts: Roles) -> Scores | float:
        """Return what is added to the divided scores."""
        del scores, parts
        return 0.0

    def other_directions(self, batch: LossInput, parts: Roles) -> Sequence[Contrast]:
        """Return what else the positive's score is compared with."""
        del batch, parts
        return ()

    def log_normalizer(self, contrasts: Sequence[Float[Tensor, "queries _"]]) -> Float[Tensor, " queries"]:
        """Return the logarithm of what the positive's exponential is divided by."""
        return torch.cat(list(contrasts), dim=1).logsumexp(dim=1)

    def _without_false(
        self, scores: Float[Tensor, "queries n"], kept: Bool[Tensor, "queries n"], positive: Float[Tensor, " queries"]
    ) -> Bool[Tensor, "queries n"]:
        if self.false_negative_margin is None:
            return kept
        limit = positive.detach() + self.false_negative_margin
        return kept & (scores.detach() <= limit.unsqueeze(1))


class InBatchCrossEntropy(InBatchLossFunction):
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
        false_negative_margin: Negatives that score more than so much above the best document are taken for relevant, and
            left out; None keeps all. In the unit of scores, before they are divided; it may be negative.
        directions: What is in the sum beside the query's scores with documents, ``query_to_doc``: its scores with other
            queries, ``query_to_query``; and the best document's scores with queries, ``doc_to_query``, and with the
            other queries' documents, ``doc_to_doc``. The last three need a bi-encoder whose queries and documents are
            embedded alike.
        partition_mode: ``joint``, one sum over all directions; or ``per_direction``, the mean of their cross entropies,
            for ``query_to_doc`` and ``doc_to_query``.
        hardness_mode: Whose scores, times ``hardness_strength``, are added to those in the sum without gradient, so that
            hard ones weigh more: ``in_batch_negatives``, the others' documents; ``hard_negatives``, the query's own
            but for the best; ``all_negatives``, both; None for none.
        hardness_strength: See there.

    References:
        Henderson et al. (2017), *Efficient Natural Language Response Suggestion*. https://arxiv.org/abs/1705.00652
        ``false_negative_margin``: Zhang et al. (2025), *Qwen3 Embedding*, where it is 0.1.
        https://arxiv.org/abs/2506.05176
        ``directions``: Li et al. (2023), *Towards General Text Embeddings with Multi-stage Contrastive Learning*, all four. https://arxiv.org/abs/2308.03281
        ``hardness_mode``: Lan et al. (2025), *LLaVE*, equation 5. https://arxiv.org/abs/2503.04812
    """

    def __init__(
        self,
        pos_sampling_technique: Literal["all", "first"] = "all",
        neg_sampling_technique: Literal["all", "first", "all_and_non_first"] = "all",
        max_num_neg_samples: int | None = None,
        temperature: float = 1.0,
        false_negative_margin: float | None = None,
        *,
        directions: Sequence[Direction] = ("query_to_doc",),
        partition_mode: Literal["joint", "per_direction"] = "joint",
        hardness_mode: Literal["in_batch_negatives", "hard_negatives", "all_negatives"] | None = None,
        hardness_strength: float = 0.0,
    ) -> None:
        super().__init__(max_num_neg_samples, temperature, false_negative_margin)
        check_choice(self, "pos_sampling_technique", pos_sampling_technique, ("all", "first"))
        check_choice(self, "neg_sampling_technique", neg_sampling_technique, ("all", "first", "all_and_non_first"))
        check_choices(self, "directions", directions, DIRECTIONS)
        check_choice(self, "partition_mode", partition_mode, ("joint", "per_direction"))
        if hardness_mode is not None:
            check_choice(
                self, "hardness_mode", hardness_mode, ("in_batch_negatives", "hard_negatives", "all_negatives")
            )
        check_not_negative(self, hardness_strength=hardness_strength)
        if "query_to_doc" not in directions:
            raise ArgumentError(
                f"{type(self).__name__}: directions are {list(directions)}; 'query_to_doc', which has the positive, must be "
                "among them."
            )
        without_positive = [direction for direction in directions if direction in ("query_to_query", "doc_to_doc")]
        if partition_mode == "per_direction" and without_positive:
            raise ArgumentError(
                f"{type(self).__name__}: '{without_positive[0]}' has no positive to be found, so it has no cross entropy "
                "of its own; it needs partition_mode='joint'."
            )
        self.pos_sampling_technique = pos_sampling_technique
        self.neg_sampling_technique = neg_sampling_technique
        self.directions = tuple(directions)
        self.partition_mode = partition_mode
        self.hardness_mode = hardness_mode
        self.hardness_strength = hardness_strength
        self.needs_embeddings = len(set(directions)) > 1

    def negatives(self, batch: LossInput, parts: Roles) -> tuple[Mask, Mask]:
        """Return the negatives among a query's own documents and those among the others."""
        del batch
        takes_own = self.pos_sampling_technique == "all" or self.neg_sampling_technique == "all_and_non_first"
        own = parts.own_negatives & takes_own
        return own, parts.others & parts.is_best if self.neg_sampling_technique == "first" else parts.others

    def penalties(self, scores: Scores, parts: Roles) -> Scores | float:
        """Return what is added to the divided scores."""
        hard = {
            None: torch.zeros_like(parts.own),
            "in_batch_negatives": ~parts.own,
            "hard_negatives": parts.own & ~parts.positive,
            "all_negatives": ~parts.positive,
        }[self.hardness_mode]
        return (self.hardness_strength * scores).masked_fill(~hard, 0.0)

    def other_directions(self, batch: LossInput, parts: Roles) -> Sequence[Contrast]:
        """Return what else the positive's score is compared with."""
        contrasts: list[Contrast] = []
        if "query_to_query" in self.directions:
            contrasts.append(query_to_query(batch))
        if "doc_to_query" in self.directions:
            contrasts.append(doc_to_query(batch, parts))
        if "doc_to_doc" in self.directions:
            contrasts.append(doc_to_doc(batch, parts))
        return contrasts

    def log_normalizer(self, contrasts: Sequence[Float[Tensor, "queries _"]]) -> Float[Tensor, " queries"]:
        """Return the logarithm of what the positive's exponential is divided by."""
        if self.partition_mode == "joint":
            return super().log_normalizer(contrasts)
        return torch.stack([logits.logsumexp(dim=1) for logits in contrasts]).mean(dim=0)


class ScoreBasedInBatchCrossEntropy(InBatchLossFunction):
    r"""`InBatchCrossEntropy` with those of a query's own documents as negatives that have a far lower target.

    The best document is the one of the highest target; a query's own are negatives where
    :math:`\max_j t_j - t_i \ge` ``min_target_diff``, the others are not looked at. Queries may have different numbers of
    negatives: each sums over its own, and none is dropped to make their numbers equal.

    Args:
        min_target_diff: How far a target must be below the highest.
        max_num_neg_samples: Most documents of other queries a query is given, drawn at random; None for all.
        temperature: What scores are divided by.
        false_negative_margin: Negatives that score more than so much above the best document are taken for relevant, and
            left out; None keeps all.
    """

    def __init__(
        self,
        min_target_diff: float,
        max_num_neg_samples: int | None = None,
        temperature: float = 1.0,
        false_negative_margin: float | None = None,
    ) -> None:
        super().__init__(max_num_neg_samples, temperature, false_negative_margin)
        check_not_negative(self, min_target_diff=min_target_diff)
        self.min_target_diff = min_target_diff

    def negatives(self, batch: LossInput, parts: Roles) -> tuple[Mask, Mask]:
        """Return the negatives among a query's own documents and those among the others."""
        highest = batch.targets.masked_fill(~batch.mask, -torch.inf).amax(dim=1, keepdim=True)
        owner, place = batch.mask.nonzero(as_tuple=True)
        columns = torch.arange(len(owner), device=owner.device)
        is_lower = torch.zeros_like(parts.own)
        is_lower[owner, columns] = (highest - batch.targets >= self.min_target_diff)[owner, place]
        return is_lower & parts.own_negatives, parts.others


def _draw(mask: Mask, count: int) -> Mask:
    """Keep so many true places of each row, at random."""
    order = torch.rand(mask.shape, device=mask.device).masked_fill(~mask, -1.0)
    kept = torch.zeros_like(mask).scatter(1, order.topk(min(count, mask.shape[1]), dim=1).indices, True)
    return kept & mask
