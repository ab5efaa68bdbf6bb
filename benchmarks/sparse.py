"""Exact search over sparse embeddings: numba, torch and numpy against splade-index and scipy, one thread each."""

import argparse

import numpy as np
import torch

from benchmarks.measuring import Round, Times, interleaved, timed
from benchmarks.peers import Peer
from benchmarks.sparse_collection import Collection
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_index import Index, SparseIndexConfig, SparseSearchConfig

SPLADE_INDEX = ("--no-deps", "splade-index==0.2.0", "numba==0.68.1", "llvmlite==0.50.0", "numpy==2.4.6")
ENGINES = ("numba", "torch", "numpy")
# The slow ones answer fewer queries in a round.
FEW = 5


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks sparse", description=__doc__)
    parser.add_argument("--docs", type=int, default=200_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    collection = Collection(options.docs, options.queries)
    opened = {
        f"lir {engine}": collection.index(SparseIndexConfig(), SparseSearchConfig(engine=engine, num_threads=1))
        for engine in ENGINES
    }
    times = {}
    with Peer("splade_index", SPLADE_INDEX) as peer:
        postings = collection.folder / "sparse" / "segment-1" / "postings"
        peer.ask("load", postings=str(postings), queries=str(collection.save_queries()), num_docs=options.docs)
        for k in (10, 100, 1000):
            check(collection, opened, peer, k)
            times[k] = measure(collection, opened, peer, k, options.rounds)
    write(times, collection)


def check(collection: Collection, opened: dict[str, Index], peer: Peer, k: int) -> None:
    """Refuse to measure what is wrong: everything has to be equal to the scores in float64."""
    best = -np.sort(-collection.scores, axis=1)[:, :k]
    for name, index in opened.items():
        result = index.search(collection.queries, k)
        assert np.allclose(np.stack(result.scores), best, rtol=1e-5), f"{name} is wrong at k={k}"
        found = np.array([[int(doc_id) for doc_id in ids] for ids in result.doc_ids])
        assert collection.recall(found) == 1, f"{name} has other documents at k={k}"
    path = collection.folder / "found.npy"
    peer.ask("search", k=k, save=str(path))
    assert collection.recall(np.load(path)) == 1, f"splade-index is wrong at k={k}"


def measure(collection: Collection, opened: dict[str, Index], peer: Peer, k: int, rounds: int) -> dict[str, Times]:
    """Let all take turns."""
    queries, documents = collection.queries, collection.documents
    few = queries[:FEW]
    columns, dense = documents.T.tocsr(), few.toarray()
    contenders: dict[str, tuple[Round, int]] = {
        name: (timed(lambda index=index: index.search(queries, k)), queries.shape[0]) for name, index in opened.items()
    }
    contenders["splade-index"] = (lambda: tuple(peer.ask("search", k=k)), queries.shape[0])
    contenders["scipy Q @ D.T"] = (timed(lambda: [_best(row, k) for row in (few @ columns).toarray()]), FEW)
    contenders["scipy D @ q"] = (timed(lambda: [_best(documents @ query, k) for query in dense]), FEW)
    return interleaved(contenders, rounds)


def _best(scores: np.ndarray, k: int) -> np.ndarray:
    top = np.argpartition(scores, len(scores) - k)[len(scores) - k :]
    return top[np.argsort(-scores[top])]


def write(times: dict[int, dict[str, Times]], collection: Collection) -> None:
    """Print and keep the tables."""
    rows = [
        (name, *(f"{times[k][name].median:.3f} ({times[k][name].over(times[k]['lir numba']):.2f})" for k in times))
        for name in times[10]
    ]
    claims = [
        Claim(
            f"speed of numba over splade-index, k={k}", times[k]["splade-index"].over(times[k]["lir numba"]), at, True
        )
        for k, at in ((100, 1.15), (1000, 1.6))
    ]
    claims += [
        Claim("time of torch over numba, k=100", times[100]["lir torch"].over(times[100]["lir numba"]), 2.2, False),
        Claim("speed of numba over D @ q, k=100", times[100]["scipy D @ q"].over(times[100]["lir numba"]), 30, True),
    ]
    postings = np.diff(collection.documents.tocsc().indptr)[collection.queries.indices].sum()
    about = (
        f"{collection.num_docs:,} made-up documents of {collection.documents.nnz / collection.num_docs:.0f} terms, "
        f"{collection.queries.shape[0]} queries of {collection.queries.nnz / collection.queries.shape[0]:.0f}, "
        f"{postings / collection.queries.shape[0]:,.0f} postings a query. All results were equal to scores in float64. "
        "Milliseconds a query of the processor, medians of rounds that take turns; in brackets, how many times the time of numba."
    )
    columns = ("engine", *(f"k={k}" for k in times))
    sections = [about, markdown(columns, rows), markdown(CLAIMS, [claim.row for claim in claims])]
    report("sparse", "Exact search over sparse embeddings", sections, ["lir-index", "numba", "torch", "numpy", "scipy"])
