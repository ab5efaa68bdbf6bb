"""Candidates from short inverted lists and the heaviest terms of the query; exact scores for these alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from jaxtyping import Float32, Int32, Int64

from lir_index.config import IndexConfig, Similarity, check_count, check_share
from lir_index.documents import Documents
from lir_index.postings import Rows, RowsWriter, remove_rows, write_transposed
from lir_index.segment import Segment, Space
from lir_index.sparse import SparseSegment
from lir_index.sparse_engines import EngineSearchConfig
from lir_index.sparse_numpy import Candidates
from lir_index.sparse_rows import Terms, Weights
from lir_index.sparse_segment import Ranking, write_documents
from lir_index.top_k import Mask


@dataclass(frozen=True)
class SparseTwoStepIndexConfig(IndexConfig):
    """Approximate search over sparse embeddings: a rough search by what weighs most, whose candidates are scored exactly.

    Args:
        similarity: How queries and documents are compared: dot or cosine. None takes what the model says.
        kept_mass: Share of the sum of each document's weights that the inverted lists hold, the largest weights first;
            1 keeps them all. The documents themselves are kept whole.

    References:
        Lassance et al. (2024), *Two-Step SPLADE: Simple, Efficient and Effective Approximation of SPLADE*.
        https://arxiv.org/abs/2404.13357
    """

    kind: ClassVar[str] = "sparse-two-step"
    similarity: Similarity | None = None
    kept_mass: float = 0.85

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self, "kept_mass")


@dataclass(frozen=True)
class SparseTwoStepSearchConfig(EngineSearchConfig):
    """How to search an index of the kind sparse-two-step. More terms and more candidates find more, and take longer.

    Args:
        k: Number of documents for each query.
        engine: What adds up: ``numba`` (the extra ``fast``), ``torch`` or ``numpy``. None takes the first of them that
            is installed, or torch for a device. The results are the same.
        device: A device of torch that the postings are copied to.
        num_threads: Queries that are searched at a time, on the CPU; None for as many as there are processors.
        query_terms: Number of each query's heaviest terms by which candidates are found; all of its terms score them.
        candidate_k: Number of documents that are scored exactly, at least ``k``. None for three times ``k``, but at
            least 100.
    """

    query_terms: int = 20
    candidate_k: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "query_terms")
        check_count(self, "candidate_k")


class SparseTwoStepSegment(SparseSegment):
    """A segment of the kind sparse-two-step."""

    kind = "sparse-two-step"
    config_class = SparseTwoStepIndexConfig
    search_config_class = SparseTwoStepSearchConfig

    @classmethod
    def write(
        cls,
        folder: Path,
        documents: Documents,
        config: IndexConfig,
        space: Space,
        like: Segment | None,  # noqa: ARG003 - nothing was trained
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        details = write_documents(folder, documents, space)
        rows = Rows.open(folder, "documents", documents.num_docs)
        with RowsWriter(folder, "heaviest") as writer:
            for some, _ in rows.blocks():
                writer.append(*heaviest(rows.part(some), cast("SparseTwoStepIndexConfig", config).kept_mass))
        write_transposed(folder, "postings", Rows.open(folder, "heaviest", documents.num_docs), space.dim)
        remove_rows(folder, "heaviest")
        return details

    def rank_positive(self, terms: Terms, weights: Weights, k: int, allowed: Mask | None) -> Ranking:
        """See :meth:`SparseSegment.rank_positive`."""
        return self.rank(terms, weights, self._candidates(terms, weights, k, allowed), k, allowed)

    def _candidates(self, terms: Terms, weights: Weights, k: int, allowed: Mask | None) -> Candidates | None:
        settings = cast("SparseTwoStepSearchConfig", self.search_config)
        count = min(self.num_docs, max(k, settings.candidate_k or max(100, 3 * k)))
        if allowed is not None and np.count_nonzero(allowed) <= count:
            return None
        found = np.empty(0, dtype=np.int64)
        if len(terms) > settings.query_terms:
            first = np.argpartition(-weights, settings.query_terms)[: settings.query_terms]
            found = self.engine.candidates(terms[first], weights[first], count, 0.0, allowed)
        # The heaviest terms may be rare ones.
        return found if len(found) >= k else self.engine.candidates(terms, weights, count, 0.0, allowed)


def heaviest(
    rows: Rows, kept_mass: float
) -> tuple[Int64[np.ndarray, " rows"], Int32[np.ndarray, " kept"], Float32[np.ndarray, " kept"]]:
    """Keep of each row the largest weights that together reach a share of the row's sum.

    Args:
        rows: Some rows.
        kept_mass: The share.

    Returns:
        Lengths, indices and data of the shorter rows; the order within a row stays.
    """
    lengths = np.diff(rows.indptr)
    owners = np.repeat(np.arange(len(rows)), lengths)
    order = np.lexsort((-np.abs(rows.data), owners))
    sums = np.concatenate([[0.0], np.cumsum(np.abs(rows.data[order]), dtype=np.float64)])
    before, whole = sums[:-1] - sums[rows.indptr[:-1]][owners], np.diff(sums[rows.indptr])[owners]
    kept = np.empty(len(order), dtype=np.bool_)
    # A comparison would lose weights that are less than the rounding of the sum.
    kept[order] = True if kept_mass == 1 else before < kept_mass * whole
    return np.bincount(owners[kept], minlength=len(rows)).astype(np.int64), rows.indices[kept], rows.data[kept]
