"""A little of what readers.py does: a reader beside a writer, which adds, deletes and compacts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "readers.py"


def run(*options):
    # In a process of its own: one that has threads, as that of the tests, cannot be forked safely.
    command = [sys.executable, str(SCRIPT), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("case", ["torch-dense", "faiss-ivf", "sparse by numpy", "bm25"])
def test_a_reader_beside_a_writer_sees_what_was_committed(case):
    if case == "bm25":
        pytest.importorskip("bm25s")
    done = run("--minutes", "0.025", "--cases", case)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{case}: opened ")


@pytest.mark.long
def test_so_it_is_of_every_kind_for_five_minutes():
    done = run("--minutes", "5")
    assert done.returncode == 0, done.stderr
