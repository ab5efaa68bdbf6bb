"""Threads: several queries at a time, for code that lets other threads run, and those of numpy's matrix products."""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Query = TypeVar("Query")
Result = TypeVar("Result")


def in_threads(search: Callable[[Query], Result], queries: Sequence[Query], num_threads: int | None) -> list[Result]:
    """Search for each query, in order.

    Args:
        search: Finds the result of one query.
        queries: Queries.
        num_threads: How many at a time; None for as many as this process may use processors.
    """
    count = min(num_threads or _num_processors(), len(queries))
    if count <= 1:
        return [search(query) for query in queries]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(search, queries))


@contextmanager
def blas_threads(num_threads: int | None) -> Generator[None]:
    """Let numpy's matrix products use so many threads; None for as many as they would."""
    if num_threads is None:
        yield
    else:
        with _blas().limit(limits=num_threads, user_api="blas"):
            yield


@cache
def _blas() -> ThreadpoolController:
    # Looking for the libraries takes milliseconds.
    return ThreadpoolController()


def _num_processors() -> int:
    # A container or taskset may give less than the machine has; mac has no affinity.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
