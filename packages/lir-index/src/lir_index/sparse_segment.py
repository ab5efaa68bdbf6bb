"""Segments of sparse embeddings: whatever finds candidates, the documents' own term weights rank them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from jaxtyping import Float32, Int64

from lir_index.config import SearchConfig, Similarity
from lir_index.documents import Documents
from lir_index.embeddings import Batch, Form
from lir_index.postings import Rows, RowsWriter
from lir_index.segment import Segment, Space
from lir_index.sparse_engines import Engine, make_scorer
from lir_index.sparse_numpy import Candidates, Scores
from lir_index.sparse_rows import Terms, Weights, prepare_rows, rows_of
from lir_index.top_k import Mask, best

Ranking = tuple[Int64[np.ndarray, " found"], Float32[np.ndarray, " found"]]


class RescoringSegment(Segment):
    """A segment that keeps the term weights of its documents, and scores candidates exactly by them."""

    forms: ClassVar[tuple[Form, ...]] = ("sparse",)
    similarities: ClassVar[tuple[Similarity, ...]] = ("dot", "cosine")

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self.documents = Rows.open(folder, "documents", num_docs)
        self._least = self.details.number("least")
        engine = cast("Engine | None", getattr(search_config, "engine", None))
        self.score = make_scorer(self.documents, space.dim, engine)

    def check(self) -> None:
        """See :meth:`Segment.check`."""
        super().check()
        self.documents.check(self.folder, "documents", self.space.dim)

    def prepared(self, queries: Batch) -> list[tuple[Terms, Weights]]:
        """Bring queries into the shape in which they are compared."""
        return list(rows_of(prepare_rows(queries, self.space.similarity, lambda i: f"query {i + 1}")))

    def is_positive(self, weights: Weights) -> bool:
        """Whether all documents that share no term with the query score less than all others: 0."""
        return self._least >= 0 and not (weights < 0).any()

    def rank(
        self,
        terms: Terms,
        weights: Weights,
        candidates: Candidates | None,
        k: int,
        allowed: Mask | None,
        scores: Scores | None = None,
    ) -> Ranking:
        """Score candidates exactly, and order the best of them by score and then by document id.

        Args:
            terms: Of one query.
            weights: Of one query.
            candidates: Positions of allowed documents, in rising order; None for all.
            k: Number of results wanted, not more than there are allowed documents.
            allowed: Which documents may be found; None for all.
            scores: Of the candidates, where they are known exactly.

        Returns:
            Positions and scores, best first; a document that shares no term with the query is not among them.
        """
        if candidates is None:
            candidates = np.arange(self.num_docs) if allowed is None else np.flatnonzero(allowed)
        if scores is None:
            scores = self.score(candidates, terms, weights)
        shares = scores != 0
        if not self.is_positive(weights):
            shares |= self._share_a_term(terms[weights != 0])[candidates]
        candidates, scores = candidates[shares], scores[shares]
        order = best(scores, self.doc_ids.ranks[candidates], k)
        # + 0.0 turns a negative zero into zero.
        return candidates[order], scores[order] + np.float32(0)

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        for some, _ in self.documents.blocks():
            rows = self.documents.part(some)
            arrays = {"data": rows.data, "indices": rows.indices, "indptr": rows.indptr}
            yield Batch("sparse", arrays, self.space.dim)

    def _share_a_term(self, terms: Terms) -> Mask:
        """Say of each document whether it has one of the terms; where weights are negative, a score of 0 does not."""
        shares = np.zeros(self.num_docs, dtype=bool)
        for some, entries in self.documents.blocks():
            has_term = np.isin(self.documents.indices[entries], terms) & (self.documents.data[entries] != 0)
            counts = np.concatenate([[0], np.cumsum(has_term)])
            ends = self.documents.indptr[some.start : some.stop + 1] - entries.start
            shares[some] = np.diff(counts[ends]) > 0
        return shares


def write_documents(folder: Path, documents: Documents, space: Space) -> dict[str, Any]:
    """Write term weights by document.

    Returns:
        The ``least`` weight.
    """
    least = 0.0
    with RowsWriter(folder, "documents") as writer:
        for doc_ids, batch in documents:
            similarity = "dot" if documents.is_prepared else space.similarity
            rows = prepare_rows(batch, similarity, lambda i, ids=doc_ids: f"document '{ids[i]}'")
            writer.append(np.diff(rows.arrays["indptr"]), rows.arrays["indices"], rows.arrays["data"])
            least = min(least, float(rows.values.min(initial=0)))
    return {"least": least}
