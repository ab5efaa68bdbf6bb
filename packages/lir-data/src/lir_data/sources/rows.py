"""The rows of tables, one after the other, whatever they lie in: JSON lines, parquet, or a dataset of Hugging Face.

Tab-separated files have no names for their columns, and are read by lines.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lir_data.errors import MalformedLineError, SourceNotFoundError, UnreadableSourceError
from lir_data.sources import beir, hugging_face
from lir_data.sources.hugging_face import HuggingFaceName
from lir_data.sources.lines import Record, UnusableLineError, binary_lines, records
from lir_data.sources.names import beir_folder, existing, no_beir_folder, shown
from lir_data.sources.packing import without_packing

#: Where a table lies.
Table = Path | HuggingFaceName

_JSON_LINES = (".jsonl", ".json", ".ndjson")

# Rows of parquet that are in memory at once.
_BATCH = 1024


def is_jsonl(path: Path) -> bool:
    """Whether a file's name says jsonl."""
    return without_packing(path).suffix.lower() in _JSON_LINES


def is_parquet(path: Path) -> bool:
    """Whether a file's name says parquet."""
    return without_packing(path).suffix.lower() == ".parquet"


def has_columns(table: Table) -> bool:
    """Whether each row names its values; otherwise it is a line of text."""
    return isinstance(table, HuggingFaceName) or is_jsonl(table) or is_parquet(table)


def find_table(source: str | Path, part: beir.Part | None = None) -> Table:
    """Return where a source lies that is a file, a BEIR folder, or a dataset of Hugging Face.

    Args:
        source: Its name.
        part: What is wanted of a BEIR folder; None where a folder makes no sense.

    Raises:
        SourceNotFoundError: If there is no such file.
        MissingPartError: If a BEIR folder lacks the part or the split.
        ArgumentError: If the name of a dataset of Hugging Face makes no sense.
    """
    name = str(source)
    if name.startswith(hugging_face.PREFIX):
        return HuggingFaceName.parse(name)
    if part is not None and (folder := beir_folder(name)) is not None:
        return beir.file_of(folder, part)
    if part is not None and Path(name).expanduser().is_dir():
        raise SourceNotFoundError(no_beir_folder(name))
    return existing(name)


def rows(table: Table | str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the place of each row, for messages, and its values by name.

    Args:
        table: A file of JSON lines (plain or packed) or parquet, or a dataset of Hugging Face (``hf:NAME``).

    Yields:
        A place such as ``docs.jsonl, line 7`` or ``docs.parquet, row 7``, counted from 1, and the row.

    Raises:
        SourceNotFoundError: If there is no such file or folder.
        MalformedLineError: If a line is no JSON object; the message begins with its place.
        UnreadableSourceError: If a file is damaged, or a library that reads it is not installed.
    """
    if isinstance(table, str):
        table = find_table(table)
    return ((place(table, number), row) for number, row in _numbered_rows(table))


def parsed(
    table: Table, of_line: Callable[[str], Record], of_row: Callable[[Mapping[str, Any]], Record]
) -> Iterator[tuple[int, Record]]:
    """Yield number and meaning of each record; `place` makes a place of the number.

    Args:
        table: A file or a dataset of Hugging Face.
        of_line: Makes something of a line of a file without columns, or raises an `UnusableLineError`.
        of_row: The same of a row of any other table.

    Raises:
        MalformedLineError: If a record cannot be read; the message begins with its place.
    """
    if isinstance(table, Path) and not has_columns(table):
        return records(table, of_line)
    return parsed_rows(table, _numbered_rows(table), of_row)


def parsed_rows(
    table: Table, numbered: Iterable[tuple[int, Mapping[str, Any]]], of_row: Callable[[Mapping[str, Any]], Record]
) -> Iterator[tuple[int, Record]]:
    """Yield number and meaning of each row, by its number; see `parsed`."""
    for number, row in numbered:
        try:
            record = of_row(row)
        except UnusableLineError as error:
            raise MalformedLineError(f"{place(table, number)}: {error}") from None
        yield number, record


def place(table: Table, number: int) -> str:
    """Return the place of a record for messages, such as ``docs.jsonl, line 7``; made only where something is wrong."""
    is_line = isinstance(table, Path) and not is_parquet(table)
    return f"{shown(table)}, {'line' if is_line else 'row'} {number}"


def count_rows(path: Path) -> int:
    """Return the number of rows of a file, or of its lines that are not empty."""
    if is_parquet(path):
        with parquet_file(path) as file:
            return file.metadata.num_rows
    return sum(1 for line in binary_lines(path) if line.rstrip(b"\r\n"))


def json_object(line: str) -> dict[str, Any]:
    """Parse one line of a jsonl file."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise UnusableLineError(f"this is not JSON ({error.msg}, column {error.colno}).") from None
    if not isinstance(value, dict):
        raise UnusableLineError(f"this is JSON, but no object with keys and values: {line[:40]}")
    return value


def parquet_file(path: Path) -> Any:
    """Open a parquet file; of its rows none is read yet.

    Raises:
        UnreadableSourceError: If pyarrow is not installed, or the file is none of parquet.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise UnreadableSourceError(f"'{shown(path)}' needs pyarrow: pip install lir-data[parquet]") from None
    if path != without_packing(path):
        raise UnreadableSourceError(f"'{shown(path)}' is packed twice: parquet packs by itself. Unpack it first.")
    try:
        # With a buffer, a column is read in pieces, and not a whole row group of it.
        return parquet.ParquetFile(path, buffer_size=1 << 20)
    except (pa.ArrowInvalid, OSError) as error:
        raise _no_parquet(path, error) from error


def _numbered_rows(table: Table) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if isinstance(table, HuggingFaceName):
        return enumerate(_hugging_face_rows(table), start=1)
    return enumerate(_parquet_rows(table), start=1) if is_parquet(table) else records(table, json_object)


def _parquet_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with parquet_file(path) as file:
        import pyarrow as pa

        try:
            for batch in file.iter_batches(batch_size=_BATCH):
                yield from batch.to_pylist()
        except (pa.ArrowException, OSError) as error:
            raise _no_parquet(path, error) from error


def _no_parquet(path: Path, error: Exception) -> UnreadableSourceError:
    reason = " ".join(str(error).split())
    return UnreadableSourceError(f"'{shown(path)}' is no parquet file, or a damaged one: {reason}")


def _hugging_face_rows(name: HuggingFaceName) -> Iterator[Mapping[str, Any]]:
    items = iter(hugging_face.stream(name))
    while True:
        try:
            row = next(items)
        except StopIteration:
            return
        except Exception as error:
            raise hugging_face.reading_failed(name, error) from error
        yield row
