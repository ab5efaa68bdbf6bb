"""The rows of tables, one after the other, whatever they lie in: a local file, a dataset of Hugging Face, or memory.

Lines without a header have no names for their values, and are read by what knows their columns.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from lir_data.errors import ArgumentError, MalformedLineError, UnreadableSourceError, UnusableLineError
from lir_data.sources import beir, hugging_face
from lir_data.sources.delimited import csv_rows, row_parser
from lir_data.sources.fields import NO_FIELDS, Fields, Purpose
from lir_data.sources.hugging_face import HuggingFaceName
from lir_data.sources.lines import BYTE_ORDER_MARK, Record, binary_lines, is_blank, parse_json, records
from lir_data.sources.local_files import LocalFile, local_file
from lir_data.sources.memory import MemoryTable, rows_of
from lir_data.sources.names import Source, beir_folder, files_of, names_in, shown, split_fields
from lir_data.sources.packing import without_packing
from lir_data.sources.topics import topics
from lir_data.sources.unicode import clean

#: Where rows lie.
Table = LocalFile | HuggingFaceName | MemoryTable

# Rows of parquet that are in memory at once.
_BATCH = 1024


def has_columns(table: Table) -> bool:
    """Whether each row names its values; otherwise it is a line of text."""
    return not isinstance(table, LocalFile) or table.layout != "lines"


def fields_of(table: Table) -> Fields:
    """Return the fields that a table's name gives."""
    return NO_FIELDS if isinstance(table, MemoryTable) else table.fields


def find_tables(source: Source, purpose: Purpose) -> tuple[Table, ...]:
    """Return where a source lies that is no id of ir_datasets.

    Args:
        source: Its name: of files, of a BEIR folder or of a dataset of Hugging Face; or what is in memory.
        purpose: What it is read as, which says what is wanted of a BEIR folder.

    Raises:
        SourceNotFoundError: If there is no such file.
        MissingPartError: If a BEIR folder lacks the part or the split.
        ArgumentError: If the name of a dataset of Hugging Face makes no sense.
    """
    if isinstance(source, MemoryTable):
        return (source,)
    names = names_in(source)
    found: list[Table] = []
    for name in [source] if names is None else names:
        found += _tables_of(name, purpose)
    return tuple(found)


def find_table(source: Source, purpose: Purpose) -> Table:
    """Return where a source lies that is one table; see `find_tables`.

    Raises:
        ArgumentError: If it is several.
    """
    first, *others = find_tables(source, purpose)
    if others:
        raise ArgumentError(f"'{shown(source)}' is {1 + len(others)} files; the {purpose} are read of one.")
    return first


def _tables_of(name: str, purpose: Purpose) -> list[Table]:
    if name.startswith(hugging_face.PREFIX):
        table = HuggingFaceName.parse(name)
        table.fields.check(name, purpose)
        return [table]
    path, fields = split_fields(name)
    if purpose in ("docs", "queries", "qrels") and (folder := beir_folder(path)) is not None:
        return [local_file(beir.file_of(folder, purpose), purpose, fields)]
    return [local_file(file, purpose, fields) for file in files_of(path)]


def rows(table: Table) -> Iterator[tuple[str, Any]]:
    """Yield the place of each row, for messages, and its values by name.

    Args:
        table: Any but lines without a header.

    Yields:
        A place such as ``docs.jsonl, line 7`` or ``docs.parquet, row 7``, counted from 1, and the row.

    Raises:
        MalformedLineError: If a line cannot be read; the message begins with its place.
        UnreadableSourceError: If a file is damaged, or a library that reads it is not installed.
    """
    return ((place(table, number), row) for number, row in _numbered_rows(table))


def parsed(
    table: Table, of_line: Callable[[str], Record | None], of_row: Callable[[Any], Record | None]
) -> Iterator[tuple[int, Record]]:
    """Yield number and meaning of each record; `place` makes a place of the number.

    Args:
        table: Where the records lie.
        of_line: Makes something of a line of a file without columns, or raises an `UnusableLineError`.
        of_row: The same of a row of any other table.

    Raises:
        MalformedLineError: If a record cannot be read; the message begins with its place.
    """
    if isinstance(table, LocalFile) and table.has_lines:
        return records(table.path, line_parser(table, of_line, of_row), table.start)
    return parsed_rows(table, _numbered_rows(table), of_row)


