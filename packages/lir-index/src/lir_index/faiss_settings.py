"""Faiss, and those of its settings that belong to the process: set around a call, and put back."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


def load_faiss() -> Any:
    """Import Faiss, when it is needed; and untyped, since its annotations leave out much of what it has."""
    import faiss

    return faiss


@contextmanager
def faiss_settings(dim: int, num_threads: int | None = None) -> Generator[None]:
    """Let Faiss use a matrix product from about six queries on, and so many threads.

    The default since Faiss 1.15 is 128000 = queries x dimensions, under which a batch of 256 queries reads all vectors
    once for each query: measured at 200k x 384, 12.9 ms a query instead of 1.7. Below about five queries the matrix
    product is the slower way.

    Args:
        dim: Components of a vector.
        num_threads: None for as many as Faiss would use.
    """
    faiss = load_faiss()
    threshold, threads = faiss.cvar.distance_compute_blas_threshold, faiss.omp_get_max_threads()
    faiss.cvar.distance_compute_blas_threshold = 6 * dim
    if num_threads is not None:
        faiss.omp_set_num_threads(num_threads)
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = threshold
        faiss.omp_set_num_threads(threads)
