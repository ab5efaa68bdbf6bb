"""Run files as trec_eval reads them, written whole or not at all."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lir_index.errors import RunFileError
from lir_index.storage import naming, replacing


def check_run_path(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that exists.

    Raises:
        RunFileError: If it does, and ``overwrite`` is not set.
    """
    if path.exists() and not overwrite:
        raise RunFileError(f"The run '{path}' exists already.", hint="Give another name, or allow to overwrite it.")


def write_run(path: Path, run: Mapping[str, Mapping[str, float]], *, tag: str = "lir", overwrite: bool = False) -> None:
    """Write a run: ``query Q0 doc rank score tag`` on each line.

    Args:
        path: The file; its folder is made where it is missing, and a name that ends in .gz is compressed.
        run: For each query its documents, best first, and their scores.
        tag: Names the run, in the last column.
        overwrite: Whether a file may be replaced.

    Raises:
        RunFileError: If the file exists, or an id has a space in it or is empty, which six columns cannot hold.
        StorageError: If the operating system refuses to write.
    """
    check_run_path(path, overwrite=overwrite)
    lines: list[str] = []
    for query_id, documents in run.items():
        _check_id("query", query_id)
        for rank, (doc_id, score) in enumerate(documents.items(), start=1):
            _check_id("document", doc_id)
            # numpy prints the fewest digits that give the same float32 when they are read.
            lines.append(f"{query_id} Q0 {doc_id} {rank} {np.float32(score)!s} {tag}\n")
    data = "".join(lines).encode()
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _check_id(what: str, name: str) -> None:
    if name.split() != [name]:
        raise RunFileError(
            f"The {what} id {name!r} cannot stand in a run file: its columns are separated by spaces.",
            hint="Search from Python, where ids may have spaces.",
        )
