"""Embeddings of documents on their way into a segment: from parts, from memory, or from segments that are rewritten."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from lir_index.config import IndexConfig, Similarity
from lir_index.embeddings import Batch, Form, as_batch, described, first_not_finite
from lir_index.errors import DocumentIdError, EmbeddingsError
from lir_index.ragged import cut
from lir_index.similarity import prepare

if TYPE_CHECKING:
    from lir_index.catalogue import Catalogue
    from lir_index.segment import Segment, Space


class Documents(Protocol):
    """Embeddings that can be read as often as an index kind needs, a piece at a time.

    Attributes:
        form: The form of the embeddings.
        dim: Components of a vector.
        num_docs: Documents in all pieces.
        is_prepared: Whether vectors have unit length already, where the similarity asks for it.
    """

    @property
    def form(self) -> Form: ...  # noqa: D102
    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def num_docs(self) -> int: ...  # noqa: D102
    @property
    def is_prepared(self) -> bool: ...  # noqa: D102

    def doc_ids(self) -> Iterator[Sequence[str]]:
        """The ids of each piece's documents."""
        ...

    def __iter__(self) -> Iterator[tuple[Sequence[str], Batch]]:
        """The ids and the embeddings of each piece."""
        ...


class GivenDocuments:
    """Documents whose embeddings are in memory.

    Args:
        doc_ids: One id for each document.
        embeddings: In any form that :func:`lir_index.embeddings.as_batch` takes.

    Raises:
        EmbeddingsError: If they differ in number from the ids, or hold a NaN or an infinity.
        DocumentIdError: If an id is no text or is empty.
    """

    is_prepared = False

    def __init__(self, doc_ids: Sequence[str], embeddings: object) -> None:
        self._doc_ids, self._batch = check_documents(doc_ids, embeddings)
        self.form: Form = self._batch.form
        self.dim = self._batch.dim
        self.num_docs = len(self._batch)

    def doc_ids(self) -> Iterator[Sequence[str]]:
        """See :class:`Documents`."""
        yield self._doc_ids

    def __iter__(self) -> Iterator[tuple[Sequence[str], Batch]]:
        """See :class:`Documents`."""
        yield self._doc_ids, self._batch


class TruncatedDocuments:
    """The first components of each vector of some documents.

    Args:
        documents: Dense or multi-vector.
        dim: How many components.

    Raises:
        EmbeddingsError: If the vectors are not longer, or have no order of components.
    """

    is_prepared = False

    def __init__(self, documents: Documents, dim: int) -> None:
        if documents.form not in ("dense", "multi-vector") or dim >= documents.dim:
            raise EmbeddingsError(
                f"truncate_dim is {dim}, and the embeddings are {documents.form} of {documents.dim} dimensions."
            )
        self._documents = documents
        self.form: Form = documents.form
        self.dim = dim
        self.num_docs = documents.num_docs

    def doc_ids(self) -> Iterator[Sequence[str]]:
        """See :class:`Documents`."""
        return self._documents.doc_ids()

    def __iter__(self) -> Iterator[tuple[Sequence[str], Batch]]:
        """See :class:`Documents`."""
        for doc_ids, batch in self._documents:
            yield doc_ids, batch.truncated(self.dim)


def truncate(documents: Documents, config: IndexConfig) -> Documents:
    """Return the documents as the config wants them: their vectors truncated, or as they are."""
    dim: int | None = getattr(config, "truncate_dim", None)
    return documents if dim is None else TruncatedDocuments(documents, dim)


