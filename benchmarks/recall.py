"""What approximate kinds find of the exact results, on embeddings of real models; and what they cost, by one thread."""

import argparse
from dataclasses import fields
from functools import partial

import faiss
import torch

from benchmarks.measuring import interleaved, timed
from benchmarks.recall_collection import Collection
from benchmarks.tables import markdown, report
from lir_index import (
    FaissAutoIndexConfig,
    FaissFactoryIndexConfig,
    FaissFlatIndexConfig,
    FaissHNSWIndexConfig,
    FaissIVFIndexConfig,
    FaissIVFPQIndexConfig,
    FaissPQIndexConfig,
    FaissSearchConfig,
    FaissSQIndexConfig,
    IndexConfig,
    MultiVectorIndexConfig,
    MultiVectorSearchConfig,
    PlaidIndexConfig,
    PlaidSearchConfig,
    SearchConfig,
    SearchResult,
    SeismicIndexConfig,
    SeismicSearchConfig,
    SparseIndexConfig,
    SparseSearchConfig,
    SparseTwoStepIndexConfig,
    SparseTwoStepSearchConfig,
    TorchDenseIndexConfig,
    TorchDenseSearchConfig,
)
from lir_index.threads import blas_threads

Way = tuple[IndexConfig, SearchConfig]

COLLECTIONS = {
    "vaswani": Collection("vaswani", "dense"),
    "nfcorpus": Collection("nfcorpus", "dense", doc_length=64),
    "sparse": Collection("vaswani", "sparse", num_docs=3000),
    "multi-vector": Collection("vaswani", "multi-vector", num_docs=1500),
}
TITLES = {
    "vaswani": "Dense, Vaswani",
    "nfcorpus": "Dense, NFCorpus",
    "sparse": "Sparse",
    "multi-vector": "Multi-vector",
}
BY_FAISS = FaissSearchConfig(num_threads=1)
# The first of each form is exact, and the others are compared with it.
WAYS: dict[str, list[Way]] = {
    "dense": [
        (FaissFlatIndexConfig(), BY_FAISS),
        (FaissAutoIndexConfig(), BY_FAISS),
        (TorchDenseIndexConfig(), TorchDenseSearchConfig(num_threads=1)),
        (FaissIVFIndexConfig(), BY_FAISS),
        (FaissPQIndexConfig(), BY_FAISS),
        (FaissPQIndexConfig(refine=False), BY_FAISS),
        (FaissPQIndexConfig(n_bits=8, refine=False), BY_FAISS),
        (FaissIVFPQIndexConfig(), BY_FAISS),
        (FaissHNSWIndexConfig(), BY_FAISS),
        (FaissSQIndexConfig(n_bits=16), BY_FAISS),
        (FaissSQIndexConfig(), BY_FAISS),
        (FaissSQIndexConfig(n_bits=4), BY_FAISS),
        (FaissSQIndexConfig(n_bits=1), BY_FAISS),
        (FaissFactoryIndexConfig(factory="PCAR128,SQ8"), BY_FAISS),
    ],
    "sparse": [
        (SparseIndexConfig(), SparseSearchConfig(num_threads=1)),
        (SparseTwoStepIndexConfig(), SparseTwoStepSearchConfig(num_threads=1)),
        (SeismicIndexConfig(), SeismicSearchConfig(num_threads=1)),
    ],
    "multi-vector": [
        (MultiVectorIndexConfig(), MultiVectorSearchConfig(num_threads=1)),
        (PlaidIndexConfig(n_bits=2), PlaidSearchConfig(num_threads=1)),
        (PlaidIndexConfig(), PlaidSearchConfig(num_threads=1)),
        (PlaidIndexConfig(n_bits=8), PlaidSearchConfig(num_threads=1)),
        (PlaidIndexConfig(n_bits=16), PlaidSearchConfig(num_threads=1)),
        (FaissFlatIndexConfig(), BY_FAISS),
        (FaissFlatIndexConfig(), FaissSearchConfig(imputation_strategy="min", num_threads=1)),
        (FaissFlatIndexConfig(), FaissSearchConfig(imputation_strategy="zero", num_threads=1)),
        (FaissAutoIndexConfig(), BY_FAISS),
    ],
}
DEPTHS = (10, 100)
# Recall is of all queries, the time of these.
FEW = 25
COLUMNS = ("kind", "settings", "recall@10", "recall@100", "ms, k=10", "ms, k=100", "MB", "built in s")


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks recall", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=COLLECTIONS, nargs="+", default=list(COLLECTIONS))
    options = parser.parse_args(arguments)
    collections = {name: COLLECTIONS[name] for name in options.only}
    # With all threads: only what comes afterwards is measured.
    for collection in collections.values():
        collection.embed()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    sections = [ABOUT]
    with blas_threads(1):
        for name, collection in collections.items():
            about = f"{collection.about[0].upper()}{collection.about[1:]}."
            sections += [f"## {TITLES[name]}", about, markdown(COLUMNS, measure(collection, options.rounds))]
    packages = ["lir-index", "faiss-cpu", "pyseismic-lsr", "numba", "torch", "numpy"]
    report("recall", "Recall of approximate search on real embeddings", sections, packages)


