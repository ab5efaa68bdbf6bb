"""Files that are written whole or not at all, and arrays that are read where they lie."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lir_index.errors import DamagedIndexError, StorageError


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Write a file under a temporary name, and give it its own name when it is complete and on the disk.

    Args:
        path: The file to make, or to replace. Its folder is not made: one that has gone while work went on stays away.

    Yields:
        The temporary path, in the same folder. If the block raises, the file is removed and ``path`` is as before.

    Raises:
        StorageError: If the operating system refuses, for instance because the disk is full.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with naming(path):
            yield temporary
            flush_to_disk(temporary)
            temporary.replace(path)
            flush_to_disk(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Turn an error of the operating system into a sentence that names ``path``."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"'{path}' could not be written: {error.strerror or error}.") from error


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class ArrayWriter:
    """Writes a ``.npy`` file some rows at a time. Not a memmap: on a full disk, writing to one kills the process.

    Args:
        path: The file.
        row: Shape of a row; empty for an array of one dimension.
        dtype: Of its numbers.
    """

    def __init__(self, path: Path, row: tuple[int, ...] = (), dtype: npt.DTypeLike = np.float32) -> None:
        self._row = row
        self._dtype = np.dtype(dtype)
        self._count = 0
        self._file = path.open("wb")
        self._write_header()

    def append(self, rows: npt.NDArray[Any]) -> None:
        """Write the next rows."""
        self._file.write(np.ascontiguousarray(rows, dtype=self._dtype).data)
        self._count += len(rows)

    def _write_header(self) -> None:
        # numpy leaves room for the number of rows to grow, so that the header can be written again.
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self._count, *self._row)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.seek(0)
            self._write_header()


def map_array(path: Path, dtype: type[np.generic], shape: tuple[int | None, ...] = (None,)) -> npt.NDArray[Any]:
    """Memory-map an array of a ``.npy`` file, for reading.

    Args:
        path: The file.
        dtype: What its numbers have to be; a family of types, such as ``numpy.integer``, stands for any of it.
        shape: What it has to be; None stands for any number.

    Raises:
        DamagedIndexError: If the file is missing or is another array.
    """
    try:
        # Not numpy.load, which would read other formats, too.
        mapped = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:
        # numpy reads the header with Python's parser, which raises what it likes.
        raise DamagedIndexError(f"'{path}' is damaged: {error}.") from error
    fits = len(mapped.shape) == len(shape) and all(b in (None, a) for a, b in zip(mapped.shape, shape, strict=True))
    is_right = np.issubdtype(mapped.dtype, dtype) and mapped.dtype.isnative
    if not (mapped.flags.c_contiguous and mapped.flags.aligned):
        raise DamagedIndexError(f"'{path}' is damaged: its numbers do not lie row by row.")
    if not fits or not is_right:
        right = f"{dtype.__name__} [{', '.join('n' if size is None else str(size) for size in shape)}]"
        raise DamagedIndexError(f"'{path}' is damaged: it is {mapped.dtype} {list(mapped.shape)}, not {right}.")
    # A plain view: slicing a memmap object costs microseconds each time.
    return np.asarray(mapped)
