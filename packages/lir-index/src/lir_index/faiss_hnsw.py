"""Vectors in a graph of neighbours: ``HNSW…``."""

from dataclasses import dataclass
from typing import ClassVar

from lir_index.config import DenseIndexConfig, check_count
from lir_index.faiss_segment import FaissSegment
from lir_index.segment import Space


@dataclass(frozen=True)
class FaissHNSWIndexConfig(DenseIndexConfig):
    """Approximate search over dense or multi-vector embeddings by Faiss: a graph of neighbours. Slow to build.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
        num_neighbors: Neighbours of each vector.
        ef_construction: How many vectors are kept in view when neighbours are sought.
    """

    kind: ClassVar[str] = "faiss-hnsw"
    num_neighbors: int = 24
    ef_construction: int = 100

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "num_neighbors")
        check_count(self, "ef_construction")


class FaissHNSWSegment(FaissSegment):
    """A segment of the kind faiss-hnsw."""

    kind = "faiss-hnsw"
    config_class = FaissHNSWIndexConfig

    @classmethod
    def factory(cls, config: FaissHNSWIndexConfig, space: Space, count: int) -> str:  # noqa: ARG003 - others look at it
        """See :meth:`FaissSegment.factory`."""
        return f"HNSW{config.num_neighbors},Flat"

    @classmethod
    def tune(cls, index: object, config: FaissHNSWIndexConfig) -> None:
        """See :meth:`FaissSegment.tune`."""
        index.hnsw.efConstruction = config.ef_construction  # pyright: ignore[reportAttributeAccessIssue]
