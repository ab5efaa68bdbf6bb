"""The lines of a run of TREC, a block of them at a time, which takes less than half the time of one by one.

A block in which anything is wrong or unusual (a missing column, two spaces, a score that is no number) is left to what
reads line by line, and says what is wrong where.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lir_data.sources.lines import BYTE_ORDER_MARK
from lir_data.sources.packing import open_binary, unpacking

# Bytes of a block. Arrays that are made of a larger one are of a size that the system is asked for each time.
_BLOCK = 1 << 16

_COLUMNS = 6
_QUERY_ID, _DOC_ID, _SCORE = 0, 2, 4

# What each byte is: a part of a column, between two, the end of a line, or another control character, left to others.
_TEXT, _BETWEEN, _END, _OTHER = range(4)
_KINDS = bytearray([_OTHER] * 32 + [_BETWEEN] + [_TEXT] * 223)
_KINDS[ord("\t")], _KINDS[ord("\n")] = _BETWEEN, _END
_PLAIN = np.array([_BETWEEN] * (_COLUMNS - 1) + [_END], np.uint8)
_WIDE_SPACE = re.compile(r"[^\S\x00-\x7f]")

# With so many letters a number and the power of ten that it is divided by are exact in float64, so that the quotient is the
# float nearest to what is written (Clinger 1990, How to read floating point numbers accurately).
_WIDTH = 15
_POWERS = 10.0 ** np.arange(_WIDTH)

_Array = np.ndarray[Any, np.dtype[Any]]


class Stretch(NamedTuple):
    """Lines that follow each other and rank documents of the same query; the number is the first line's."""

    number: int
    query_id: str
    doc_ids: list[str]
    scores: list[float]


def blocks(path: Path, start: int = 0) -> Iterator[bytes]:
    """Yield whole lines, many together, without a byte order mark in front of the first.

    Args:
        path: The file.
        start: Lines at the beginning that are left out.

    Raises:
        UnreadableSourceError: If a packed file is none, or is damaged.
    """
    with open_binary(path) as file, unpacking(path):
        for _ in range(start):
            file.readline()
        begun = b"" if start else file.read(len(BYTE_ORDER_MARK)).removeprefix(BYTE_ORDER_MARK)
        while read := file.read(_BLOCK):
            whole, end, rest = read.rpartition(b"\n")
            if end:
                yield begun + whole + end
                begun = rest
            else:
                begun += read
        if begun:
            yield begun


def stretches(block: bytes, number: int) -> list[Stretch] | None:
    """Read whole lines with six columns each; None if that is not all that there is to them.

    Args:
        block: The lines.
        number: The first line's, from 1.
    """
    layout = _layout(block)
    if layout is None:
        return None
    scores = _decimals(layout)
    try:
        columns = _columns(layout, _QUERY_ID, _DOC_ID)
        scores = list(map(float, _columns(layout, _SCORE))) if scores is None else scores
    except ValueError:
        return None
    total = sum(scores)
    if total != total:  # a score is NaN, or two are infinities of either sign
        return None
    found: list[Stretch] = []
    doc_ids, start = columns[1::2], 0
    for query_id, lines in groupby(columns[::2]):
        end = start + len(list(lines))
        found.append(Stretch(number + start, query_id, doc_ids[start:end], scores[start:end]))
        start = end
    return found


class _Layout(NamedTuple):
    """The bytes of a block; where each line's columns end ``[lines, 6]``; how long they are, with the byte after them."""

    letters: _Array
    ends: _Array
    lengths: _Array


def _layout(block: bytes) -> _Layout | None:
    """Find the columns, or return None if a line has not six with a space or a tab between them."""
    if not block.endswith(b"\n") or not (block.isascii() or _has_narrow_spaces(block)):
        return None
    kinds = np.frombuffer(block.translate(_KINDS), np.uint8)
    ends = np.flatnonzero(kinds != _TEXT)
    if len(ends) % _COLUMNS or (kinds[ends].reshape(-1, _COLUMNS) != _PLAIN).any():
        return None
    lengths = np.diff(ends, prepend=-1)
    if lengths.min() == 1:
        return None
    letters = np.frombuffer(block, np.uint8)
    return _Layout(letters, ends.reshape(-1, _COLUMNS), lengths.reshape(-1, _COLUMNS))


def _has_narrow_spaces(block: bytes) -> bool:
    """Whether a block is UTF-8, and white space in it is ASCII."""
    try:
        return _WIDE_SPACE.search(block.decode()) is None
    except UnicodeDecodeError:
        return False


def _columns(layout: _Layout, *which: int) -> list[str]:
    """Return the texts of some columns, line by line."""
    is_wanted = np.tile([column in which for column in range(_COLUMNS)], len(layout.ends))
    return layout.letters[np.repeat(is_wanted, layout.lengths.ravel())].tobytes().decode().split()


def _decimals(layout: _Layout) -> list[float] | None:
    """Return the scores if they are numbers such as ``-12.5``, or None if any is longer or written in another way."""
    letters, ends, lengths = layout.letters, layout.ends[:, _SCORE], layout.lengths[:, _SCORE] - 1
    is_negative = letters[ends - lengths] == ord("-")
    lengths = lengths - is_negative
    width = int(lengths.max())
    if not 0 < width <= _WIDTH:
        return None
    # A column for each number, which stands at its end, with zeros above.
    behind = np.arange(width)[::-1]
    digits = letters[ends - 1 - behind[:, None]] - ord("0")
    digits *= behind[:, None] < lengths
    is_point = digits == (ord(".") - ord("0")) % 256
    digits *= ~is_point
    num_points = is_point.sum(axis=0)
    if digits.max() > 9 or num_points.max() > 1 or (lengths == num_points).any():
        return None
    powers = _POWERS[behind @ is_point]
    # The point was counted as a digit, a zero: what is before it is ten times too large.
    numbers = 10.0**behind @ digits
    numbers -= 9 * powers * np.floor(numbers / (10 * powers)) * num_points
    numbers /= powers
    return np.where(is_negative, -numbers, numbers).tolist()
