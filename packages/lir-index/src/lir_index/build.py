"""From parts and a config to an index of any kind: complete, or as if nothing had happened."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lir_index.config import IndexConfig, Similarity
from lir_index.doc_ids import write_doc_ids
from lir_index.errors import (
    ArgumentError,
    EmbeddingsError,
    ForeignIndexError,
    IndexExistsError,
    LirIndexError,
    NoIndexError,
)
from lir_index.index import Index
from lir_index.kinds import index_class
from lir_index.manifest import NAME, Manifest, describe
from lir_index.metadata import Metadata
from lir_index.parts import Parts
from lir_index.storage import flush_to_disk, naming

PARTS = "parts"
"""The folder, inside that of the index, where callbacks keep the parts."""

_DATA = "data-"


def build(
    parts_dir: str | Path,
    index_dir: str | Path,
    config: IndexConfig,
    *,
    metadata: Mapping[str, Any] | Metadata | None = None,
    overwrite: bool = False,
) -> Index:
    """Build an index from the parts that :class:`lir_index.PartWriter` wrote.

    The files go into a new folder inside ``index_dir``, and ``index.json``, written last, names that folder. So an
    interrupted build leaves nothing that opens, and an old index stays as it is until the new one is complete.

    Args:
        parts_dir: The parts; they are only read.
        index_dir: Folder of the index; made where it is missing.
        config: Which kind of index, and its parameters.
        metadata: Where the embeddings come from; None takes what the parts say.
        overwrite: Whether an index in ``index_dir`` may be replaced.

    Returns:
        The new index, opened.

    Raises:
        IndexExistsError: If there is an index, and ``overwrite`` is not set.
        ForeignIndexError: If the folder holds anything that is not of an index.
        PartsError: If the parts are missing, unfinished or damaged.
        EmbeddingsError: If the kind does not take the form of the parts' embeddings.
        DocumentIdError: If two documents have the same id.
        StorageError: If the operating system refuses to write.
    """
    folder = Path(index_dir)
    check_target(folder, overwrite=overwrite)
    parts = Parts(parts_dir)
    kind = index_class(config.kind)
    if parts.form != kind.form:
        raise EmbeddingsError(
            f"An index of the kind {config.kind} is built from {kind.form} embeddings, and the parts hold {parts.form} ones."
        )
    origin = parts.metadata if metadata is None else Metadata.of(metadata)
    if origin.dim not in (None, parts.dim):
        raise EmbeddingsError(f"The parts hold vectors of {parts.dim} dimensions, not of {origin.dim}.")
    similarity = choose_similarity(config, origin)

    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
        data = _new_data_folder(folder)
        try:
            write_doc_ids(data, parts.doc_ids())
            details = kind.write(data, parts, config, similarity)
            files = {path.name: describe(path) for path in sorted(data.iterdir())}
            for path in (*data.iterdir(), data):
                flush_to_disk(path)
            Manifest(
                kind=config.kind,
                parameters=config.parameters(),
                similarity=similarity,
                dim=parts.dim,
                dtype="float32",
                num_docs=parts.num_docs,
                model=origin.model,
                fingerprint=origin.fingerprint,
                documents=origin.documents,
                data=data.name,
                files=files,
                details=dict(details),
            ).write(folder)
        except BaseException:
            shutil.rmtree(data, ignore_errors=True)
            raise
        _remove_leftovers(folder)
    return Index.open(folder)


def check_target(folder: Path, *, overwrite: bool) -> None:
    """Refuse a folder that an index must not be written to.

    Args:
        folder: Where the index is to be; it may be missing.
        overwrite: Whether an index may be replaced.

    Raises:
        IndexExistsError: If there is an index, and ``overwrite`` is not set.
        ForeignIndexError: If the folder holds anything that is not of an index.
    """
    if folder.exists() and not folder.is_dir():
        raise ForeignIndexError(f"'{folder}' is a file, and an index is a folder.")
    foreign = [path.name for path in _entries(folder) if not _is_ours(path)]
    if foreign:
        raise ForeignIndexError(
            f"'{folder}' holds something else than an index, for instance '{foreign[0]}'.",
            hint="Give the index a folder of its own.",
        )
    if not (folder / NAME).exists():
        return
    try:
        Manifest.read(folder)
    except ForeignIndexError:
        raise
    except LirIndexError:
        # Damaged, or of another version: an index all the same.
        pass
    if not overwrite:
        raise IndexExistsError(
            f"There is an index in '{folder}' already.", hint="Give another folder, or allow to overwrite it."
        )


def choose_similarity(config: IndexConfig, metadata: Metadata) -> Similarity:
    """Take the similarity of the config or of the model, and the dot product where neither has one.

    Raises:
        ArgumentError: If the two differ.
    """
    if None not in (config.similarity, metadata.similarity) and config.similarity != metadata.similarity:
        raise ArgumentError(
            f"{type(config).__name__} has the similarity {config.similarity}, and the model has {metadata.similarity}.",
            hint="Leave it out of the config, and the index takes the model's.",
        )
    return config.similarity or metadata.similarity or "dot"


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.exists() else []


def _is_ours(path: Path) -> bool:
    return path.name in (NAME, PARTS) or path.name.startswith((_DATA, f"{NAME}."))


def _new_data_folder(folder: Path) -> Path:
    number = 1
    while (folder / f"{_DATA}{number}").exists():
        number += 1
    path = folder / f"{_DATA}{number}"
    path.mkdir()
    return path


def _remove_leftovers(folder: Path) -> None:
    """Remove what no index.json names: an older index, or an interrupted build."""
    try:
        current = Manifest.read(folder).data
    except NoIndexError:
        current = None
    except LirIndexError:
        # A damaged index is kept until the new one is complete: someone may yet want its files.
        return
    for path in folder.glob(f"{_DATA}*"):
        if path.name != current:
            shutil.rmtree(path, ignore_errors=True)
