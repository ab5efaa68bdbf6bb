"""The index kinds and engines, for the tests that all of them have to pass."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from lir_index import (
    Bm25IndexConfig,
    Bm25SearchConfig,
    CoilIndexConfig,
    CoilSearchConfig,
    FaissFactoryIndexConfig,
    FaissFlatIndexConfig,
    FaissHNSWIndexConfig,
    FaissIVFIndexConfig,
    FaissIVFPQIndexConfig,
    FaissPQIndexConfig,
    FaissSearchConfig,
    FaissSQIndexConfig,
    MultiVectorIndexConfig,
    MultiVectorSearchConfig,
    PlaidIndexConfig,
    PlaidSearchConfig,
    SeismicIndexConfig,
    SeismicSearchConfig,
    SparseIndexConfig,
    SparseSearchConfig,
    SparseTwoStepIndexConfig,
    SparseTwoStepSearchConfig,
    TorchDenseIndexConfig,
    TorchDenseSearchConfig,
)


def dense(vectors):
    return vectors


def sparse(vectors):
    vectors = np.atleast_2d(vectors)
    return csr_array(vectors.astype(np.float32) if vectors.dtype == np.float16 else vectors)  # scipy has no half


def one_vector_each(vectors):
    vectors = np.atleast_2d(vectors)
    return vectors, np.ones(len(vectors), dtype=np.int64)


def whole_texts(vectors):
    """COIL's embeddings, in which the tokens have vectors of zeros."""
    vectors = np.atleast_2d(vectors)
    return vectors, np.zeros_like(vectors), np.arange(len(vectors)), np.ones(len(vectors), dtype=np.int64)


def texts(vectors):
    """A word for each column of a positive value, and one that all texts have."""
    return [" ".join(["all", *(f"w{i}" for i in np.flatnonzero(row > 0))]) for row in np.atleast_2d(vectors)]


@dataclass(frozen=True)
class Case:
    """A kind, searched in one way.

    Args:
        config: Makes the index config.
        search_config: Makes the search config.
        search: Its arguments; what is approximate becomes exact where it looks at everything.
        shape: Gives an array the form that the kind takes, without changing what is compared.
        similarities: That the kind has.
        is_exact: Whether it finds the best documents for sure, searched in this way.
        needs: What has to be installed for it.
    """

    config: Callable[..., Any]
    search_config: type
    search: dict[str, Any] = field(default_factory=dict)
    shape: Callable[[Any], Any] = dense
    similarities: tuple[str, ...] = ("dot", "cosine", "l2")
    is_exact: bool = True
    needs: str = "numpy"

    @property
    def is_by_terms(self):
        """Whether a document is found only where it shares a term with the query."""
        return self.shape is sparse

    @property
    def kind(self):
        return self.config().kind


faiss = partial(
    Case,
    search_config=FaissSearchConfig,
    search={"candidate_k": 10**6, "n_probe": 10**6, "ef_search": 10**5},
)
plaid = partial(
    Case,
    partial(PlaidIndexConfig, n_bits=16),
    PlaidSearchConfig,
    shape=one_vector_each,
    similarities=("dot", "cosine"),
    is_exact=False,
)
add_up = partial(Case, SparseIndexConfig, SparseSearchConfig, shape=sparse, similarities=("dot", "cosine"))
two_step = partial(
    Case,
    partial(SparseTwoStepIndexConfig, kept_mass=1),
    SparseTwoStepSearchConfig,
    shape=sparse,
    similarities=("dot", "cosine"),
)
everything = {"query_terms": 10**6, "candidate_k": 10**6}

CASES = {
    "faiss-flat": Case(FaissFlatIndexConfig, FaissSearchConfig),
    "faiss-ivf": faiss(FaissIVFIndexConfig),
    "faiss-pq": faiss(FaissPQIndexConfig),
    "faiss-ivfpq": faiss(FaissIVFPQIndexConfig),
    "faiss-hnsw": faiss(FaissHNSWIndexConfig),
    "faiss-sq": faiss(partial(FaissSQIndexConfig, refine=True)),
    "faiss-factory": faiss(partial(FaissFactoryIndexConfig, "PCA1,SQ8")),
    "torch-dense": Case(TorchDenseIndexConfig, TorchDenseSearchConfig),
    "multi-vector": Case(MultiVectorIndexConfig, MultiVectorSearchConfig, shape=one_vector_each),
    "coil": Case(CoilIndexConfig, CoilSearchConfig, shape=whole_texts, similarities=("dot",)),
    "faiss-flat of several vectors": faiss(FaissFlatIndexConfig, shape=one_vector_each),
    "plaid by numpy": plaid({"engine": "numpy"}),
    "plaid by numba": plaid({"engine": "numba"}, needs="numba"),
    "sparse by numpy": add_up({"engine": "numpy"}),
    "sparse by numba": add_up({"engine": "numba"}, needs="numba"),
    "sparse by torch": add_up({"engine": "torch"}, needs="torch"),
    "sparse-two-step by numpy": two_step({"engine": "numpy", **everything}),
    "sparse-two-step by numba": two_step({"engine": "numba", **everything}, needs="numba"),
    "sparse-two-step by torch": two_step({"engine": "torch", **everything}, needs="torch"),
    "seismic": Case(
        SeismicIndexConfig,
        SeismicSearchConfig,
        shape=sparse,
        similarities=("dot", "cosine"),
        is_exact=False,
        needs="seismic",
    ),
    "bm25": Case(Bm25IndexConfig, Bm25SearchConfig, shape=texts, similarities=("dot",), is_exact=False, needs="bm25s"),
}
