"""Measures of runs: by hand, beside ir-measures, and as published."""

import math
from collections.abc import Callable
from pathlib import Path

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_data import (
    aggregate_passages,
    compare_runs,
    cut_run,
    evaluate,
    filter_run,
    mine_negatives,
    read_qrels,
    read_run,
    reciprocal_rank_fusion,
    weighted_fusion,
    write_qrels,
    write_run,
)
from lir_data.errors import ArgumentError, EmptySourceError, LirDataError, UnknownMeasureError

DOCS = st.sampled_from("abcdefgh")
QUERIES = st.sampled_from(["q1", "q2", "q3"])
RUNS = st.dictionaries(QUERIES, st.dictionaries(DOCS, st.integers(-3, 3).map(float), min_size=1), min_size=1)
QRELS = st.dictionaries(QUERIES, st.dictionaries(DOCS, st.integers(-1, 3), min_size=1), min_size=1)


def test_ndcg_equals_the_equation() -> None:
    run, qrels = {"q": {"a": 3.0, "b": 2.0, "c": 1.0}}, {"q": {"a": 1, "c": 2, "x": 3}}
    gained = 1 / math.log2(2) + 2 / math.log2(4)
    ideal = 3 / math.log2(2) + 2 / math.log2(3) + 1 / math.log2(4)
    assert evaluate(run, qrels, ["nDCG@10"])["nDCG@10"] == pytest.approx(gained / ideal)


@given(RUNS, QRELS)
def test_the_values_are_those_of_ir_measures_ties_included(
    run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]
) -> None:
    measures = [ir_measures.nDCG @ 5, ir_measures.RR, ir_measures.RR @ 2, ir_measures.AP(rel=2), ir_measures.NumRet]
    expected = ir_measures.calc_aggregate(measures, qrels, run)
    assert evaluate(run, qrels, measures) == pytest.approx({str(name): value for name, value in expected.items()})


@given(RUNS, QRELS)
def test_few_documents_are_enough_for_a_measure_with_a_cutoff(
    run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]
) -> None:
    some = [ir_measures.nDCG @ 2, ir_measures.RR @ 2, ir_measures.AP(rel=2) @ 2, ir_measures.P @ 1, ir_measures.R @ 2]
    measures = [*some, ir_measures.Success @ 1, ir_measures.nDCG(judged_only=True) @ 2, ir_measures.Judged @ 2]
    expected = ir_measures.calc_aggregate(measures, qrels, run)
    assert evaluate(run, qrels, measures) == pytest.approx({str(name): value for name, value in expected.items()})


@given(RUNS, QRELS)
def test_the_order_in_which_documents_are_given_changes_nothing(
    run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]
) -> None:
    turned = {query: dict(reversed(docs.items())) for query, docs in reversed(run.items())}
    measures = ["nDCG@3", "RR", "P@2", "Judged@2"]
    assert evaluate(run, qrels, measures) == pytest.approx(evaluate(turned, qrels, measures))


def test_gdevals_measures_know_every_id() -> None:
    run = {"PLAIN-2": {"d1": 2.0}, "PLAIN-12": {"d1": 2.0, "d9": 1.0}}
    qrels = {"PLAIN-2": {"d1": 1}, "PLAIN-12": {"d9": 1}}
    values = evaluate(run, qrels, ["ERR@10", "nDCG(dcg='exp-log2')@10"], per_query=True)
    assert values["ERR@10"] == {"PLAIN-2": 0.0625, "PLAIN-12": 0.03125}
    assert values["nDCG(dcg='exp-log2')@10"] == {"PLAIN-2": 1.0, "PLAIN-12": 0.63093}


@given(RUNS, QRELS)
@settings(max_examples=5)
def test_gdevals_measures_are_those_of_ir_measures_where_ids_are_numbers(
    run: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]
) -> None:
    run, qrels = ({query[1:]: docs for query, docs in table.items()} for table in (run, qrels))
    expected = dict.fromkeys(qrels, 0.0) | {
        metric.query_id: metric.value for metric in ir_measures.iter_calc([ir_measures.ERR @ 3], qrels, run)
    }
    named = (
        {f"my query-{query}": {f"{doc} x": value for doc, value in docs.items()} for query, docs in table.items()}
        for table in (run, qrels)
    )
    found = evaluate(*named, ["ERR@3"], per_query=True)["ERR@3"]
    assert found == {f"my query-{query}": value for query, value in expected.items() if query in qrels}


def test_gdevals_measures_refuse_relevance_that_they_do_not_know() -> None:
    with pytest.raises(ArgumentError, match="ERR@10 is for relevance up to 4; that of 'd' for the query 'q' is 5"):
        evaluate({"q": {"d": 1.0}}, {"q": {"d": 5}}, ["ERR@10"])


