"""The lines of local files, plain or packed; one that cannot be read is named."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from lir_data.errors import MalformedLineError, UnusableLineError
from lir_data.sources.names import shown
from lir_data.sources.packing import open_binary, unpacking

Record = TypeVar("Record")

#: What some editors put before the first line.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def binary_lines(path: Path) -> Iterator[bytes]:
    """Yield the bytes of each line, its end included.

    Raises:
        UnreadableSourceError: If a packed file is none, or is damaged.
    """
    with open_binary(path) as file, unpacking(path):
        yield from file


def is_blank(line: bytes) -> bool:
    """Whether there is nothing in a line but white space, that of Unicode included."""
    if not line or line.isspace():
        return True
    # Most lines begin with a letter of ASCII, and are not looked at further.
    return (line[0] >= 0x80 or line[:1].isspace()) and line.decode("utf-8-sig", "replace").isspace()


def first_line(path: Path, start: int = 0) -> str:
    """Return the first line that is not blank, as far as it is a text; without one, the empty text.

    Args:
        path: The file.
        start: Lines before it that do not count.
    """
    for line in islice(binary_lines(path), start, None):
        if not is_blank(line):
            return line.decode("utf-8-sig", "replace").rstrip("\r\n")
    return ""


def decoded(path: Path, number: int, line: bytes) -> str:
    """Return the text of a line, its end included.

    Raises:
        MalformedLineError: If it is not UTF-8; the message begins with file and line.
    """
    if number == 1:
        line = line.removeprefix(BYTE_ORDER_MARK)
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise MalformedLineError(f"{shown(path)}, line {number}: this is not UTF-8 ({error.reason}).") from None


def parse_line(path: Path, number: int, line: bytes, parse: Callable[[str], Record | None]) -> Record | None:
    """Turn one line into what it means; a blank one is None.

    Args:
        path: The file, for the error.
        number: The line's, from 1, for the error.
        line: The bytes of the line.
        parse: Makes something of a line's text, None of what is no record, or raises an `UnusableLineError`.

    Raises:
        MalformedLineError: If it cannot be read; the message begins with file and line.
    """
    if is_blank(line):
        return None
    try:
        return parse(decoded(path, number, line).rstrip("\r\n"))
    except UnusableLineError as error:
        raise MalformedLineError(f"{shown(path)}, line {number}: {error}") from None


def records(path: Path, parse: Callable[[str], Record | None], start: int = 0) -> Iterator[tuple[int, Record]]:
    """Yield number and meaning of each line that is not blank; see `parse_line`.

    Args:
        path: The file.
        parse: Makes something of a line's text.
        start: Lines at the beginning that are left out; they count in the numbers.
    """
    for number, line in enumerate(islice(binary_lines(path), start, None), start=start + 1):
        if (record := parse_line(path, number, line, parse)) is not None:
            yield number, record


def parse_json(text: str) -> Any:
    """Parse the JSON of a line.

    Raises:
        UnusableLineError: If it is none, or has more levels or digits than Python reads.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UnusableLineError(f"this is not JSON ({error.msg}, column {error.colno}).") from None
    except RecursionError:
        raise UnusableLineError("this JSON has brackets in brackets, more deeply than can be read.") from None
    except ValueError as error:  # a whole number with more digits than Python converts
        raise UnusableLineError(f"this JSON has a number that cannot be read ({error}).") from None
