"""Fewer vectors a document: those of similar tokens become their mean."""

import numpy as np
from jaxtyping import Float

from lir_models.embeddings import Packed


def pool_tokens(embeddings: Packed, factor: int, *, protected: int = 1, normalize: bool = True) -> Packed:
    """Cluster each text's vectors, by Ward's method on their cosine distances, and take the means.

    Args:
        embeddings: Vectors of texts.
        factor: Vectors that become one, on average.
        protected: The first vectors of a text, which stay as they are.
        normalize: Whether the means are scaled to length 1.

    Returns:
        A text's protected vectors, then the means.

    References:
        Clavié et al. (2024), *Reducing the Footprint of Multi-Vector Retrieval with Minimal Performance Impact via Token
        Pooling*. https://arxiv.org/abs/2409.14683
    """
    texts = np.split(embeddings.vectors, np.cumsum(embeddings.lengths)[:-1])
    pooled = [np.concatenate([text[:protected], _means(text[protected:], factor)]) for text in texts]
    vectors = np.concatenate(pooled) if pooled else embeddings.vectors
    if normalize:
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return Packed(vectors, np.array([len(text) for text in pooled], dtype=np.int64))


def _means(vectors: Float[np.ndarray, "n dim"], factor: int) -> Float[np.ndarray, "clusters dim"]:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    clusters = max(len(vectors) // factor, 1)
    if len(vectors) <= clusters:
        return vectors
    distances = np.clip(1 - vectors @ vectors.T, 0, 2)
    labels = fcluster(linkage(squareform(distances, checks=False), method="ward"), t=clusters, criterion="maxclust")
    _, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, labels, vectors)
    return sums / counts[:, None].astype(np.float32)
