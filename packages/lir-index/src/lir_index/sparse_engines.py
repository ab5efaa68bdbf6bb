"""What adds postings up and scores candidates: numba where it is installed, torch on its devices, numpy everywhere."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args

from lir_index.config import SearchConfig
from lir_index.errors import ArgumentError, MissingExtraError, did_you_mean
from lir_index.postings import Rows
from lir_index.sparse_numpy import Candidates, NumpyEngine, NumpyScorer, Scores
from lir_index.sparse_rows import Terms, Weights

Engine = Literal["numba", "torch", "numpy"]

Scorer = Callable[[Candidates, Terms, Weights], Scores]
"""Scores a few documents exactly."""


@dataclass(frozen=True)
class EngineSearchConfig(SearchConfig):
    """What every kind that adds postings up can be told about the way it does that.

    Args:
        k: Number of documents for each query.
        engine: What adds up: ``numba`` (the extra ``fast``), ``torch`` or ``numpy``. None takes the first of them that
            is installed, or torch for a device. The results are the same.
        device: A device of torch that the postings are copied to.
        num_threads: Queries that are searched at a time, on the CPU; None for as many as there are processors.
    """

    k: int = 10
    engine: Engine | None = None
    device: str = "cpu"
    num_threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        known = get_args(Engine)
        if self.engine is not None and self.engine not in known:
            raise ArgumentError(
                f"There is no engine '{self.engine}', only numba, torch and numpy.{did_you_mean(self.engine, known)}"
            )
        if self.device != "cpu" and self.engine not in (None, "torch"):
            raise ArgumentError(f"The engine {self.engine} does not run on the device '{self.device}'; torch does.")


def make_engine(postings: Rows, num_docs: int, settings: EngineSearchConfig) -> Any:
    """Make what adds postings up.

    Args:
        postings: Weights by term.
        num_docs: Documents that they name.
        settings: Which engine, and where.

    Raises:
        MissingExtraError: If it was asked for by name, and is not installed.
        ArgumentError: If the device does not exist, or has no room.
    """
    # Without torch among those that are tried: importing it takes seconds and saves milliseconds.
    name = settings.engine or ("torch" if settings.device != "cpu" else "numba" if find_spec("numba") else "numpy")
    if name == "numba":
        return _by_numba().NumbaEngine(postings, num_docs)
    if name == "torch":
        from lir_index.sparse_torch import TorchEngine

        return TorchEngine(postings, num_docs, settings.device)
    return NumpyEngine(postings, num_docs)


def make_scorer(documents: Rows, dim: int, engine: Engine | None) -> Scorer:
    """Make what scores candidates: by numba where it is installed, unless numpy was asked for by name.

    Args:
        documents: Weights by document.
        dim: Size of the vocabulary.
        engine: What was asked for.
    """
    if engine != "numpy" and find_spec("numba"):
        return _by_numba().NumbaScorer(documents, dim)
    return NumpyScorer(documents, dim)


def _by_numba() -> Any:
    try:
        return import_module("lir_index.sparse_numba")
    except ImportError as error:
        raise MissingExtraError(
            "The engine numba needs numba, which is not installed.", hint="pip install 'lir-index[fast]'"
        ) from error
