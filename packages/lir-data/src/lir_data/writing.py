"""Text files that are written whole or not at all."""

import os
from collections.abc import Iterable
from pathlib import Path

from lir_data.errors import OutputExistsError, UnwritableOutputError
from lir_data.sources.packing import packing


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
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"'{path}' exists already, and is not overwritten unless asked for.",
            hint="choose another name, or overwrite",
        )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    content = (f"{line}\n".encode() for line in lines)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                with packing(path, file) as packed:
                    packed.writelines(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UnwritableOutputError(f"'{path}' cannot be written: {error.strerror or error}.") from error
