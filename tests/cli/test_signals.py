"""SIGINT and SIGTERM end every command, keep what is done, and say how to go on."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lir_data
import lir_index.callbacks
from lir_index import Index
from lir_models import BiEncoderModel
from lir_train import BiEncoderModule, read_checkpoint

Lir = Callable[..., Any]
NOTHING = "Nothing was written; the same command begins anew.\n"


def sends(number: signal.Signals, function: Callable[..., Any], call: int = 1) -> Callable[..., Any]:
    """Wrap a function so that the process gets a signal in one of its calls."""
    calls = []

    def run(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return function(*arguments, **options)

    return run


@pytest.fixture
def index(lir: Lir, collection: Path, backbone: Path) -> None:
    """An index in idx."""
    assert lir("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx").code == 0


RUN = "What is finished is kept beside the run; the same command goes on from there.\n"
KEPT = {"search": RUN, "rerank": RUN}
# Of a re-ranking no query is finished yet.
PARTIAL = {"search": {"run.trec.partial"}}


@pytest.fixture(autouse=True)
def heeds_interrupts() -> Iterator[None]:
    """A shell has commands in the background ignore SIGINT, and these tests may run in one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


COMMANDS: dict[str, tuple[Any, str, str]] = {
    "search": (Index, "search", "--index idx --queries queries.tsv --run run.trec"),
    "rerank": (
        BiEncoderModule,
        "score_rankings",
        "--run first.trec --docs docs.tsv --queries queries.tsv --output r.trec",
    ),
    "mine": (lir_data, "mine_negatives", "--run first.trec --qrels qrels.txt --output mined.jsonl"),
    "score": (BiEncoderModel, "score", "red blue"),
    "evaluate": (lir_data, "evaluate", "first.trec --qrels qrels.txt"),
    "fuse": (lir_data, "reciprocal_rank_fusion", "first.trec first.trec --output fused.trec"),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_ends_a_command(
    lir: Lir, index: None, backbone: Path, monkeypatch: pytest.MonkeyPatch, command: str, number: signal.Signals
) -> None:
    owner, name, line = COMMANDS[command]
    monkeypatch.setattr(owner, name, sends(number, getattr(owner, name)))
    model = ["--model", backbone] if command in ("rerank", "score") else []
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]
    before = set(Path().iterdir())
    stopped = lir(command, *model, *line.split())
    assert stopped.code == 128 + number
    assert stopped.err.endswith(f"Stopped by {number.name}. {KEPT.get(command, NOTHING)}")
    assert {path.name for path in set(Path().iterdir()) - before} == PARTIAL.get(command, set())
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)] == handlers


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_indexing_keeps_what_is_encoded(
    lir: Lir, collection: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    command = ("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx", "--batch-size", 2)
    append = lir_index.callbacks.parts.PartWriter.append
    with monkeypatch.context() as patch:
        patch.setattr(lir_index.callbacks.parts.PartWriter, "append", sends(number, append, 3))
        stopped = lir(*command)
    assert stopped.code == 128 + number
    assert "What is encoded is kept; the same command goes on from there.\n" in stopped.err
    done = lir(*command)
    assert done.code == 0
    # The batch that was being kept is whole.
    assert "6 documents were done before; going on from there." in done.err
    assert len(Index.open("idx")) == 10


TRAIN = """
trainer: {max_steps: 6, accelerator: cpu}
model: {class_path: BiEncoderModule, init_args: {loss_functions: [{class_path: RankNet}]}}
data:
  train_batch_size: 2
  train_dataset: {class_path: TupleDataset, init_args: {tuples_dataset: triples.tsv}}
  inference_datasets:
  - class_path: RunDataset
    init_args: {run_path_or_id: first.trec, docs: docs.tsv, queries: queries.tsv, qrels: qrels.txt}
optimizer: {class_path: AdamW, init_args: {lr: 0.01}}
"""


@pytest.mark.parametrize("options", [(), ("--trainer.accumulate_grad_batches", 2)])
@pytest.mark.parametrize(("method", "call"), [("training_step", 3), ("score_rankings", 2)])
def test_a_stopped_training_keeps_its_last_step_and_goes_on_to_the_same_model(
    lir: Lir,
    collection: Path,
    backbone: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    call: int,
    options: tuple[Any, ...],
) -> None:
    Path("train.yaml").write_text(TRAIN)
    command = ("train", "--config", "train.yaml", "--model", backbone, *options)
    assert lir(*command, "--output", "whole").code == 0
    with monkeypatch.context() as patch:
        function = sends(signal.SIGTERM, getattr(BiEncoderModule, method), call)
        patch.setattr(BiEncoderModule, method, lambda *arguments: function(*arguments))
        stopped = lir(*command, "--output", "out")
    assert stopped.code == 143
    step = read_checkpoint("out-checkpoints/last.ckpt")["global_step"]
    assert step > 0
    told = (
        f"Stopped by SIGTERM. The training was interrupted at step {step}.\n"
        f"hint: the same command with --resume goes on from step {step}\n"
    )
    assert told in stopped.err
    assert lir(*command, "--output", "out", "--resume").code == 0
    assert Path("out/model.safetensors").read_bytes() == Path("whole/model.safetensors").read_bytes()


# Native code that no signal interrupts, as Faiss' k-means.
NATIVE = """
def native(*_, **__):
    print("READY", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
lir_index.callbacks.build = native
"""
HANG = """
def hang(*_, **__):
    print("READY", flush=True)
    time.sleep(60)
lir_train.BiEncoderModule.predict_step = hang
"""
SCRIPT = """
import hashlib, time
import lir_index.callbacks, lir_train
from lir_cli.main import main
{}
main()
"""


def run(hang: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a command that hangs, and wait until it does."""
    words = [sys.executable, "-c", SCRIPT.format(hang), *map(str, arguments)]
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell has commands in the background ignore it, and these tests may run in one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "READY\n"
    return process


def index_command(backbone: Path) -> tuple[object, ...]:
    return ("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx")


def remaining(group: int) -> list[str]:
    """Return the processes of a group that are left."""
    words = ["pgrep", "--pgroup", str(group), "--runstates", "RSD"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.split()


@pytest.mark.long
def test_native_code_ends_within_seconds(collection: Path, backbone: Path) -> None:
    process = run(NATIVE, *index_command(backbone))
    began = time.monotonic()
    process.terminate()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 143
    assert time.monotonic() - began < 15
    assert err.endswith("Stopped by SIGTERM. What is encoded is kept; the same command goes on from there.\n")
    assert "Traceback" not in err


@pytest.mark.long
def test_a_second_signal_ends_at_once(collection: Path, backbone: Path) -> None:
    process = run(NATIVE, *index_command(backbone))
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert time.monotonic() - began < 2
    assert err.count("Stopped by SIGINT.") == 1


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_workers_end_with_their_command_without_a_word(
    collection: Path, backbone: Path, number: signal.Signals
) -> None:
    process = run(HANG, *index_command(backbone), "--num-workers", 2, "--batch-size", 1)
    os.killpg(process.pid, number)  # as Ctrl-C and `timeout` do
    _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert not remaining(process.pid)
    assert err.splitlines()[-1].startswith(f"Stopped by {number.name}.")
    assert not re.search("Traceback|resource_tracker|worker|Error", err), err
