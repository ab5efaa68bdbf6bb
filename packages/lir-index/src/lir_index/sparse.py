"""Term weights in inverted lists, all of them added up: exact."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from lir_index.config import IndexConfig, SearchConfig, Similarity
from lir_index.documents import Documents
from lir_index.embeddings import Batch
from lir_index.postings import Rows, write_transposed
from lir_index.segment import Segment, Space
from lir_index.sparse_engines import EngineSearchConfig, make_engine
from lir_index.sparse_rows import Terms, Weights
from lir_index.sparse_segment import Ranking, RescoringSegment, write_documents
from lir_index.threads import in_threads
from lir_index.top_k import Found, Mask


@dataclass(frozen=True)
class SparseIndexConfig(IndexConfig):
    """Exact search over sparse embeddings: scipy's CSR arrays on disk, by document and by term.

    Args:
        similarity: How queries and documents are compared: dot or cosine. None takes what the model says.
    """

    kind: ClassVar[str] = "sparse"
    similarity: Similarity | None = None


TorchSparseIndexConfig = SparseIndexConfig
"""The name that users of Lightning IR know."""


@dataclass(frozen=True)
class SparseSearchConfig(EngineSearchConfig):
    """How to search an index of the kind sparse.

    Args:
        k: Number of documents for each query.
        engine: What adds up: ``numba`` (the extra ``fast``), ``torch`` or ``numpy``. None takes the first of them that
            is installed, or torch for a device. The results are the same.
        device: A device of torch that the postings are copied to.
        num_threads: Queries that are searched at a time, on the CPU; None for as many as there are processors.
    """


TorchSparseSearchConfig = SparseSearchConfig
"""The name that users of Lightning IR know."""


class SparseSegment(RescoringSegment):
    """A segment of the kind sparse."""

    kind = "sparse"
    config_class: ClassVar[type[IndexConfig]] = SparseIndexConfig
    search_config_class: ClassVar[type[SearchConfig]] = SparseSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self._postings = Rows.open(folder, "postings", space.dim)
        self.engine = make_engine(self._postings, num_docs, cast("EngineSearchConfig", search_config))

    def check(self) -> None:
        """See :meth:`Segment.check`."""
        super().check()
        self._postings.check(self.folder, "postings", self.num_docs)

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
        details = write_documents(folder, documents, space)
        rows = Rows.open(folder, "documents", documents.num_docs)
        write_transposed(folder, "postings", rows, space.dim)
        return details

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        num_threads = self.search_config.num_threads if self.engine.takes_threads else 1
        return in_threads(lambda query: self._search_one(*query, k, allowed), self.prepared(queries), num_threads)

    def _search_one(self, terms: Terms, weights: Weights, k: int, allowed: Mask | None) -> Ranking:
        if not self.is_positive(weights):
            return self.rank(terms, weights, None, k, allowed)
        return self.rank_positive(terms, weights, k, allowed)

    def rank_positive(self, terms: Terms, weights: Weights, k: int, allowed: Mask | None) -> Ranking:
        """Search for a query where no weight is negative.

        Args:
            terms: Of the query.
            weights: Of the query.
            k: Number of results wanted, not more than there are allowed documents.
            allowed: Which documents may be found; None for all.
        """
        scored = self.engine.scored_candidates(terms, weights, k, allowed)
        if scored is not None:
            return self.rank(terms, weights, scored[0], k, allowed, scored[1])
        # Twice the rounding of a sum of so many products.
        margin = 2 * (len(terms) + 4) * float(np.finfo(np.float32).eps)
        candidates = self.engine.candidates(terms, weights, k, margin, allowed)
        return self.rank(terms, weights, candidates, k, allowed)
