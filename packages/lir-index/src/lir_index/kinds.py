"""The index kinds: a name, and where its class is. A new kind is one file and one row."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lir_index.errors import UnknownKindError, did_you_mean

if TYPE_CHECKING:
    from lir_index.config import IndexConfig
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
    "coil": "lir_index.coil:CoilSegment",
    "plaid": "lir_index.plaid:PlaidSegment",
    "sparse": "lir_index.sparse:SparseSegment",
    "sparse-two-step": "lir_index.sparse_two_step:SparseTwoStepSegment",
    "seismic": "lir_index.seismic:SeismicSegment",
    "bm25": "lir_index.bm25:Bm25Segment",
    "torch-dense": "lir_index.dense:TorchDenseSegment",
}


# Names of configs that are no kinds of their own: one that chooses among kinds, and a short name.
_CHOOSERS = {"faiss-auto": "lir_index.faiss_auto:FaissAutoIndexConfig"}
_SHORT = {"dense": "torch-dense"}

# What is built where nothing is said.
_BY_FORM = {"sparse": "sparse", "multi-vector": "multi-vector", "coil": "coil", "text": "bm25"}


def config_names() -> list[str]:
    """The names that :func:`config_class` knows."""
    return [*KINDS, *_CHOOSERS, *_SHORT]


def config_class(name: str) -> "type[IndexConfig]":
    """Import the config class of a kind, or of another name in :func:`config_names`.

    Raises:
        UnknownKindError: If there is no such name; the nearest one is named.
    """
    if name in _CHOOSERS:
        return _imported(_CHOOSERS[name])
    return segment_class(_SHORT.get(name, name)).config_class


def default_config(form: str | None) -> "IndexConfig":
    """The config by which embeddings of a form are indexed where none is given; the index is an exact one."""
    return config_class(_BY_FORM.get(form or "dense", "faiss-flat"))()


def takes_texts(config: "type[IndexConfig]") -> bool:
    """Whether such an index is built from texts, without a model."""
    return config.kind in KINDS and "text" in segment_class(config.kind).forms


def segment_class(kind: str) -> "type[Segment]":
    """Import the class of a kind.

    Raises:
        UnknownKindError: If there is no such kind; the nearest one is named.
    """
    if kind not in KINDS:
        nearest = did_you_mean(kind, KINDS) or f" There are {', '.join(KINDS)}."
        raise UnknownKindError(f"There is no index kind '{kind}'.{nearest}")
    return _imported(KINDS[kind])


def _imported(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(module), name)
