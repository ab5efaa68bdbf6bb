"""What every loss is given, and what it gives."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lir_train.errors import ArgumentError
from lir_train.gather import share_of_total
from lir_train.named_arguments import NamedArguments

#: What a loss compares of the documents of one query.
Compared = Literal["none", "documents", "targets"]

Pairs = Float[Tensor, "queries docs docs"]


@dataclass(frozen=True)
class Embedded:
    """The embeddings of a bi-encoder's batch.

    Args:
        queries: Of this process's queries, in any form (see `lir_models.embeddings`).
        docs: Of this process's documents, in the order in which the mask is true.
        all_queries: Of the queries of all processes, this one's first; where nothing is gathered, ``queries``.
        all_docs: Of the documents of all processes, this one's first; where nothing is gathered, ``docs``.
        compare: From embeddings of queries and of documents to the score of every pair.
    """

    queries: Any
    docs: Any
    all_queries: Any
    all_docs: Any
    compare: Callable[[Any, Any], Float[Tensor, "queries docs"]]

    def map(self, change: Callable[[Any], Any]) -> "Embedded":
        """Return the batch with each text's embeddings changed."""
        queries, docs = change(self.queries), change(self.docs)
        return replace(
            self,
            queries=queries,
            docs=docs,
            all_queries=queries if self.all_queries is self.queries else change(self.all_queries),
            all_docs=docs if self.all_docs is self.docs else change(self.all_docs),
        )


@dataclass(frozen=True)
class Texts:
    """The texts of a batch, for losses that ask another model about them.

    Args:
        queries: The queries.
        docs: The documents of all queries, in the order in which the mask is true.
    """

    queries: Sequence[str]
    docs: Sequence[str]


@dataclass(frozen=True)
class LossInput:
    """Scores and targets of a batch.

    Args:
        scores: Of each query's own documents, float32.
        targets: What is to be learnt of them, larger is better.
        mask: Whether there is a document; queries may have different numbers of them.
        all_scores: Of each query with every document of the batch, this process's documents first, in the order in
            which ``mask`` is true; None for a cross-encoder, which would have to read every pair.
        doc_keys: Equal numbers for equal documents.
        is_best: Whether a document is the best of its query's.
        embedded: The embeddings that were compared; None for a cross-encoder.
        texts: The texts themselves.
        query_keys: Of the queries of all processes, this one's first: those are equal that have a number in common, and
            none of them is, or has, a negative of another. None where all queries are different.
        owner_keys: The same of each document's query.
    """

    scores: Float[Tensor, "queries docs"]
    targets: Float[Tensor, "queries docs"]
    mask: Bool[Tensor, "queries docs"]
    all_scores: Float[Tensor, "queries all_docs"] | None = None
    doc_keys: Int[Tensor, " all_docs"] | None = None
    is_best: Bool[Tensor, " all_docs"] | None = None
    embedded: Embedded | None = None
    texts: Texts | None = None
    query_keys: Int[Tensor, "all_queries keys"] | None = None
    owner_keys: Int[Tensor, "all_docs keys"] | None = None

    def own(self) -> Bool[Tensor, "queries all_docs"]:
        """Return which of all documents are a query's own."""
        assert self.all_scores is not None
        owner, _ = self.mask.nonzero(as_tuple=True)
        others = owner.new_full((self.all_scores.shape[1] - len(owner),), -1)
        rows = torch.arange(len(self.mask), device=owner.device).unsqueeze(1)
        return torch.cat([owner, others]) == rows

    def are_same_query(self, num_queries: int) -> Bool[Tensor, "queries all_queries"]:
        """Return which queries of all processes, so many, are equal to each of this one's, itself among them."""
        if self.query_keys is None:
            return torch.eye(len(self.mask), num_queries, dtype=torch.bool, device=self.mask.device)
        own = self.query_keys[: len(self.mask)]
        return (own.unsqueeze(1) == self.query_keys.unsqueeze(0)).any(dim=2)

    def compared_anew(self, embedded: Embedded) -> "LossInput":
        """Return the batch with the scores that other embeddings of the same texts have."""
        all_scores = embedded.compare(embedded.queries, embedded.all_docs)
        return replace(self, scores=own_scores(all_scores, self.mask), all_scores=all_scores, embedded=embedded)


