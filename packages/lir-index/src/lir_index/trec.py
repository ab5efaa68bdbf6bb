"""Run files as trec_eval reads them, written whole or not at all.

lir-data writes runs in more formats; a `SearchCallback` takes its writer.
"""

import gzip
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lir_index.errors import RunFileError, StorageError
from lir_index.storage import naming, replacing

# Names that promise another format, or a packing that only lir-data has.
_OTHER_SUFFIXES = (".jsonl", ".json", ".ndjson", ".parquet", ".csv", ".zst", ".bz2", ".xz", ".zip")
# Half of a surrogate pair has no UTF-8.
_COLUMN = re.compile(r"(?!\ufeff)[^\s\ud800-\udfff]+")


def check_run_path(path: Path, *, overwrite: bool) -> None:
    """Refuse a run that could not be written, before the work that makes it.

    Raises:
        RunFileError: If the file exists and ``overwrite`` is not set, or its name asks for another format than TREC.
        StorageError: If it is a folder, or nothing can be written in its folder.
    """
    suffix = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
    if suffix in _OTHER_SUFFIXES:
        raise RunFileError(
            f"The run '{path}' cannot be written: lir-index alone writes TREC, plain or as .gz, and the name ends in "
            f"'{suffix}'.",
            hint="End the name in .trec or .trec.gz, or give SearchCallback(write=...) another writer, such as "
            "lir_data.write_run.",
        )
    check_new_run(path, overwrite=overwrite)
    if path.is_dir():
        raise StorageError(f"'{path}' cannot be written: it is a folder; a file is needed.")
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(f"'{path}' could not be written: nothing can be written in '{folder}'.")


def check_new_run(path: Path, *, overwrite: bool) -> None:
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
        run: For each query its documents and their scores. Equal scores are ordered by ascending document id.
        tag: Names the run, in the last column.
        overwrite: Whether a file may be replaced.

    Raises:
        RunFileError: If the file exists, its name asks for another format, a score is NaN, or an id has a space in it or
            is empty, which six columns cannot hold.
        StorageError: If the operating system refuses to write.
    """
    check_run_path(path, overwrite=overwrite)
    lines: list[str] = []
    for query_id, documents in run.items():
        check_ids("query", [query_id])
        check_ids("document", documents)
        scores = np.fromiter(documents.values(), np.float32, len(documents)).tolist()
        if any(map(math.isnan, scores)):
            raise RunFileError(f"A score of the query '{query_id}' is NaN, which has no rank.")
        ranked = sorted(zip(documents, scores, strict=True), key=lambda item: (-item[1], item[0]))
        # numpy prints the fewest digits that give the same float32 when they are read.
        lines += [
            f"{query_id} Q0 {doc_id} {rank} {np.float32(score)!s} {tag}\n"
            for rank, (doc_id, score) in enumerate(ranked, start=1)
        ]
    data = "".join(lines).encode()
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(gzip.compress(data, mtime=0) if path.suffix.lower() == ".gz" else data)


def check_ids(what: str, ids: Iterable[str]) -> None:
    """Refuse ids that cannot be a column.

    Args:
        what: What they name: ``query`` or ``document``.
        ids: The ids.

    Raises:
        RunFileError: If one is empty or has white space in it.
    """
    for name in ids:
        if not _COLUMN.fullmatch(name):
            raise RunFileError(
                f"The {what} id {name!r} cannot stand in a run file: its columns are separated by spaces.",
                hint="lir_data.write_run, as SearchCallback(write=...), writes .jsonl and .parquet, which hold any id.",
            )
