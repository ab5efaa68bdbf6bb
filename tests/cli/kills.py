"""Kills `lir index` at random steps, repeats it until it ends, and compares its index with that of a run nobody killed.

Run by test_kills.py, in a process of its own: one that has threads, as that of the tests, cannot be forked safely. Each
command runs in a child of its own, so that nothing has to be imported anew. A step is what changes or opens a file of the
index: the child kills itself just before it, and the states of the disk between two steps are all that a kill can leave,
but for half-written files; so a second kill in three comes at any time.
"""

import argparse
import importlib
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

KINDS = ("dense", "sparse", "multi-vector", "bm25")
WORDS = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]
NUM_DOCS = 90
# So small that a run of so few documents writes many parts.
PART_BYTES = 1000
_STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"}


def in_child(work: Callable[[], object], log: Path) -> int:
    """Do something in a child process, and return its id; what it prints goes to a file."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        work()
        code = 0
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def lir(*arguments: object) -> Callable[[], object]:
    """Return what runs the command."""
    from lir_cli.main import main
    from lir_index.parts import PartWriter

    def run() -> None:
        PartWriter.__init__.__kwdefaults__["max_bytes"] = PART_BYTES
        main([str(argument) for argument in arguments])

    return run


def counting(folder: Path, work: Callable[[], object], *, die_at: int | None, told: Path | None = None) -> object:
    """Do something, and count its steps within a folder; at one of them, die.

    Args:
        folder: The folder of an index.
        work: What is done.
        die_at: Number of the step that is not taken, from 1.
        told: The file to which the number of all steps is written.
    """
    steps = 0

    def step(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal steps
        if event in _STEPS and str(arguments[0]).startswith(str(folder)):
            steps += 1
            if steps == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(step)
    try:
        return work()
    finally:
        if told is not None:
            told.write_text(str(steps))


def end(pid: int) -> int:
    """Wait for a child's end, and return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def must(work: Callable[[], object], log: Path) -> None:
    """Do something in a child process, which must succeed."""
    code = end(in_child(work, log))
    assert code == 0, f"exit code {code}: {log.read_text()}"


