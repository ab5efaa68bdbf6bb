"""Any index that Faiss can describe."""

from dataclasses import dataclass
from typing import ClassVar

from lir_index.config import DenseIndexConfig, check_count
from lir_index.faiss_segment import FaissSegment
from lir_index.segment import Space


@dataclass(frozen=True)
class FaissFactoryIndexConfig(DenseIndexConfig):
    """Search over dense or multi-vector embeddings by whatever Faiss' ``index_factory`` makes.

    Args:
        factory: The description, as ``OPQ16_64,IVF1024,PQ16x4fs``; refinement (``RFlat``) is left to ``refine``.
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
        refine: Whether the vectors are kept as well, on disk, and the candidates compared by them.
        num_train_embeddings: How many vectors the index is trained with; None for 65,536, or 64 a centroid.

    References:
        https://github.com/facebookresearch/faiss/wiki/The-index-factory
    """

    kind: ClassVar[str] = "faiss-factory"
    factory: str = "Flat"
    refine: bool = True
    num_train_embeddings: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "num_train_embeddings")


class FaissFactorySegment(FaissSegment):
    """A segment of the kind faiss-factory."""

    kind = "faiss-factory"
    config_class = FaissFactoryIndexConfig

    @classmethod
    def factory(cls, config: FaissFactoryIndexConfig, space: Space, count: int) -> str:  # noqa: ARG003 - others do
        """See :meth:`FaissSegment.factory`."""
        return config.factory
