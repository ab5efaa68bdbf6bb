"""Where embeddings come from: what parts and indexes keep about the model and the documents."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Self, TypedDict

from lir_index.config import Aggregation, Similarity, check_similarity
from lir_index.errors import ArgumentError, did_you_mean


class Origin(TypedDict):
    """What an index says of where its embeddings come from; None stands for unknown. See :class:`Metadata`."""

    model: str | None
    fingerprint: str | None
    documents: str | None
    rule: dict[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Metadata:
    """What is known of the origin of embeddings; None stands for unknown.

    Args:
        model: Name of the model, for people: a folder or a hub id.
        fingerprint: A text that differs between models that make different embeddings. Before a colon it may name the
            scheme by which it was made; those of different schemes differ for one model, too.
        documents: Where the documents' texts are found again: an id or a path.
        similarity: How the model compares a query and a document.
        dim: Components of each vector.
        form: What embeddings are: dense, sparse, multi-vector, coil, or text; a model may make others, which no kind
            takes.
        query_aggregation: How the values of a query's vectors become one score, where it has several: sum is ColBERT's.
        doc_aggregation: How a query vector's similarities with a document's vectors become one value: max is ColBERT's.
        rule: How the encoder makes embeddings of texts: its whole config, as JSON's objects, lists, texts and numbers.
            lir-index keeps it for those who encode queries later, and does not interpret it.
    """

    model: str | None = None
    fingerprint: str | None = None
    documents: str | None = None
    similarity: Similarity | None = None
    dim: int | None = None
    form: str | None = None
    query_aggregation: Aggregation | None = None
    doc_aggregation: Aggregation | None = None
    rule: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.similarity is not None:
            check_similarity(self.similarity)
        if self.rule is not None:
            # As it will be read back, so that what was kept equals what is given again.
            object.__setattr__(self, "rule", _as_json(self.rule))

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


def is_older_fingerprint(fingerprint: str | None, *, than: str | None) -> bool:
    """Whether a fingerprint names no scheme and another does, so that the two cannot be compared."""
    return fingerprint is not None and than is not None and ":" in than and ":" not in fingerprint


def _as_json(rule: object) -> dict[str, Any]:
    try:
        values = json.loads(json.dumps(rule, allow_nan=False)) if isinstance(rule, Mapping) else None
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"The rule of an encoder is a JSON object; this one is not: {error}.") from error
    if not isinstance(values, dict):
        raise ArgumentError(f"The rule of an encoder is a JSON object, not {type(rule).__name__} {rule!r:.100}.")
    return values
