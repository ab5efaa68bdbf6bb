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
        own_negatives: Its own that are not its best, nor the same document as the best of an equal query.
        others: Those of other queries that are none of its own, nor of an equal query; the same document can be of several
            queries.
        is_best: Which documents are the best of any query's, also of another process's.
        has_positive: Whether a query has something to learn: a best document, and a target that is not 0.
        is_of_query: Of the queries of all processes, this one's first, which documents are their own, an equal query's, or
            the same as one of these.
    """

    own: Mask
    positive: Mask
    own_negatives: Mask
    others: Mask
    is_best: Bool[Tensor, " all_docs"]
    has_positive: Bool[Tensor, " queries"]
    is_of_query: Bool[Tensor, "all_queries all_docs"]

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
    has_positive = is_relevant & positive.any(dim=1)
    of_equal = own if batch.query_keys is None else _of_equal_queries(batch)
    is_of_query = _with_same(of_equal, batch.doc_keys)
    # What is relevant to an equal query is so to this one.
    relevant = _with_same(of_equal[: len(own)] & ~own & is_best, batch.doc_keys)
    return Roles(
        own=own,
        positive=positive,
        own_negatives=own & ~positive & ~relevant,
        others=~is_of_query[: len(own)],
        is_best=is_best,
        has_positive=has_positive,
        is_of_query=is_of_query,
    )


def _of_equal_queries(batch: LossInput) -> Bool[Tensor, "all_queries all_docs"]:
    """Return which documents are of each query, or of one that is equal to it."""
    assert batch.query_keys is not None
    assert batch.owner_keys is not None
    return (batch.query_keys.unsqueeze(1) == batch.owner_keys.unsqueeze(0)).any(dim=2)


def _with_same(
    docs: Bool[Tensor, "rows all_docs"], doc_keys: Int[Tensor, " all_docs"] | None
) -> Bool[Tensor, "rows all_docs"]:
    """Return some documents of each row, and those that are the same as one of them."""
    if doc_keys is None:
        return docs
    _, key = doc_keys.unique(return_inverse=True)
    has_key = torch.zeros_like(docs)
    row, column = docs.nonzero(as_tuple=True)
    # There are no more keys than documents.
    has_key[row, key[column]] = True
    return has_key[:, key]
