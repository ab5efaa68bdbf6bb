"""What a run says about itself: the comments of ir_metadata at its beginning.

Breuer et al. (2022), *ir_metadata: An Extensible Metadata Schema for IR Experiments*. https://doi.org/10.1145/3477495.3531738
"""

from pathlib import Path

from lir_data.errors import MalformedLineError
from lir_data.sources.lines import BYTE_ORDER_MARK, binary_lines, decoded
from lir_data.sources.names import existing, shown

_START, _END = b"# ir_metadata.start", b"# ir_metadata.end"


def count_metadata_lines(path: Path) -> int:
    """Return how many lines of a file, from the first, are comments of ir_metadata.

    Raises:
        MalformedLineError: If their end is not marked.
    """
    for number, line in enumerate(binary_lines(path), start=1):
        if number == 1 and line.removeprefix(BYTE_ORDER_MARK).strip() != _START:
            return 0
        if line.strip() == _END:
            return number
        if not line.startswith(b"#") and number > 1 and line.strip():
            raise MalformedLineError(
                f"{shown(path)}, line {number}: the comments of ir_metadata that begin in line 1 go on to a line "
                f"'{_END.decode()}', and each begins with #."
            )
    return _unended(path)


def read_run_metadata(path: str | Path) -> str | None:
    """Return what a run or judgements say about themselves, in comments of ir_metadata before the first line.

    Args:
        path: The file, plain or packed.

    Returns:
        The text between ``# ir_metadata.start`` and ``# ir_metadata.end`` without the marks of comments, which is YAML; None
        if the file does not begin like that.

    Raises:
        SourceNotFoundError: If there is no such file.
        MalformedLineError: If the end is not marked.
    """
    file = existing(str(path))
    count = count_metadata_lines(file)
    if not count:
        return None
    lines = (decoded(file, number, line) for number, line in enumerate(binary_lines(file), start=1) if number < count)
    next(lines)
    return "".join(line.removeprefix("#").removeprefix(" ") for line in lines)


def _unended(path: Path) -> int:
    """Refuse a file of comments alone; an empty file has none."""
    if next(binary_lines(path), None) is None:
        return 0
    raise MalformedLineError(f"{shown(path)}, line 1: the comments of ir_metadata have no end, '{_END.decode()}'.")
