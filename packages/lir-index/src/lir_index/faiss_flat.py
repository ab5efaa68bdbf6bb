"""Dense vectors in a Faiss file, compared one by one: exact, and readable by Faiss itself."""

import struct
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float32, Float64

from lir_index.config import IndexConfig, SearchConfig, Similarity
from lir_index.documents import Documents, pieces, prepared
from lir_index.embeddings import Batch
from lir_index.errors import DamagedIndexError
from lir_index.exhaustive import rescore, search_exhaustively
from lir_index.segment import Segment, Space
from lir_index.similarity import Vectors, prepare, slack
from lir_index.top_k import Found, Mask

_FILE = "index.faiss"


@dataclass(frozen=True)
class FaissFlatIndexConfig(IndexConfig):
    """Exact search over dense vectors by Faiss: ``IndexFlatIP``, or ``IndexFlatL2`` for l2.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
    """

    kind: ClassVar[str] = "faiss-flat"
    similarity: Similarity | None = None


@dataclass(frozen=True)
class FaissSearchConfig(SearchConfig):
    """How to search an index of Faiss.

    Args:
        k: Number of documents for each query.
    """

    k: int = 10


class FaissFlatSegment(Segment):
    """A segment of the kind faiss-flat."""

    kind = "faiss-flat"
    config_class = FaissFlatIndexConfig
    search_config_class = FaissSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        import faiss

        file = folder / _FILE
        try:
            self._faiss: Any = faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)
        except (RuntimeError, MemoryError) as error:
            raise DamagedIndexError(f"Faiss cannot read '{file}': {error}.") from error
        expected = faiss.METRIC_L2 if space.similarity == "l2" else faiss.METRIC_INNER_PRODUCT
        seen = (self._faiss.ntotal, self._faiss.d, self._faiss.metric_type)
        if not isinstance(self._faiss, faiss.IndexFlat) or seen != (num_docs, space.dim, expected):
            raise DamagedIndexError(
                f"'{file}' is damaged: it does not hold {num_docs} vectors of {space.dim} dimensions."
            )
        # The memory that Faiss itself searches, seen as an array; Faiss owns it and must outlive it.
        self._vectors: Vectors = faiss.rev_swig_ptr(self._faiss.get_xb(), num_docs * space.dim).reshape(-1, space.dim)

    @classmethod
    def write(
        cls,
        folder: Path,
        documents: Documents,
        config: IndexConfig,  # noqa: ARG003 - nothing to tune
        space: Space,
        like: Segment | None,  # noqa: ARG003 - nothing was trained
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        longest = 0.0
        with (folder / _FILE).open("wb") as file:
            file.write(_header(documents.num_docs, space.dim, space.similarity))
            for vectors, lengths in prepared(documents, space.similarity):
                file.write(vectors.data)
                longest = max(longest, float(lengths.max()))
        return {"longest": longest}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        vectors, lengths = prepare(queries.values, self.space.similarity, lambda i: f"query {i + 1}")
        if allowed is not None:
            return self._compare_all(vectors, lengths, k, allowed)
        margins = slack(lengths, self.details["longest"], self.space.dim, self.space.similarity)
        # Faiss cuts ties as they come. With a few more results than asked for, nearly every query shows where its ties
        # end; one that does not is searched again, comparing all.
        with _blas_where_it_is_faster(self.space.dim):
            distances, found = self._faiss.search(vectors, min(self.num_docs, k + k // 8 + 16))
        rough: Float32[np.ndarray, "q found"] = -distances if self.space.similarity == "l2" else distances
        # Where Faiss has no more documents it answers with the position -1.
        is_document = found >= 0
        lowest = rough[:, k - 1] - margins
        is_settled = (rough[:, -1] < lowest) | (is_document.sum(axis=1) == self.num_docs)
        results: Found = []
        for query, settled in enumerate(is_settled):
            if settled:
                candidates = found[query, is_document[query] & (rough[query] >= lowest[query])]
                results.append(
                    rescore(self._vectors, vectors[query], candidates, k, self.space.similarity, self.doc_ids.ranks)
                )
            else:
                results += self._compare_all(vectors[query : query + 1], lengths[query : query + 1], k, None)
        return results

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        return pieces(self._vectors)

    def _compare_all(self, vectors: Vectors, lengths: Float64[np.ndarray, " q"], k: int, allowed: Mask | None) -> Found:
        return search_exhaustively(
            self._vectors,
            vectors,
            lengths,
            k,
            similarity=self.space.similarity,
            longest=self.details["longest"],
            ranks=self.doc_ids.ranks,
            allowed=allowed,
        )


def _header(num_docs: int, dim: int, similarity: Similarity) -> bytes:
    """Return what Faiss writes before the vectors of a flat index.

    Faiss writes an index that it holds in memory, all vectors at once; so a part at a time is written here, behind the
    header of an empty index with the numbers put in: of documents at byte 8, of components at the end.
    """
    import faiss

    empty: Any = faiss.IndexFlatL2(dim) if similarity == "l2" else faiss.IndexFlatIP(dim)
    header: bytes = faiss.serialize_index(empty).tobytes()
    return header[:8] + struct.pack("<q", num_docs) + header[16:-8] + struct.pack("<q", num_docs * dim)


@contextmanager
def _blas_where_it_is_faster(dim: int) -> Generator[None]:
    """Let Faiss use a matrix product from about six queries on.

    The default since Faiss 1.15 is 128000 = queries x dimensions, under which a batch of 256 queries reads all vectors
    once for each query: measured at 200k x 384, 12.9 ms a query instead of 1.7. Below about five queries the matrix
    product is the slower way. The setting belongs to the process, hence it is put back.
    """
    import faiss

    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = 6 * dim
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before
