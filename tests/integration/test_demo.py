"""The demo, as a newcomer runs it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.slow
def test_the_demo_shows_every_stage_and_answers(lir: Callable[..., str], model: str) -> None:
    table = [line.split("\t") for line in lir("demo").splitlines()]
    assert table[0] == ["stage", "nDCG@10", "RR@10", "R@100", "time"]
    searched, reranked = table[2], table[3]
    assert float(searched[1]) > 0.35
    assert float(reranked[1]) > 0.35
    assert all(re.fullmatch(r"\d+\.\d s", row[-1]) for row in table[1:])
    folder = Path("lir-demo")
    assert sorted(path.name for path in folder.iterdir()) == [
        "docs.jsonl", "index", "qrels.txt", "queries.tsv", "reranked.trec", "run.trec", "written-by-lir-demo.txt",
    ]  # fmt: skip
    measured = lir("evaluate", folder / "run.trec", "--qrels", folder / "qrels.txt", "-m", "nDCG@10")
    assert measured.splitlines()[1].split("\t")[1] == searched[1]
    answer = lir("demo", "--ask", "open a network connection", "-k", 3)
    assert [line.split("\t")[0] for line in answer.splitlines()] == ["rank", "1", "2", "3"]
    assert "connection" in answer
