"""Two processes learn what one with the whole batch does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("two_processes.py")
CASES = ["dense", "multi-vector", "own documents", "sparse", "cross-encoder"]


@pytest.fixture(scope="module")
def folder(backbone: Path, masked_lm: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train every case in one process and in two."""
    folder = tmp_path_factory.mktemp("distributed")
    shutil.copytree(backbone, folder / "backbone")
    shutil.copytree(masked_lm, folder / "masked-lm")
    words = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]
    (folder / "docs.tsv").write_text("".join(f"d{place}\t{word} {word}\n" for place, word in enumerate(words)))
    (folder / "queries.tsv").write_text("".join(f"q{place}\t{word}\n" for place, word in enumerate(words)))
    (folder / "qrels.txt").write_text("".join(f"q{place} 0 d{place} 1\n" for place in range(10)))
    # The relevant document is the second of each ranking; the next query's is the first.
    # Nine queries in batches of four: in the end, one process has a query and the other none.
    lines = [f"q{query} Q0 d{(query + 1 - place) % 10} 0 {-place} x\n" for query in range(9) for place in range(10)]
    (folder / "run.trec").write_text("".join(lines))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for num_processes in (1, 2):
        command = [sys.executable, str(SCRIPT), str(folder), str(num_processes)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_learn_what_one_with_the_whole_batch_does(folder: Path, case: str) -> None:
    one, two = (torch.load(folder / f"{case}-{count}.pt", weights_only=True) for count in (1, 2))
    assert one.keys() == two.keys()
    for name, weight in one.items():
        torch.testing.assert_close(two[name], weight, atol=1e-5, rtol=0, msg=lambda text, name=name: f"{name}: {text}")
