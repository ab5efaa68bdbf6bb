"""Multi-vector search at equal recall: plaid against exact search, fast-plaid and xtr-warp, one thread each."""

import argparse
import shutil
from collections.abc import Iterable
from itertools import product

import faiss
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.measuring import timed
from benchmarks.multi_vector_collection import Built, Collection, K, positions
from benchmarks.multi_vector_tables import Setting, write
from benchmarks.peers import Peer
from lir_index import Index, MultiVectorSearchConfig, PlaidIndexConfig, PlaidSearchConfig

FAST_PLAID = ("fast-plaid==1.7.0.2110", "torch==2.11.0", "numpy==2.4.6")
XTR_WARP = ("xtr-warp-rs==2.1.0.2110", "torch==2.11.0", "numpy==2.4.6")
N_BITS = 4


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks multi_vector", description=__doc__)
    parser.add_argument("--docs", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    with threadpool_limits(1), Peer("fast_plaid", FAST_PLAID) as fast_plaid, Peer("xtr_warp", XTR_WARP) as xtr_warp:
        collection = Collection(options.docs, options.queries)
        indexes = {"exact": collection.exact, "fast-plaid": build_peer(collection, fast_plaid, "fast-plaid")}
        # The peers choose alike; all have the same, so that it is not a choice of centroids that is compared.
        count = indexes["fast-plaid"].num_centroids
        indexes["xtr-warp"] = build_peer(collection, xtr_warp, "xtr-warp", num_centroids=count)
        for n_bits in (N_BITS, 8):
            config = PlaidIndexConfig(num_centroids=count, n_bits=n_bits)
            indexes[f"plaid, {n_bits} bits"] = collection.build(f"plaid-{n_bits}", config)
        settings = [
            *sweep_exact(collection),
            *(
                one
                for name, index in indexes.items()
                if name.startswith("plaid")
                for one in sweep_plaid(collection, name, index)
            ),
            *sweep_peer(collection, "fast-plaid", fast_plaid, fast_plaid_settings()),
            *sweep_peer(collection, "xtr-warp", xtr_warp, xtr_warp_settings()),
        ]
        write(collection, indexes, settings, options.rounds)


def build_peer(collection: Collection, peer: Peer, name: str, **settings: int) -> Built:
    """Let a peer build its index anew."""
    path = collection.folder / name
    shutil.rmtree(path, ignore_errors=True)
    return Built(path, *peer.ask("build", folder=str(collection.folder), index=str(path), n_bits=N_BITS, **settings))


def sweep_exact(collection: Collection) -> Iterable[Setting]:
    """Exact search."""
    index = Index.open(collection.exact.path, MultiVectorSearchConfig(num_threads=1))
    measured = timed(lambda: index.search(collection.queries, K))
    yield Setting("exact", "", 1.0, measured()[0], measured)


def sweep_plaid(collection: Collection, name: str, built: Built) -> Iterable[Setting]:
    """The kind plaid in many settings."""
    for n_cells, candidate_k in product((1, 2, 4, 8, 16, 32), (16, 32, 64, 96, 128, 256, 512)):
        config = PlaidSearchConfig(n_cells=n_cells, candidate_k=candidate_k, num_threads=1)
        index = Index.open(built.path, config)
        # The first search compiles.
        recall = collection.recall(positions(index, collection))
        measured = timed(lambda index=index: index.search(collection.queries, K))
        yield Setting(name, f"n_cells={n_cells}, candidate_k={candidate_k}", recall, measured()[0], measured)


def fast_plaid_settings() -> Iterable[dict[str, int]]:
    """What is tried with fast-plaid: its defaults, which are 8 and 4096, and more."""
    yield {}
    for probes, scores in product((1, 2, 4, 8, 16, 32), (16, 32, 64, 128, 256, 1024)):
        yield {"n_ivf_probe": probes, "n_full_scores": scores}


def xtr_warp_settings() -> Iterable[dict[str, int]]:
    """What is tried with xtr-warp: what it chooses by itself, and more. Its other limits change little here."""
    yield {}
    for probes, t_prime in product((1, 2, 4, 8, 16, 32, 64, 128, 256), (1000, 10_000, 50_000)):
        yield {"nprobe": probes, "t_prime": t_prime, "bound": max(32, 2 * probes)}


def sweep_peer(collection: Collection, name: str, peer: Peer, tried: Iterable[dict[str, int]]) -> Iterable[Setting]:
    """A peer in many settings."""
    path = collection.folder / "found.npy"

    def search(settings: dict[str, int]) -> tuple[float, float]:
        return tuple(peer.ask("search", k=K, saved=str(path), **settings))

    # The first search loads the index.
    search({})
    for settings in tried:
        seconds, _ = search(settings)
        named = ", ".join(f"{knob}={value}" for knob, value in settings.items()) or "by default"
        recall = collection.recall(np.load(path))
        yield Setting(name, named, recall, seconds, lambda settings=settings: search(settings))
