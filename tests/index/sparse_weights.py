"""Term weights like those of real models, for the tests of all sparse kinds."""

import numpy as np
from scipy import sparse


def weights(count, dim, per_row, seed=0):
    """Rows of term weights: frequent terms and rare ones, as words are."""
    random = np.random.default_rng(seed)
    columns = np.minimum(random.zipf(1.3, size=count * per_row) - 1, dim - 1)
    data = random.lognormal(size=count * per_row).astype(np.float32)
    return sparse.csr_array((data, (np.repeat(np.arange(count), per_row), columns)), shape=(count, dim))


def names(count):
    return [f"{(i * 7919) % count}" for i in range(count)]


def recall(found, exact):
    """Which part of the exact results is among those found."""
    pairs = zip(found.doc_ids, exact.doc_ids, strict=True)
    return np.mean([len(set(ids) & set(expected)) / len(expected) for ids, expected in pairs])
