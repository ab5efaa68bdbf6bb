"""One at a time: who is second is told at once, and who was killed holds nothing."""

import os
import subprocess
import sys

import pytest

from lir_index.errors import BusyIndexError
from lir_index.locks import FolderLock, check_free
from lir_index.store import changing

# Holds the lock, and has a child that lives on when it is killed, as the workers of a data loader do for some seconds.
HOLDER = """
import os, sys, time
from pathlib import Path
from lir_index.locks import FolderLock
lock = FolderLock(Path(sys.argv[1]))
child = os.fork()
if child:
    print(child, flush=True)
time.sleep(60)
"""


def test_the_second_is_refused_until_the_first_has_ended(tmp_path):
    with FolderLock(tmp_path):
        with pytest.raises(BusyIndexError, match="Another process is changing the index"):
            FolderLock(tmp_path)
        with pytest.raises(BusyIndexError):
            check_free(tmp_path)
    FolderLock(tmp_path).release()


def test_asking_whether_it_is_free_takes_nothing(tmp_path):
    check_free(tmp_path)
    check_free(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()
    FolderLock(tmp_path).release()


def test_a_change_takes_the_lock_that_its_caller_holds(tmp_path):
    with FolderLock(tmp_path) as lock:
        with pytest.raises(BusyIndexError), changing(tmp_path):
            pass
        with changing(tmp_path, lock):
            pass
        with pytest.raises(BusyIndexError):
            check_free(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_who_was_killed_holds_nothing_though_its_children_live(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    child = int(holder.stdout.readline())
    try:
        with pytest.raises(BusyIndexError):
            FolderLock(tmp_path)
        holder.kill()
        holder.wait()
        FolderLock(tmp_path).release()
    finally:
        os.kill(child, 9)
        holder.stdout.close()
