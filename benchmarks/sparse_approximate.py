"""Approximate search over sparse embeddings at equal recall: two steps against exact search and Seismic, one thread each."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from benchmarks.measuring import Round, Times, interleaved, timed
from benchmarks.peers import Peer
from benchmarks.sparse_collection import Collection
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_index import (
    SparseIndexConfig,
    SparseSearchConfig,
    SparseTwoStepIndexConfig,
    SparseTwoStepSearchConfig,
)

SEISMIC = ("pyseismic-lsr==0.5.4", "numpy==2.4.6")
# Seismic's own defaults.
BUILDING = {"n_postings": 3500, "centroid_fraction": 0.1, "min_cluster_size": 2, "summary_energy": 0.4}
RECALL = 0.99


@dataclass(frozen=True)
class Contender:
    """A way to search, with its settings.

    Args:
        settings: In words.
        recall: Which part of the exact results it finds.
        measured: Searches once.
    """

    settings: str
    recall: float
    measured: Round


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks sparse_approximate", description=__doc__)
    parser.add_argument("--docs", type=int, nargs="+", default=[200_000, 500_000])
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    rows, claims, notes = [], [], []
    for num_docs in options.docs:
        collection = Collection(num_docs, options.queries)
        with Peer("seismic", SEISMIC) as peer:
            collection.index(SparseIndexConfig(), SparseSearchConfig())
            seconds = load_seismic(collection, peer)
            if seconds:
                notes.append(f"Seismic was built in {seconds:.0f} s of the processor ({num_docs:,} documents).")
            for k in (10, 100):
                contenders = enter(collection, peer, k)
                rounds = {name: (contender.measured, options.queries) for name, contender in contenders.items()}
                times = interleaved(rounds, options.rounds)
                rows += table(num_docs, k, contenders, times)
                claims += judge(num_docs, k, times)
    about = (
        f"Made-up documents, {options.queries} queries. Of the settings tried, the fastest that finds at least {RECALL:.0%} "
        "of the exact results; Seismic is built with its own defaults. Milliseconds a query of the processor, medians "
        "of rounds that take turns. " + " ".join(notes)
    )
    columns = ("documents", "k", "search", "settings", "recall", "ms", "x exact")
    sections = [about, markdown(columns, rows), markdown(CLAIMS, [claim.row for claim in claims])]
    report("sparse_approximate", "Approximate search over sparse embeddings", sections, ["lir-index", "numba", "numpy"])


def enter(collection: Collection, peer: Peer, k: int) -> dict[str, Contender]:
    """The contenders, in the settings that they are fastest in."""
    exact = collection.index(SparseIndexConfig(), SparseSearchConfig(num_threads=1))
    ways = list(two_steps(collection, k))
    return {
        "exact": Contender("", 1.0, timed(lambda: exact.search(collection.queries, k))),
        "two-step": cheapest(ways),
        "two-step, defaults": ways[0],
        "Seismic": cheapest(seismics(collection, peer, k)),
    }


def two_steps(collection: Collection, k: int) -> Iterable[Contender]:
    """Two-step search, by default and in other settings."""
    tried: list[dict[str, int]] = [{}]
    tried += [
        {"query_terms": terms, "candidate_k": int(k * share)}
        for terms, share in product((10, 15, 20, 30), (1.5, 2, 3, 5, 8))
    ]
    for settings in tried:
        config = SparseTwoStepSearchConfig(num_threads=1, **settings)
        index = collection.index(SparseTwoStepIndexConfig(), config)
        result = index.search(collection.queries, k)
        found = np.array([[int(doc_id) for doc_id in doc_ids] for doc_ids in result.doc_ids])
        named = ", ".join(f"{name}={value}" for name, value in settings.items())
        yield Contender(named, collection.recall(found), timed(lambda index=index: index.search(collection.queries, k)))


def load_seismic(collection: Collection, peer: Peer) -> float:
    """Let Seismic load or build its index; return the seconds of the processor that building took."""
    return peer.ask(
        "load",
        documents=str(collection.folder / "sparse" / "segment-1" / "documents"),
        queries=str(collection.save_queries()),
        saved=str(collection.folder / "seismic"),
        settings=BUILDING,
    )


def seismics(collection: Collection, peer: Peer, k: int) -> Iterable[Contender]:
    """Seismic in many settings."""
    path = collection.folder / "found.npy"
    for cut, factor in product((2, 3, 4, 5, 6, 8, 10, 15), (0.7, 0.8, 0.9, 1.0)):
        settings = {"k": k, "query_cut": cut, "heap_factor": factor}
        peer.ask("search", save=str(path), **settings)
        recall = collection.recall(np.load(path))
        named = f"query_cut={cut}, heap_factor={factor}"
        yield Contender(named, recall, lambda settings=settings: tuple(peer.ask("search", **settings)))


def cheapest(contenders: Iterable[Contender]) -> Contender:
    """The fastest of those that find enough; the one that finds most, where none does."""
    tried = list(contenders)
    enough = [contender for contender in tried if contender.recall >= RECALL]
    if not enough:
        return max(tried, key=lambda contender: contender.recall)
    times = interleaved({str(i): (contender.measured, 1) for i, contender in enumerate(enough)}, rounds=3)
    return enough[min(range(len(enough)), key=lambda i: times[str(i)].median)]


def table(num_docs: int, k: int, contenders: dict[str, Contender], times: dict[str, Times]) -> list[tuple[str, ...]]:
    """Rows for one collection and one k."""
    return [
        (
            f"{num_docs:,}",
            str(k),
            name,
            contender.settings,
            f"{contender.recall:.3f}",
            f"{times[name].median:.3f}",
            f"{times[name].over(times['exact']):.2f}",
        )
        for name, contender in contenders.items()
    ]


def judge(num_docs: int, k: int, times: dict[str, Times]) -> list[Claim]:
    """Compare with the targets."""
    where = f"{num_docs:,} documents, k={k}"
    over_seismic = times["two-step"].over(times["Seismic"])
    if k == 10:
        return [Claim(f"{where}: time of two-step over Seismic", over_seismic, 1.2, False)]
    claims = [Claim(f"{where}: time of two-step over Seismic", over_seismic, 1.0, False)]
    if num_docs >= 500_000:
        claims.append(
            Claim(f"{where}: time of two-step over exact", times["two-step"].over(times["exact"]), 0.6, False)
        )
    return claims
