"""Vectors of which each component is stored in few bits: ``SQ…``, and ``RaBitQ`` for one bit."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from lir_index.config import DenseIndexConfig
from lir_index.errors import ArgumentError
from lir_index.faiss_segment import FaissSegment
from lir_index.segment import Space

_FACTORIES = {16: "SQfp16", 8: "SQ8", 4: "SQ4", 1: "RaBitQ"}


@dataclass(frozen=True)
class FaissSQIndexConfig(DenseIndexConfig):
    """Approximate search over dense or multi-vector embeddings by Faiss: all vectors, each component in few bits.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
        n_bits: Bits of a component: 16 (half precision), 8 (int8), 4, or 1 (binary, by RaBitQ).
        refine: Whether the vectors are kept as well, on disk, and the candidates compared by them. None keeps them for
            4 bits and 1.

    References:
        Gao and Long (2024), *RaBitQ*. https://arxiv.org/abs/2405.12497
    """

    kind: ClassVar[str] = "faiss-sq"
    n_bits: Literal[16, 8, 4, 1] = 8
    refine: bool | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_bits not in _FACTORIES:
            raise ArgumentError(f"n_bits is 16, 8, 4 or 1; it is {self.n_bits!r}.")


class FaissSQSegment(FaissSegment):
    """A segment of the kind faiss-sq."""

    kind = "faiss-sq"
    config_class = FaissSQIndexConfig

    @classmethod
    def factory(cls, config: FaissSQIndexConfig, space: Space, count: int) -> str:  # noqa: ARG003 - others look at it
        """See :meth:`FaissSegment.factory`."""
        return _FACTORIES[config.n_bits]

    @classmethod
    def refines(cls, config: FaissSQIndexConfig) -> bool:
        """See :meth:`FaissSegment.refines`."""
        return config.n_bits <= 4 if config.refine is None else config.refine
