"""Vectors in a Faiss file, compared one by one: of dense embeddings exact, and readable by Faiss itself."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from lir_index.config import DenseIndexConfig, IndexConfig, Similarity
from lir_index.documents import Documents, pieces, prepared
from lir_index.embeddings import Batch
from lir_index.errors import DamagedIndexError
from lir_index.exhaustive import rescore
from lir_index.faiss_segment import FILE, FaissSegment, metric, with_ties
from lir_index.faiss_settings import faiss_settings, load_faiss
from lir_index.packed import write_lengths
from lir_index.segment import Segment, Space
from lir_index.similarity import prepare, slack
from lir_index.top_k import Found, Mask


@dataclass(frozen=True)
class FaissFlatIndexConfig(DenseIndexConfig):
    """Search over dense or multi-vector embeddings by Faiss, comparing all: ``IndexFlatIP``, or ``IndexFlatL2`` for l2.

    Of dense embeddings it is exact. Of multi-vector ones it finds, for each query vector, the nearest vectors exactly,
    and then the documents that they belong to.

    Args:
        similarity: How queries and documents are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
    """

    kind: ClassVar[str] = "faiss-flat"


class FaissFlatSegment(FaissSegment):
    """A segment of the kind faiss-flat."""

    kind = "faiss-flat"
    config_class = FaissFlatIndexConfig

    def _open_vectors(self, count: int) -> Any:
        faiss = load_faiss()
        if not isinstance(self.faiss, faiss.IndexFlat) or self.faiss.metric_type != metric(self.space.similarity):
            raise DamagedIndexError(
                f"'{self.folder / FILE}' is damaged: it is no flat index of {self.space.similarity}."
            )
        # The memory that Faiss itself searches, seen as an array; Faiss owns it and must outlive it.
        return faiss.rev_swig_ptr(self.faiss.get_xb(), count * self.space.dim).reshape(-1, self.space.dim)

    @classmethod
    def factory(cls, config: FaissFlatIndexConfig, space: Space, count: int) -> str:  # noqa: ARG003 - others look at it
        """See :meth:`FaissSegment.factory`."""
        return "Flat"

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
        count = documents.num_docs if space.form == "dense" else write_lengths(folder, documents)
        longest = 0.0
        with (folder / FILE).open("wb") as file:
            file.write(_header(count, space.dim, space.similarity))
            for vectors, lengths in prepared(documents, space.similarity):
                file.write(vectors.data)
                longest = max(longest, float(lengths.max(initial=0)))
        return {"longest": longest}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        if self.space.form != "dense":
            return super().search(queries, k, allowed)
        vectors, lengths = prepare(queries.values, self.space.similarity, lambda i: f"query {i + 1}")
        if allowed is not None:
            return self.compare_all(vectors, lengths, k, allowed)
        margins = slack(lengths, self.details["longest"], self.space.dim, self.space.similarity)
        # Faiss cuts ties as they come. A query that does not show where its ties end is searched again, comparing all.
        with faiss_settings(self.space.dim, self.settings.num_threads):
            distances, found = self.faiss.search(vectors, min(self.num_docs, with_ties(k)))
        rough = -distances if self.space.similarity == "l2" else distances
        # Where Faiss has no more documents it answers with the position -1.
        is_document = found >= 0
        lowest = rough[:, k - 1] - margins
        is_settled = (rough[:, -1] < lowest) | (is_document.sum(axis=1) == self.num_docs)
        results: Found = []
        for query, settled in enumerate(is_settled):
            if settled:
                candidates = found[query, is_document[query] & (rough[query] >= lowest[query])]
                results.append(
                    rescore(self.vectors, vectors[query], candidates, k, self.space.similarity, self.doc_ids.ranks)
                )
            else:
                results += self.compare_all(vectors[query : query + 1], lengths[query : query + 1], k, None)
        return results

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        return pieces(self.vectors, self._lengths)


def _header(num_docs: int, dim: int, similarity: Similarity) -> bytes:
    """Return what Faiss writes before the vectors of a flat index.

    Faiss writes an index that it holds in memory, all vectors at once; so a part at a time is written here, behind the
    header of an empty index with the numbers put in: of documents at byte 8, of components at the end.
    """
    faiss = load_faiss()
    empty = faiss.IndexFlatL2(dim) if similarity == "l2" else faiss.IndexFlatIP(dim)
    header: bytes = faiss.serialize_index(empty).tobytes()
    return header[:8] + struct.pack("<q", num_docs) + header[16:-8] + struct.pack("<q", num_docs * dim)
