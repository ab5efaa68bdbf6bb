"""Training tuples as files."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lir_data.errors import ArgumentError
from lir_data.sources.local_files import is_jsonl
from lir_data.sources.training_files import TrainingTuple
from lir_data.writing import check_output, write_lines


def check_tuples_output(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a file that `write_tuples` could not write, before the work that makes the tuples.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If the name asks for another format than JSON lines.
        UnwritableOutputError: If the system would refuse.
    """
    path = Path(path)
    if not is_jsonl(path):
        raise ArgumentError(
            f"'{path}' would hold tuples, which are written as JSON lines: its name must end in .jsonl, .jsonl.gz or "
            ".jsonl.zst."
        )
    check_output(path, overwrite=overwrite)


def write_tuples(
    path: str | Path, tuples: Iterable[TrainingTuple], *, by_id: bool = True, overwrite: bool = False
) -> None:
    """Write tuples as JSON lines, whole or not at all; packed if the name ends in .gz or .zst. `TupleDataset` reads them.

    Args:
        path: The file; folders on the way to it are made.
        tuples: A query, documents, and scores where there are any; written as they come, one in memory at a time. Scores
            are written with the digits that give the same float32 back.
        by_id: Whether they hold ids (``query_id``, ``doc_ids``), not texts (``query``, ``docs``).
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If the name asks for another format, a tuple has no document, or a score is not finite as float32.
        UnwritableOutputError: If the system refuses.
    """
    check_tuples_output(path, overwrite=overwrite)
    query_key, docs_key = ("query_id", "doc_ids") if by_id else ("query", "docs")

    def lines() -> Iterator[str]:
        for item in tuples:
            if not item.docs:
                raise ArgumentError(f"The tuple of the query '{item.query}' has no document.")
            values: dict[str, Any] = {query_key: item.query, docs_key: list(item.docs)}
            if item.scores is not None:
                values["scores"] = [_short(score, item.query) for score in item.scores]
            yield json.dumps(values, ensure_ascii=False)

    with np.errstate(over="ignore"):  # a score beyond float32 is infinite, and refused
        write_lines(Path(path), lines(), overwrite=overwrite)


def _short(score: float, query: str) -> float:
    single = np.float32(score)
    if not np.isfinite(single):
        raise ArgumentError(f"A score of the query '{query}' is {single}; a score of a tuple is finite.")
    return float(str(single))
