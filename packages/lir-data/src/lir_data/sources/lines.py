"""The lines of local files, plain or packed; one that cannot be read is named."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from lir_data.errors import MalformedLineError
from lir_data.sources.names import shown
from lir_data.sources.packing import open_binary, unpacking

Record = TypeVar("Record")

#: What some editors put before the first line.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class UnusableLineError(Exception):
    """Why a line, or a row of a table, cannot be read: the end of a sentence that begins with its place."""


def binary_lines(path: Path) -> Iterator[bytes]:
    """Yield the bytes of each line, its end included.

    Raises:
        UnreadableSourceError: If a packed file is none, or is damaged.
    """
    with open_binary(path) as file, unpacking(path):
        yield from file


def parse_line(path: Path, number: int, line: bytes, parse: Callable[[str], Record]) -> Record | None:
    """Turn one line into what it means; an empty one is None.

    Args:
        path: The file, for the error.
        number: The line's, from 1, for the error.
        line: The bytes of the line.
        parse: Makes something of a line's text, or raises an `UnusableLineError`.

    Raises:
        MalformedLineError: If it cannot be read; the message begins with file and line.
    """
    if number == 1:
        line = line.removeprefix(BYTE_ORDER_MARK)
    try:
        text = line.decode().rstrip("\r\n")
        return parse(text) if text else None
    except UnicodeDecodeError as error:
        raise MalformedLineError(f"{shown(path)}, line {number}: this is not UTF-8 ({error.reason}).") from None
    except UnusableLineError as error:
        raise MalformedLineError(f"{shown(path)}, line {number}: {error}") from None


def records(path: Path, parse: Callable[[str], Record]) -> Iterator[tuple[int, Record]]:
    """Yield number and meaning of each line that is not empty; see `parse_line`."""
    for number, line in enumerate(binary_lines(path), start=1):
        if (record := parse_line(path, number, line, parse)) is not None:
            yield number, record
