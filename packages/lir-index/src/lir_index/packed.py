"""Packed vectors on disk: those of all documents one behind the other, and how many are each document's."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lir_index.documents import Documents
from lir_index.errors import DamagedIndexError, EmbeddingsError
from lir_index.storage import map_array

VECTORS = "vectors.npy"
LENGTHS = "lengths.npy"


def write_lengths(folder: Path, documents: Documents) -> int:
    """Write how many vectors each document has.

    Returns:
        How many there are in all.

    Raises:
        EmbeddingsError: If there are none.
    """
    lengths = np.concatenate([batch.arrays["lengths"] for _, batch in documents]).astype(np.int64)
    if not lengths.any():
        raise EmbeddingsError("No document has a vector.")
    np.save(folder / LENGTHS, lengths)
    return int(lengths.sum())


def open_lengths(folder: Path, num_docs: int) -> Int64[np.ndarray, " docs"]:
    """Memory-map what :func:`write_lengths` wrote.

    Raises:
        DamagedIndexError: If it does not fit the number of documents.
    """
    lengths = map_array(folder / LENGTHS, np.int64, (num_docs,))
    # Always looked at: where other files end is compared with their sum.
    if lengths.min(initial=0) < 0 or lengths.max(initial=0) > 2**40:
        raise DamagedIndexError(f"'{folder / LENGTHS}' is damaged: it holds numbers that are no lengths.")
    return lengths
