"""Made-up token embeddings: what documents and queries of a late-interaction model look like, not what they say.

A few thousand directions stand for meanings of tokens. A document has a dozen of them, and each of its vectors is one
of these, off by some noise; the vectors of a query are those of a document, off by more. So vectors come in clusters,
as a model's do, and a few documents are much better than the rest.
"""

from dataclasses import dataclass

import numpy as np

DIM = 128
_MEANINGS = 3000
_OF_A_DOCUMENT = 12
_LENGTH = 60
_QUERY_LENGTH = 32


@dataclass(frozen=True)
class Data:
    """Documents, packed, and queries.

    Args:
        vectors: Of all documents, one after the other, float32.
        lengths: Vectors of each document.
        queries: ``[queries, vectors, components]``, float32.
    """

    vectors: np.ndarray
    lengths: np.ndarray
    queries: np.ndarray


def make(num_docs: int, num_queries: int, seed: int = 0) -> Data:
    """Make documents of 60 vectors, give or take a half, and queries of 32; all of length 1."""
    random = np.random.default_rng(seed)
    meanings = _unit(random.standard_normal((_MEANINGS, DIM)))
    lengths = random.integers(_LENGTH // 2, _LENGTH * 3 // 2, num_docs)
    own = random.integers(0, _MEANINGS, (num_docs, _OF_A_DOCUMENT))
    owners = np.repeat(np.arange(num_docs), lengths)
    chosen = own[owners, random.integers(0, _OF_A_DOCUMENT, len(owners))]
    vectors = _noisy(random, meanings[chosen], 0.6)
    ends = np.cumsum(lengths)
    asked = random.integers(0, num_docs, (num_queries, 1))
    rows = random.integers(ends[asked] - lengths[asked], ends[asked], (num_queries, _QUERY_LENGTH))
    return Data(vectors, lengths, _noisy(random, vectors[rows], 0.9))


def _noisy(random: np.random.Generator, vectors: np.ndarray, noise: float) -> np.ndarray:
    """Add noise of about this length."""
    return _unit(vectors + noise / DIM**0.5 * random.standard_normal(vectors.shape)).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
