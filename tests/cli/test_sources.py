"""Options that name sources: several files of one collection, and options that are given twice."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lir_data import read_run

Lir = Callable[..., Any]


@pytest.fixture
def halves(collection: Path) -> Path:
    """The collection with its documents, queries and judgements in two files each."""
    for name in ("docs.tsv", "queries.tsv", "qrels.txt"):
        lines = Path(name).read_text().splitlines(keepends=True)
        for number, half in enumerate((lines[:5], lines[5:])):
            Path(f"{number}-{name}").write_text("".join(half))
    return collection


@pytest.mark.parametrize("docs", [("--docs", "0-docs.tsv", "--docs", "1-docs.tsv"), ("--docs", "[01]-docs.tsv")])
def test_several_files_are_indexed_and_searched_as_one(lir: Lir, halves: Path, docs: tuple[str, ...]) -> None:
    indexed = lir("index", "--type", "bm25", *docs, "--index", "idx")
    assert indexed.code == 0, indexed.err
    found = lir("search", "--index", "idx", "five", "-k", 1)
    assert "five five" in found.out, found.err
    searched = lir(
        "search", "--index", "idx", "--queries", "0-queries.tsv", "--queries", "1-queries.tsv", "-k", 1,
        "--qrels", "0-qrels.txt", "--qrels", "1-qrels.txt", "-m", "P@1", "--run", "run.trec",
    )  # fmt: skip
    assert "\t1.0000" in searched.out, searched.err
    assert len(read_run("run.trec")) == 10
    assert "1.0000" in lir("evaluate", "run.trec", "--qrels", "*-qrels.txt", "-m", "P@1").out


def test_an_index_names_all_its_files(lir: Lir, halves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lir("index", "--type", "bm25", "--docs", "0-docs.tsv", "--docs", "1-docs.tsv", "--index", "idx").code == 0
    documents = json.loads(Path("idx/index.json").read_text())["documents"]
    assert json.loads(documents) == [str(halves / "0-docs.tsv"), str(halves / "1-docs.tsv")]
    monkeypatch.chdir("/")
    assert "five five" in lir("search", "--index", halves / "idx", "five", "-k", 1).out


def test_a_yaml_names_several_files(lir: Lir, halves: Path) -> None:
    Path("index.yaml").write_text(
        "data: {inference_datasets: [{class_path: DocDataset, init_args: {doc_dataset: [0-docs.tsv, 1-docs.tsv]}}]}\n"
    )
    assert lir("index", "--type", "bm25", "--config", "index.yaml", "--index", "idx").code == 0
    assert "five five" in lir("search", "--index", "idx", "five", "-k", 1).out


def test_an_id_stands_for_several_files(lir: Lir, halves: Path) -> None:
    Path("ids.yaml").write_text("datasets: {cli/several: {docs: [0-docs.tsv, 1-docs.tsv]}}\n")
    named = ("--config", "ids.yaml", "--type", "bm25", "--docs", "cli/several", "--index", "idx")
    assert lir("index", *named).code == 0
    assert json.loads(Path("idx/index.json").read_text())["segments"][0]["num_docs"] == 10


def test_an_id_is_refused_among_several(lir: Lir, halves: Path) -> None:
    refused = lir("index", "--type", "bm25", "--docs", "0-docs.tsv", "--docs", "vaswani", "--index", "idx")
    assert refused.code == 1
    assert "'vaswani' is no file, and of several sources each must be one" in refused.err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("index", "--index", "a", "--type", "bm25", "--index", "b"), "--index"),
        (("search", "--index", "a", "-k", 3, "query", "-k", 4), "-k"),
        (("rerank", "--run", "a", "--run=b"), "--run"),
        (("fuse", "a", "b", "--output", "c", "--output", "d"), "--output"),
        (("evaluate", "a", "--qrels", "b", "--test", "t-test", "--test", "t-test"), "--test"),
        (("mine", "--output", "a", "--output", "b"), "--output"),
        (("score", "--model", "a", "--model", "b", "query"), "--model"),
        (("train", "--output", "a", "--output", "b"), "--output"),
        (("demo", "--output", "a", "--output", "b"), "--output"),
    ],
)
def test_an_option_of_one_value_is_not_given_twice(lir: Lir, words: tuple[object, ...], option: str) -> None:
    refused = lir(*words)
    assert (refused.code, f"Error: {option} is given twice, and it has one value." in refused.err) == (2, True)


def test_half_of_a_pair_of_surrogates_is_no_end_of_a_search(lir: Lir, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs.jsonl").write_text('{"id": "d", "text": "cat \\ud800 and dog"}')
    assert lir("index", "--type", "bm25", "--docs", "docs.jsonl", "--index", "idx").code == 0
    assert "cat \ufffd and dog" in lir("search", "--index", "idx", "cat", "-k", 1).out
