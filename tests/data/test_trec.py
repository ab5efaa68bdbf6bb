"""Runs and judgements: read, and written whole or not at all."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import read_qrels, read_run, write_qrels, write_run
from lir_data.errors import (
    ArgumentError,
    EmptySourceError,
    LirDataError,
    MalformedLineError,
    OutputExistsError,
    SourceNotFoundError,
    UnwritableOutputError,
)

IDS = st.text(min_size=1, max_size=6).filter(lambda text: text.split() == [text] and not text.startswith("\ufeff"))
SCORES = st.floats(width=32, allow_nan=False)
RUNS = st.dictionaries(IDS, st.dictionaries(IDS, SCORES, min_size=1, max_size=5), min_size=1, max_size=4)


@given(RUNS, st.sampled_from(["r.trec", "r.trec.gz"]))
def test_a_run_that_is_written_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]], name: str
) -> None:
    path = tmp_path_factory.mktemp("runs") / name
    write_run(path, run)
    again = {query: {doc: np.float32(score) for doc, score in docs.items()} for query, docs in read_run(path).items()}
    assert again == run


@given(RUNS)
def test_a_run_is_read_best_first_with_ties_by_document_id(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.trec"
    path.write_text("".join(f"{q} Q0 {d} 1 {s} x\n" for q, docs in run.items() for d, s in docs.items()), "utf-8")
    for scores in read_run(path).values():
        assert list(scores) == sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))


def test_scores_that_differ_as_float64_alone_are_ties(tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text("q Q0 b 1 1.00000000002 x\nq Q0 a 2 1.00000000001 x\n")
    assert list(read_run(tmp_path / "run.trec")["q"]) == ["a", "b"]


def test_a_line_has_six_columns_and_ranks_begin_at_one(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", {"q": {"b": 0.25, "a": 0.5, "c": 0.1}}, tag="mine")
    assert (tmp_path / "run.trec").read_text() == "q Q0 a 1 0.5 mine\nq Q0 b 2 0.25 mine\nq Q0 c 3 0.1 mine\n"


def test_the_same_run_gives_the_same_gzip_file(tmp_path: Path) -> None:
    for name in ("a.run.gz", "b.run.gz"):
        write_run(tmp_path / name, {"q": {"a": 1.0}})
    assert (tmp_path / "a.run.gz").read_bytes() == (tmp_path / "b.run.gz").read_bytes()


def test_a_score_beyond_float32_is_infinite(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", {"q": {"a": 1e300}})
    assert read_run(tmp_path / "run.trec") == {"q": {"a": float("inf")}}


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "mine" / "run.trec", {"q": {"a": 1.0}})
    assert (tmp_path / "runs" / "mine" / "run.trec").exists()


def test_judgements_that_are_written_read_the_same(tmp_path: Path) -> None:
    qrels = {"q": {"a": 2, "b": -1}, "r": {"a": 0}}
    write_qrels(tmp_path / "qrels.txt.gz", qrels)
    assert read_qrels(tmp_path / "qrels.txt.gz") == qrels


@pytest.mark.parametrize("name", ["a b", "", "a\u00a0b", "\ufeffa", "\ud800"])
def test_nothing_is_left_of_a_run_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ArgumentError, match="cannot stand in a TREC file: a column is not empty and has no white space"
    ):
        write_run(tmp_path / "run.trec", {"q": {"ok": 1.0, name: 0.5}})
    assert list(tmp_path.iterdir()) == []


def test_a_score_that_is_nan_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="The score of 'a' for the query 'q' is NaN, which has no rank"):
        write_run(tmp_path / "run.trec", {"q": {"a": float("nan")}})


def test_a_run_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    write_run(path, {"q": {"a": 1.0}})
    with pytest.raises(OutputExistsError, match=r"run\.trec' exists already, and is not overwritten unless asked for"):
        write_run(path, {"q": {"b": 1.0}})
    write_run(path, {"q": {"b": 1.0}}, overwrite=True)
    assert read_run(path) == {"q": {"b": 1.0}}


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UnwritableOutputError, match=r"run\.trec' cannot be written: "):
        write_run(tmp_path / "runs" / "run.trec", {"q": {"a": 1.0}})


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "q Q0 d 1 n/a t\n",
            MalformedLineError,
            r"run\.trec, line 1: the score 'n/a' is not a number\. A run has six columns: query Q0 doc rank score tag\.",
        ),
        ("q Q0 d 1 1 t\n\nq Q0 d 2\n", MalformedLineError, r"line 3: there are 4 columns\. A run has six columns"),
        ("q\n", MalformedLineError, "line 1: there is 1 column"),
        ("q Q0 d 1 nan t\n", MalformedLineError, "line 1: the score is NaN, which has no rank"),
        ("q Q0 d 1 1 t\nq Q0 d 2 0 t\n", MalformedLineError, "line 2: the document 'd' occurs twice for the query 'q'"),
        ("", EmptySourceError, r"The run '.*run\.trec' is empty\."),
    ],
)
def test_a_run_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, text: str, error: type[LirDataError], message: str
) -> None:
    (tmp_path / "run.trec").write_text(text)
    with pytest.raises(error, match=message):
        read_run(tmp_path / "run.trec")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("q 0 d yes\n", MalformedLineError, "line 1: the relevance 'yes' is not a whole number"),
        (
            "query-id\tcorpus-id\tscore\n",
            MalformedLineError,
            "line 1: there are 3 columns. Judgements have four columns",
        ),
        ("", EmptySourceError, r"The judgements '.*qrels\.txt' are empty\."),
    ],
)
def test_judgements_that_cannot_be_read_are_a_sentence(
    tmp_path: Path, text: str, error: type[LirDataError], message: str
) -> None:
    (tmp_path / "qrels.txt").write_text(text)
    with pytest.raises(error, match=message):
        read_qrels(tmp_path / "qrels.txt")


def test_a_gzipped_run_is_read(tmp_path: Path) -> None:
    (tmp_path / "run.gz").write_bytes(gzip.compress(b"q Q0 d 1 0.5 t\n"))
    assert read_run(tmp_path / "run.gz") == {"q": {"d": 0.5}}


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"There is no file '.*run\.trec'"):
        read_run(tmp_path / "run.trec")
