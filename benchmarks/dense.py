"""Search over dense embeddings: the kinds of Faiss and torch-dense against Faiss and sentence-transformers themselves, one thread each."""

import argparse
import hashlib
import time
from functools import partial
from pathlib import Path

import faiss
import numpy as np
import torch
from sentence_transformers.util import semantic_search

from benchmarks import dense_data
from benchmarks.measuring import Round, Times, interleaved, timed
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_index import (
    FaissAutoIndexConfig,
    FaissFlatIndexConfig,
    FaissHNSWIndexConfig,
    FaissIVFIndexConfig,
    FaissSearchConfig,
    FaissSQIndexConfig,
    Index,
    IndexConfig,
    PartWriter,
    SearchConfig,
    TorchDenseIndexConfig,
    TorchDenseSearchConfig,
    build,
)
from lir_index.threads import blas_threads

_CACHE = Path(__file__).parent / ".cache"
K = 100
# Queries that are asked one by one: as a service would, where a batch is what an experiment has.
SINGLE = 16
BY_FAISS = FaissSearchConfig(num_threads=1)
KINDS: dict[str, tuple[IndexConfig, SearchConfig]] = {
    "lir faiss-flat": (FaissFlatIndexConfig(), BY_FAISS),
    "lir torch-dense": (TorchDenseIndexConfig(), TorchDenseSearchConfig(num_threads=1)),
    "lir faiss-auto": (FaissAutoIndexConfig(), BY_FAISS),
    "lir faiss-hnsw": (FaissHNSWIndexConfig(), BY_FAISS),
    "lir faiss-ivf": (FaissIVFIndexConfig(), BY_FAISS),
    "lir faiss-sq": (FaissSQIndexConfig(), BY_FAISS),
}
EXACT = ("lir faiss-flat", "lir torch-dense", "Faiss IndexFlatIP", "semantic_search")


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks dense", description=__doc__)
    parser.add_argument("--docs", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    documents = dense_data.make(options.docs, options.docs, seed=1)
    queries = dense_data.make(options.queries, options.docs, seed=2)
    folder = _CACHE / f"dense-{hashlib.sha256(Path(dense_data.__file__).read_bytes()).hexdigest()[:8]}-{options.docs}"
    with blas_threads(1):
        searches, built = contenders(folder, documents)
        recalls = check(searches, documents, queries)
        batch = interleaved(
            {name: (timed(partial(search, queries)), options.queries) for name, search in searches.items()},
            options.rounds,
        )
        single = interleaved({name: (one_by_one(search, queries), SINGLE) for name, search in searches.items()}, 3)
    write(batch, single, recalls, built, options)


def contenders(folder: Path, documents: np.ndarray) -> tuple[dict, dict[str, str]]:
    """Build the indexes that are not there yet; return what searches, and how long each took to build."""
    if not (folder / "parts" / "parts.json").exists():
        with PartWriter(folder / "parts") as writer:
            writer.append([str(i) for i in range(len(documents))], documents)
    searches, built = {}, {}
    for name, (config, search_config) in KINDS.items():
        begin = time.process_time()
        build(folder / "parts", folder / config.kind, config, overwrite=True)
        built[name] = f"{time.process_time() - begin:.1f}"
        index = Index.open(folder / config.kind, search_config)
        searches[name] = lambda some, index=index: [[int(i) for i in ids] for ids in index.search(some, K).doc_ids]
    flat = faiss.IndexFlatIP(documents.shape[1])
    flat.add(documents)
    searches["Faiss IndexFlatIP"] = lambda some: flat.search(some, K)[1]
    corpus = torch.from_numpy(documents)
    searches["semantic_search"] = lambda some: [
        [hit["corpus_id"] for hit in hits] for hits in semantic_search(torch.from_numpy(some), corpus, top_k=K)
    ]
    return searches, built


def check(searches: dict, documents: np.ndarray, queries: np.ndarray) -> dict[str, float]:
    """Compare with scores in float64, and refuse to measure what says exact and is not; return the recall of each."""
    scores = queries.astype(np.float64) @ documents.astype(np.float64).T
    least = np.partition(scores, len(documents) - K, axis=1)[:, len(documents) - K]
    recalls = {}
    for name, search in searches.items():
        reached = np.take_along_axis(scores, np.asarray(search(queries)), axis=1) >= least[:, None] * (1 - 1e-6)
        recalls[name] = float(reached.mean())
        assert name not in EXACT or recalls[name] == 1, f"{name} is wrong."
    return recalls


def one_by_one(search: object, queries: np.ndarray) -> Round:
    """Ask some queries one after the other."""
    return timed(lambda: [search(queries[i : i + 1]) for i in range(SINGLE)])


def write(
    batch: dict[str, Times],
    single: dict[str, Times],
    recalls: dict[str, float],
    built: dict[str, str],
    options: argparse.Namespace,
) -> None:
    """Print and keep the tables."""
    flat = "lir faiss-flat"
    rows = [
        (
            name,
            f"{recalls[name]:.3f}",
            *(f"{times[name].median:.2f} ({times[name].over(times[flat]):.2f})" for times in (batch, single)),
            built.get(name, ""),
        )
        for name in batch
    ]
    claims = [
        Claim(f"speed of faiss-flat over {peer}, {asked}", times[peer].over(times[flat]), 1, True)
        for asked, times in ((f"{options.queries} at once", batch), ("one by one", single))
        for peer in ("Faiss IndexFlatIP", "semantic_search")
    ]
    claims.append(
        Claim("time of faiss-auto over faiss-flat", batch["lir faiss-auto"].over(batch[flat]), 0.5, at_least=False)
    )
    about = (
        f"{options.docs:,} made-up documents of {dense_data.DIM} dimensions, k={K}, {options.queries} queries at once, "
        f"and {SINGLE} one by one. Recall is that of the best {K} in float64. Milliseconds a query of the processor, "
        "medians of rounds that take turns; in brackets, how many times the time of faiss-flat. Seconds of the "
        "processor to build. Faiss and sentence-transformers are called with their defaults."
    )
    columns = ("engine", f"recall@{K}", f"{options.queries} at once", "one by one", "built in s")
    sections = [about, markdown(columns, rows), markdown(CLAIMS, [claim.row for claim in claims])]
    packages = ["lir-index", "faiss-cpu", "sentence-transformers", "torch", "numpy"]
    report("dense", "Search over dense embeddings", sections, packages)
