"""Where one of two processes is killed, the other ends too, and says which it was and how to go on."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Each process says so when it works, and then hangs: rank 0 in a collective, or at work of its own.
SCRIPT = """
import os, time
from pathlib import Path
import lir_train
from lir_cli.main import main

def hang(*_, **__):
    Path(f"rank-{{os.environ.get('LOCAL_RANK', 0)}}").write_text(str(os.getpid()))
    time.sleep(600)

{patch}
main()
"""
INDEX = "lir_train.BiEncoderModule.predict_step = hang"
TRAIN = "lir_train.BiEncoderModule.training_step = hang"
# Rank 0 waits for the other in a collective.
WAITS = """
predict = lir_train.BiEncoderModule.predict_step
lir_train.BiEncoderModule.predict_step = lambda *a, **b: (hang if os.environ["LOCAL_RANK"] != "0" else predict)(*a, **b)
"""
CONFIG = """
trainer: {max_steps: 6, accelerator: cpu, devices: 2, strategy: ddp}
model: {class_path: BiEncoderModule, init_args: {loss_functions: [{class_path: RankNet}]}}
data:
  train_batch_size: 2
  train_dataset: {class_path: TupleDataset, init_args: {tuples_dataset: triples.tsv}}
"""
TWO = ["--trainer.devices", "2", "--trainer.accelerator", "cpu", "--trainer.strategy", "ddp"]
COMMANDS = {
    "index": ["index", "--docs", "docs.tsv", "--index", "idx", *TWO],
    "train": ["train", "--config", "train.yaml", "--output", "out"],
}
HINTS = {
    "index": "what is encoded is kept; the same command goes on from there",
    "train": "the training goes on from its last checkpoint, if it has one: lir train --resume, or ckpt_path",
}


def remaining(group: int) -> list[str]:
    """Return the processes of a group that are left."""
    words = ["pgrep", "--pgroup", str(group), "--runstates", "RSD"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "patch", "killed"), [("index", INDEX, 1), ("index", WAITS, 1), ("index", INDEX, 0), ("train", TRAIN, 1)]
)
def test_a_killed_rank_is_named(collection: Path, backbone: Path, command: str, patch: str, killed: int) -> None:
    Path("train.yaml").write_text(CONFIG)
    Path("script.py").write_text(SCRIPT.format(patch=patch))
    words = [sys.executable, "script.py", *COMMANDS[command], "--model", str(backbone)]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    hanging = [Path(f"rank-{rank}") for rank in ((1,) if patch == WAITS else (0, 1))]
    until = time.monotonic() + 300
    while not all(path.exists() and path.read_text() for path in hanging) and time.monotonic() < until:
        time.sleep(0.1)
    number = int(Path(f"rank-{killed}").read_text())
    os.kill(number, signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (1 if killed else -signal.SIGKILL)
    assert not remaining(process.pid)
    told = {
        0: f"Error: Rank 0 (process {number}), which started the others, has ended.\n",
        1: f"Error: Rank 1 (process {number}) was killed by SIGKILL, as the system does when memory runs out.\n",
    }
    assert err.endswith(f"{told[killed]}hint: {HINTS[command]}\n")
    assert not re.search("Traceback|gloo|terminate", err), err
