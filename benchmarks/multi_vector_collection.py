"""The made-up token embeddings on disk, indexes of them, and the exact answers."""

import hashlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import multi_vector_data
from lir_index import Index, IndexConfig, MultiVectorIndexConfig, MultiVectorSearchConfig, PartWriter, build

_CACHE = Path(__file__).parent / ".cache"
K = 10


@dataclass(frozen=True)
class Built:
    """An index, and what it took.

    Args:
        path: Its folder.
        seconds: Of the processor.
        num_centroids: 0 where there are none.
    """

    path: Path
    seconds: float
    num_centroids: int

    @property
    def megabytes(self) -> float:
        """All of its files."""
        return sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file()) / 1e6


class Collection:
    """Documents and queries of ``multi_vector_data``, and the exact answers.

    Args:
        num_docs: Number of documents.
        num_queries: Number of queries.
    """

    def __init__(self, num_docs: int, num_queries: int) -> None:
        digest = hashlib.sha256(Path(multi_vector_data.__file__).read_bytes()).hexdigest()[:8]
        self.folder = _CACHE / f"multi-vector-{digest}-{num_docs}-{num_queries}"
        self.data = multi_vector_data.make(num_docs, num_queries)
        self.queries = (
            self.data.queries.reshape(-1, multi_vector_data.DIM),
            np.full(num_queries, self.data.queries.shape[1]),
        )
        self._write()
        self.exact = self.build("exact", MultiVectorIndexConfig())
        self._best = positions(Index.open(self.exact.path, MultiVectorSearchConfig(num_threads=1)), self)
        self._check()

    def _write(self) -> None:
        """Write parts for lir, and arrays for peers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("vectors", "lengths", "queries"):
            np.save(self.folder / f"{name}.npy", getattr(self.data, name))
        if not (self.folder / "parts").exists():
            with PartWriter(self.folder / "parts") as writer:
                ids = [str(i) for i in range(len(self.data.lengths))]
                writer.append(ids, (self.data.vectors, self.data.lengths))

    def _check(self) -> None:
        """Refuse to measure against what is wrong: the exact answers have to be those of float64."""
        vectors = self.data.vectors.astype(np.float64)
        starts = np.cumsum(self.data.lengths) - self.data.lengths
        for query, found in zip(self.data.queries[:3], self._best, strict=False):
            scores = np.maximum.reduceat(vectors @ query.T.astype(np.float64), starts).sum(axis=1)
            assert set(np.argsort(-scores)[:K]) == set(found), "The exact index is wrong."

    def build(self, name: str, config: IndexConfig) -> Built:
        """Build an index anew."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        began = time.process_time()
        build(self.folder / "parts", path, config)
        seconds = time.process_time() - began
        centroids = path / "segment-1" / "centroids.npy"
        return Built(path, seconds, len(np.load(centroids, mmap_mode="r")) if centroids.exists() else 0)

    def recall(self, found: np.ndarray) -> float:
        """Which part of the exact results is among the positions found ``[queries, k]``; -1 is none."""
        pairs = zip(self._best, found, strict=True)
        return round(float(np.mean([np.isin(best, some).mean() for best, some in pairs])), 6)


def positions(index: Index, collection: Collection) -> np.ndarray:
    """Search for all queries; give the documents' positions ``[queries, k]``, -1 where there are fewer."""
    found = np.full((len(collection.data.queries), K), -1)
    for row, doc_ids in zip(found, index.search(collection.queries, K).doc_ids, strict=True):
        row[: len(doc_ids)] = [int(doc_id) for doc_id in doc_ids]
    return found
