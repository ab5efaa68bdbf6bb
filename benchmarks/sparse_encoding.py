"""SPLADE encoding of documents: time and memory of lir against sentence-transformers, each in a process of its own."""

import argparse
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array

from benchmarks.measuring import Times, interleaved, peak_memory, resident_memory, timed
from benchmarks.ranked_passages import passages
from benchmarks.seeded_models import splade
from benchmarks.tables import CLAIMS, Claim, markdown, report

PEER = "sentence-transformers"
COLUMNS = ("by", "ms a document", "documents/s", "x lir", "peak MB", "of it above the loaded model")
TOLERANCE = 1e-4
_NUM_UNTIMED = 64
Encode = Callable[[list[str]], Any]


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks sparse_encoding", description=__doc__)
    parser.add_argument("--docs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    # The processes inherit this: the hub is not asked for anything.
    os.environ["HF_HUB_OFFLINE"] = "1"
    docs = list(islice(passages().values(), options.docs))
    folder = splade()
    with Encoding(load, folder, docs) as ours, Encoding(load_peer, folder, docs) as theirs:
        encodings = {"lir": ours, PEER: theirs}
        times = interleaved({name: (each.encode, len(docs)) for name, each in encodings.items()}, options.rounds)
        weights = [each.weights() for each in encodings.values()]
        memory = {name: each.memory() for name, each in encodings.items()}
    difference = abs(weights[0] - weights[1]).max()
    assert difference <= TOLERANCE, f"Term weights differ by {difference}."
    write(times, memory, weights[0], float(difference), options)


class Encoding:
    """A process that loads a model and encodes the same documents, as often as it is asked.

    Args:
        loading: Loads the model; makes what encodes.
        folder: Where the model is.
        docs: What is encoded.
    """

    def __init__(self, loading: Callable[[Path], Encode], folder: Path, docs: list[str]) -> None:
        self._process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        self._process.submit(_load, loading, folder, docs).result()
        self._counts = chain([_NUM_UNTIMED], repeat(len(docs)))

    def encode(self) -> tuple[float, float]:
        """Encode, the first time a few; say how many seconds it took: of the processor, and by the clock."""
        return self._process.submit(_encode, next(self._counts)).result()

    def weights(self) -> csr_array:
        """Return the term weights that came of it, a row for each document."""
        return self._process.submit(_weights).result()

    def memory(self) -> tuple[float, float]:
        """Return the megabytes that the process has held at most while it encoded, and before."""
        return self._process.submit(_memory).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown()


_state: dict[str, Any] = {}


def _load(loading: Callable[[Path], Encode], folder: Path, docs: list[str]) -> None:
    encode = loading(folder)
    # What every first call takes, whatever it encodes.
    encode(docs[:1])
    _state.update(encode=encode, docs=docs, loaded=resident_memory())


def _encode(count: int) -> tuple[float, float]:
    _state.pop("encoded", None)

    def work() -> None:
        _state["encoded"] = _state["encode"](_state["docs"][:count])

    seconds = timed(work)()
    # Before the weights are brought into another form.
    _state["peak"] = peak_memory()
    return seconds


def _weights() -> csr_array:
    encoded = _state["encoded"]
    if isinstance(encoded, csr_array):
        return encoded
    encoded = encoded.coalesce()
    return csr_array((encoded.values().numpy(), encoded.indices().numpy()), shape=tuple(encoded.shape))


def _memory() -> tuple[float, float]:
    return _state["peak"], _state["loaded"]


def load(folder: Path) -> Encode:
    """Load the model by lir."""
    from lir_models import BiEncoderModel, SpladeConfig

    return BiEncoderModel.from_pretrained(folder, SpladeConfig(), device="cpu").encode_document


def load_peer(folder: Path) -> Encode:
    """Load the model by sentence-transformers."""
    from sentence_transformers import SparseEncoder

    return SparseEncoder(str(folder), device="cpu", local_files_only=True).encode_document


def write(
    times: dict[str, Times],
    memory: dict[str, tuple[float, float]],
    weights: csr_array,
    difference: float,
    options: argparse.Namespace,
) -> None:
    """Print and keep the table."""
    over = {name: each.over_by_clock(times["lir"]) for name, each in times.items()}
    rows = [
        (
            name,
            f"{each.median_wall:.2f}",
            f"{1000 / each.median_wall:,.0f}",
            f"{over[name]:.2f}",
            f"{memory[name][0]:,.0f}",
            f"{memory[name][0] - memory[name][1]:,.0f}",
        )
        for name, each in times.items()
    ]
    whole, above = ([peak - part * loaded for peak, loaded in memory.values()] for part in (0, 1))
    claims = [
        Claim(f"speed over {PEER}", over[PEER], 1.6, at_least=True),
        Claim(f"memory above the loaded model, over {PEER}", above[0] / above[1], 0.5, at_least=False),
    ]
    terms = np.diff(weights.indptr)
    about = (
        f"{options.docs:,} passages of MS MARCO by MiniLM (6 layers, width 384, 30,522 terms) with a masked-language-model "
        f"head that gives a passage {terms.mean():.0f} terms on the average; {PEER} with its defaults. The term weights "
        f"agree to {difference:.0e}. By the clock, medians of {options.rounds} rounds that take turns. Memory is "
        "resident, at most; the loaded model includes the libraries and one document encoded before. Of the whole "
        f"process, lir's peak is {whole[0] / whole[1]:.2f} times that of {PEER}."
    )
    sections = [about, markdown(COLUMNS, rows), markdown(CLAIMS, [claim.row for claim in claims])]
    packages = ["lir-models", "sentence-transformers", "transformers", "torch"]
    report("sparse_encoding", "Sparse encoding", sections, packages, threads="all threads")
