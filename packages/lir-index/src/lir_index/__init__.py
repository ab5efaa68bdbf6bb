"""Indexes of lir: built from the embeddings of any encoder, searched exactly or fast, safe on disk."""

from typing import TYPE_CHECKING, Any

from lir_index.bm25 import Bm25IndexConfig, Bm25SearchConfig
from lir_index.build import build
from lir_index.coil import CoilIndexConfig, CoilSearchConfig
from lir_index.config import IndexConfig, SearchConfig
from lir_index.dense import TorchDenseIndexConfig, TorchDenseSearchConfig
from lir_index.errors import LirIndexError, MissingExtraError
from lir_index.faiss_auto import FaissAutoIndexConfig
from lir_index.faiss_factory import FaissFactoryIndexConfig
from lir_index.faiss_flat import FaissFlatIndexConfig
from lir_index.faiss_hnsw import FaissHNSWIndexConfig
from lir_index.faiss_ivf import FaissIVFIndexConfig
from lir_index.faiss_pq import FaissIVFPQIndexConfig, FaissPQIndexConfig
from lir_index.faiss_segment import FaissSearchConfig
from lir_index.faiss_sq import FaissSQIndexConfig
from lir_index.index import Index, SearchResult
from lir_index.multi_vector import MultiVectorIndexConfig, MultiVectorSearchConfig
from lir_index.parts import PartWriter
from lir_index.plaid import PlaidIndexConfig, PlaidSearchConfig
from lir_index.seismic import SeismicIndexConfig, SeismicSearchConfig
from lir_index.sparse import SparseIndexConfig, SparseSearchConfig, TorchSparseIndexConfig, TorchSparseSearchConfig
from lir_index.sparse_two_step import SparseTwoStepIndexConfig, SparseTwoStepSearchConfig

if TYPE_CHECKING:
    from lir_index.callbacks import IndexCallback, SearchCallback

__all__ = [
    "Bm25IndexConfig",
    "Bm25SearchConfig",
    "CoilIndexConfig",
    "CoilSearchConfig",
    "FaissAutoIndexConfig",
    "FaissFactoryIndexConfig",
    "FaissFlatIndexConfig",
    "FaissHNSWIndexConfig",
    "FaissIVFIndexConfig",
    "FaissIVFPQIndexConfig",
    "FaissPQIndexConfig",
    "FaissSQIndexConfig",
    "FaissSearchConfig",
    "Index",
    "IndexCallback",
    "IndexConfig",
    "LirIndexError",
    "MultiVectorIndexConfig",
    "MultiVectorSearchConfig",
    "PartWriter",
    "PlaidIndexConfig",
    "PlaidSearchConfig",
    "SearchCallback",
    "SearchConfig",
    "SearchResult",
    "SeismicIndexConfig",
    "SeismicSearchConfig",
    "SparseIndexConfig",
    "SparseSearchConfig",
    "SparseTwoStepIndexConfig",
    "SparseTwoStepSearchConfig",
    "TorchDenseIndexConfig",
    "TorchDenseSearchConfig",
    "TorchSparseIndexConfig",
    "TorchSparseSearchConfig",
    "build",
]


# What the paper's listings import beside a config: one for each of its kinds.
_INDEXERS = tuple(
    f"{kind}{part}"
    for kind in (
        "FaissFlat",
        "FaissIVF",
        "FaissIVFPQ",
        "FaissPQ",
        "Faiss",
        "Plaid",
        "Seismic",
        "TorchDense",
        "TorchSparse",
    )
    for part in ("Indexer", "Searcher")
)


def __getattr__(name: str) -> Any:
    if name in _INDEXERS:
        done = "IndexCallback builds" if name.endswith("Indexer") else "SearchCallback searches"
        raise ImportError(f"lir_index has no {name}, and needs none: {done} what a config says; leave the name out.")
    # The callbacks need lightning, which is an extra and takes seconds to import.
    if name not in ("IndexCallback", "SearchCallback"):
        raise AttributeError(f"module 'lir_index' has no attribute '{name}'")
    try:
        from lir_index import callbacks
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("lightning", "torch"):
            raise
        raise MissingExtraError(
            f"{name} needs lightning, which is not installed.", hint="pip install 'lir-index[lightning]'"
        ) from error
    return getattr(callbacks, name)