def test_a_judged_query_that_the_run_lacks_counts_zero() -> None:
    assert evaluate({"q": {"a": 1.0}}, {"q": {"a": 1}, "r": {"a": 1}}, ["P@1"]) == {"P@1": 0.5}


@pytest.mark.parametrize("run", [{}, {"q": {}}])
def test_a_run_without_documents_is_worth_nothing(run: dict[str, dict[str, float]]) -> None:
    assert evaluate(run, {"q": {"a": 1}}, ["nDCG@10", "Judged@10"]) == {"nDCG@10": 0.0, "Judged@10": 0.0}


def test_a_query_without_judgements_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    assert evaluate({"q": {"a": 1.0}, "x": {"a": 1.0}}, {"q": {"a": 1}}, ["P@1"]) == {"P@1": 1.0}
    assert "The run has 2 queries, of which 1 have no judgements, 'x' the first; they count nothing." in caplog.text


def test_a_judged_query_that_the_run_lacks_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    evaluate({"q": {"a": 1.0}, "s": {}}, {"q": {"a": 1}, "r": {"a": 1}, "s": {"a": 1}}, ["P@1"])
    assert "The run has no documents for 2 of the 3 judged queries, 'r' the first; they count 0." in caplog.text


def test_values_come_per_query_if_asked_for() -> None:
    values = evaluate({"q": {"a": 1.0}}, {"q": {"a": 1}, "r": {"a": 1}}, ["P@1"], per_query=True)
    assert values == {"P@1": {"q": 1.0, "r": 0.0}}


def test_counts_are_summed_up() -> None:
    qrels = {"q": {"a": 1}, "r": {"a": 1, "b": 1}}
    assert evaluate({"q": {"a": 1.0}, "r": {"a": 1.0, "b": 0.5}}, qrels, ["NumRet"]) == {"NumRet": 3.0}


def test_a_measure_has_its_canonical_name() -> None:
    assert list(evaluate({"q": {"a": 1.0}}, {"q": {"a": 1}}, ["MAP", "AP", "MRR@10"])) == ["AP", "RR@10"]


def test_one_measure_alone_will_do() -> None:
    assert evaluate({"q": {"a": 1.0}}, {"q": {"a": 1}}, "RR") == {"RR": 1.0}


