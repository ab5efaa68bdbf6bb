"""The index kinds: a name, and where its class is. A new kind is one file and one row."""

from importlib import import_module
from typing import TYPE_CHECKING

from lir_index.errors import UnknownKindError, did_you_mean

if TYPE_CHECKING:
    from lir_index.segment import Segment

KINDS = {
    "faiss-flat": "lir_index.faiss_flat:FaissFlatSegment",
    "faiss-ivf": "lir_index.faiss_ivf:FaissIVFSegment",
    "faiss-pq": "lir_index.faiss_pq:FaissPQSegment",
    "faiss-ivfpq": "lir_index.faiss_pq:FaissIVFPQSegment",
    "faiss-hnsw": "lir_index.faiss_hnsw:FaissHNSWSegment",
    "faiss-sq": "lir_index.faiss_sq:FaissSQSegment",
    "faiss-factory": "lir_index.faiss_factory:FaissFactorySegment",
    "multi-vector": "lir_index.multi_vector:MultiVectorSegment",
    "plaid": "lir_index.plaid:PlaidSegment",
    "sparse": "lir_index.sparse:SparseSegment",
    "sparse-two-step": "lir_index.sparse_two_step:SparseTwoStepSegment",
    "seismic": "lir_index.seismic:SeismicSegment",
    "torch-dense": "lir_index.dense:TorchDenseSegment",
}


def segment_class(kind: str) -> "type[Segment]":
    """Import the class of a kind.

    Raises:
        UnknownKindError: If there is no such kind; the nearest one is named.
    """
    if kind not in KINDS:
        nearest = did_you_mean(kind, KINDS) or f" There are {', '.join(KINDS)}."
        raise UnknownKindError(f"There is no index kind '{kind}'.{nearest}")
    module, name = KINDS[kind].split(":")
    return getattr(import_module(module), name)
