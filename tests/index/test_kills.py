"""A little of what kills.py does: additions, deletions and compactions that are killed at random moments."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "kills.py"


def run(*options):
    # In a process of its own: one that has threads, as that of the tests, cannot be forked safely.
    command = [sys.executable, str(SCRIPT), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("case", ["torch-dense", "faiss-pq", "sparse by numpy", "plaid by numpy"])
def test_a_change_that_is_killed_has_happened_or_not_and_can_be_repeated(case):
    done = run("--times", "4", "--cases", case)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{case}: add ")


@pytest.mark.long
def test_so_it_is_of_every_kind():
    done = run("--times", "30")
    assert done.returncode == 0, done.stderr
