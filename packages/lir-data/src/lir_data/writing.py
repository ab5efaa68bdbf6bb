"""Files that are written whole or not at all: lines of text, and parquet."""

import os
import tempfile
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import IO, Any

from lir_data.errors import ArgumentError, OutputExistsError, UnwritableOutputError
from lir_data.sources.packing import is_packed, packing

# Rows of parquet that are packed together, and in memory at once.
_ROW_GROUP = 100_000


def write_lines(path: Path, lines: Iterable[str], *, overwrite: bool) -> None:
    """Write lines as UTF-8; packed if the name ends in .gz or .zst, and then the same bytes for the same lines.

    Args:
        path: The file; folders on the way to it are made.
        lines: Without their ends.
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        UnwritableOutputError: If the system refuses.
    """
    with _written_whole(path, overwrite=overwrite) as file, packing(path, file) as packed:
        packed.writelines(f"{line}\n".encode() for line in lines)


def write_parquet(path: Path, kinds: Mapping[str, str], rows: Iterable[Sequence[Any]], *, overwrite: bool) -> None:
    """Write rows as parquet: the same bytes for the same rows and the same pyarrow.

    Args:
        path: The file; folders on the way to it are made.
        kinds: The type of each column, as pyarrow names it.
        rows: The values of each row, in the order of the columns.
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If the name ends in .gz or .zst, or a text is not Unicode.
        UnwritableOutputError: If pyarrow is not installed, or the system refuses.
    """
    check_parquet(path)
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in kinds.items()])
    with _written_whole(path, overwrite=overwrite) as file, parquet.ParquetWriter(file, schema) as writer:
        rows = iter(rows)
        while group := list(islice(rows, _ROW_GROUP)):  # itertools.batched begins with Python 3.12
            columns = zip(*group, strict=True)
            try:
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            except UnicodeEncodeError as error:
                raise ArgumentError(f"{error.object!r} cannot stand in a parquet file: it is not Unicode.") from None
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def check_output(path: str | Path, *, overwrite: bool) -> None:
    """Refuse, before any work, a file that could not be written after it.

    Args:
        path: The file; folders on the way to it may be missing.
        overwrite: Whether an existing file is to be replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        UnwritableOutputError: If it is no file, or the system would refuse.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise UnwritableOutputError(f"'{path}' is a folder; the output is a file.")
        _refuse_existing(path, overwrite=overwrite)
        if path.exists() and not path.is_file():
            # It would be replaced by a file: /dev/null, for everyone on the machine.
            raise UnwritableOutputError(f"'{path}' is no regular file, and is not replaced by one.")
        _temporary(path).exists()  # a name that is too long
    except OSError as error:
        raise _unwritable(path, error) from error
    check_place(path)


def check_parquet(path: Path) -> None:
    """Refuse parquet that cannot be written here.

    Raises:
        ArgumentError: If the name ends in .gz or .zst.
        UnwritableOutputError: If pyarrow is not installed.
    """
    if is_packed(path):
        raise ArgumentError(f"'{path}' would be packed twice: parquet packs by itself. End the name in .parquet.")
    if find_spec("pyarrow") is None:
        raise UnwritableOutputError(f"'{path}' needs pyarrow: pip install lir-data[parquet]")


def check_place(path: str | Path) -> None:
    """Refuse, before any work, a file or folder that the system would not let anyone make or replace.

    Args:
        path: What is to be made; folders on the way to it may be missing. Nothing is made yet.

    Raises:
        UnwritableOutputError: If the system refuses.
    """
    path = Path(path)
    folder = path.absolute().parent
    try:
        while not folder.is_dir() and not folder.is_symlink() and not folder.exists():
            folder = folder.parent
        # The one sure question: what may be written is not known from permissions alone. On Linux it has no name, so that
        # nothing is left of it whatever happens.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UnwritableOutputError:
    return UnwritableOutputError(f"'{path}' cannot be written: {error.strerror or error}.")


def _refuse_existing(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"'{path}' exists already, and is not overwritten unless asked for.",
            hint="choose another name, or overwrite",
        )


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def _written_whole(path: Path, *, overwrite: bool) -> Generator[IO[bytes], None, None]:
    """Give a temporary file that takes the name when all is written, and goes when anything fails."""
    _refuse_existing(path, overwrite=overwrite)
    temporary = _temporary(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
