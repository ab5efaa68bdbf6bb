"""Made-up term weights with the shape of a learned sparse encoder's: what documents and queries look like, not what they say.

A few thousand topics have a vocabulary each; a document draws most of its terms from its topic's and the rest from
everywhere, frequent terms more often (Zipf), with lognormal weights. A query is about a topic too. Without topics no
document would be much better than the next, and approximate search would have nothing to go by. Weights are about as
concentrated as those of SPLADE: a query's ten heaviest terms carry two thirds of the sum of its weights, a document's
fifty heaviest three quarters. Flatter weights slow all approximate search down, and Seismic most.
"""

import numpy as np
from scipy.sparse import csr_array

VOCABULARY = 30522
_TOPIC_TERMS = 400


def make_documents(count: int, seed: int = 0) -> csr_array:
    """Make documents of about 120 terms each, float32."""
    return _rows(count, count, from_topic=70, from_all=70, spread=1.1, seed=seed + 1)


def make_queries(count: int, num_docs: int, seed: int = 0) -> csr_array:
    """Make queries of about 40 terms each, float32, about the topics of so many documents."""
    return _rows(count, num_docs, from_topic=22, from_all=20, spread=1.7, seed=seed + 2)


def _rows(count: int, num_docs: int, from_topic: int, from_all: int, spread: float, seed: int) -> csr_array:
    random = np.random.default_rng(seed)
    topics = _topics(max(20, num_docs // 200))
    topic = random.integers(len(topics), size=count)
    blocks = []
    for start in range(0, count, 20000):
        rows = topic[start : start + 20000]
        places = _zipf(random, (len(rows), from_topic), _TOPIC_TERMS, shift=10)
        own = topics[rows[:, None], places]
        terms = np.concatenate([own, _zipf(random, (len(rows), from_all), VOCABULARY, shift=30)], axis=1)
        weights = random.lognormal(-1.7, spread, terms.shape)
        # What the text is about weighs more, and what is early in the topic's list most.
        weights[:, :from_topic] *= 1.0 + 1.5 / (1 + places / 40)
        owners = np.repeat(np.arange(len(rows)), terms.shape[1])
        block = csr_array((weights.ravel(), (owners, terms.ravel())), shape=(len(rows), VOCABULARY))
        # Encoders of the SPLADE family take a logarithm, so that no weight is very large.
        np.log1p(block.data, out=block.data)
        blocks.append(block.astype(np.float32))
    indptr = np.concatenate([[0], *(np.diff(block.indptr) for block in blocks)]).cumsum()
    data, indices = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("data", "indices"))
    return csr_array((data, indices.astype(np.int32), indptr), shape=(count, VOCABULARY))


def _topics(count: int) -> np.ndarray:
    """Terms of each topic ``[count, 400]``, in falling order of importance: the same for documents and queries."""
    return _zipf(np.random.default_rng(7), (count, _TOPIC_TERMS), VOCABULARY, shift=40)


def _zipf(random: np.random.Generator, shape: tuple[int, ...], limit: int, shift: int) -> np.ndarray:
    """Draw numbers below ``limit``, of which ``i`` has a chance in proportion to ``1 / (i + shift)``."""
    # The inverse of the distribution function of the continuous case.
    return np.minimum((shift * (1 + limit / shift) ** random.random(shape) - shift).astype(np.int64), limit - 1)
