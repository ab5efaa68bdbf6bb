"""Dense vectors in one array on disk, compared one by one: exact, and with nothing to tune."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from lir_index.array_checks import check_vectors
from lir_index.config import DenseIndexConfig, IndexConfig, SearchConfig
from lir_index.documents import Documents, pieces, prepared
from lir_index.embeddings import Batch
from lir_index.exhaustive import search_exhaustively
from lir_index.segment import Segment, Space
from lir_index.similarity import Vectors, prepare
from lir_index.storage import ArrayWriter, map_array
from lir_index.threads import blas_threads
from lir_index.top_k import Found, Mask

_VECTORS = "vectors.npy"


@dataclass(frozen=True)
class TorchDenseIndexConfig(DenseIndexConfig):
    """Exact search over dense vectors, by numpy or torch; on disk a plain ``.npy`` array.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
    """

    kind: ClassVar[str] = "torch-dense"


@dataclass(frozen=True)
class TorchDenseSearchConfig(SearchConfig):
    """How to search an index of the kind torch-dense.

    Args:
        k: Number of documents for each query.
        device: ``cpu`` searches with numpy; anything else is a device of torch, as ``cuda`` or ``cuda:1``, that the
            vectors are copied to (the extra ``torch``). The result is the same.
        num_threads: Threads of a search; None for as many as there are.
    """

    k: int = 10
    device: str = "cpu"
    num_threads: int | None = None


class TorchDenseSegment(Segment):
    """A segment of the kind torch-dense."""

    kind = "torch-dense"
    config_class = TorchDenseIndexConfig
    search_config_class = TorchDenseSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self._vectors: Vectors = map_array(folder / _VECTORS, np.float32, (num_docs, space.dim))
        self._longest = self.details.number("longest")
        self._engine: Any = None
        device = cast("TorchDenseSearchConfig", search_config).device
        if device != "cpu":
            from lir_index.torch_engine import TorchEngine

            self._engine = TorchEngine(self._vectors, space.similarity, device)

    @classmethod
    def write(
        cls,
        folder: Path,
        documents: Documents,
        config: IndexConfig,  # noqa: ARG003 - nothing to tune
        space: Space,
        like: Segment | None,  # noqa: ARG003 - nothing was trained
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        longest = 0.0
        with ArrayWriter(folder / _VECTORS, (space.dim,)) as file:
            for vectors, lengths in prepared(documents, space.similarity):
                file.append(vectors)
                longest = max(longest, float(lengths.max()))
        return {"longest": longest}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        vectors, lengths = prepare(queries.values, self.space.similarity, lambda i: f"query {i + 1}")
        with blas_threads(self.search_config.num_threads):
            return search_exhaustively(
                self._vectors,
                vectors,
                lengths,
                k,
                similarity=self.space.similarity,
                longest=self._longest,
                ranks=self.doc_ids.ranks,
                allowed=allowed,
                engine=self._engine,
            )

    def check(self) -> None:
        """See :meth:`Segment.check`."""
        super().check()
        check_vectors(self.folder / _VECTORS, self._vectors)

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        return pieces(self._vectors)
