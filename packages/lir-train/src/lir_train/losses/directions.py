"""Scores of queries with queries, and of a query's document with other queries and documents."""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lir_train.losses.loss import Embedded, LossInput
from lir_train.losses.roles import Roles

Direction = Literal["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"]
DIRECTIONS: tuple[Direction, ...] = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")


@dataclass(frozen=True)
class Contrast:
    """What each query's positive score is compared with.

    Args:
        scores: Of the query, or of its positive, with candidates.
        kept: Which of them count.
        is_positive: Which of them is the query's score with its positive; None where none is.
    """

    scores: Float[Tensor, "queries candidates"]
    kept: Bool[Tensor, "queries candidates"]
    is_positive: Bool[Tensor, "queries candidates"] | None = None


def query_to_query(batch: LossInput) -> Contrast:
    """Compare each query with all others that are not equal to it."""
    embedded = _embedded(batch)
    scores = embedded.compare(embedded.queries, embedded.all_queries)
    return Contrast(scores, ~batch.are_same_query(scores.shape[1]))


def doc_to_query(batch: LossInput, roles: Roles) -> Contrast:
    """Compare each query's positive with all queries, its own among them."""
    embedded = _embedded(batch)
    columns = roles.positive_columns()
    scores = _compare_with(embedded.all_queries, columns, embedded).T
    # Of each positive, the queries that it is a document of: it is no negative of theirs.
    is_of = roles.is_of_query[:, columns].T
    is_positive = torch.eye(*scores.shape, dtype=torch.bool, device=scores.device)
    # Without keys nothing is known of other processes' queries.
    is_of = torch.nn.functional.pad(is_of, (0, scores.shape[1] - is_of.shape[1]))
    return Contrast(scores, ~is_of | is_positive, is_positive)


def doc_to_doc(batch: LossInput, roles: Roles) -> Contrast:
    """Compare each query's positive with the documents of the other queries."""
    embedded = _embedded(batch)
    return Contrast(_compare_with(embedded.all_docs, roles.positive_columns(), embedded).T, roles.others)


def _compare_with(texts: Any, columns: Tensor, embedded: Embedded) -> Float[Tensor, "texts queries"]:
    """Compare texts with some of this process's documents."""
    if isinstance(embedded.docs, Tensor):
        return embedded.compare(texts, embedded.docs[columns])
    return embedded.compare(texts, embedded.docs)[:, columns]


def _embedded(batch: LossInput) -> Embedded:
    assert batch.embedded is not None
    return batch.embedded
