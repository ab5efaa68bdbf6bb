"""Which documents of a batch are a query's own, which one is its best, and which can be its negatives."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lir_train.losses.loss import LossInput, best_docs

Mask = Bool[Tensor, "queries all_docs"]


@dataclass(frozen=True)
class Roles:
    """What the documents of all queries are to each query of this process.

    Args:
        own: Its own.
        positive: Its best, one or none.
        others: Those of other queries that are none of its own; the same document can be of several queries.
        is_best: Which documents are the best of any query's, also of another process's.
        has_positive: Whether a query has something to learn: a best document, and a target that is not 0.
    """

    own: Mask
    positive: Mask
    others: Mask
    is_best: Bool[Tensor, " all_docs"]
    has_positive: Bool[Tensor, " queries"]

    def positive_columns(self) -> Int[Tensor, " queries"]:
        """Return where each query's positive is; 0 for a query without one."""
        return self.positive.int().argmax(dim=1)


def roles(batch: LossInput) -> Roles:
    """Say what each document is to each query; the batch must have ``all_scores``."""
    own = batch.own()
    best, is_relevant = best_docs(batch)
    is_best = batch.is_best
    if is_best is None:
        owner, place = batch.mask.nonzero(as_tuple=True)
        # Of other processes' documents nobody said, so none is.
        is_best = torch.zeros_like(own[0]).index_copy(
            0, torch.arange(len(owner), device=owner.device), place == best[owner]
        )
    positive = own & is_best
    positive = positive & (positive.cumsum(dim=1) == 1)
    return Roles(
        own=own,
        positive=positive,
        others=~own if batch.doc_keys is None else ~_has_same(own, batch.doc_keys),
        is_best=is_best,
        has_positive=is_relevant & positive.any(dim=1),
    )


def _has_same(own: Mask, doc_keys: Int[Tensor, " all_docs"]) -> Mask:
    """Return which documents are the same as one of a query's own, those included."""
    _, key = doc_keys.unique(return_inverse=True)
    has_key = torch.zeros_like(own)
    query, column = own.nonzero(as_tuple=True)
    # There are no more keys than documents.
    has_key[query, key[column]] = True
    return has_key[:, key]
