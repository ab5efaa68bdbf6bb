"""From parts and a config to an index of any kind: complete, or as if nothing had happened."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lir_index.config import IndexConfig, Similarity
from lir_index.documents import truncate
from lir_index.embeddings import described
from lir_index.errors import ArgumentError, EmbeddingsError
from lir_index.index import Index
from lir_index.kinds import segment_class
from lir_index.locks import FolderLock
from lir_index.manifest import Manifest
from lir_index.metadata import Metadata
from lir_index.parts import Parts
from lir_index.segment import Space
from lir_index.store import changing, check_target, commit, write_segment


def build(
    parts_dir: str | Path,
    index_dir: str | Path,
    config: IndexConfig,
    *,
    metadata: Mapping[str, Any] | Metadata | None = None,
    overwrite: bool = False,
    held: FolderLock | None = None,
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
        held: The lock of ``index_dir``, where the caller has it already.

    Returns:
        The new index, opened.

    Raises:
        IndexExistsError: If there is an index, and ``overwrite`` is not set.
        ForeignIndexError: If the folder holds anything that is not of an index.
        BusyIndexError: If another process is changing the index.
        PartsError: If the parts are missing, unfinished or damaged.
        EmbeddingsError: If the kind does not take the form of the parts' embeddings.
        DocumentIdError: If two documents have the same id.
        StorageError: If the operating system refuses to write.
    """
    folder = Path(index_dir)
    check_target(folder, overwrite=overwrite)
    parts = Parts(parts_dir)
    config = config.for_size(parts.num_vectors)
    kind = segment_class(config.kind)
    origin = parts.metadata if metadata is None else Metadata.of(metadata)
    if origin.dim not in (None, parts.dim):
        raise EmbeddingsError(f"The parts hold vectors of {parts.dim} dimensions, not of {origin.dim}.")
    similarity = check_config(config, replace(origin, form=parts.form))
    documents = truncate(parts, config)
    space = Space(
        parts.form,
        documents.dim,
        similarity,
        origin.query_aggregation or "sum",
        origin.doc_aggregation or "max",
    )
    with changing(folder, held):
        check_target(folder, overwrite=overwrite)
        segment = write_segment(folder, documents, kind, config, space)
        manifest = Manifest(
            kind=config.kind,
            parameters=config.parameters(),
            form=space.form,
            dim=space.dim,
            embedding_dim=parts.dim,
            dtype=kind.dtype(config),
            similarity=space.similarity,
            query_aggregation=space.query_aggregation,
            doc_aggregation=space.doc_aggregation,
            num_docs=parts.num_docs,
            model=origin.model,
            fingerprint=origin.fingerprint,
            documents=origin.documents,
            rule=origin.rule,
            segments=(segment,),
            contents=parts.contents,
        )
        commit(folder, manifest)
    return Index.open(folder)


def is_built(manifest: Manifest, config: IndexConfig, metadata: Metadata) -> bool:
    """Whether an index is what would be built again of the same documents.

    Args:
        manifest: The index.
        config: Which kind of index is to be built, and its parameters.
        metadata: What is known of the embeddings.
    """
    config = config.for_size(manifest.num_docs)
    wanted = {
        "kind": config.kind,
        "parameters": config.parameters(),
        "form": metadata.form or manifest.form,
        "embedding_dim": manifest.embedding_dim if metadata.dim is None else metadata.dim,
        "similarity": check_config(config, metadata),
        "query_aggregation": metadata.query_aggregation or "sum",
        "doc_aggregation": metadata.doc_aggregation or "max",
        "fingerprint": metadata.fingerprint,
    }
    if metadata.fingerprint is None:
        wanted |= {"model": metadata.model, "rule": metadata.rule}
    return all(getattr(manifest, name) == value for name, value in wanted.items())


def check_config(config: IndexConfig, metadata: Metadata) -> Similarity:
    """Refuse what cannot be built, which may be known before the first document is encoded.

    Args:
        config: Which kind of index, and its parameters.
        metadata: What is known of the embeddings.

    Returns:
        How the index will compare.

    Raises:
        EmbeddingsError: If the kind does not take the form of the embeddings.
        ArgumentError: If the kind does not have the similarity, or the model has another.
        MissingExtraError: If the kind needs a package that is not installed.
    """
    kind = segment_class(config.for_size(1).kind)
    if metadata.form is not None and metadata.form not in kind.forms:
        *others, last = kind.forms
        taken = " or ".join([*others, described(last)])
        raise EmbeddingsError(
            f"An index of the kind {config.kind} is built from {taken}, not from {described(metadata.form)}."
        )
    similarity = _choose_similarity(config, metadata)
    if similarity not in kind.similarities:
        raise ArgumentError(
            f"An index of the kind {config.kind} compares by {' or '.join(kind.similarities)}, not by {similarity}."
        )
    kind.check_config(config)
    return similarity


def _choose_similarity(config: IndexConfig, metadata: Metadata) -> Similarity:
    """Take the similarity of the config or of the model, and the dot product where neither has one."""
    if None not in (config.similarity, metadata.similarity) and config.similarity != metadata.similarity:
        raise ArgumentError(
            f"{type(config).__name__} has the similarity {config.similarity}, and the model has {metadata.similarity}.",
            hint="Leave it out of the config, and the index takes the model's.",
        )
    return config.similarity or metadata.similarity or "dot"
