"""Dense vectors in one array on disk, compared one by one: exact, and with nothing to tune."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from lir_index.config import IndexConfig, SearchConfig, Similarity
from lir_index.embeddings import Batch
from lir_index.errors import DamagedIndexError
from lir_index.exhaustive import Found, Positions, search_exhaustively
from lir_index.index import Index
from lir_index.manifest import Manifest
from lir_index.parts import Parts
from lir_index.similarity import Vectors, prepare
from lir_index.storage import map_array

_VECTORS = "vectors.npy"


@dataclass(frozen=True)
class TorchDenseIndexConfig(IndexConfig):
    """Exact search over dense vectors, by numpy or torch; on disk a plain ``.npy`` array.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
    """

    kind: ClassVar[str] = "torch-dense"
    similarity: Similarity | None = None


@dataclass(frozen=True)
class TorchDenseSearchConfig(SearchConfig):
    """How to search an index of the kind torch-dense.

    Args:
        k: Number of documents for each query.
        device: ``cpu`` searches with numpy; anything else is a device of torch, as ``cuda`` or ``cuda:1``, that the
            vectors are copied to (the extra ``torch``). The result is the same.
    """

    k: int = 10
    device: str = "cpu"


class TorchDenseIndex(Index):
    """An index of the kind torch-dense."""

    kind = "torch-dense"
    search_config_class = TorchDenseSearchConfig

    def __init__(self, path: Path, manifest: Manifest, search_config: SearchConfig) -> None:
        super().__init__(path, manifest, search_config)
        self._vectors: Vectors = map_array(self.folder / _VECTORS)
        if self._vectors.shape != (len(self), self.dim) or self._vectors.dtype != np.float32:
            shape = f"{self._vectors.dtype} {list(self._vectors.shape)}"
            raise DamagedIndexError(
                f"'{self.folder / _VECTORS}' is damaged: it is {shape}, not float32 {[len(self), self.dim]}."
            )
        self._engine: Any = None
        device = cast("TorchDenseSearchConfig", search_config).device
        if device != "cpu":
            from lir_index.torch_engine import TorchEngine

            self._engine = TorchEngine(self._vectors, self.similarity, device)

    @classmethod
    def write(
        cls,
        folder: Path,
        parts: Parts,
        config: IndexConfig,  # noqa: ARG003 - nothing to tune
        similarity: Similarity,
    ) -> Mapping[str, Any]:
        """See :meth:`Index.write`."""
        longest = 0.0
        # Not a memmap: on a full disk, writing to one kills the process.
        with (folder / _VECTORS).open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (parts.num_docs, parts.dim)}
            np.lib.format.write_array_header_1_0(file, header)
            for doc_ids, batch in parts:
                vectors, lengths = prepare(batch.values, similarity, lambda i, ids=doc_ids: f"document '{ids[i]}'")
                file.write(vectors.data)
                longest = max(longest, float(lengths.max()))
        return {"longest": longest}

    def _search(self, queries: Batch, k: int, positions: Positions | None) -> Found:
        vectors, lengths = prepare(queries.values, self.similarity, lambda i: f"query {i + 1}")
        return search_exhaustively(
            self._vectors,
            vectors,
            lengths,
            k,
            similarity=self.similarity,
            longest=self.manifest.details["longest"],
            ranks=self.doc_ids.ranks,
            positions=positions,
            engine=self._engine if positions is None else None,
        )