def line_parser(
    table: LocalFile, of_line: Callable[[str], Record | None], of_row: Callable[[Any], Record | None]
) -> Callable[[str], Record | None]:
    """Return what makes a record of a line of a file that has one in each line; see `parsed`."""
    match table.layout:
        case "json lines":
            return lambda line: of_row(json_object(line))
        case "columns":
            row = row_parser(table.columns, table.header)
            return lambda line: None if (values := row(line)) is None else of_row(values)
        case _:
            return of_line


def parsed_rows(
    table: Table, numbered: Iterable[tuple[int, Any]], of_row: Callable[[Any], Record | None]
) -> Iterator[tuple[int, Record]]:
    """Yield number and meaning of each row, by its number; see `parsed`."""
    for number, row in numbered:
        try:
            record = of_row(row)
        except UnusableLineError as error:
            raise MalformedLineError(f"{place(table, number)}: {error}") from None
        if record is not None:
            yield number, record


def place(table: Table, number: int) -> str:
    """Return the place of a record for messages, such as ``docs.jsonl, line 7``; made only where something is wrong."""
    if isinstance(table, MemoryTable):
        return f"{table.name}, index {number - 1}"  # as Python counts
    is_line = isinstance(table, LocalFile) and (table.has_lines or table.layout == "csv")
    return f"{table}, {'line' if is_line else 'row'} {number}"


def count_rows(table: Table) -> int:
    """Return the number of rows, or of lines that are not blank."""
    if isinstance(table, MemoryTable):
        return len(table)
    if isinstance(table, HuggingFaceName):
        return len(hugging_face.table(table))
    if table.layout == "parquet":
        with parquet_file(table.path) as file:
            return file.metadata.num_rows
    if not table.has_lines:
        return sum(1 for _ in _numbered_rows(table))
    lines = islice(binary_lines(table.path), table.start, None)
    count = sum(not is_blank(line) for line in lines)
    if table.layout == "columns":
        header = table.header.encode()
        count -= sum(header == line.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n") for line in binary_lines(table.path))
    return count


def json_object(line: str) -> dict[str, Any]:
    """Parse one line of a jsonl file."""
    value = parse_json(line)
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


def _numbered_rows(table: Table) -> Iterator[tuple[int, Any]]:
    if isinstance(table, MemoryTable):
        return _memory_rows(table)
    if isinstance(table, HuggingFaceName):
        return enumerate(_hugging_face_rows(table), start=1)
    match table.layout:
        case "parquet":
            return enumerate(_parquet_rows(table.path), start=1)
        case "csv":
            return csv_rows(table.path, table.purpose, table.fields)
        case "json array":
            return enumerate(_json_array(table.path), start=1)
        case "topics":
            return enumerate(topics(table.path), start=1)
        case _:
            return records(table.path, line_parser(table, _without_names, _itself), table.start)


def _memory_rows(table: MemoryTable) -> Iterator[tuple[int, Any]]:
    for number, item in enumerate(table.items, start=1):
        try:
            found = rows_of(table.purpose, number - 1, item)
        except UnusableLineError as error:
            raise MalformedLineError(f"{place(table, number)}: {error}") from None
        for row in found:
            yield number, row


def _json_array(path: Path) -> Iterator[Any]:
    """Yield the objects of an array, which is read as a whole."""
    content = b"".join(binary_lines(path)).removeprefix(BYTE_ORDER_MARK)
    try:
        values = parse_json(content.decode())
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise MalformedLineError(f"{shown(path)}, line {number}: this is not UTF-8 ({error.reason}).") from None
    except UnusableLineError as error:
        number = getattr(error.__cause__ or error.__context__, "lineno", 1)
        raise MalformedLineError(f"{shown(path)}, line {number}: {error}") from None
    for value in values:
        if not isinstance(value, dict):
            raise MalformedLineError(f"{shown(path)}: {clean(repr(value))[:40]} is no object with keys and values.")
        yield value


def _without_names(line: str) -> Any:
    raise UnusableLineError(f"there is no header that names the columns: {line[:40]}")


def _itself(row: Any) -> Any:
    return row


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
