"""``lir evaluate --test``: a table of comparisons, and what contradicts itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from lir_cli.commands.evaluate import command
from lir_data import compare_runs, write_run
from lir_data.significance import Correction, Test

Lir = Callable[..., Any]
QRELS = ("--qrels", "qrels.txt")


@pytest.fixture
def runs(collection: Path) -> list[str]:
    """Three runs of the collection: the first is right for no query, the others for more and more."""
    for name, right in (("a.trec", 0), ("b.trec", 5), ("c.trec", 9)):
        write_run(name, {f"q{q}": {f"d{q}": 2.0 if q < right else 0.5, f"d{(q + 1) % 10}": 1.0} for q in range(10)})
    return ["a.trec", "b.trec", "c.trec"]


def test_a_line_for_each_run_but_the_baseline_and_each_measure(lir: Lir, runs: list[str]) -> None:
    done = lir("evaluate", *runs, *QRELS, "-m", "RR", "-m", "P@1", "--test", "t-test")
    assert (done.code, done.err) == (0, "")
    header, *lines = [line.split("\t") for line in done.out.splitlines()]
    assert header == [
        "run", "baseline", "measure", "mean", "baseline mean", "difference", "p", "p (holm)", "wins", "ties", "losses"
    ]  # fmt: skip
    assert lines == [
        [
            *(
                item.run,
                "a.trec",
                item.measure,
                f"{item.mean:.4f}",
                f"{item.baseline_mean:.4f}",
                f"{item.difference:.4f}",
            ),
            *(f"{item.p_value:.3g}", f"{item.corrected_p_value:.3g}"),
            *map(str, (item.wins, item.ties, item.losses)),
        ]
        for item in compare_runs({run: run for run in runs}, "qrels.txt", ["RR", "P@1"])
    ]
    assert [line[0] for line in lines] == ["b.trec", "c.trec"] * 2


def test_without_correction_its_column_is_not_there_and_any_run_can_be_the_baseline(lir: Lir, runs: list[str]) -> None:
    done = lir(
        "evaluate", *runs, *QRELS, "--test", "randomization", "--correction", "none", "--baseline", "c.trec"
    )  # fmt: skip
    header, *lines = [line.split("\t") for line in done.out.splitlines()]
    assert "p (holm)" not in header
    assert [(line[0], line[1], line[2]) for line in lines] == [
        ("a.trec", "c.trec", "nDCG@10"),
        ("b.trec", "c.trec", "nDCG@10"),
    ]
    assert lines[0][6] == f"{2 / 2**9:.3g}"  # c is better for nine queries by the same amount, and one is a tie


def test_the_tests_and_corrections_are_those_of_lir_data() -> None:
    choices = {item.name: item.type.choices for item in command.params if isinstance(item.type, click.Choice)}
    assert tuple(choices["test"]) == get_args(Test)
    assert tuple(choices["correction"]) == (*get_args(Correction), "none")


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a.trec", "b.trec", "--baseline", "a.trec"], 2, "--baseline needs --test"),
        (["a.trec", "b.trec", "--correction", "holm"], 2, "--correction needs --test"),
        (["a.trec", "b.trec", "--test", "t-test", "--per-query"], 2, "--per-query and --test exclude each other"),
        (["a.trec", "--test", "t-test"], 1, "the number of runs is 1, 'a.trec'; two at least can be compared."),
        (
            ["a.trec", "b.trec", "--test", "t-test", "--baseline", "d.trec"],
            1,
            "there is no run 'd.trec' to be the baseline. Did you mean '",
        ),
        (["a.trec", "b.trec", "--test", "wilcoxon"], 2, "'wilcoxon' is not one of 't-test', 'randomization'."),
    ],
)
def test_a_mistake_is_one_clear_sentence(lir: Lir, words: list[str], code: int, message: str) -> None:
    result = lir("evaluate", *words, *QRELS)
    assert message in result.err
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("Error: ")