class LossFunction(ABC, NamedArguments):
    """A loss; it is logged under its class's name."""

    #: Whether it compares a query with other queries' documents, so that only bi-encoders can have it.
    needs_all_scores = False
    #: Whether it looks at embeddings, so that only bi-encoders can have it.
    needs_embeddings = False
    #: Whether it looks at targets; a loss that does not can learn from data without any.
    needs_targets = True
    #: What it compares of a query's own documents: ``none``, where one document will do; several ``documents``; or those of
    #: different ``targets``.
    compares: Compared = "none"

    def __init__(self) -> None:
        """Of most losses there is nothing to say."""

    @abstractmethod
    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the mean loss of a batch."""


def own_scores(
    all_scores: Float[Tensor, "queries all_docs"], mask: Bool[Tensor, "queries docs"]
) -> Float[Tensor, "queries docs"]:
    """Pick each query's own documents' scores; 0 where there is no document."""
    owner, place = mask.nonzero(as_tuple=True)
    columns = torch.arange(len(owner), device=owner.device)
    return all_scores.new_zeros(mask.shape).index_put((owner, place), all_scores[owner, columns])


def are_best(targets: Float[Tensor, "queries docs"], mask: Bool[Tensor, "queries docs"]) -> Bool[Tensor, " own_docs"]:
    """Return which documents are the best of their query's, the first of equals; in the order in which the mask is true."""
    owner, place = mask.nonzero(as_tuple=True)
    best = targets.masked_fill(~mask, -torch.inf).argmax(dim=1)
    return place == best[owner]


def check_temperature(loss: LossFunction, temperature: float) -> float:
    """Refuse a temperature that scores cannot be divided by."""
    if not temperature > 0:
        raise ArgumentError(f"{type(loss).__name__}: temperature is {temperature}; it must be greater than 0.")
    return temperature


def masked_mean(values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Return the mean of the values where the mask is true; 0 where it is nowhere.

    Where several processes train, the sum is divided by the mean number of values a process has, so that the mean of
    the processes' losses is the mean over all values.
    """
    count = share_of_total(mask.sum())
    # Not clamped to 1: one value among two processes is half a value each.
    return torch.where(mask, values, 0.0).sum() / torch.where(count > 0, count, 1)


def ordered_pairs(batch: LossInput) -> tuple[Pairs, Pairs, Bool[Tensor, "queries docs docs"]]:
    """Return score and target differences of documents i and j of a query, and where i should come before j."""
    scores, targets = filled(batch)
    score = scores.unsqueeze(2) - scores.unsqueeze(1)
    target = targets.unsqueeze(2) - targets.unsqueeze(1)
    there = batch.mask.unsqueeze(2) & batch.mask.unsqueeze(1)
    return score, target, there & (target > 0)


def filled(batch: LossInput) -> tuple[Float[Tensor, "queries docs"], Float[Tensor, "queries docs"]]:
    """Return scores and targets, both 0 where there is no document: what lies there may be no number."""
    return batch.scores.masked_fill(~batch.mask, 0.0), batch.targets.masked_fill(~batch.mask, 0.0)


def masked_log_softmax(
    values: Float[Tensor, "queries docs"], mask: Bool[Tensor, "queries docs"]
) -> Float[Tensor, "queries docs"]:
    """Return the logarithms of the softmax over a query's documents; 0 where there is none."""
    return left_out(values, mask).log_softmax(dim=1).masked_fill(~mask, 0.0)


def left_out(
    values: Float[Tensor, "rows columns"], kept: Bool[Tensor, "rows columns"]
) -> Float[Tensor, "rows columns"]:
    """Give what is not kept no weight in a softmax."""
    # A large negative number, not -inf: of a row without any document, a softmax of infinities is no number.
    return values.masked_fill(~kept, torch.finfo(values.dtype).min)


def best_docs(batch: LossInput) -> tuple[Int[Tensor, " queries"], Bool[Tensor, " queries"]]:
    """Return the place of each query's document of the highest target, the first of equals, and whether it has one.

    A query whose targets are all 0 has none.
    """
    places = batch.targets.masked_fill(~batch.mask, -torch.inf).argmax(dim=1)
    return places, (batch.targets.masked_fill(~batch.mask, 0.0) != 0).any(dim=1)
