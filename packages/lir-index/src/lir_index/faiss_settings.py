"""Faiss, and those of its settings that belong to the process: set around a call, and put back."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any

# Processes that were forked from one that had loaded Faiss.
_forked: set[int] = set()


@cache
def load_faiss() -> Any:
    """Import Faiss, when it is needed; and untyped, since its annotations leave out much of what it has."""
    import faiss

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_search_alone)
    return faiss


def _search_alone() -> None:
    """Let Faiss use one thread in a forked process: the others are not forked, and waited for (its issue 5206)."""
    _forked.add(os.getpid())
    load_faiss().omp_set_num_threads(1)


@contextmanager
def faiss_settings(dim: int, num_threads: int | None = None) -> Generator[None]:
    """Let Faiss use a matrix product from about six queries on, and so many threads.

    The default since Faiss 1.15 is 128000 = queries x dimensions, under which a batch of 256 queries reads all vectors
    once for each query: measured at 200k x 384, 12.9 ms a query instead of 1.7. Below about five queries the matrix
    product is the slower way.

    Args:
        dim: Components of a vector.
        num_threads: None for as many as Faiss would use; in a forked process it uses one.
    """
    faiss = load_faiss()
    if os.getpid() in _forked:
        num_threads = 1
    threshold, threads = faiss.cvar.distance_compute_blas_threshold, faiss.omp_get_max_threads()
    faiss.cvar.distance_compute_blas_threshold = 6 * dim
    if num_threads is not None:
        faiss.omp_set_num_threads(num_threads)
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = threshold
        faiss.omp_set_num_threads(threads)
