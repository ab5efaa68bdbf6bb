"""What a caller gives as a source: a name, a path, several of them, or what lies in memory."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from lir_data.sources.fields import Purpose
from lir_data.sources.memory import in_memory
from lir_data.sources.names import Source, looks_like_a_file, several


class AnyTable(Protocol):
    """A table of another library: of pandas, polars, pyarrow or datasets."""

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...


#: What can be given: a name or path; a list of them, which are one collection; or a list, a mapping or a table in memory.
Given = str | Path | Sequence[Any] | Mapping[Any, Any] | AnyTable


def source_of(given: Any, purpose: Purpose) -> Source:
    """Return what is given as one source.

    A list of texts has names if one of them is a path or looks like the name of a file (see `looks_like_a_file`); any
    other holds the texts of documents or queries themselves.

    Raises:
        ArgumentError: If it is nothing that can be read.
    """
    if isinstance(given, str):
        return given
    if isinstance(given, os.PathLike):
        return os.fspath(given)
    if isinstance(given, list | tuple) and _are_names(given):
        return several([os.fspath(name) for name in given])
    return in_memory(given, purpose)


def _are_names(given: Sequence[Any]) -> bool:
    """Whether a list has names of sources in it, and nothing but texts and paths."""
    if not given or not all(isinstance(item, str | os.PathLike) for item in given):
        return False
    return any(isinstance(item, os.PathLike) or looks_like_a_file(item) for item in given)
