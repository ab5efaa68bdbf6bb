"""Vectors in clusters, of which a query searches the nearest: ``IVF…,Flat``."""

from dataclasses import dataclass
from typing import ClassVar

from lir_index.config import DenseIndexConfig, check_count
from lir_index.errors import ArgumentError
from lir_index.faiss_segment import FaissSegment
from lir_index.segment import Space


@dataclass(frozen=True)
class FaissIVFIndexConfig(DenseIndexConfig):
    """Approximate search over dense or multi-vector embeddings by Faiss: clusters of vectors (an inverted file).

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
        num_centroids: Number of clusters; None chooses by the number of vectors.
        num_train_embeddings: How many vectors the clusters are found from; None for 64 a cluster.
    """

    kind: ClassVar[str] = "faiss-ivf"
    num_centroids: int | None = None
    num_train_embeddings: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "num_centroids")
        check_count(self, "num_train_embeddings")


class FaissIVFSegment(FaissSegment):
    """A segment of the kind faiss-ivf."""

    kind = "faiss-ivf"
    config_class = FaissIVFIndexConfig

    @classmethod
    def factory(cls, config: FaissIVFIndexConfig, space: Space, count: int) -> str:  # noqa: ARG003 - others look at it
        """See :meth:`FaissSegment.factory`."""
        return f"{clusters(config.num_centroids, count)},Flat"


def clusters(num_centroids: int | None, count: int) -> str:
    """Describe the clusters: about eight times the root of the number of vectors, and 39 vectors in each at least.

    Above some thousands, the nearest clusters are found by a graph of them.

    Raises:
        ArgumentError: If more clusters are asked for than there are vectors.
    """
    if num_centroids is not None and num_centroids > count:
        raise ArgumentError(f"num_centroids is {num_centroids}, and there are only {count} vectors.")
    number = num_centroids or max(1, min(round(8 * count**0.5), count // 39))
    return f"IVF{number}_HNSW32" if number > 8192 else f"IVF{number}"
