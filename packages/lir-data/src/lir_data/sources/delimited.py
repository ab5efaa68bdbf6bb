"""Rows of delimited text with a header: csv, and tab-separated lines below the names of their columns."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lir_data.errors import MalformedLineError, UnusableLineError
from lir_data.sources.fields import Fields, Purpose, named_columns
from lir_data.sources.lines import binary_lines, decoded, is_blank
from lir_data.sources.names import shown

# The longest field that is read: a document, all of it.
_LONGEST = 2**31 - 1


class TextRow(dict[str, Any]):
    """A row whose numbers are still text."""


def row_parser(columns: Sequence[str], header: str) -> Callable[[str], TextRow | None]:
    """Return what makes a row of a tab-separated line; the last column takes what tabs there are beyond.

    Args:
        columns: The names of the columns.
        header: The line that names them, which is no row, however often it comes: files may have been joined.
    """

    def parse(line: str) -> TextRow | None:
        if line == header:
            return None
        return _row(columns, line.split("\t", len(columns) - 1))

    return parse


def csv_rows(path: Path, purpose: Purpose, fields: Fields) -> Iterator[tuple[int, TextRow]]:
    """Yield the rows of a csv file below its header, each with the number of the line where it begins.

    Columns are separated by commas, or by the semicolons or tabs of which the header has more.

    Raises:
        MalformedLineError: If a line is not UTF-8, has other columns than the header, or a quote that is not closed.
    """
    csv.field_size_limit(_LONGEST)
    numbered = enumerate(binary_lines(path), start=1)
    start, first = next(((number, line) for number, line in numbered if not is_blank(line)), (1, b""))
    header = decoded(path, start, first)
    lines = (decoded(path, number, line) for number, line in numbered)
    delimiter = max(",;\t", key=header.count)
    columns = named_columns(next(csv.reader([header], delimiter=delimiter), []), purpose, fields)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        number = start + reader.line_num + 1
        try:
            values = next(reader, None)
            if values is None:
                return
            if any(value and not value.isspace() for value in values):
                yield number, _row(columns, values)
        except (csv.Error, UnusableLineError) as error:
            raise MalformedLineError(f"{shown(path)}, line {number}: {str(error).rstrip('.')}.") from None


def _row(columns: Sequence[str], values: Sequence[str]) -> TextRow:
    if len(values) != len(columns):
        counted = "there is 1 column" if len(values) == 1 else f"there are {len(values)} columns"
        raise UnusableLineError(f"{counted}, but the header names {len(columns)}: {', '.join(columns)}.")
    return TextRow(zip(columns, values, strict=True))
