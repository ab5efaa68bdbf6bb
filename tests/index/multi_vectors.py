"""Multi-vector embeddings for tests, and their scores by the definition."""

import numpy as np

from .conftest import score_slowly

AGGREGATE = {"sum": np.sum, "mean": np.mean, "max": np.max}


def packed(texts):
    return np.concatenate(texts).astype(np.float32), np.array([len(text) for text in texts])


def texts(count, dim, seed=0, longest=9):
    random = np.random.default_rng(seed)
    return [random.standard_normal((random.integers(1, longest + 1), dim)).astype(np.float32) for _ in range(count)]


def on_topics(count, dim, seed=0, longest=40, topics=60, of=0):
    """Texts whose vectors lie in clusters, as those of words do; ``of`` is the seed of the clusters."""
    centres = np.random.default_rng(of).standard_normal((topics, dim))
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        own = random.integers(0, topics, 4)
        vectors = centres[random.choice(own, random.integers(3, longest + 1))]
        vectors = vectors + 0.4 * random.standard_normal(vectors.shape)
        made.append((vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32))
    return made


def names(count):
    return [f"{(i * 7919) % count}" for i in range(count)]


def score(query, document, similarity="dot", query_aggregation="sum", doc_aggregation="max"):
    if similarity == "dot":
        values = AGGREGATE[doc_aggregation](query.astype(np.float64) @ document.astype(np.float64).T, axis=1)
    else:
        values = [AGGREGATE[doc_aggregation]([score_slowly(q, d, similarity) for d in document]) for q in query]
    return float(AGGREGATE[query_aggregation](values))


def ranking(query, documents, doc_ids, k, *how):
    scored = [(float(np.float32(score(query, d, *how))), i) for d, i in zip(documents, doc_ids, strict=True) if len(d)]
    return sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]
