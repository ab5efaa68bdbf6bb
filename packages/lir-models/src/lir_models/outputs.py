"""What scoring gives back."""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


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


def ranking(scores: Float[Tensor, " docs"], docs: Sequence[str], top_k: int | None) -> list[RankedDocument]:
    """Order documents by score, best first; of equal scores the earlier document comes first."""
    order: list[int] = scores.argsort(descending=True, stable=True)[:top_k].tolist()
    return [RankedDocument(index, float(scores[index]), docs[index]) for index in order]
