"""Parts of runs: what is kept, and in which order."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import cut_run, filter_run, read_run, write_qrels, write_run
from lir_data.errors import ArgumentError

Run = dict[str, dict[str, float]]

DOCS = st.sampled_from("abcdefgh")
QUERIES = st.sampled_from(["q1", "q2", "q3"])
RUN = st.dictionaries(QUERIES, st.dictionaries(DOCS, st.integers(-3, 3).map(float), min_size=1))
RANKING = {"q1": {"a": 1.0, "c": 3.0, "b": 3.0, "d": -2.0}, "q2": {"a": 0.5}}


def ordered(run: Run) -> dict[str, list[str]]:
    return {query_id: list(scores) for query_id, scores in run.items()}


@given(RUN, st.integers(1, 9))
def test_a_cut_keeps_the_best_and_equal_ones_by_document_id(run: Run, depth: int) -> None:
    cut = cut_run(run, depth)
    assert ordered(cut) == {
        query_id: sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))[:depth]
        for query_id, scores in run.items()
    }
    assert all(cut[query_id][doc_id] == run[query_id][doc_id] for query_id in cut for doc_id in cut[query_id])


@given(
    RUN,
    st.none() | st.sets(QUERIES),
    st.none() | st.sets(DOCS),
    st.none() | st.sets(DOCS),
    st.none() | st.integers(-3, 3),
    st.none() | st.dictionaries(QUERIES, st.dictionaries(DOCS, st.integers(-1, 1))),
)
def test_a_filter_keeps_what_fulfils_all_conditions(
    run: Run, queries: Any, docs: Any, without_docs: Any, min_score: Any, judged: Any
) -> None:
    expected: Run = {}
    for query_id, scores in run.items():
        if queries is not None and query_id not in queries:
            continue
        expected[query_id] = {}
        for doc_id, score in scores.items():
            if docs is not None and doc_id not in docs:
                continue
            if without_docs is not None and doc_id in without_docs:
                continue
            if min_score is not None and score < min_score:
                continue
            if judged is not None and (query_id not in judged or doc_id not in judged[query_id]):
                continue
            expected[query_id][doc_id] = score
    found = filter_run(run, queries=queries, docs=docs, without_docs=without_docs, min_score=min_score, judged=judged)
    assert found == expected
    assert ordered(found) == ordered(cut_run(expected, 9))


def test_judgements_can_stand_for_their_queries() -> None:
    assert ordered(filter_run(RANKING, queries={"q2": {"x": 1}})) == {"q2": ["a"]}


def test_a_query_that_loses_all_its_documents_stays() -> None:
    assert filter_run(RANKING, min_score=1) == {"q1": {"b": 3.0, "c": 3.0, "a": 1.0}, "q2": {}}


def test_files_are_read(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", RANKING)
    write_qrels(tmp_path / "qrels.txt", {"q1": {"d": 0}})
    assert cut_run(tmp_path / "run.trec", 1) == {"q1": {"b": 3.0}, "q2": {"a": 0.5}}
    assert filter_run(str(tmp_path / "run.trec"), judged=tmp_path / "qrels.txt") == {"q1": {"d": -2.0}, "q2": {}}


def test_the_run_stays_as_it_is() -> None:
    before = ordered(RANKING)
    cut_run(RANKING, 1)
    filter_run(RANKING, docs=[])
    assert ordered(RANKING) == before


def test_a_depth_below_1_is_refused_before_the_run_is_read() -> None:
    with pytest.raises(ArgumentError, match="cut_run: depth is 0; it must be at least 1"):
        cut_run("nowhere.trec", 0)


def test_one_id_where_several_are_wanted_is_refused_before_the_run_is_read() -> None:
    with pytest.raises(ArgumentError, match=r"docs is the text 'd12'; it must be a collection of ids, \['d12'\]"):
        filter_run("nowhere.trec", docs="d12")


def test_a_cut_run_of_a_real_system_is_the_top_of_its_file(shared: Path) -> None:
    path = shared / "data" / "msmarco-dl" / "runs" / "bm25.dl19.run"
    whole = read_run(path)
    assert ordered(cut_run(path, 10)) == {query_id: list(scores)[:10] for query_id, scores in whole.items()}
