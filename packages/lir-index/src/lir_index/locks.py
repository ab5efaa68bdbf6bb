"""One process at a time changes an index, from the first document that it encodes to the last file that it removes."""

import fcntl
import os
from functools import cache
from pathlib import Path
from typing import Self
from weakref import WeakSet

from lir_index.errors import BusyIndexError
from lir_index.storage import naming


class FolderLock:
    """Keeps every other process, and every other thread, from changing an index, until :meth:`release`.

    The system holds it for this process alone and gives it up when the process ends, however that comes about.

    Args:
        folder: Folder of the index; made where it is missing.

    Raises:
        BusyIndexError: If the index is being changed.
        StorageError: If the folder can be neither made nor read.
    """

    def __init__(self, folder: Path) -> None:
        self._descriptor: int | None = None
        with naming(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(folder, os.O_RDONLY)
        _release_in_forked_children()
        _held.add(self)
        try:
            _lock(self._descriptor, folder, fcntl.LOCK_EX)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let others change the index; without effect where that was done before."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


def check_free(folder: Path) -> None:
    """Refuse an index that is being changed now, so that work is not begun in vain.

    Raises:
        BusyIndexError: If it is.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        # Where there is no folder, nobody is at work; whether it can be read shows later.
        return
    try:
        _lock(descriptor, folder, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, how: int) -> None:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyIndexError(
            f"Another process is changing the index in '{folder}'.", hint="Wait until it has come to its end."
        ) from None
    except OSError:
        # Some network file systems have no locks.
        pass


_held: WeakSet[FolderLock] = WeakSet()


@cache
def _release_in_forked_children() -> None:
    """Give locks up in children: workers that read data outlive a process that is killed, for seconds, and would hold them."""

    def release() -> None:
        for lock in list(_held):
            lock.release()

    os.register_at_fork(after_in_child=release)
