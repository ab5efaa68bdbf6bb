"""Packed files: .gz, .zst, .bz2 and .xz, read and written alike."""

import bz2
import gzip
import lzma
import sys
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from lir_data.errors import UnreadableSourceError
from lir_data.sources.names import PACKINGS, shown

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_FORMATS = dict(zip(PACKINGS, ("gzip", "Zstandard", "bzip2", "xz"), strict=True))


def is_packed(path: Path) -> bool:
    """Whether a file's name says that it is packed."""
    return path.suffix.lower() in _FORMATS


def without_packing(path: Path) -> Path:
    """Return a file's name without what packs it: its last suffix is that of the format."""
    return path.with_suffix("") if is_packed(path) else path


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacking it if its name says so.

    Raises:
        UnreadableSourceError: If the system refuses.
    """
    try:
        match path.suffix.lower():
            case ".gz":
                return cast("IO[bytes]", gzip.open(path))
            case ".zst":
                return cast("IO[bytes]", zstd.open(path))
            case ".bz2":
                return cast("IO[bytes]", bz2.open(path))
            case ".xz":
                return cast("IO[bytes]", lzma.open(path))
            case _:
                return path.open("rb")
    except OSError as error:
        raise UnreadableSourceError(f"'{shown(path)}' cannot be read: {error.strerror or error}.") from error


@contextmanager
def unpacking(path: Path) -> Generator[None, None, None]:
    """Turn what is wrong with a packed file into one sentence.

    Raises:
        UnreadableSourceError: If the file is not packed as its name says, or is damaged.
    """
    try:
        yield
    except (OSError, zlib.error, zstd.ZstdError, lzma.LZMAError, EOFError) as error:
        # bz2 has no error of its own: what it cannot read is an OSError without a number, as gzip's is.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        kind = _FORMATS.get(path.suffix.lower(), "readable")
        raise UnreadableSourceError(f"'{shown(path)}' is no {kind} file, or a damaged one: {error}.") from error


@contextmanager
def packing(path: Path, file: IO[bytes]) -> Generator[IO[bytes], None, None]:
    """Give what packs into an open file as the name says; the same bytes for the same content.

    Args:
        path: The name that counts.
        file: Open for writing; it stays open.
    """
    match path.suffix.lower():
        case ".gz":
            with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
                yield cast("IO[bytes]", packed)
        case ".zst":
            with zstd.ZstdFile(file, "wb") as packed:
                packed.write(b"")  # otherwise a file without content has not even an empty frame, and is none
                yield cast("IO[bytes]", packed)
        case ".bz2":
            with bz2.BZ2File(file, "wb") as packed:
                yield cast("IO[bytes]", packed)
        case ".xz":
            with lzma.LZMAFile(file, "wb") as packed:
                yield cast("IO[bytes]", packed)
        case _:
            yield file
