"""Local files as an id of ir_datasets."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from lir_data.errors import ArgumentError, SourceNotFoundError
from lir_data.sources import catalogue
from lir_data.sources.fields import Purpose
from lir_data.sources.given import source_of
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import full_name, is_file_name
from lir_data.sources.parts import PartName
from lir_data.sources.registered import REGISTERED
from lir_data.sources.rows import find_tables

#: A name, or several, which are one collection.
Names = str | Path | Sequence[str | Path]

_PURPOSES: dict[PartName, Purpose] = {
    "docs": "docs",
    "queries": "queries",
    "qrels": "qrels",
    "scoreddocs": "run",
    "docpairs": "tuples",
}


def register_dataset(
    dataset_id: str,
    *,
    docs: Names | None = None,
    queries: Names | None = None,
    qrels: Names | None = None,
    scoreddocs: Names | None = None,
    docpairs: Names | None = None,
) -> None:
    """Make local files an id of ir_datasets, for this process and for those that it sends datasets to.

    ``ir_datasets.load`` and every dataset class then take the id. The files are read when they are needed, not now. To
    register an id again with the same sources changes nothing.

    Args:
        dataset_id: A name that ir_datasets does not have, such as ``my-collection/train``.
        docs: Documents: any source of `open_documents`.
        queries: Queries: any source of `open_queries`.
        qrels: Judgements: any source of `read_qrels`.
        scoreddocs: A run: any source of `read_run`.
        docpairs: Training tuples of ids: a file as of `TupleDataset`, or an id of ir_datasets. ir_datasets knows pairs
            alone, so it is told of the first document with each of the others.

    Raises:
        ArgumentError: If no source is named, or the id is taken, looks like a file, or is registered with others.
        SourceNotFoundError: If a source is not there.
        MissingPartError: If a source that is an id or a BEIR folder lacks what it is named for.
    """
    named: dict[PartName, Names | None] = {
        "docs": docs,
        "queries": queries,
        "qrels": qrels,
        "scoreddocs": scoreddocs,
        "docpairs": docpairs,
    }
    sources: dict[PartName, str] = {
        part: _full_name(part, source) for part, source in named.items() if source is not None
    }
    _check(dataset_id, sources)
    if dataset_id in REGISTERED:
        return
    for part, source in sources.items():
        _check_source(part, source)
    import ir_datasets
    from ir_datasets.datasets.base import Dataset

    from lir_data.handlers import HANDLERS

    parts = [HANDLERS[part](source) for part, source in sources.items()]
    ir_datasets.registry.register(dataset_id, Dataset(*parts))
    REGISTERED[dataset_id] = sources


def _full_name(part: PartName, given: Names) -> str:
    source = source_of(given, _PURPOSES[part])
    if isinstance(source, MemoryTable):
        raise ArgumentError(
            f"register_dataset: {part} is {source.name}; an id stands for files and other ids. The classes of datasets take "
            "what is in memory."
        )
    return full_name(source)


def _check(dataset_id: str, sources: Mapping[PartName, str]) -> None:
    """Refuse an id that cannot be registered with these sources."""
    if not dataset_id or is_file_name(dataset_id):
        raise ArgumentError(
            f"'{dataset_id}' cannot be an id: it would be taken for a file. An id is a name such as 'my-collection/train'."
        )
    if not sources:
        raise ArgumentError(f"'{dataset_id}' would be empty: name at least one of {', '.join(get_args(PartName))}.")
    if (before := REGISTERED.get(dataset_id)) is not None:
        if before != sources:
            raise ArgumentError(
                f"'{dataset_id}' is registered already, with {_listed(before)}; it cannot be registered with "
                f"{_listed(sources)} as well."
            )
        return
    try:
        catalogue.load(dataset_id)
    except SourceNotFoundError:
        return
    raise ArgumentError(f"ir_datasets has a dataset '{dataset_id}' already; choose another id.")


def _check_source(part: PartName, source: str) -> None:
    if not is_file_name(source):
        catalogue.load_with(source, part)
    else:
        find_tables(source, _PURPOSES[part])


def _listed(sources: Mapping[PartName, str]) -> str:
    return ", ".join(f"{part}='{source}'" for part, source in sources.items())
