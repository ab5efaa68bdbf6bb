"""Arithmetic on rows of different lengths that lie one behind the other: where they are, and how to take some at a time."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt


def ranges(starts: npt.NDArray[np.integer], lengths: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """The numbers of several ranges, one range behind the other: where the values of some rows lie."""
    return np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())


def cut(lengths: npt.NDArray[np.integer], most: int) -> Iterator[tuple[slice, slice]]:
    """Cut rows into blocks of at most so many values; a row that is longer is a block of its own.

    Args:
        lengths: Values of each row.
        most: Values of a block.

    Yields:
        Which rows a block has, and where their values lie.
    """
    ends = np.cumsum(lengths, dtype=np.int64)
    start, first = 0, 0
    while start < len(lengths):
        stop = max(start + 1, int(np.searchsorted(ends, first + most, side="right")))
        last = int(ends[stop - 1])
        yield slice(start, stop), slice(first, last)
        start, first = stop, last
