"""Runs and judgements: read, written, measured."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lir_data
from lir_data import evaluate, parse_measures, read_qrels, read_run, write_qrels, write_run
from lir_data.errors import ArgumentError, EmptyRunError, MalformedLineError, OutputExistsError, UnknownMeasureError

IDS = st.text(min_size=1, max_size=6).filter(
    lambda text: len(text.split()) == 1 and text == text.strip() and "\n" not in text
)
IDS = IDS.filter(lambda text: text.encode("utf-8", "ignore").decode() == text)
SCORES = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    st.dictionaries(IDS, st.dictionaries(IDS, SCORES, min_size=1, max_size=5), min_size=1, max_size=4),
    st.sampled_from(["r.trec", "r.trec.gz"]),
)
def test_a_run_that_is_written_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]], name: str
) -> None:
    path = tmp_path_factory.mktemp("runs") / name
    write_run(path, run)
    again = read_run(path)
    assert {q: {d: np.float32(s) for d, s in docs.items()} for q, docs in again.items()} == run
    for scores in again.values():
        assert list(scores) == sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))


def test_judgements_that_are_written_read_the_same(tmp_path: Path) -> None:
    qrels = {"q": {"a": 2, "b": -1}}
    write_qrels(tmp_path / "qrels.txt", qrels)
    assert read_qrels(tmp_path / "qrels.txt") == qrels


def test_nothing_is_left_of_a_run_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="'a b' cannot stand in a TREC file"):
        write_run(tmp_path / "run.trec", {"q": {"ok": 1.0, "a b": 0.5}})
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    write_run(path, {"q": {"a": 1.0}})
    with pytest.raises(OutputExistsError, match="exists already"):
        write_run(path, {"q": {"b": 1.0}})
    write_run(path, {"q": {"b": 1.0}}, overwrite=True)
    assert read_run(path) == {"q": {"b": 1.0}}


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "q Q0 d 1 n/a t\n",
            MalformedLineError,
            r"run\.trec, line 1: the score 'n/a' is not a number\. A run has six columns",
        ),
        ("q Q0 d 1 1 t\nq Q0 d 2\n", MalformedLineError, "line 2: there are 4 columns"),
        ("q Q0 d 1 nan t\n", MalformedLineError, "line 1: the score is NaN"),
        ("q Q0 d 1 1 t\nq Q0 d 2 0 t\n", MalformedLineError, "line 2: the document 'd' occurs twice"),
        ("", EmptyRunError, r"run\.trec' is empty"),
    ],
)
def test_a_run_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, text: str, error: type[Exception], message: str
) -> None:
    (tmp_path / "run.trec").write_text(text)
    with pytest.raises(error, match=message):
        read_run(tmp_path / "run.trec")


def test_a_relevance_that_is_no_number_is_named(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("q 0 d yes\n")
    with pytest.raises(MalformedLineError, match="line 1: the relevance 'yes'"):
        read_qrels(tmp_path / "qrels.txt")


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        ("ndgc@10", "Did you mean 'nDCG@10'"),
        ("MRR10", "There is no measure 'MRR10'"),
        ("nDCG@x", "'nDCG@x' cannot be read"),
    ],
)
def test_an_unknown_measure_names_the_nearest(measure: str, message: str) -> None:
    with pytest.raises(UnknownMeasureError, match=message):
        parse_measures([measure])


def test_ties_are_ranked_as_trec_eval_does() -> None:
    qrels = {"q": {"b": 1}}
    assert evaluate({"q": {"b": 1.0, "a": 1.0}}, qrels, ["RR"]) == {"RR": 1.0}
    assert evaluate({"q": {"b": 1.0, "c": 1.0}}, qrels, ["RR"]) == {"RR": 0.5}


def test_a_judged_query_that_the_run_lacks_counts_zero() -> None:
    assert evaluate({"q": {"a": 1.0}}, {"q": {"a": 1}, "r": {"a": 1}}, ["P@1"]) == {"P@1": 0.5}


def test_a_query_without_judgements_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    assert evaluate({"q": {"a": 1.0}, "x": {"a": 1.0}}, {"q": {"a": 1}}, ["P@1"]) == {"P@1": 1.0}
    assert "1 of the run's 2 queries have no judgement, 'x' the first" in caplog.text


def test_values_per_query() -> None:
    assert evaluate({"q": {"a": 1.0}}, {"q": {"a": 1}, "r": {"a": 1}}, ["P@1"], per_query=True) == {
        "P@1": {"q": 1.0, "r": 0.0}
    }


@pytest.mark.parametrize(
    ("run", "ndcg", "recall"),
    [
        ("bm25.dl19", 0.5058, 0.4910),
        ("bm25.dl20", 0.4796, 0.5599),
        ("repllama.dl19", 0.7384, 0.6579),
        ("spladepp.dl20", 0.7197, 0.7653),
    ],
)
def test_published_figures_are_reproduced(shared: Path, run: str, ndcg: float, recall: float) -> None:
    folder = shared / "data" / "msmarco-dl"
    values = evaluate(folder / "runs" / f"{run}.run", folder / f"qrels.{run[-4:]}.txt", ["nDCG@10", "R(rel=2)@100"])
    np.testing.assert_allclose([values["nDCG@10"], values["R(rel=2)@100"]], [ndcg, recall], atol=5e-5)


def test_the_public_names_can_be_imported() -> None:
    assert sorted(lir_data.__all__) == lir_data.__all__
    assert all(hasattr(lir_data, name) for name in lir_data.__all__)
