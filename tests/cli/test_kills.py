"""`lir index` that is killed at any moment and repeated ends as if it had never been killed.

``uv run pytest tests/cli/test_kills.py -m long -s`` kills thirty times per kind, and says what each kill left.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kills.py")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def kill(folder: Path, backbone: Path, masked_lm: Path, *arguments: object) -> None:
    command = [sys.executable, SCRIPT, folder, "--backbone", backbone, "--masked-lm", masked_lm, *arguments]
    done = subprocess.run(
        [str(word) for word in command],
        env=os.environ | {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_killed_at_any_moment_and_repeated_it_ends_as_if_never_killed(
    tmp_path: Path, backbone: Path, masked_lm: Path
) -> None:
    kill(tmp_path, backbone, masked_lm, "--kinds", "dense", "bm25", "--kills", 2)


@pytest.mark.long
def test_killed_thirty_times_per_kind_it_ends_as_if_never_killed(
    tmp_path: Path, backbone: Path, masked_lm: Path
) -> None:
    kill(tmp_path, backbone, masked_lm, "--kills", 30)