class StoredDocuments:
    """The documents of an index that are not deleted, read back from its segments.

    Args:
        segments: The segments.
        catalogue: Their documents.
        space: What the embeddings are like.
    """

    is_prepared = True

    def __init__(self, segments: "Sequence[Segment]", catalogue: "Catalogue", space: "Space") -> None:
        self._segments = segments
        self._catalogue = catalogue
        self.form: Form = space.form
        self.dim = space.dim
        self.num_docs = len(catalogue)

    def doc_ids(self) -> Iterator[Sequence[str]]:
        """See :class:`Documents`."""
        for _, doc_ids in self._catalogue.blocks():
            yield doc_ids

    def __iter__(self) -> Iterator[tuple[Sequence[str], Batch]]:
        """See :class:`Documents`."""
        live = self._catalogue.live
        for segment, start in zip(self._segments, self._catalogue.starts.tolist(), strict=False):
            position = start
            for batch in segment.stored():
                positions = np.arange(position, position + len(batch))
                position += len(batch)
                if live is not None:
                    kept = np.flatnonzero(live[positions])
                    positions, batch = positions[kept], batch.take(kept)
                if len(positions):
                    yield self._catalogue.at(positions), batch


class JoinedDocuments:
    """Texts behind other texts.

    Args:
        pieces: Documents whose form is text.
    """

    form: Form = "text"
    dim = 0
    is_prepared = True

    def __init__(self, *pieces: Documents) -> None:
        self._pieces = pieces
        self.num_docs = sum(documents.num_docs for documents in pieces)

    def doc_ids(self) -> Iterator[Sequence[str]]:
        """See :class:`Documents`."""
        for documents in self._pieces:
            yield from documents.doc_ids()

    def __iter__(self) -> Iterator[tuple[Sequence[str], Batch]]:
        """See :class:`Documents`."""
        for documents in self._pieces:
            yield from documents


def prepared(
    documents: Documents, similarity: Similarity
) -> Iterator[tuple[Float32[np.ndarray, "n dim"], Float64[np.ndarray, " n"]]]:
    """Bring the vectors of dense documents into the shape in which they are compared, a piece at a time."""
    if documents.is_prepared and similarity == "cosine":
        # Scaled once more, the last digits of a unit vector would change.
        similarity = "dot"
    for doc_ids, batch in documents:
        yield prepare(
            batch.values, similarity, lambda i, ids=doc_ids, batch=batch: f"document '{ids[batch.row_of_value(i)]}'"
        )


def pieces(vectors: Float[np.ndarray, "n dim"], lengths: Int64[np.ndarray, " docs"] | None = None) -> Iterator[Batch]:
    """Read vectors that may be memory-mapped, some megabytes at a time.

    Args:
        vectors: One for each document; or those of all documents, one behind the other.
        lengths: How many are each document's; None for one.
    """
    step = max(1, 2**24 // max(1, vectors.shape[1]))
    if lengths is None:
        for start in range(0, len(vectors), step):
            yield as_batch(vectors[start : start + step])
        return
    for docs, rows in cut(lengths, step):
        yield as_batch((vectors[rows], lengths[docs]))


def check_documents(doc_ids: Sequence[str], embeddings: object) -> tuple[list[str], Batch]:
    """Check ids and embeddings of some documents.

    Raises:
        EmbeddingsError: If they differ in number, or an embedding holds a NaN or an infinity.
        DocumentIdError: If an id is no text or is empty.
    """
    batch = as_batch(embeddings)
    doc_ids = [str(doc_id) if isinstance(doc_id, np.str_) else doc_id for doc_id in doc_ids]
    if len(doc_ids) != len(batch):
        things = "texts" if batch.form == "text" else "embeddings"
        raise EmbeddingsError(f"There are {len(doc_ids)} document ids and {len(batch)} {things}.")
    for doc_id in doc_ids:
        if not isinstance(doc_id, str) or not doc_id:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DocumentIdError(f"A document id is a text that is not empty; this one is {doc_id!r}.")
    found = first_not_finite(batch)
    if found is not None:
        raise EmbeddingsError(f"The embedding of document '{doc_ids[found[0]]}' holds the value {found[1]}.")
    return doc_ids, batch


def check_fit(form: Form | None, dim: int | None, batch: Batch) -> None:
    """Refuse embeddings that differ in form or dimension from those before; None stands for none.

    Raises:
        EmbeddingsError: If they differ.
    """
    if form not in (None, batch.form):
        raise EmbeddingsError(f"These are {described(batch.form)}, those before are {described(str(form))}.")
    if dim not in (None, batch.dim):
        raise EmbeddingsError(f"These embeddings have {batch.dim} dimensions, {dim} are expected.")
