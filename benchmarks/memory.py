"""Memory that building an index takes beside the collection's size: of each kind, for a collection and one ten times larger."""

import argparse
import multiprocessing
import shutil
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import dense_data, multi_vector_data, sparse_data
from benchmarks.tables import markdown, report
from lir_index import (
    FaissFlatIndexConfig,
    FaissHNSWIndexConfig,
    FaissIVFIndexConfig,
    FaissIVFPQIndexConfig,
    FaissPQIndexConfig,
    FaissSQIndexConfig,
    IndexConfig,
    MultiVectorIndexConfig,
    PartWriter,
    PlaidIndexConfig,
    SparseIndexConfig,
    SparseTwoStepIndexConfig,
    TorchDenseIndexConfig,
    build,
)

KINDS: dict[str, list[IndexConfig]] = {
    "dense": [
        FaissFlatIndexConfig(),
        TorchDenseIndexConfig(),
        FaissPQIndexConfig(),
        FaissSQIndexConfig(),
        FaissIVFIndexConfig(),
        FaissIVFPQIndexConfig(),
        FaissHNSWIndexConfig(),
    ],
    "sparse": [SparseIndexConfig(), SparseTwoStepIndexConfig()],
    "multi-vector": [MultiVectorIndexConfig(), PlaidIndexConfig()],
}
NUM_DOCS = {"dense": 30_000, "sparse": 200_000, "multi-vector": 5_000}
_CACHE = Path(__file__).parent / ".cache"
# Documents that are made at a time, and bytes of a part.
STEP, PART = 5_000, 2**23
COLUMNS = ("kind", "documents", "MB", "held", "documents", "MB", "held", "held, x")


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks memory", description=__doc__)
    parser.add_argument("--only", choices=KINDS, nargs="+", default=list(KINDS))
    options = parser.parse_args(arguments)
    rows = []
    _CACHE.mkdir(exist_ok=True)
    for form in options.only:
        with tempfile.TemporaryDirectory(dir=_CACHE) as name:
            folder, counts = Path(name), (NUM_DOCS[form], 10 * NUM_DOCS[form])
            sizes = [write(folder / f"{count}", form, count) for count in counts]
            for config in KINDS[form]:
                small, large = (peak(folder / f"{count}", folder / "index", config) for count in counts)
                figures = (counts[0], sizes[0], small, counts[1], sizes[1], large)
                rows.append((config.kind, *(f"{figure:,.0f}" for figure in figures), f"{large / small:.1f}"))
                print(*rows[-1], flush=True)
    about = (
        "Megabytes of embeddings, and what the process that builds an index of them holds in memory at most (private "
        "memory, as Linux counts it, without files that are memory-mapped), beyond what it held before. The parts are of "
        "8 MiB; of the usual ones, of 64 MiB, some are held as well. Faiss makes its own kinds in memory, all but flat "
        "ones: their codes grow with the collection, and so do the vectors of those that have none; clusters are found from "
        "a sample that grows with the root of the collection's size."
    )
    sections, packages = [about, markdown(COLUMNS, rows)], ["lir-index", "faiss-cpu", "numpy"]
    report("memory", "Memory while an index is built", sections, packages, threads="all threads")


def write(folder: Path, form: str, count: int) -> float:
    """Write parts of a form; return how many megabytes they are."""
    make = {"dense": _dense, "sparse": _sparse, "multi-vector": _multi_vector}[form]
    with PartWriter(folder, max_bytes=PART) as writer:
        for start in range(0, count, STEP):
            writer.append([str(i) for i in range(start, start + STEP)], make(start, count))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _dense(start: int, count: int) -> np.ndarray:
    return dense_data.make(STEP, count, seed=start)


def _sparse(start: int, count: int) -> Any:
    return sparse_data.make_documents(STEP, seed=start)


def _multi_vector(start: int, count: int) -> Any:
    data = multi_vector_data.make(STEP, 1, seed=start)
    return data.vectors, data.lengths


def peak(parts: Path, index: Path, config: IndexConfig) -> float:
    """Build in a process of its own; return how many megabytes it held at most."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_build, args=(there, parts, index, config))
    process.start()
    before = here.recv()
    most = before
    while process.is_alive():
        most = max(most, _held(process.pid) or 0)
        time.sleep(0.002)
    assert process.exitcode == 0, f"{config.kind} could not be built."
    shutil.rmtree(index)
    return (most - before) / 1e6


def _build(there: Connection, parts: Path, index: Path, config: IndexConfig) -> None:
    there.send(_held("self"))
    build(parts, index, config)


def _held(process: int | str | None) -> int | None:
    """Bytes of private memory, or None where the process has ended."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), None)
