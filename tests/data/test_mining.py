"""Hard negatives: by an obvious version, and by hand; what is written is read again."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_data import TrainingTuple, TupleDataset, mine_negatives, write_qrels, write_run, write_tuples
from lir_data.errors import ArgumentError, EmptySourceError, OutputExistsError

Run = dict[str, dict[str, float]]
Qrels = dict[str, dict[str, int]]

DOCS = st.sampled_from("abcdefghij")
QUERIES = st.sampled_from(["q1", "q2", "q3"])
SCORES = st.integers(-4, 6).map(lambda number: number / 2)
RUN = st.dictionaries(QUERIES, st.dictionaries(DOCS, SCORES, min_size=1, max_size=6), min_size=1)
QRELS = st.dictionaries(QUERIES, st.dictionaries(DOCS, st.integers(-1, 2), min_size=1))
BOUND = st.none() | st.integers(-4, 4).map(lambda number: number / 2)

RANKING = {"q": {doc_id: float(10 - place) for place, doc_id in enumerate("abcdefgh")}}


def obvious(
    run: Run,
    qrels: Qrels,
    count: int,
    range_min: int,
    range_max: int | None,
    absolute: float | None,
    relative: float | None,
    highest: float | None,
    lowest: float | None,
    teacher: Run | None,
) -> list[tuple[str, tuple[str, ...]]]:
    tuples = []
    for query_id in run:
        relevant = [doc_id for doc_id in qrels.get(query_id, {}) if qrels[query_id][doc_id] > 0]
        ranking = sorted(run[query_id], key=lambda doc_id: (-run[query_id][doc_id], doc_id))
        kept = [doc_id for doc_id in ranking if doc_id not in relevant]
        if range_max is not None:
            kept = kept[:range_max]
        scores = run[query_id] if teacher is None else teacher.get(query_id, {})
        kept = sorted((doc_id for doc_id in kept if doc_id in scores), key=lambda doc_id: (-scores[doc_id], doc_id))
        positives = [scores[doc_id] for doc_id in relevant if doc_id in scores]
        negatives = []
        for doc_id in kept:
            if highest is not None and scores[doc_id] > highest:
                continue
            if lowest is not None and scores[doc_id] < lowest:
                continue
            if absolute is not None and not (positives and scores[doc_id] <= min(positives) - absolute):
                continue
            if relative is not None and not (
                positives and scores[doc_id] <= min(positives) - relative * abs(min(positives))
            ):
                continue
            negatives.append(doc_id)
        negatives = negatives[range_min:][:count]
        tuples += [(query_id, (doc_id, *negatives)) for doc_id in relevant]
    return tuples


# A machine that does something else at the same time is no failure.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    RUN, QRELS, st.integers(1, 3), st.integers(0, 2), st.none() | st.integers(5, 8), BOUND,
    st.none() | st.sampled_from([0.0, 0.25, 0.5]), BOUND, BOUND, st.none() | RUN,
)  # fmt: skip
def test_the_top_negatives_are_those_of_an_obvious_version(
    run: Run, qrels: Qrels, count: int, range_min: int, range_max: Any, absolute: Any, relative: Any, highest: Any,
    lowest: Any, teacher: Any,
) -> None:  # fmt: skip
    if highest is not None and lowest is not None:
        lowest, highest = min(lowest, highest), max(lowest, highest)
    expected = obvious(run, qrels, count, range_min, range_max, absolute, relative, highest, lowest, teacher)
    options: dict[str, Any] = {
        "num_negatives": count, "range_min": range_min, "range_max": range_max, "absolute_margin": absolute,
        "relative_margin": relative, "max_score": highest, "min_score": lowest, "teacher": teacher,
    }  # fmt: skip
    if not expected:
        with pytest.raises(EmptySourceError, match=r"None of the run's . queries has a relevant document"):
            mine_negatives(run, qrels, **options)
        return
    found = list(mine_negatives(run, qrels, **options))
    assert [(item.query, item.docs) for item in found] == expected
    for item in found:
        known = (teacher or {}).get(item.query, {})
        assert item.scores == (tuple(known[doc_id] for doc_id in item.docs) if item.docs[0] in known else None)


@given(RUN, QRELS, st.integers(0, 3))
def test_random_negatives_are_candidates_and_never_relevant(run: Run, qrels: Qrels, seed: int) -> None:
    qrels = {**qrels, "q1": {**qrels.get("q1", {}), "a": 1}}
    run = {**run, "q1": {"b": 1.0, "c": 0.5, "d": 0.25}}
    found = list(mine_negatives(run, qrels, num_negatives=2, sampling_strategy="random", seed=seed))
    assert found == list(mine_negatives(run, qrels, num_negatives=2, sampling_strategy="random", seed=seed))
    for query_id, (positive, *negatives) in [(item.query, item.docs) for item in found]:
        assert qrels[query_id][positive] > 0
        assert not [doc_id for doc_id in negatives if qrels[query_id].get(doc_id, 0) > 0]
        assert set(negatives) <= set(run[query_id])
        assert len(set(negatives)) == len(negatives) <= 2
        assert negatives == sorted(negatives, key=lambda doc_id: (-run[query_id][doc_id], doc_id))


def test_another_seed_draws_others() -> None:
    drawn = {
        next(mine_negatives(RANKING, {"q": {"a": 1}}, sampling_strategy="random", seed=seed)).docs for seed in range(20)
    }
    assert len(drawn) > 5


def test_a_relative_margin_is_a_part_of_the_size_of_the_relevant_documents_score() -> None:
    run = {"q": {"p": -1.0, "a": -1.04, "b": -1.06}}
    assert next(mine_negatives(run, {"q": {"p": 1}}, relative_margin=0.05)).docs == ("p", "b")


def test_a_false_negative_is_dropped_by_the_teachers_scores() -> None:
    teacher = {"q": {"c": 9.0, "a": 8.75, "b": 3.0, "d": 4.0}}
    found = list(mine_negatives(RANKING, {"q": {"c": 1}}, teacher=teacher, relative_margin=0.05, num_negatives=2))
    assert found == [TrainingTuple("q", ("c", "d", "b"), (9.0, 4.0, 3.0))]


def test_there_is_one_tuple_a_relevant_document_and_the_lowest_decides_the_margin() -> None:
    found = list(mine_negatives(RANKING, {"q": {"d": 1, "a": 2, "b": 0}}, absolute_margin=0, num_negatives=2))
    assert [item.docs for item in found] == [("d", "e", "f"), ("a", "e", "f")]


def test_what_is_lacking_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    run = {"q": {"a": 2.0, "b": 1.0}, "r": {"a": 1.0}, "s": {"b": 1.0}}
    qrels = {"q": {"b": 1}, "r": {"x": 1}}
    found = list(mine_negatives(run, qrels, absolute_margin=0, num_negatives=2))
    assert [item.docs for item in found] == [("b",), ("x",)]
    assert "1 of the run's 3 queries have no relevant document, 's' the first; they make no tuples." in caplog.text
    assert "2 of 2 queries have fewer than 2 negatives, of which 2 have none." in caplog.text
    assert "Of 1 queries no relevant document has a score to keep a margin to" in caplog.text
    caplog.clear()
    list(mine_negatives(run, qrels, teacher={"q": {"b": 1.0}}))
    assert "2 candidates have no score by the teacher and were left out." in caplog.text
    assert "1 tuples have no scores: the teacher has none of their relevant document." in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_negatives": 0}, "num_negatives is 0; it must be at least 1."),
        ({"range_min": -1}, "range_min is -1; it must be 0 or more."),
        ({"range_max": 0}, "range_max is 0; it must be at least 1"),
        ({"range_min": 8, "range_max": 10}, "range_max is 10 and range_min 8, which leaves 2 candidates for 3 neg"),
        ({"min_score": 2.0, "max_score": 1.0}, "min_score is 2.0, above max_score, which is 1.0."),
        ({"sampling_strategy": "topp"}, "sampling_strategy is 'topp'; .* Did you mean 'top'?"),
        ({"seed": -1}, "seed is -1; it must be 0 or more."),
    ],
)
def test_arguments_are_checked_before_anything_is_read(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        mine_negatives("nowhere.trec", "nowhere.txt", **options)


def test_files_are_read_and_tuples_are_training_data(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", RANKING)
    write_qrels(tmp_path / "qrels.txt", {"q": {"b": 1}})
    (tmp_path / "docs.tsv").write_text("".join(f"{doc_id}\ttext of {doc_id}\n" for doc_id in "abcdefgh"))
    (tmp_path / "queries.tsv").write_text("q\tquestion\n")
    teacher = {"q": {doc_id: score / 3 for doc_id, score in RANKING["q"].items()}}
    mined = mine_negatives(tmp_path / "run.trec", tmp_path / "qrels.txt", teacher=teacher, range_min=1)
    write_tuples(tmp_path / "tuples.jsonl.gz", mined)
    names = {"docs": str(tmp_path / "docs.tsv"), "queries": str(tmp_path / "queries.tsv")}
    (sample,) = TupleDataset(str(tmp_path / "tuples.jsonl.gz"), targets="score", **names)
    assert (sample.query, sample.doc_ids) == ("question", ("b", "c", "d", "e"))
    assert sample.docs[0] == "text of b"
    assert np.float32(sample.targets).tolist() == np.float32([9 / 3, 8 / 3, 7 / 3, 6 / 3]).tolist()


TUPLES = st.lists(
    st.builds(
        lambda query, docs, scored: TrainingTuple(
            query, tuple(doc_id for doc_id, _ in docs), tuple(score for _, score in docs) if scored else None
        ),
        st.text(min_size=1),
        st.lists(st.tuples(st.text(), st.floats(width=32, allow_nan=False, allow_infinity=False)), min_size=1),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)


@given(TUPLES)
def test_tuples_of_texts_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, tuples: Sequence[TrainingTuple]
) -> None:
    path = tmp_path_factory.mktemp("tuples") / "tuples.jsonl"
    write_tuples(path, tuples, by_id=False)
    read = [(sample.query, sample.docs) for sample in TupleDataset(str(path))]
    assert read == [(item.query, item.docs) for item in tuples]
    lines = path.read_bytes().splitlines()
    for line, item in zip(lines, tuples, strict=True):
        scores = json.loads(line).get("scores")
        assert (None if scores is None else tuple(np.float32(scores).tolist())) == item.scores


def test_tuples_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "tuples.jsonl"
    with pytest.raises(ArgumentError, match=r"A score of the query 'q' is nan; a score of a tuple is finite."):
        write_tuples(path, [TrainingTuple("q", ("a",), (1.0,)), TrainingTuple("q", ("a",), (float("nan"),))])
    with pytest.raises(ArgumentError, match=r"The tuple of the query 'q' has no document."):
        write_tuples(path, [TrainingTuple("q", ())])
    assert not list(tmp_path.iterdir())
    write_tuples(path, [TrainingTuple("q", ("a",))])
    with pytest.raises(OutputExistsError, match="exists already"):
        write_tuples(path, [TrainingTuple("q", ("b",))])
