"""The contents page of all results: ``benchmarks/README.md``, written from the files in ``results``."""

import argparse
import re
from itertools import starmap
from pathlib import Path
from typing import NamedTuple

from benchmarks.tables import CLAIMS, markdown

_HERE = Path(__file__).parent
_ORIGIN = re.compile(
    r"^(?P<date>\d{4}-\d\d-\d\d), (?P<machine>.+?)\. Python .*Repeat it with `(?P<command>.+)`\.$", re.MULTILINE
)
ABOUT = """\
# Benchmarks

What lir is compared with: in speed, memory, recall and what a fine-tuning brings. `uv run python -m benchmarks` lists the
benchmarks, `uv run python -m benchmarks NAME` runs one and writes its tables to `results/`, and `uv run python -m benchmarks readme`
writes this page from them.

Another library that would not fit the workspace is installed by the benchmark itself, pinned, into an environment of its own under
`.environments/`. Data that is made or embedded once is kept under `.cache/`; both can be deleted.

The contenders of a benchmark do the same work in one run on one machine, and what they find is checked to be the same. They take
turns, round by round, and a ratio is the median of the rounds' ratios, so that whatever else the machine does hits all of them; only
trainings run one after the other. A target that was missed stays in the table.
"""

#: What is known of claims that were missed, by their names.
TRIED = {
    "speed over Lightning IR": (
        "It pads the documents of a query to the longest, twice the tokens; the rest of the factor is of lir's batches, layers "
        "and last layer. Its own modules' `score` is measured, without its trainer and its data loader. What is left of lir's "
        "time is mostly products of matrices in float32, as fast as the processor's library makes them."
    ),
    "seconds of a query beyond import torch, transformers": (
        "The seconds are those in which transformers 5 imports what its models are made of (torch._dynamo, distributed "
        "tensors, generation, quantizers), which `import transformers` puts off: transformers alone needs nearly all of them to "
        "load the model. A model of our own for this case was not built: each kind of transformer "
        "would be there twice."
    ),
    "encoding documents: speed over sentence-transformers at its defaults": (
        "Other runs on machines of this kind found 1.68, 1.45, 1.41 and 1.30; over its best batch size all found 1.21 to 1.26. "
        '`backend="onnx"` is ahead of this by another sixth.'
    ),
    "encoding a query by lir: p95 over sentence-transformers' time": (
        "Other runs found 0.73 and 0.76. Products of few rows are where torch loses to ONNX Runtime, which takes half of the time: "
        '`backend="onnx"`.'
    ),
    "indexing: peak memory over that of half of the documents": (
        "The build holds a part or two of 64 MB, and half of the documents are less than that: given the embeddings alone it "
        "holds 534, 615, 642 and 645 MB for 50,000, 100,000, 200,000 and 400,000 documents. Encoding holds the same throughout."
    ),
    "speed of lir over sentence-transformers": (
        "With gradient caching both run the same products; lir gives memory back to the system between the parts, which is "
        "what its claims of memory rest on. Giving back only where the heap has grown was not tried yet."
    ),
    "steps per second of lir over sentence-transformers, dense": (
        "Measured before training batches were cut into parts without padding; see training steps below for what that brings."
    ),
}


class Results(NamedTuple):
    """What a file of ``results`` says; the rows are those of its tables of claims."""

    path: Path
    title: str
    date: str
    machine: str
    command: str
    claims: list[tuple[str, ...]]


def main(arguments: list[str]) -> None:
    """Write the page."""
    argparse.ArgumentParser("benchmarks readme", description=__doc__).parse_args(arguments)
    found = [read(path) for path in sorted((_HERE / "results").glob("*.md"))]
    rows = [
        (link(results), *claim, results.date, results.machine, f"`{results.command}`")
        for results in found
        for claim in results.claims
    ]
    columns = ("benchmark", *CLAIMS, "date", "machine", "repeat it with")
    sections = [f"{ABOUT}\n## Claims", markdown(columns, rows)]
    if missed := [(results, claim) for results in found for claim in results.claims if claim[-1] == "no"]:
        sections += ["## Missed, and what was tried", "\n".join(starmap(about_missed, missed))]
    if others := [f"- {link(results)}: `{results.command}`" for results in found if not results.claims]:
        sections += ["## Tables without a claim", "\n".join(others)]
    (_HERE / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(f"{_HERE / 'README.md'}: {len(rows)} claims of {len(found)} benchmarks")


def about_missed(results: Results, claim: tuple[str, ...]) -> str:
    """Return a line on a claim that was missed."""
    name, measured, target, _ = claim
    return f"- {link(results)}: {name}, {measured} (target {target}). {TRIED.get(name, '')}".rstrip()


def read(path: Path) -> Results:
    """Read one file."""
    text = path.read_text(encoding="utf-8")
    origin = _ORIGIN.search(text)
    assert origin is not None, f"'{path}' does not say when and where it was measured."
    title = text.splitlines()[0].removeprefix("# ")
    return Results(path, title, origin["date"], origin["machine"], origin["command"], claims_of(text))


def claims_of(text: str) -> list[tuple[str, ...]]:
    """Return the rows of all tables that have the columns of claims."""
    claims: list[tuple[str, ...]] = []
    is_inside = False
    for line in text.splitlines():
        cells = tuple(cell.strip() for cell in line.strip("|").split(" | "))
        if not line.startswith("|"):
            is_inside = False
        elif cells == CLAIMS:
            is_inside = True
        elif is_inside and not set(line) <= set("| -"):
            claims.append(cells)
    return claims


def link(results: Results) -> str:
    """Return a link to the file."""
    return f"[{results.title}](results/{results.path.name})"
