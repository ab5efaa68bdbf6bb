"""Exact MaxSim over all documents: lir against maxsim-cpu and against a padded product of torch, one thread each."""

import argparse

import numpy as np
import torch

from benchmarks.measuring import interleaved, timed
from benchmarks.multi_vector_collection import Collection, K, positions
from benchmarks.peers import Peer
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_index import Index, MultiVectorSearchConfig

MAXSIM_CPU = ("maxsim-cpu==0.1.0", "numpy==2.4.6")
FEW = 10


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks max_sim", description=__doc__)
    parser.add_argument("--docs", type=int, default=5_000)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    collection = Collection(options.docs, options.queries)
    index = Index.open(collection.exact.path, MultiVectorSearchConfig(num_threads=1))
    # The collection has compared these with scores in float64.
    exact = positions(index, collection)[:FEW]
    vectors, lengths = collection.queries
    few = (vectors[: FEW * lengths[0]], lengths[:FEW])
    padded, is_token = pad(collection)
    with Peer("maxsim_cpu", MAXSIM_CPU) as peer:
        peer.ask("load", folder=str(collection.folder))
        path = collection.folder / "found.npy"
        peer.ask("search", queries=FEW, k=K, save=str(path))
        assert (np.load(path) == exact).all(), "maxsim-cpu finds other documents."
        queries = torch.from_numpy(collection.data.queries[:FEW])
        assert (by_torch(queries, padded, is_token) == exact).all(), "torch finds other documents."
        times = interleaved(
            {
                "lir": (timed(lambda: index.search(few, K)), FEW),
                "torch, padded": (timed(lambda: by_torch(queries, padded, is_token)), FEW),
                "maxsim-cpu": (lambda: tuple(peer.ask("search", queries=FEW, k=K)), FEW),
            },
            options.rounds,
        )
    rows = [(name, f"{some.median:.1f}", f"{some.over(times['lir']):.2f}") for name, some in times.items()]
    claims = [
        Claim(f"speed over {name}", times[name].over(times["lir"]), 1, True) for name in ("torch, padded", "maxsim-cpu")
    ]
    about = (
        f"The {K} best of {options.docs:,} made-up documents of {collection.data.lengths.mean():.0f} vectors, for queries "
        f"of {lengths.mean():.0f}, of 128 components. All find the same documents in the same order. Milliseconds a query "
        "of the processor, medians of rounds that take turns."
    )
    sections = [about, markdown(("by", "ms", "x lir"), rows), markdown(CLAIMS, [claim.row for claim in claims])]
    report("max_sim", "Exact MaxSim", sections, ["lir-index", "numpy", "torch"])


def pad(collection: Collection) -> tuple[torch.Tensor, torch.Tensor]:
    """Give all documents the length of the longest; return their vectors, and which of them are there."""
    lengths = collection.data.lengths
    is_token = np.arange(lengths.max()) < lengths[:, None]
    padded = np.zeros((*is_token.shape, collection.data.vectors.shape[1]), np.float32)
    padded[is_token] = collection.data.vectors
    return torch.from_numpy(padded), torch.from_numpy(is_token)


def by_torch(queries: torch.Tensor, padded: torch.Tensor, is_token: torch.Tensor) -> np.ndarray:
    """What anyone would write first."""
    found = []
    for query in queries:
        matches = (padded @ query.T).masked_fill(~is_token[:, :, None], -torch.inf)
        found.append(matches.amax(dim=1).sum(dim=1).topk(K).indices)
    return torch.stack(found).numpy()
