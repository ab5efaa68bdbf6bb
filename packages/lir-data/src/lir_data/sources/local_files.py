"""A local file, and how it is laid out: by its name, and where that does not say, by its beginning."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lir_data.errors import ArgumentError
from lir_data.sources.fields import NO_FIELDS, Fields, Purpose, are_columns, named_columns
from lir_data.sources.lines import BYTE_ORDER_MARK, first_line
from lir_data.sources.names import shown
from lir_data.sources.packing import is_packed, open_binary, unpacking, without_packing
from lir_data.sources.run_metadata import count_metadata_lines
from lir_data.sources.topics import are_topics

#: ``lines`` have no names for their values, ``columns`` are such lines below a header.
Layout = Literal["lines", "columns", "json lines", "json array", "csv", "parquet", "topics"]

_JSON = (".jsonl", ".json", ".ndjson")
# Without an object in it, an array is a line that is a tuple of ColBERT, or of nothing.
_JSON_ARRAY = {True: re.compile(rb"\s*\[\s*\{"), False: re.compile(rb"\s*\[\s*[{\]]")}
# Bytes by which an array of JSON is told from lines of JSON.
_PEEK = 4096


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file, and how it is read.

    Args:
        path: Where it is.
        purpose: What it is read as.
        layout: How its records lie in it.
        fields: Which of its fields hold what, where the known names do not say.
        header: The line that names the columns; the empty text where none does.
        start: Lines of ir_metadata before the first record.
    """

    path: Path
    purpose: Purpose
    layout: Layout
    fields: Fields = NO_FIELDS
    header: str = ""
    start: int = 0

    def __str__(self) -> str:
        return shown(self.path)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, by the header."""
        return named_columns(self.header.split("\t"), self.purpose, self.fields)

    @property
    def has_lines(self) -> bool:
        """Whether each record is one line."""
        return self.layout in ("lines", "columns", "json lines")

    @property
    def can_be_sought(self) -> bool:
        """Whether a record can be read from the middle, by where it begins."""
        return self.has_lines and not is_packed(self.path)


def local_file(path: Path, purpose: Purpose, fields: Fields = NO_FIELDS) -> LocalFile:
    """Find out how a file is laid out.

    Args:
        path: The file, which is there.
        purpose: What it is to be read as.
        fields: Which of its fields hold what.

    Raises:
        ArgumentError: If fields are named, and the file has none.
        UnreadableSourceError: If it cannot be opened.
        MalformedLineError: If the comments at its beginning have no end.
    """
    fields.check(shown(path), purpose)
    match without_packing(path).suffix.lower():
        case ".parquet":
            return LocalFile(path, purpose, "parquet", fields)
        case ".csv":
            return LocalFile(path, purpose, "csv", fields)
        case suffix if suffix in _JSON:
            return LocalFile(path, purpose, "json array" if _is_array(path, purpose) else "json lines", fields)
        case _:
            return _of_lines(path, purpose, fields)


def is_jsonl(path: Path) -> bool:
    """Whether a file's name says JSON lines."""
    return without_packing(path).suffix.lower() in _JSON


def is_parquet(path: Path) -> bool:
    """Whether a file's name says parquet."""
    return without_packing(path).suffix.lower() == ".parquet"


def _is_array(path: Path, purpose: Purpose) -> bool:
    """Whether a file is one array of objects."""
    with open_binary(path) as file, unpacking(path):
        return _JSON_ARRAY[purpose == "tuples"].match(file.read(_PEEK).removeprefix(BYTE_ORDER_MARK)) is not None


def _of_lines(path: Path, purpose: Purpose, fields: Fields) -> LocalFile:
    start = count_metadata_lines(path) if purpose in ("qrels", "run", "tuples") else 0
    first = first_line(path, start)
    if purpose == "queries" and are_topics(first):
        return LocalFile(path, purpose, "topics", fields)
    columns = named_columns(first.split("\t"), purpose, fields)
    if len(columns) > 1 and are_columns(columns, purpose, fields):
        return LocalFile(path, purpose, "columns", fields, first, start)
    if fields != NO_FIELDS:
        raise ArgumentError(
            f"'{shown(path)}' has no fields to name by '?{fields}': its lines are columns without a header."
        )
    return LocalFile(path, purpose, "lines", fields, start=start)
