"""Where embeddings come from: what parts and indexes keep about the model and the documents."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from lir_index.config import Aggregation, Similarity, check_similarity
from lir_index.errors import ArgumentError, did_you_mean


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What is known of the origin of embeddings; None stands for unknown.

    Args:
        model: Name of the model, for people: a folder or a hub id.
        fingerprint: A text that differs between models that make different embeddings.
        documents: Where the documents' texts are found again: an id or a path.
        similarity: How the model compares a query and a document.
        dim: Components of each vector.
        form: What embeddings are: dense, sparse, multi-vector, coil, or text; a model may make others, which no kind
            takes.
        query_aggregation: How the values of a query's vectors become one score, where it has several: sum is ColBERT's.
        doc_aggregation: How a query vector's similarities with a document's vectors become one value: max is ColBERT's.
    """

    model: str | None = None
    fingerprint: str | None = None
    documents: str | None = None
    similarity: Similarity | None = None
    dim: int | None = None
    form: str | None = None
    query_aggregation: Aggregation | None = None
    doc_aggregation: Aggregation | None = None

    def __post_init__(self) -> None:
        if self.similarity is not None:
            check_similarity(self.similarity)

    @classmethod
    def of(cls, values: Mapping[str, Any] | Self | None) -> Self:
        """Read a mapping; a name that is none of the fields is refused, with the nearest one named."""
        if values is not None and not isinstance(values, Mapping):
            return values
        names = [field.name for field in dataclasses.fields(cls)]
        for name in values or {}:
            if name not in names:
                nearest = did_you_mean(name, names)
                raise ArgumentError(f"Metadata has the names {', '.join(names)}, and none is '{name}'.{nearest}")
        return cls(**(values or {}))

    def as_dict(self) -> dict[str, Any]:
        """The fields and their values."""
        return dataclasses.asdict(self)
