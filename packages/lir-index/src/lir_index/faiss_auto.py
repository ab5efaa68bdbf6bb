"""The index of Faiss that fits the number of vectors."""

from dataclasses import dataclass
from typing import ClassVar

from lir_index.config import DenseIndexConfig, IndexConfig
from lir_index.faiss_flat import FaissFlatIndexConfig
from lir_index.faiss_pq import FaissIVFPQIndexConfig, FaissPQIndexConfig

# Measured at 200k x 384, k = 100: comparing all takes 1.7 ms a query, 4-bit codes with the vectors 0.7 ms at a recall of
# 0.998; beyond a million, reading all codes takes longer than reading those of the nearest clusters.
_FLAT, _CODES = 50_000, 1_000_000


@dataclass(frozen=True)
class FaissAutoIndexConfig(DenseIndexConfig):
    """Search over dense or multi-vector embeddings by the index of Faiss that fits their number.

    Up to 50,000 vectors it is ``FaissFlatIndexConfig``, up to a million ``FaissPQIndexConfig``, beyond
    ``FaissIVFPQIndexConfig``, all with their defaults.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
    """

    kind: ClassVar[str] = "faiss-auto"

    def for_size(self, num_vectors: int) -> IndexConfig:
        """See :meth:`IndexConfig.for_size`."""
        if num_vectors <= _FLAT:
            chosen = FaissFlatIndexConfig
        else:
            chosen = FaissPQIndexConfig if num_vectors <= _CODES else FaissIVFPQIndexConfig
        return chosen(similarity=self.similarity, truncate_dim=self.truncate_dim)
