"""Term weights on disk, twice: by document, to score a few exactly, and by term, to score all roughly.

Both are compressed sparse rows, in the words of scipy: ``documents`` has a row for each document, ``postings`` one for
each term, whose columns are the documents that have it, in rising order.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float32, Int32, Int64

from lir_index.array_checks import check_range, check_rising, check_vectors
from lir_index.errors import DamagedIndexError
from lir_index.ownership import remove_file
from lir_index.ragged import cut
from lir_index.storage import ArrayWriter, map_array

# Entries that are brought into order at once: half a GiB with what sorting needs.
_AT_ONCE = 2**24

_PARTS = ("indptr", "indices", "data")


@dataclass(frozen=True)
class Rows:
    """A sparse matrix by rows; the arrays may be memory-mapped.

    Args:
        indptr: Place of each row's first entry, and one past the last.
        indices: Column of each entry.
        data: Weight of each entry.
    """

    indptr: Int64[np.ndarray, " rows_and_one"]
    indices: Int32[np.ndarray, " entries"]
    data: Float32[np.ndarray, " entries"]

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def open(cls, folder: Path, name: str, rows: int) -> "Rows":
        """Memory-map the rows of that name.

        Args:
            folder: Where they are.
            name: Of the three files.
            rows: How many they have to be.

        Raises:
            DamagedIndexError: If the files do not fit together.
        """
        paths = [folder / f"{name}.{part}.npy" for part in _PARTS]
        indptr = map_array(paths[0], np.int64, (rows + 1,))
        count = int(indptr[-1])
        return cls(indptr, map_array(paths[1], np.int32, (count,)), map_array(paths[2], np.float32, (count,)))

    def check(self, folder: Path, name: str, columns: int) -> None:
        """Look at all values that adding up relies on.

        Args:
            folder: Where they are.
            name: Of the three files.
            columns: How many there are.

        Raises:
            DamagedIndexError: If an entry is in none of the rows or columns, or has no finite weight.
        """
        indptr, indices, data = (folder / f"{name}.{part}.npy" for part in _PARTS)
        check_rising(indptr, self.indptr, 0, len(self.indices))
        if self.indptr[0] != 0:
            raise DamagedIndexError(f"'{indptr}' is damaged: it begins with {self.indptr[0]}, not with 0.")
        check_range(indices, self.indices, columns)
        check_vectors(data, self.data)

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Blocks of some millions of entries: which rows they have, and where their entries lie."""
        return cut(np.diff(self.indptr), _AT_ONCE // 4)

    def part(self, some: slice) -> "Rows":
        """Some rows, without a copy of their entries."""
        indptr = self.indptr[some.start : some.stop + 1]
        entries = slice(int(indptr[0]), int(indptr[-1]))
        return Rows(indptr - indptr[0], self.indices[entries], self.data[entries])


class RowsWriter:
    """Writes rows, some at a time.

    Args:
        folder: Where to.
        name: Of the three files.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._path = folder / f"{name}.indptr.npy"
        self._lengths: list[Int64[np.ndarray, " rows"]] = [np.zeros(1, dtype=np.int64)]
        self._stack = ExitStack()
        self._indices = self._stack.enter_context(ArrayWriter(folder / f"{name}.indices.npy", dtype=np.int32))
        self._data = self._stack.enter_context(ArrayWriter(folder / f"{name}.data.npy"))

    def append(
        self,
        lengths: Int64[np.ndarray, " rows"],
        indices: Int32[np.ndarray, " entries"],
        data: Float32[np.ndarray, " entries"],
    ) -> None:
        """Write the next rows."""
        self._lengths.append(lengths)
        self._indices.append(indices)
        self._data.append(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error_type: object, *_: object) -> None:
        self._stack.close()
        if error_type is None:
            np.save(self._path, np.cumsum(np.concatenate(self._lengths), dtype=np.int64))


def remove_rows(folder: Path, name: str) -> None:
    """Remove the files of rows that were written on the way to others."""
    for part in _PARTS:
        remove_file(folder / f"{name}.{part}.npy")


def write_transposed(folder: Path, name: str, rows: Rows, num_columns: int) -> None:
    """Write the transpose of rows, a range of columns at a time, so that memory is bounded.

    Args:
        folder: Where to.
        name: Of the transposed rows.
        rows: Memory-mapped.
        num_columns: Of ``rows``.
    """
    counts = np.zeros(num_columns, dtype=np.int64)
    for _, entries in rows.blocks():
        counts += np.bincount(rows.indices[entries], minlength=num_columns)
    with RowsWriter(folder, name) as writer:
        for some, _ in cut(counts, _AT_ONCE):
            writer.append(counts[some], *_columns(rows, some.start, some.stop, int(counts[some].sum())))


def _columns(
    rows: Rows, first: int, last: int, count: int
) -> tuple[Int32[np.ndarray, " entries"], Float32[np.ndarray, " entries"]]:
    """Collect the entries of some columns, ordered by column and then by row."""
    columns, owners, data = np.empty(count, np.int32), np.empty(count, np.int32), np.empty(count, np.float32)
    filled = 0
    for some, entries in rows.blocks():
        indices = rows.indices[entries]
        places = np.flatnonzero((indices >= first) & (indices < last))
        target = slice(filled, filled + len(places))
        columns[target] = indices[places]
        numbers = np.arange(some.start, some.stop, dtype=np.int32)
        owners[target] = np.repeat(numbers, np.diff(rows.indptr[some.start : some.stop + 1]))[places]
        data[target] = rows.data[entries][places]
        filled += len(places)
    order = np.argsort(columns, kind="stable")
    return owners[order], data[order]
