"""What every index kind can be told, when it is built and when it is searched.

The two classes here are no dataclasses, only their parents: jsonargparse, and so LightningCLI, takes ``class_path`` for a
parameter that is annotated with a plain class, and refuses it for one that is annotated with a dataclass.
"""

import dataclasses
from typing import Any, ClassVar, Literal, cast, get_args

from lir_index.errors import ArgumentError, did_you_mean
from lir_index.named_arguments import NamedArguments

Similarity = Literal["dot", "cosine", "l2"]
"""How a query and a document are compared; of l2, the score is the negative distance, so that more is always better."""

Aggregation = Literal["sum", "mean", "max"]
"""How several values become one, where queries or documents have several vectors."""


class IndexConfig(NamedArguments):
    """What kind of index to build, and how. Each kind has its own heir, a frozen dataclass.

    Attributes:
        kind: The name of the kind, as in ``index.json``.
        similarity: How queries and documents are compared; None takes what the model says, or the dot product.
    """

    kind: ClassVar[str]
    similarity: Similarity | None

    def __post_init__(self) -> None:
        if self.similarity is not None:
            check_similarity(self.similarity)

    def for_size(self, num_vectors: int) -> "IndexConfig":  # noqa: ARG002 - for those that choose
        """Return the config to build by: this one, or what it chooses for so many vectors."""
        return self

    def parameters(self) -> dict[str, Any]:
        """The fields and their values, as they are kept in ``index.json``."""
        return dataclasses.asdict(cast("Any", self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class DenseIndexConfig(IndexConfig):
    """What every kind that holds dense vectors can be told.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
    """

    similarity: Similarity | None = None
    truncate_dim: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "truncate_dim")


class SearchConfig(NamedArguments):
    """How to search an index of some kind. Each kind has its own heir, a frozen dataclass.

    Attributes:
        k: Number of documents for each query.
        num_threads: Threads of a search; None for as many as there are.
    """

    k: int
    num_threads: int | None

    def __post_init__(self) -> None:
        check_k(self.k)
        check_count(self, "num_threads")


def check_similarity(similarity: str) -> Similarity:
    """Refuse what is no similarity, with the nearest one named.

    Raises:
        ArgumentError: If ``similarity`` is none of dot, cosine and l2.
    """
    known = get_args(Similarity)
    if similarity not in known:
        nearest = did_you_mean(similarity, known)
        raise ArgumentError(f"There is no similarity '{similarity}', only dot, cosine and l2.{nearest}")
    return cast("Similarity", similarity)


def check_count(config: object, field: str) -> None:
    """Refuse a value that is neither None nor a positive integer.

    Raises:
        ArgumentError: If it is less than 1 or no integer.
    """
    value = getattr(config, field)
    if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__") or value < 1):
        raise ArgumentError(f"{field} is a whole number, at least 1; it is {value!r}.")


def check_share(config: object, field: str) -> None:
    """Refuse a value that is no share.

    Raises:
        ArgumentError: If it is not above 0, more than 1, or no number.
    """
    value = getattr(config, field)
    if isinstance(value, bool) or not hasattr(value, "__float__") or not 0 < value <= 1:
        raise ArgumentError(f"{field} is a number above 0, at most 1; it is {value!r}.")


def check_k(k: int) -> None:
    """Refuse a number of results that is no positive integer.

    Raises:
        ArgumentError: If ``k`` is less than 1 or no integer.
    """
    if isinstance(k, bool) or not hasattr(k, "__index__") or k < 1:
        raise ArgumentError(f"k is the number of documents for each query, at least 1; it is {k!r}.")
