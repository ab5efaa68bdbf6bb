"""Made-up dense embeddings: what they look like, not what they say.

Texts are about topics, so that some documents are much better than the others, and few directions carry most of the
variance, as in embeddings of real text encoders: without either, codes and clusters would have nothing to go by.
"""

import numpy as np

DIM = 384
_DOCS_OF_A_TOPIC = 100


def make(count: int, num_docs: int, seed: int) -> np.ndarray:
    """Make vectors of length 1 about the topics of so many documents: float32 ``[count, 384]``."""
    random = np.random.default_rng(seed)
    spread = 1 / np.sqrt(1 + np.arange(DIM) / 16)
    topics = np.random.default_rng(7).standard_normal((max(20, num_docs // _DOCS_OF_A_TOPIC), DIM), dtype=np.float32)
    vectors = topics[random.integers(len(topics), size=count)]
    vectors += 0.8 * random.standard_normal((count, DIM), dtype=np.float32)
    # In a basis of no meaning, since pieces of a vector are what product quantisation cuts.
    basis, _ = np.linalg.qr(np.random.default_rng(8).standard_normal((DIM, DIM)))
    vectors = (vectors * spread.astype(np.float32)) @ basis.astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
