"""Memory of the process: what is freed goes back to the system."""

import ctypes
from collections.abc import Callable
from functools import cache


def release_memory() -> None:
    """Give freed memory back to the system, where the C library is glibc.

    glibc keeps it, in holes that the next batch often does not fit, since tensors are aligned and their sizes differ: so
    what a process holds would grow for hours.
    """
    release = _malloc_trim()
    if release is not None:
        release(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
