"""What a source's name means, and which one was meant."""

from pathlib import Path
from typing import Any

import pytest

from lir_data import DocDataset, QueryDataset, RetrievalDataset, RunDataset, TupleDataset, read_run
from lir_data.errors import ArgumentError, SourceNotFoundError


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("rnu.trec", "There is no file 'rnu.trec'. Did you mean 'run.trec'?"),
        ("runs/dence.trec", "There is no file 'runs/dence.trec'. Did you mean 'runs/dense.trec'?"),
        ("bm25.trec", "There is no file 'bm25.trec'."),
        ("rnus/dense.trec", "There is no file 'rnus/dense.trec'."),
    ],
)
def test_a_mistyped_file_is_answered_with_the_nearest_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.trec").touch()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "dense.trec").touch()
    with pytest.raises(SourceNotFoundError) as raised:
        read_run(asked)
    assert str(raised.value) == message


def test_in_a_folder_far_away_the_whole_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.trec").touch()
    with pytest.raises(SourceNotFoundError, match=f"Did you mean '{tmp_path}/run.trec'"):
        read_run(tmp_path / "rnu.trec")


def test_a_path_names_a_file_as_its_text_does(tmp_path: Path) -> None:
    (tmp_path / "docs.tsv").write_text("d\ttext\n")
    (tmp_path / "queries.tsv").write_text("q\tquery\n")
    (tmp_path / "qrels.txt").write_text("q 0 d 1\n")
    (tmp_path / "run.trec").write_text("q Q0 d 1 1 x\n")
    (tmp_path / "tuples.tsv").write_text("q\td\n")
    docs, queries, qrels = tmp_path / "docs.tsv", tmp_path / "queries.tsv", tmp_path / "qrels.txt"
    assert [doc.doc_id for doc in DocDataset(docs)] == ["d"]
    assert QueryDataset(queries, qrels=qrels).qrels == {"q": {"d": 1}}
    assert [item.docs for item in TupleDataset(tmp_path / "tuples.tsv", docs=docs, queries=queries)] == [("text",)]
    assert [item.docs for item in TupleDataset(qrels, docs=docs, queries=queries)] == [("text",)]
    assert [item.docs for item in RunDataset(tmp_path / "run.trec", docs=docs, queries=queries, qrels=qrels)] == [
        ("text",)
    ]
    assert RetrievalDataset(queries, docs, qrels=qrels).name == "queries"


@pytest.mark.parametrize(
    ("dataset", "name", "near"),
    [
        (DocDataset, "docs_dataset", "doc_dataset"),
        (RunDataset, "run_path", "run_path_or_id"),
        (TupleDataset, "dataset", "tuples_dataset"),
    ],
)
def test_a_wrong_name_of_an_argument_is_told_with_the_nearest(dataset: Any, name: str, near: str) -> None:
    with pytest.raises(ArgumentError) as told:
        dataset(**{name: "x"})
    assert str(told.value) == f"{dataset.__name__} has no argument '{name}'. Did you mean '{near}'?"
