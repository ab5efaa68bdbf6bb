"""For each centroid, the documents that have a vector of it: two memory-mapped arrays."""

from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64

from lir_index.array_checks import check_range, check_rising
from lir_index.ragged import cut
from lir_index.storage import ArrayWriter, map_array

# Vectors that are brought into order at once: half a GiB with what sorting needs.
_AT_ONCE = 2**24


def write_cells(
    folder: Path, codes: Int32[np.ndarray, " total"], lengths: Int64[np.ndarray, " docs"], num_centroids: int
) -> None:
    """Write ``cells.indptr.npy`` and ``cells.documents.npy``, a range of centroids at a time: memory is bounded.

    Args:
        folder: Where to.
        codes: The centroid of each vector; memory-mapped.
        lengths: Vectors of each document.
        num_centroids: Number of centroids.
    """
    ends = np.cumsum(lengths)
    counts = np.zeros(num_centroids, dtype=np.int64)
    for start in range(0, len(codes), _AT_ONCE):
        counts += np.bincount(codes[start : start + _AT_ONCE], minlength=num_centroids)
    sizes: list[Int64[np.ndarray, " centroids"]] = []
    with ArrayWriter(folder / "cells.documents.npy", dtype=np.int32) as file:
        for some, _ in cut(counts, _AT_ONCE):
            cells, documents = _collect(codes, ends, some.start, some.stop)
            sizes.append(np.bincount(cells - some.start, minlength=some.stop - some.start))
            file.append(documents)
    np.save(folder / "cells.indptr.npy", np.cumsum(np.concatenate([[0], *sizes])))


def open_cells(
    folder: Path, num_centroids: int
) -> tuple[Int64[np.ndarray, " centroids_and_one"], Int32[np.ndarray, " entries"]]:
    """Memory-map what :func:`write_cells` wrote: where each centroid's documents begin, and the documents.

    Raises:
        DamagedIndexError: If the files do not fit together.
    """
    indptr = map_array(folder / "cells.indptr.npy", np.int64, (num_centroids + 1,))
    return indptr, map_array(folder / "cells.documents.npy", np.int32, (int(indptr[-1]),))


def check_cells(
    folder: Path,
    indptr: Int64[np.ndarray, " centroids_and_one"],
    documents: Int32[np.ndarray, " entries"],
    num_docs: int,
) -> None:
    """Look at all values of what :func:`open_cells` mapped.

    Raises:
        DamagedIndexError: If a list begins nowhere, or names what is no document.
    """
    check_rising(folder / "cells.indptr.npy", indptr, 0, len(documents))
    check_range(folder / "cells.documents.npy", documents, num_docs)


def _collect(
    codes: Int32[np.ndarray, " total"], ends: Int64[np.ndarray, " docs"], first: int, last: int
) -> tuple[Int32[np.ndarray, " entries"], Int32[np.ndarray, " entries"]]:
    """The documents of some centroids, each once for a centroid, ordered by centroid and document."""
    cells: list[Int32[np.ndarray, " entries"]] = []
    documents: list[Int32[np.ndarray, " entries"]] = []
    for start in range(0, len(codes), _AT_ONCE):
        block = codes[start : start + _AT_ONCE]
        places = np.flatnonzero((block >= first) & (block < last))
        cells.append(block[places])
        documents.append(np.searchsorted(ends, places + start, side="right").astype(np.int32))
    cell, document = np.concatenate(cells), np.concatenate(documents)
    order = np.argsort(cell, kind="stable")
    cell, document = cell[order], document[order]
    is_new = np.ones(len(cell), dtype=np.bool_)
    is_new[1:] = (cell[1:] != cell[:-1]) | (document[1:] != document[:-1])
    return cell[is_new], document[is_new]
