"""Sparse embeddings as they are compared."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Int32

from lir_index.config import Similarity
from lir_index.embeddings import Batch
from lir_index.similarity import check_lengths

Terms = Int32[np.ndarray, " terms"]
"""The terms of one query or document, in rising order."""

Weights = Float32[np.ndarray, " terms"]
"""The weight of each term."""


def prepare_rows(batch: Batch, similarity: Similarity, name: Callable[[int], str]) -> Batch:
    """Bring sparse embeddings into the shape in which they are compared: float32, sorted by term, without zeros.

    Args:
        batch: Sparse; where a term occurs twice in a row, its weights are added.
        similarity: Rows are scaled to unit length for the cosine; zero rows stay zero, and score 0.
        name: Says whose row the one at a position is, for the error message.

    Raises:
        EmbeddingsError: If a row is so long that its square is no float32.
    """
    from scipy.sparse import csr_array

    arrays = batch.arrays
    rows = csr_array(
        (arrays["data"].astype(np.float64), arrays["indices"].copy(), arrays["indptr"].astype(np.int64)),
        shape=(len(batch), batch.dim),
    )
    rows.sum_duplicates()
    rows.eliminate_zeros()
    lengths = np.sqrt(rows.multiply(rows).sum(axis=1))
    check_lengths(lengths, name)
    if similarity == "cosine":
        rows.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(rows.indptr))
    values = {
        "data": rows.data.astype(np.float32),
        "indices": rows.indices.astype(np.int32),
        "indptr": rows.indptr.astype(np.int64),
    }
    return Batch("sparse", values, batch.dim)


def rows_of(batch: Batch) -> Iterator[tuple[Terms, Weights]]:
    """The terms of each row, and their weights."""
    indptr = batch.arrays["indptr"].tolist()
    for start, stop in pairwise(indptr):
        yield batch.arrays["indices"][start:stop], batch.arrays["data"][start:stop]