def test_files_are_read(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", {"q": {"a": 1.0}})
    write_qrels(tmp_path / "qrels.txt", {"q": {"a": 1}})
    assert evaluate(tmp_path / "run.trec", str(tmp_path / "qrels.txt"), ["RR"]) == {"RR": 1.0}


ONE = {"q": {"a": 1}}


@pytest.mark.parametrize(
    ("run", "qrels"),
    [
        ({1: {2: 1.0}}, {1: {2: 1}}),
        ({np.int64(1): {np.int64(2): np.float32(1)}}, {"1": {"2": np.int64(1)}}),
        ({"1": {"2": 1}}, {"1": {"2": 1.0}}),
        ([("1", "2", 1.0)], [("1", "2", 1)]),
        ({"1": {"2": 1.0}}, {"1": {"2": 1}, "3": {}}),
        ({"1": {"2": 1.0}, "4": {}}, {1: {2: 1}, 3: {}}),
    ],
)
def test_runs_and_judgements_in_memory_are_taken_as_they_come(run: object, qrels: object) -> None:
    assert evaluate(run, qrels, ["P@1"]) == {"P@1": 1.0}


@pytest.mark.parametrize(
    ("run", "qrels", "message"),
    [
        ({"q": {"a": math.nan}}, ONE, "NaN"),
        ({"q": {"a": np.float32("nan")}}, ONE, "NaN"),
        ({"q": {"a": "high"}}, ONE, "'?\"?high"),
        ({"q": {"a": True}}, ONE, "true|True"),
        ({"q": {"": 1.0}}, ONE, "empty"),
        ({"q": {1.5: 1.0}}, ONE, "1.5"),
        ({"q": {None: 1.0}}, ONE, "None|null"),
        ({"q": {"a": 1.0}}, {"q": {"a": 1.5}}, "1.5"),
        ({"q": {"a": 1.0}}, {"q": {"a": None}}, "null|None"),
        ({"q": {"a": 1.0}}, {"q": 3}, "3"),
        (5, ONE, "int"),
    ],
)
def test_what_cannot_be_measured_is_named(run: object, qrels: object, message: str) -> None:
    with pytest.raises(LirDataError, match=message):
        evaluate(run, qrels, ["P@1"])


NAN = {"q": {"a": math.nan, "b": 1.0}}


@pytest.mark.parametrize(
    "function",
    [
        lambda: evaluate(NAN, ONE, ["RR"]),
        lambda: compare_runs({"a": NAN, "b": NAN}, {"q": {"a": 1}, "r": {"a": 1}}, ["RR"]),
        lambda: list(mine_negatives(NAN, ONE)),
        lambda: list(mine_negatives({"q": {"b": 1.0}}, ONE, teacher=NAN)),
        lambda: reciprocal_rank_fusion([NAN]),
        lambda: weighted_fusion([NAN]),
        lambda: cut_run(NAN, 1),
        lambda: filter_run(NAN),
        lambda: aggregate_passages(NAN),
    ],
)
def test_no_function_takes_a_score_that_is_no_number(function: Callable[[], object]) -> None:
    with pytest.raises(LirDataError, match="NaN"):
        function()


def test_a_query_that_is_a_document_can_be_left_out_of_its_own_hits(caplog: pytest.LogCaptureFixture) -> None:
    run, qrels = {"a": {"a": 9.0, "b": 1.0}, "c": {"c": 9.0, "d": 1.0}}, {"a": {"b": 1}, "c": {"d": 1}}
    assert evaluate(run, qrels, ["RR"]) == {"RR": 0.5}
    assert "2 of 2 queries find first the document that has their own id" in caplog.text
    caplog.clear()
    assert evaluate(run, qrels, ["RR"], ignore_identical_ids=True) == {"RR": 1.0}
    assert not caplog.text
    mined = mine_negatives({"a": {"a": 9.0, "e": 1.0}}, qrels, num_negatives=1, ignore_identical_ids=True)
    assert [item.docs for item in mined] == [("b", "e")]


def test_ids_that_are_equal_by_chance_are_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    evaluate({"1": {"1": 1.0}, "2": {"7": 1.0}, "3": {"8": 1.0}}, {"1": {"2": 1}, "2": {"7": 1}, "3": {"8": 1}}, ["RR"])
    assert "own id" not in caplog.text


def test_judgements_are_needed() -> None:
    with pytest.raises(EmptySourceError, match="There are no judgements to measure with"):
        evaluate({"q": {"a": 1.0}}, {}, ["RR"])


def test_an_unknown_measure_is_found_before_a_file_is_read() -> None:
    with pytest.raises(UnknownMeasureError, match="Did you mean 'nDCG@10'"):
        evaluate("nowhere.run", "nowhere.txt", ["ndgc@10"])


# The figures of the README beside the runs; BM25's are Anserini's published ones.
@pytest.mark.parametrize(
    ("system", "ndcg_19", "ndcg_20", "recall_19", "recall_20"),
    [
        ("bm25", 0.5058, 0.4796, 0.4910, 0.5599),
        ("bm25rm3", 0.5216, 0.4896, 0.5259, 0.6182),
        ("tasb", 0.7210, 0.6854, 0.6097, 0.7135),
        ("ada2", 0.7035, 0.6759, 0.6235, 0.7237),
        ("spladepp", 0.7308, 0.7197, 0.6390, 0.7653),
        ("repllama", 0.7384, 0.7195, 0.6579, 0.7311),
    ],
)
def test_published_figures_are_reproduced(
    shared: Path, system: str, ndcg_19: float, ndcg_20: float, recall_19: float, recall_20: float
) -> None:
    folder = shared / "data" / "msmarco-dl"
    values = [
        evaluate(folder / "runs" / f"{system}.{year}.run", folder / f"qrels.{year}.txt", ["nDCG@10", "R(rel=2)@100"])
        for year in ("dl19", "dl20")
    ]
    found = [value[measure] for measure in ("nDCG@10", "R(rel=2)@100") for value in values]
    np.testing.assert_allclose(found, [ndcg_19, ndcg_20, recall_19, recall_20], atol=5e-5)


@pytest.mark.parametrize("system", ["bm25", "repllama"])
def test_real_runs_measure_as_by_ir_measures_directly(shared: Path, system: str) -> None:
    folder = shared / "data" / "msmarco-dl"
    run, qrels = read_run(folder / "runs" / f"{system}.dl19.run"), read_qrels(folder / "qrels.dl19.txt")
    measures = [ir_measures.nDCG @ 10, ir_measures.AP(rel=2), ir_measures.RR(rel=2), ir_measures.P @ 10]
    expected = ir_measures.calc_aggregate(measures, qrels, run)
    assert evaluate(run, qrels, measures) == pytest.approx({str(name): value for name, value in expected.items()})
