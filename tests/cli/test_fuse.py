"""``lir fuse``: one run of several, and the mistakes that are found before one is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from lir_cli.commands.fuse import command
from lir_data import read_run, reciprocal_rank_fusion, weighted_fusion
from lir_data.fusion import Normalization

Lir = Callable[..., Any]
RUNS = ("words.trec", "vectors.trec.gz")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs, in the working folder."""
    from lir_data import write_run

    monkeypatch.chdir(tmp_path)
    write_run("words.trec", {"q1": {"a": 9.5, "b": 7.25, "c": 0.5}, "q2": {"a": 3.0}})
    write_run("vectors.trec.gz", {"q1": {"b": 0.9, "d": 0.6, "a": 0.1}, "q3": {"e": 0.5}})
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], lambda: reciprocal_rank_fusion(RUNS)),
        (["--weights", "1,2.5", "-k", 2], lambda: reciprocal_rank_fusion(RUNS, weights=[1, 2.5], depth=2)),
        (["--rrf-k", 0.5], lambda: reciprocal_rank_fusion(RUNS, k=0.5)),
        (["--method", "weighted"], lambda: weighted_fusion(RUNS)),
        (
            ["--method", "weighted", "--weights", " 2, 1", "--normalize", "z-score", "-k", 3],
            lambda: weighted_fusion(RUNS, weights=[2, 1], normalize="z-score", depth=3),
        ),
        (["--method", "weighted", "--normalize", "none"], lambda: weighted_fusion(RUNS, normalize="none")),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_file_holds_what_lir_data_computes(lir: Lir, flags: list[Any], expected: Callable[[], Any]) -> None:
    done = lir("fuse", *RUNS, "--output", "runs/fused.trec.gz", *flags)
    assert (done.code, done.out, done.err) == (0, "", "The run is in runs/fused.trec.gz\n")
    fused = read_run("runs/fused.trec.gz")
    assert fused.keys() == expected().keys()
    for query_id, scores in expected().items():
        assert fused[query_id] == pytest.approx(scores, rel=1e-6)
        assert list(fused[query_id]) == list(scores)


@pytest.mark.usefixtures("folder")
def test_a_file_is_replaced_only_if_asked_for(lir: Lir) -> None:
    before = Path("words.trec").read_text()
    refused = lir("fuse", *RUNS, "--output", "words.trec")
    assert (refused.code, refused.err) == (2, "Error: 'words.trec' exists already.\nhint: --overwrite replaces it\n")
    assert Path("words.trec").read_text() == before
    assert lir("fuse", *RUNS, "--output", "words.trec", "--overwrite").code == 0
    assert read_run("words.trec").keys() == {"q1", "q2", "q3"}


def test_the_normalizations_are_those_of_lir_data() -> None:
    option = next(item for item in command.params if item.name == "normalize")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == get_args(Normalization)


# The runs are not there: were one read before the mistake is found, that would be what is complained about.
OUTPUT = ("--output", "fused.trec")
NOWHERE = ("fuse", "nowhere.trec", "nowhere.trec")
MISTAKES = {
    "no run": (["fuse", *OUTPUT], 2, "RUN RUN... is missing."),
    "one run": (["fuse", "nowhere.trec", *OUTPUT], 2, "There is one run, 'nowhere.trec'; two at least are needed"),
    "no output": ([*NOWHERE], 2, "--output is missing."),
    "unknown method": ([*NOWHERE, *OUTPUT, "--method", "sum"], 2, "'sum' is not one of 'rrf', 'weighted'."),
    "unknown normalization": (
        [*NOWHERE, *OUTPUT, "--method", "weighted", "--normalize", "max"],
        2,
        "'max' is not one of 'min-max', 'z-score', 'none'.",
    ),
    "normalization of ranks": (
        [*NOWHERE, *OUTPUT, "--normalize", "min-max"],
        2,
        "--normalize is of --method weighted; reciprocal rank fusion does not look at scores.",
    ),
    "k of a sum": (
        [*NOWHERE, *OUTPUT, "--method", "weighted", "--rrf-k", "60"],
        2,
        "--rrf-k is of --method rrf; a weighted sum has none.",
    ),
    "weights that are no numbers": (
        [*NOWHERE, *OUTPUT, "--weights", "1;2"],
        2,
        "--weights is '1;2'; it must be numbers and commas, as in 1,0.5.",
    ),
    "too many weights": (
        [*NOWHERE, *OUTPUT, "--weights", "1,2,3"],
        1,
        "The number of weights is 3, that of runs 2; each run needs a weight.",
    ),
    "negative weight": ([*NOWHERE, *OUTPUT, "--weights", "-1,2"], 1, "The weight of run 1 is -1.0; it must be 0 or"),
    "no weight": ([*NOWHERE, *OUTPUT, "--weights", "0,0"], 1, "The weights are all 0; one at least must be more."),
    "k of 0": ([*NOWHERE, *OUTPUT, "--rrf-k", "0"], 2, "0.0 is not in the range x>0."),
    "k that is no number": ([*NOWHERE, *OUTPUT, "--rrf-k", "nan"], 1, "k is nan; it must be more than 0, and finite."),
    "depth of 0": ([*NOWHERE, *OUTPUT, "-k", "0"], 2, "0 is not in the range x>=1."),
    "missing file": ([*NOWHERE, *OUTPUT], 1, "There is no file 'nowhere.trec'."),
    "infinite score": (
        ["fuse", "infinite.trec", "words.trec", *OUTPUT, "--method", "weighted"],
        1,
        "The score of 'a' for the query 'q' in run 1 is inf; a weighted sum needs scores that are finite as float32.",
    ),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_sentence(lir: Lir, mistake: str) -> None:
    Path("infinite.trec").write_text("q Q0 a 1 inf x\n")
    words, code, message = MISTAKES[mistake]
    result = lir(*words)
    assert message in result.err
    assert result.code == code
    assert result.out == ""
    error, *rest = result.err.splitlines()
    assert error.startswith("Error: ")
    assert [line.partition(" ")[0] for line in rest] in ([], ["hint:"])
    assert not Path("fused.trec").exists()
