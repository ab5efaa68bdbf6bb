"""What a search relies on in an index's arrays. Machine code that follows a wrong position reads or writes anywhere.

These passes over whole arrays are made once, when files are new here; see :mod:`lir_index.integrity`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lir_index.errors import DamagedIndexError
from lir_index.similarity import LONGEST, norms

_AT_ONCE = 2**20

Array = npt.NDArray[Any]


def check_range(path: Path, values: Array, stop: int) -> None:
    """Refuse whole numbers that are not from 0 up to ``stop``.

    Raises:
        DamagedIndexError: If there is one.
    """
    for block in _blocks(values):
        if block.min(initial=0) < 0 or block.max(initial=-1) >= stop:
            raise DamagedIndexError(f"'{path}' is damaged: it holds numbers that are not from 0 to {stop - 1}.")


def check_rising(path: Path, values: Array, first: int, last: int, *, strictly: bool = False) -> None:
    """Refuse whole numbers that fall anywhere.

    Args:
        path: Of the file, for error messages.
        values: The numbers.
        first: The least of them is not less.
        last: The greatest of them is not more.
        strictly: Whether none may occur twice, nor be ``first``.

    Raises:
        DamagedIndexError: If they are not so.
    """
    before = first
    for block in _blocks(values):
        steps = np.diff(block, prepend=np.array([before], dtype=block.dtype))
        # Where a number overflows, its difference may look right.
        if (steps < strictly).any() or block.min() < first or block.max() > last:
            raise DamagedIndexError(f"'{path}' is damaged: its numbers do not rise from {first} to {last}.")
        before = int(block[-1])


def check_permutation(path: Path, values: Array) -> None:
    """Refuse whole numbers that are not each of 0, 1, 2, … once.

    Raises:
        DamagedIndexError: If they are not.
    """
    check_range(path, values, len(values))
    is_there = np.zeros(len(values), dtype=np.bool_)
    for block in _blocks(values):
        is_there[block] = True
    if not is_there.all():
        raise DamagedIndexError(f"'{path}' is damaged: it does not hold each number from 0 to {len(values) - 1}.")


def check_vectors(path: Path, vectors: Array) -> None:
    """Refuse vectors that could not have been indexed: not finite, or too long to be squared.

    Raises:
        DamagedIndexError: If there is one.
    """
    rows = vectors if vectors.ndim == 2 else vectors[:, None]
    step = max(1, _AT_ONCE // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = norms(rows[start : start + step])
        # Written so that NaN is refused, too; rounding may have added something.
        if not (lengths <= 1.001 * LONGEST).all():
            raise DamagedIndexError(f"'{path}' is damaged: it holds numbers that are not finite, or too large.")


def _blocks(values: Array) -> Iterator[Array]:
    for start in range(0, len(values), _AT_ONCE):
        yield values[start : start + _AT_ONCE]
