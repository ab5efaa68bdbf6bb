"""What is learnt from a sample of the vectors, before all are encoded."""

import numpy as np
from jaxtyping import Int64

from lir_index.config import Similarity
from lir_index.documents import Documents, prepared
from lir_index.faiss_settings import faiss_settings, load_faiss
from lir_index.similarity import Vectors

# Beyond so many centroids, vectors are assigned by a graph of them: comparing with all takes longer than finds better.
_EXACTLY = 16384


def draw(documents: Documents, similarity: Similarity, count: int, size: int, seed: int = 0) -> Vectors:
    """Take prepared vectors evenly at random; the same ones each time.

    Args:
        documents: Dense or multi-vector.
        similarity: How they are compared.
        count: How many vectors there are.
        size: How many are wanted.
        seed: Decides which.
    """
    chosen = np.arange(count)
    if size < count:
        chosen = np.sort(np.random.default_rng(seed).choice(count, size, replace=False))
    sample = np.empty((len(chosen), documents.dim), dtype=np.float32)
    start = 0
    for vectors, _ in prepared(documents, similarity):
        first, last = np.searchsorted(chosen, [start, start + len(vectors)])
        sample[first:last] = vectors[chosen[first:last] - start]
        start += len(vectors)
    return sample


def find_centroids(sample: Vectors, count: int, iterations: int, seed: int) -> Vectors:
    """Cluster vectors by k-means.

    Args:
        sample: At least ``count`` vectors.
        count: Number of clusters.
        iterations: Of k-means.
        seed: Decides where they begin.
    """
    faiss = load_faiss()
    k_means = faiss.Kmeans(
        sample.shape[1],
        count,
        niter=iterations,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=2**31 - 1,
    )
    with faiss_settings(dim=1):
        k_means.train(sample)
    return k_means.centroids


class Assigner:
    """Finds the nearest centroid of vectors.

    Args:
        centroids: The centroids.
    """

    def __init__(self, centroids: Vectors) -> None:
        faiss, dim = load_faiss(), centroids.shape[1]
        self._index = faiss.IndexFlatL2(dim) if len(centroids) <= _EXACTLY else faiss.IndexHNSWFlat(dim, 32)
        self._index.add(np.ascontiguousarray(centroids))

    def __call__(self, vectors: Vectors) -> Int64[np.ndarray, " n"]:
        """Give the number of the nearest centroid of each vector."""
        with faiss_settings(dim=1):
            return self._index.search(vectors, 1)[1][:, 0]
