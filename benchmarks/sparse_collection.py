"""The made-up collection on disk: indexes of several kinds, queries, and the exact answers. Kept between runs."""

import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from benchmarks import sparse_data
from lir_index import Index, IndexConfig, PartWriter, SearchConfig, build

_CACHE = Path(__file__).parent / ".cache"


class Collection:
    """Documents and queries of ``sparse_data``.

    Args:
        num_docs: Number of documents.
        num_queries: Number of queries.
    """

    def __init__(self, num_docs: int, num_queries: int) -> None:
        digest = hashlib.sha256(Path(sparse_data.__file__).read_bytes()).hexdigest()[:8]
        self.folder = _CACHE / f"sparse-{digest}-{num_docs}"
        self.num_docs = num_docs
        self.queries = sparse_data.make_queries(num_queries, num_docs)
        self.queries.sum_duplicates()

    def index(self, config: IndexConfig, search_config: SearchConfig, name: str | None = None) -> Index:
        """Open the index of this config, which is built the first time; ``name`` tells those of one kind apart."""
        path = self.folder / (name or config.kind)
        if not (path / "index.json").exists():
            if not (self.folder / "parts" / "parts.json").exists():
                self._write_parts()
            build(self.folder / "parts", path, config)
        return Index.open(path, search_config)

    def _write_parts(self) -> None:
        documents = sparse_data.make_documents(self.num_docs)
        with PartWriter(self.folder / "parts") as writer:
            for start in range(0, self.num_docs, 10000):
                stop = min(start + 10000, self.num_docs)
                writer.append([str(i) for i in range(start, stop)], documents[start:stop])

    def save_queries(self) -> Path:
        """Write the queries for peers; return the path without the arrays' names."""
        for part in ("indptr", "indices", "data"):
            np.save(self.folder / f"queries.{part}.npy", getattr(self.queries, part))
        return self.folder / "queries"

    @cached_property
    def documents(self) -> csr_array:
        """The documents, as the index of the kind sparse keeps them."""
        folder = self.folder / "sparse" / "segment-1"
        indptr, indices, data = (np.load(folder / f"documents.{part}.npy") for part in ("indptr", "indices", "data"))
        return csr_array((data, indices, indptr), shape=(self.num_docs, sparse_data.VOCABULARY))

    @cached_property
    def scores(self) -> np.ndarray:
        """All scores, in float64 ``[queries, documents]``."""
        return (self.queries.astype(np.float64) @ self.documents.astype(np.float64).T).toarray()

    def recall(self, found: np.ndarray) -> float:
        """Which part of the best is among the positions found ``[queries, k]``; -1 is none. Ties count as found."""
        k = found.shape[1]
        least = np.partition(self.scores, self.num_docs - k, axis=1)[:, self.num_docs - k]
        reached = np.take_along_axis(self.scores, np.maximum(found, 0), axis=1) >= least[:, None] * (1 - 1e-6)
        return float((reached & (found >= 0)).mean())
