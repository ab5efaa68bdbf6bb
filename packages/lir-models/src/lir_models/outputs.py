"""What scoring gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from jaxtyping import Float
from torch import Tensor

from lir_models.errors import InputError


@dataclass(frozen=True)
class ScoreOutput:
    """Scores of documents for one query or several.

    Args:
        scores: One float32 score a document, query after query, on the CPU; ``docs`` is the sum of ``num_docs``.
        num_docs: Documents of each query.
    """

    scores: Float[Tensor, " docs"]
    num_docs: tuple[int, ...]

    def per_query(self) -> tuple[Float[Tensor, " docs_of_query"], ...]:
        """Return each query's scores by themselves."""
        return self.scores.split(self.num_docs)


@dataclass(frozen=True, slots=True)
class RankedDocument:
    """A document in a ranking.

    Args:
        index: Its position among the documents that were given.
        score: Its score.
        text: Its text.
    """

    index: int
    score: float
    text: str


def as_lists(
    query: str | Sequence[str], docs: Sequence[str] | Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return queries and, for each, its documents, from either of the two forms that ``score`` takes.

    Raises:
        InputError: If there are not as many lists of documents as queries.
    """
    if isinstance(docs, str):
        raise InputError(f"The documents are one string, {docs[:40]!r}; give a list of strings.")
    if isinstance(query, str):
        return [query], cast("list[list[str]]", [list(docs)])
    if any(isinstance(item, str) for item in docs):
        raise InputError(
            "There are several queries, but the documents are not lists: give one list of documents a query."
        )
    if len(query) != len(docs):
        raise InputError(f"There are {len(query)} queries but {len(docs)} lists of documents; give one list a query.")
    return list(query), [list(item) for item in docs]


def ranking(scores: Float[Tensor, " docs"], docs: Sequence[str], top_k: int | None) -> list[RankedDocument]:
    """Order documents by score, best first; of equal scores the earlier document comes first."""
    order: list[int] = scores.argsort(descending=True, stable=True)[:top_k].tolist()
    return [RankedDocument(index, float(scores[index]), docs[index]) for index in order]
