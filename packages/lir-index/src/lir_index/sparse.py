"""Term weights in inverted lists, all of them added up: exact."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np
from jaxtyping import Float32, Int32, Int64

from lir_index.config import IndexConfig, SearchConfig, Similarity
from lir_index.documents import Documents
from lir_index.embeddings import Batch, Form
from lir_index.errors import ArgumentError, MissingExtraError, did_you_mean
from lir_index.postings import Rows, RowsWriter, write_transposed
from lir_index.segment import Segment, Space
from lir_index.similarity import check_lengths
from lir_index.sparse_numpy import NumpyEngine
from lir_index.threads import in_threads
from lir_index.top_k import Found, Mask, best

Engine = Literal["numba", "torch", "numpy"]


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
class SparseSearchConfig(SearchConfig):
    """How to search an index of the kind sparse.

    Args:
        k: Number of documents for each query.
        engine: What adds up: ``numba`` (the extra ``fast``), ``torch`` or ``numpy``. None takes the first of them that
            is installed, or torch for a device. The results are the same.
        device: A device of torch that the postings are copied to.
        num_threads: Queries that are searched at a time, on the CPU; None for as many as there are processors.
    """

    k: int = 10
    engine: Engine | None = None
    device: str = "cpu"
    num_threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        known = get_args(Engine)
        if self.engine is not None and self.engine not in known:
            raise ArgumentError(
                f"There is no engine '{self.engine}', only numba, torch and numpy.{did_you_mean(self.engine, known)}"
            )
        if self.device != "cpu" and self.engine not in (None, "torch"):
            raise ArgumentError(f"The engine {self.engine} does not run on the device '{self.device}'; torch does.")


TorchSparseSearchConfig = SparseSearchConfig
"""The name that users of Lightning IR know."""


class SparseSegment(Segment):
    """A segment of the kind sparse."""

    kind = "sparse"
    forms: ClassVar[tuple[Form, ...]] = ("sparse",)
    similarities: ClassVar[tuple[Similarity, ...]] = ("dot", "cosine")
    config_class = SparseIndexConfig
    search_config_class = SparseSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self.settings = cast("SparseSearchConfig", search_config)
        self.documents = Rows.open(folder, "documents", num_docs)
        self.postings = Rows.open(folder, "postings", space.dim)
        self.engine = make_engine(self.documents, self.postings, self.settings)

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
        queries = prepare_rows(queries, self.space.similarity, lambda i: f"query {i + 1}")
        num_threads = self.settings.num_threads if self.engine.takes_threads else 1
        return in_threads(lambda query: self.search_one(*query, k, allowed), list(rows_of(queries)), num_threads)

    def search_one(
        self, terms: Int32[np.ndarray, " terms"], weights: Float32[np.ndarray, " terms"], k: int, allowed: Mask | None
    ) -> tuple[Int64[np.ndarray, " found"], Float32[np.ndarray, " found"]]:
        """Search for one query."""
        if self.details["least"] < 0 or (weights < 0).any():
            # A document that shares no term with the query may be among the best then.
            found = np.arange(self.num_docs) if allowed is None else np.flatnonzero(allowed)
        else:
            # Twice the rounding of a sum of so many products.
            margin = 2 * (len(terms) + 4) * float(np.finfo(np.float32).eps)
            found = self.engine.candidates(terms, weights, k, margin, allowed)
        scores = self.engine.rescore(found, terms, weights, self.space.dim)
        order = best(scores, self.doc_ids.ranks[found], k)
        found, scores = found[order], scores[order] + np.float32(0)
        missing = k - len(found)
        if missing > 0:
            found = np.concatenate([found, self._first_others(found, missing, allowed)])
            scores = np.concatenate([scores, np.zeros(missing, dtype=np.float32)])
        return found, scores

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        step = 65536
        for start in range(0, self.num_docs, step):
            indptr = self.documents.indptr[start : start + step + 1]
            entries = slice(int(indptr[0]), int(indptr[-1]))
            arrays = {
                "data": self.documents.data[entries],
                "indices": self.documents.indices[entries],
                "indptr": indptr - indptr[0],
            }
            yield Batch("sparse", arrays, self.space.dim)

    def _first_others(
        self, found: Int64[np.ndarray, " found"], count: int, allowed: Mask | None
    ) -> Int64[np.ndarray, " others"]:
        """The documents with the smallest ids beside those found; they share no term with the query, and score 0."""
        if allowed is None:
            # One of the first so many is not among those found.
            places = self.doc_ids.first(count + len(found))
        else:
            places = np.flatnonzero(allowed)
            places = places[np.argsort(self.doc_ids.ranks[places])]
        return places[~np.isin(places, found)][:count]


def make_engine(documents: Rows, postings: Rows, settings: SparseSearchConfig) -> Any:
    """Make what adds postings up.

    Raises:
        MissingExtraError: If it was asked for by name, and is not installed.
        ArgumentError: If the device does not exist, or has no room.
    """
    name = settings.engine or ("torch" if settings.device != "cpu" else _fastest())
    if name == "numba":
        try:
            from lir_index.sparse_numba import NumbaEngine
        except ImportError as error:
            raise MissingExtraError(
                "The engine numba needs numba, which is not installed.", hint="pip install 'lir-index[fast]'"
            ) from error
        return NumbaEngine(documents, postings)
    if name == "torch":
        from lir_index.sparse_torch import TorchEngine

        return TorchEngine(documents, postings, settings.device)
    return NumpyEngine(documents, postings)


def _fastest() -> Engine:
    # Without importing torch, which takes seconds and saves milliseconds.
    return "numba" if find_spec("numba") else "numpy"


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


def prepare_rows(batch: Batch, similarity: Similarity, name: Callable[[int], str]) -> Batch:
    """Bring sparse embeddings into the shape in which they are compared: float32, sorted by term, without zeros.

    Args:
        batch: Sparse; where a term occurs twice in a row, its weights are added.
        similarity: Rows are scaled to unit length for the cosine; zero rows stay zero, and score 0.
        name: Says whose row the one at a position is, for the error message.

    Raises:
        EmbeddingsError: If a row is so long that its square is no float32.
    """
    from scipy.sparse import csr_array

    arrays = batch.arrays
    rows = csr_array(
        (arrays["data"].astype(np.float64), arrays["indices"].copy(), arrays["indptr"].astype(np.int64)),
        shape=(len(batch), batch.dim),
    )
    rows.sum_duplicates()
    rows.eliminate_zeros()
    lengths = np.sqrt(rows.multiply(rows).sum(axis=1))
    check_lengths(lengths, name)
    if similarity == "cosine":
        rows.data /= np.repeat(np.where(lengths > 0, lengths, 1), np.diff(rows.indptr))
    values = {
        "data": rows.data.astype(np.float32),
        "indices": rows.indices.astype(np.int32),
        "indptr": rows.indptr.astype(np.int64),
    }
    return Batch("sparse", values, batch.dim)


def rows_of(batch: Batch) -> Iterator[tuple[Int32[np.ndarray, " terms"], Float32[np.ndarray, " terms"]]]:
    """The terms of each row, and their weights."""
    indptr = batch.arrays["indptr"].tolist()
    for start, stop in pairwise(indptr):
        yield batch.arrays["indices"][start:stop], batch.arrays["data"][start:stop]
