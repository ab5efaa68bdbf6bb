"""Vectors as short codes, by product quantisation: ``PQ…`` and ``IVF…,PQ…``."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from lir_index.config import DenseIndexConfig, check_count
from lir_index.errors import ArgumentError
from lir_index.faiss_ivf import FaissIVFIndexConfig, clusters
from lir_index.faiss_segment import FaissSegment
from lir_index.segment import Space


@dataclass(frozen=True)
class FaissPQIndexConfig(DenseIndexConfig):
    """Approximate search over dense or multi-vector embeddings by Faiss: all vectors, as short codes.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
        num_subquantizers: Into how many pieces a vector is cut, each a code of its own; None for one every four
            components.
        n_bits: Bits of a code: 4, which is searched fastest, or 8.
        refine: Whether the vectors are kept as well, on disk, and the candidates compared by them.
        num_train_embeddings: How many vectors the codes are found from; None for 65,536.
    """

    kind: ClassVar[str] = "faiss-pq"
    num_subquantizers: int | None = None
    n_bits: Literal[4, 8] = 4
    refine: bool = True
    num_train_embeddings: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_codes(self)


@dataclass(frozen=True)
class FaissIVFPQIndexConfig(FaissIVFIndexConfig):
    """Approximate search over dense or multi-vector embeddings by Faiss: short codes in clusters.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
        num_centroids: Number of clusters; None chooses by the number of vectors.
        num_train_embeddings: How many vectors clusters and codes are found from; None for 64 a cluster, and 65,536 at
            least.
        num_subquantizers: Into how many pieces a vector is cut, each a code of its own; None for one every four
            components.
        n_bits: Bits of a code: 4, which is searched fastest, or 8.
        refine: Whether the vectors are kept as well, on disk, and the candidates compared by them.
    """

    kind: ClassVar[str] = "faiss-ivfpq"
    num_subquantizers: int | None = None
    n_bits: Literal[4, 8] = 4
    refine: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_codes(self)


class FaissPQSegment(FaissSegment):
    """A segment of the kind faiss-pq."""

    kind = "faiss-pq"
    config_class = FaissPQIndexConfig

    @classmethod
    def factory(cls, config: FaissPQIndexConfig, space: Space, count: int) -> str:  # noqa: ARG003 - others look at it
        """See :meth:`FaissSegment.factory`."""
        return codes(config, space.dim)


class FaissIVFPQSegment(FaissSegment):
    """A segment of the kind faiss-ivfpq."""

    kind = "faiss-ivfpq"
    config_class = FaissIVFPQIndexConfig

    @classmethod
    def factory(cls, config: FaissIVFPQIndexConfig, space: Space, count: int) -> str:
        """See :meth:`FaissSegment.factory`."""
        quantized = codes(config, space.dim)
        if not config.refine:
            # What is packed for registers, Faiss 1.15 cannot unpack from clusters that were read from a file.
            quantized = quantized.replace("fs", "np")
        return f"{clusters(config.num_centroids, count)},{quantized}"


def check_codes(config: FaissPQIndexConfig | FaissIVFPQIndexConfig) -> None:
    """Refuse codes that cannot be."""
    check_count(config, "num_subquantizers")
    check_count(config, "num_train_embeddings")
    if config.n_bits not in (4, 8):
        raise ArgumentError(f"n_bits is 4 or 8; it is {config.n_bits!r}.")


def codes(config: FaissPQIndexConfig | FaissIVFPQIndexConfig, dim: int) -> str:
    """Describe the codes.

    Raises:
        ArgumentError: If the vectors cannot be cut into so many pieces.
    """
    number = config.num_subquantizers or next(n for n in range(max(1, dim // 4), 0, -1) if dim % n == 0)
    if dim % number:
        fitting = [n for n in range(1, dim + 1) if dim % n == 0]
        nearest = min(fitting, key=lambda n: abs(n - number))
        raise ArgumentError(
            f"num_subquantizers is {number}, which does not divide the {dim} dimensions; the nearest that does is {nearest}."
        )
    # The 4-bit codes are searched in registers ("fast scan").
    # "np" leaves out a training that takes a hundred times as long as all else, and serves a search that is not used.
    return f"PQ{number}x4fs" if config.n_bits == 4 else f"PQ{number}x8np"