class Scenario:
    """One kind of index, of one dataset or two.

    Args:
        folder: For everything.
        kind: What is indexed.
        num_datasets: How many files the documents are in.
    """

    def __init__(self, folder: Path, kind: str, num_datasets: int) -> None:
        self.folder, self.kind = folder, kind
        self.expected: dict[str, list[tuple[str, float]]] = {}
        folder.mkdir()
        docs = [f"d{number:02}\t{' '.join(self._words(number))}\n" for number in range(NUM_DOCS)]
        size = NUM_DOCS // num_datasets
        paths = [folder / f"docs-{place}.tsv" for place in range(num_datasets)]
        for place, path in enumerate(paths):
            path.write_text("".join(docs[place * size : (place + 1) * size]))
        (folder / "queries.tsv").write_text("".join(f"q{word}\t{word} {WORDS[0]}\n" for word in WORDS))
        datasets = ", ".join(f"{{class_path: DocDataset, init_args: {{doc_dataset: {path}}}}}" for path in paths)
        (folder / "index.yaml").write_text(
            f"data: {{class_path: LightningIRDataModule, init_args: {{inference_batch_size: 8, inference_datasets: [{datasets}]}}}}\n"
        )

    def _words(self, number: int) -> list[str]:
        return random.Random(number).choices(WORDS, k=6)

    @property
    def model(self) -> Sequence[str]:
        """The options that name the model."""
        return ("--type", "bm25") if self.kind == "bm25" else ("--model", str(self.folder.parent / self.kind))

    def index(self, name: str) -> Callable[[], object]:
        """Return what builds the index of that name."""
        return lir("index", "--config", self.folder / "index.yaml", *self.model, "--index", self.folder / name)

    def run(self, name: str) -> dict[str, list[tuple[str, float]]]:
        """Search an index of that name, and return ids and scores by query."""
        path = self.folder / f"{name}.trec"
        path.unlink(missing_ok=True)
        queries = ("--queries", self.folder / "queries.tsv", "-k", NUM_DOCS, "--run", path)
        must(lir("search", "--index", self.folder / name, *queries), self.folder / "search.log")
        found: dict[str, list[tuple[str, float]]] = {}
        for line in path.read_text().splitlines():
            query, _, doc, _, score, _ = line.split()
            found.setdefault(query, []).append((doc, float(score)))
        return found

    def check(self, name: str) -> None:
        """Compare an index with that which nobody disturbed."""
        from lir_index import Index

        killed, undisturbed = (Index.open(self.folder / each) for each in (name, "undisturbed"))
        killed.verify()
        assert list(killed.doc_ids) == list(undisturbed.doc_ids)
        assert killed.manifest.contents == undisturbed.manifest.contents is not None
        left = {path.name for path in killed.path.iterdir()} - {"index.json", "verified.json"}
        assert left == {entry.folder for entry in killed.manifest.segments}, left
        found = self.run(name)
        assert found.keys() == self.expected.keys()
        for query, hits in self.expected.items():
            # Texts may have had other batch mates, which changes the last digits, and so the order of near ties.
            scores, others = dict(hits), dict(found[query])
            assert scores.keys() == others.keys()
            assert all(abs(score - others[doc]) < 1e-4 for doc, score in scores.items())

    def kill(self, kills: int, moments: random.Random) -> dict[str, int]:
        """Kill the command so often; count what was there then."""
        undisturbed, steps = self.folder / "undisturbed", self.folder / "steps"
        began = time.monotonic()
        work = self.index("undisturbed")
        must(lambda: counting(undisturbed, work, die_at=None, told=steps), self.folder / "undisturbed.log")
        whole, num_steps = time.monotonic() - began, int(steps.read_text())
        self.expected = self.run("undisturbed")
        folder, log = self.folder / "killed", self.folder / "killed.log"
        left = Counter[str]()
        for number in range(kills):
            work = self.index("killed")
            if number % 3 == 2:
                pid = in_child(work, log)
                time.sleep(moments.uniform(0, whole))
                os.kill(pid, signal.SIGKILL)
            else:
                step = moments.randint(1, num_steps)
                pid = in_child(lambda step=step, work=work: counting(folder, work, die_at=step), log)
            code = end(pid)
            assert code in (0, -signal.SIGKILL), f"exit code {code}: {log.read_text()}"
            has_index, has_parts = (folder / "index.json").exists(), (folder / "parts").exists()
            left[_STATES[has_index, has_parts]] += 1
            if has_index:
                if has_parts:
                    must(work, log)
                self.check("killed")
                shutil.rmtree(folder)
        must(self.index("killed"), log)
        self.check("killed")
        return left


_STATES = {
    (False, False): "nothing",
    (False, True): "parts",
    (True, True): "an index and parts",
    (True, False): "an index",
}


def prepare(folder: Path, backbone: Path, masked_lm: Path) -> None:
    """Save the models; a random head is the same in every command only if it was saved."""
    from lir_models import BiEncoderModel, ColConfig, SpladeConfig

    BiEncoderModel.from_pretrained(backbone).save_pretrained(folder / "dense")
    BiEncoderModel.from_pretrained(masked_lm, SpladeConfig()).save_pretrained(folder / "sparse")
    col = ColConfig(embedding_dim=8, normalization_strategy="l2")
    BiEncoderModel.from_pretrained(backbone, col).save_pretrained(folder / "multi-vector")


def import_all() -> None:
    """Import what the commands need, without a thread."""
    for name in _IMPORTED:
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)


_IMPORTED = (
    "lir_cli.commands.index",
    "lir_cli.commands.search",
    "lir_cli.pipeline",
    "lir_index.callbacks",
    "faiss",
    "bm25s",
    "attrs",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
)


def main() -> None:
    """Go through the kinds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", type=Path, required=True)
    parser.add_argument("--masked-lm", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    import_all()
    must(lambda: prepare(given.folder, given.backbone, given.masked_lm), given.folder / "models.log")
    moments = random.Random(given.seed)
    for kind in given.kinds:
        for num_datasets in (1, 2):
            states = Scenario(given.folder / f"{kind}-{num_datasets}", kind, num_datasets).kill(given.kills, moments)
            told = ", ".join(f"{count} left {state}" for state, count in sorted(states.items()))
            print(f"{kind}, {num_datasets} dataset(s): of {given.kills} kills {told}", flush=True)


if __name__ == "__main__":
    main()