ABOUT = (
    "Recall is the share of the k documents of exact search that are found where k are asked for; exact search is the "
    "first row. Settings that are not named are the defaults. Milliseconds a query and seconds of building are of the "
    "processor, the former of 25 queries, medians of rounds that take turns; MB are of all files of the index, the "
    "vectors included where a kind keeps them (refine). The multi-vector embeddings are token outputs of a model that "
    "was not trained for MaxSim: real vectors, but not those of a ColBERT."
)


def measure(collection: Collection, rounds: int) -> list[tuple[str, ...]]:
    """Build and search in all ways of a collection's form; return the rows."""
    ways, seconds, indexes = WAYS[collection.form], {}, []
    for config, search_config in ways:
        if config not in seconds:
            seconds[config] = collection.build(place(config), config)
        indexes.append(collection.open(place(config), search_config))
    queries = collection.queries
    found = {(way, k): index.search(queries, k) for way, index in enumerate(indexes) for k in DEPTHS}
    few = queries.rows(0, FEW)
    contenders = {f"{way} {k}": (timed(partial(indexes[way].search, few, k)), len(few)) for way, k in found}
    times = interleaved(contenders, rounds)
    rows = []
    for way, (config, search_config) in enumerate(ways):
        recalls = [recall(found[way, k], found[0, k]) for k in DEPTHS]
        settings = ", ".join(named for named in (changed(config), changed(search_config)) if named)
        milliseconds = [times[f"{way} {k}"].median for k in DEPTHS]
        rows.append(
            (
                kind(config, indexes[way].kind),
                settings,
                *(f"{value:.3f}" for value in recalls),
                *(f"{value:.2f}" for value in milliseconds),
                f"{indexes[way].info()['bytes'] / 1e6:.1f}",
                f"{seconds[config]:.1f}",
            )
        )
    return rows


def recall(found: SearchResult, exact: SearchResult) -> float:
    """Which part of the exact results is found."""
    pairs = list(zip(found.doc_ids, exact.doc_ids, strict=True))
    return sum(len({*some} & {*best}) for some, best in pairs) / sum(len(best) for _, best in pairs)


def kind(config: IndexConfig, built: str) -> str:
    """The kind, and the one that it chose."""
    return built if built == config.kind else f"{config.kind} ({built})"


def changed(config: IndexConfig | SearchConfig) -> str:
    """The settings that are not the defaults; threads are the same everywhere."""
    values = {field.name: (getattr(config, field.name), field.default) for field in fields(config)}
    return ", ".join(
        f"{name}={value}" for name, (value, usual) in values.items() if value != usual and name != "num_threads"
    )


def place(config: IndexConfig) -> str:
    """A name for the index's folder."""
    return f"{config.kind} {changed(config)}".strip().replace(" ", "-")
