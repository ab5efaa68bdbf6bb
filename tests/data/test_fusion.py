"""Runs made into one: by the equations, and what no fusion may change."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_data import evaluate, read_run, reciprocal_rank_fusion, weighted_fusion, write_run
from lir_data.errors import ArgumentError, MalformedLineError

Run = dict[str, dict[str, float]]
Fuse = Callable[..., Run]

NORMALIZATIONS = ["min-max", "z-score", "none"]
DOCS = st.sampled_from("abcdefgh")
QUERIES = st.sampled_from(["q1", "q2", "q3"])
# Few values, so that many are equal; halves, so that float32 holds them.
SCORES = st.integers(-6, 6).map(lambda number: number / 2)
RUN = st.dictionaries(QUERIES, st.dictionaries(DOCS, SCORES, min_size=1))
WEIGHT = st.integers(1, 8).map(lambda number: number / 4)
ENTRIES = st.lists(st.tuples(RUN, WEIGHT), min_size=1, max_size=4)
FUSE: dict[str, Fuse] = {
    "rrf": reciprocal_rank_fusion,
    **{
        name: lambda runs, name=name, **options: weighted_fusion(runs, normalize=name, **options)
        for name in NORMALIZATIONS
    },
}

every_fusion = pytest.mark.parametrize("fuse", FUSE.values(), ids=FUSE)


def ordered(run: Run) -> dict[str, list[tuple[str, float]]]:
    """What a run says, the order of its documents included."""
    return {query_id: list(scores.items()) for query_id, scores in run.items()}


def unzipped(entries: Sequence[tuple[Run, float]]) -> tuple[list[Run], list[float]]:
    return [run for run, _ in entries], [weight for _, weight in entries]


def by_rank(run: Run, query: str, doc: str, k: float) -> float:
    if doc not in run.get(query, {}):
        return 0.0
    ranking = sorted(run[query], key=lambda other: (-run[query][other], other))
    return 1 / (k + ranking.index(doc) + 1)


def by_score(run: Run, query: str, doc: str, normalize: str) -> float:
    if query not in run:
        return 0.0
    values = list(run[query].values())
    value = run[query].get(doc, min(values))
    if normalize == "none":
        return value
    if normalize == "z-score":
        mean = sum(values) / len(values)
        deviation = math.sqrt(sum((other - mean) ** 2 for other in values) / len(values))
        return (value - mean) / deviation if len(set(values)) > 1 else 0.0
    if len(set(values)) > 1:
        return (value - min(values)) / (max(values) - min(values))
    return 1.0 if doc in run[query] else 0.0


def by_hand(entries: Sequence[tuple[Run, float]], worth: Callable[[Run, str, str], float]) -> Run:
    pairs = {(query, doc) for run, _ in entries for query in run for doc in run[query]}
    fused: Run = {}
    for query, doc in pairs:
        fused.setdefault(query, {})[doc] = sum(weight * worth(run, query, doc) for run, weight in entries)
    return fused


def assert_equal(fused: Run, expected: Run) -> None:
    assert fused.keys() == expected.keys()
    for query_id, scores in fused.items():
        assert scores == pytest.approx(expected[query_id], rel=1e-12, abs=1e-12)


@given(ENTRIES, st.sampled_from([0.5, 1, 60, 1000]))
def test_reciprocal_rank_fusion_equals_the_equation(entries: list[tuple[Run, float]], k: float) -> None:
    runs, weights = unzipped(entries)
    expected = by_hand(entries, lambda run, query, doc: by_rank(run, query, doc, k))
    assert_equal(reciprocal_rank_fusion(runs, k=k, weights=weights), expected)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
@given(entries=ENTRIES)
def test_weighted_fusion_equals_the_equation(entries: list[tuple[Run, float]], normalize: Any) -> None:
    runs, weights = unzipped(entries)
    expected = by_hand(entries, lambda run, query, doc: by_score(run, query, doc, normalize))
    assert_equal(weighted_fusion(runs, weights=weights, normalize=normalize), expected)


def test_sixty_and_min_max_are_the_defaults_and_runs_count_alike() -> None:
    runs = [{"q": {"a": 4.0, "b": 3.0, "c": 0.0}}, {"q": {"b": 9.0, "d": 5.0}}]
    assert reciprocal_rank_fusion(runs) == {
        "q": pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "d": 1 / 62, "c": 1 / 63})
    }
    assert weighted_fusion(runs) == {"q": pytest.approx({"b": 1.75, "a": 1.0, "c": 0.0, "d": 0.0})}


@every_fusion
@given(entries=ENTRIES)
def test_best_come_first_and_equal_ones_by_document_id(fuse: Fuse, entries: list[tuple[Run, float]]) -> None:
    runs, weights = unzipped(entries)
    for scores in fuse(runs, weights=weights).values():
        assert list(scores) == sorted(scores, key=lambda doc_id: (-np.float32(scores[doc_id]), doc_id))


@every_fusion
@given(entries=ENTRIES, data=st.data())
def test_the_order_of_the_runs_and_of_what_they_hold_changes_nothing(
    fuse: Fuse, entries: list[tuple[Run, float]], data: st.DataObject
) -> None:
    runs, weights = unzipped(entries)
    others, other_weights = unzipped(data.draw(st.permutations(entries)))
    others = [{query: dict(reversed(docs.items())) for query, docs in reversed(run.items())} for run in others]
    assert ordered(fuse(others, weights=other_weights)) == ordered(fuse(runs, weights=weights))


@every_fusion
@given(run=RUN, count=st.integers(1, 3))
def test_a_run_fused_with_itself_keeps_its_order(fuse: Fuse, run: Run, count: int) -> None:
    for query_id, scores in fuse([run] * count).items():
        assert list(scores) == sorted(scores, key=lambda doc_id: (-run[query_id][doc_id], doc_id))


@every_fusion
@given(entries=ENTRIES)
def test_no_query_and_no_document_is_lost(fuse: Fuse, entries: list[tuple[Run, float]]) -> None:
    runs, weights = unzipped(entries)
    fused = fuse(runs, weights=weights)
    assert {(q, d) for q in fused for d in fused[q]} == {(q, d) for run in runs for q in run for d in run[q]}


@every_fusion
@given(entries=ENTRIES, depth=st.integers(1, 9))
def test_depth_keeps_the_top(fuse: Fuse, entries: list[tuple[Run, float]], depth: int) -> None:
    runs, _ = unzipped(entries)
    whole = ordered(fuse(runs))
    assert ordered(fuse(runs, depth=depth)) == {query_id: scores[:depth] for query_id, scores in whole.items()}


@every_fusion
@given(entries=ENTRIES, absent=RUN)
def test_a_run_of_weight_0_is_left_out(fuse: Fuse, entries: list[tuple[Run, float]], absent: Run) -> None:
    runs, weights = unzipped(entries)
    assert ordered(fuse([absent, *runs], weights=[0, *weights])) == ordered(fuse(runs, weights=weights))


@every_fusion
@given(entries=ENTRIES)
def test_the_runs_stay_as_they_are(fuse: Fuse, entries: list[tuple[Run, float]]) -> None:
    runs, _ = unzipped(entries)
    before = [ordered(run) for run in runs]
    fuse(runs)
    assert [ordered(run) for run in runs] == before


@pytest.mark.parametrize("normalize", ["min-max", "z-score"])
@given(runs=st.lists(RUN, min_size=2, max_size=3), scale=st.integers(1, 9), shift=st.integers(-9, 9))
def test_normalized_scores_have_no_unit(runs: list[Run], scale: int, shift: int, normalize: Any) -> None:
    first, *others = runs
    moved = {query: {doc: scale * score + shift for doc, score in docs.items()} for query, docs in first.items()}
    assert_equal(weighted_fusion([moved, *others], normalize=normalize), weighted_fusion(runs, normalize=normalize))


@every_fusion
@given(
    runs=st.lists(
        st.dictionaries(
            QUERIES,
            st.dictionaries(DOCS, st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_score_is_a_finite_number_however_large_or_close_the_runs_scores(fuse: Fuse, runs: list[Run]) -> None:
    weights = [float(np.finfo(np.float32).max)] * len(runs)
    fused = fuse(runs, weights=weights)
    assert all(type(score) is float and math.isfinite(score) for scores in fused.values() for score in scores.values())


@every_fusion
@settings(max_examples=15)  # each writes files, and waits until they are on the disk
@given(
    runs=st.lists(st.dictionaries(QUERIES, st.dictionaries(DOCS, st.floats(-9, 9), min_size=1), min_size=1), min_size=1)
)
def test_runs_fuse_the_same_before_and_after_they_are_written(
    tmp_path_factory: pytest.TempPathFactory, fuse: Fuse, runs: list[Run]
) -> None:
    folder = tmp_path_factory.mktemp("runs")
    paths = [folder / f"{number}.trec" for number in range(len(runs))]
    for path, run in zip(paths, runs, strict=True):
        write_run(path, run)
    assert ordered(fuse(paths)) == ordered(fuse(runs))


def test_the_only_hit_of_a_run_is_worth_as_much_as_the_best_of_another() -> None:
    runs = [{"q": {"a": 2.0, "b": 1.0}}, {"q": {"c": 0.1}}]
    assert weighted_fusion(runs) == {"q": {"a": 1.0, "c": 1.0, "b": 0.0}}


def test_a_document_that_a_run_lacks_counts_as_its_last() -> None:
    runs = [{"q": {"a": -1.0, "b": -3.0}}, {"q": {"c": 0.5}}]
    assert weighted_fusion(runs, normalize="none") == {"q": {"a": -0.5, "b": -2.5, "c": -2.5}}


def test_scores_that_differ_as_float64_alone_are_equal() -> None:
    run = {"q": {"b": 1.00000000002, "a": 1.00000000001}}
    assert ordered(weighted_fusion([run])) == {"q": [("a", 1.0), ("b", 1.0)]}
    assert list(reciprocal_rank_fusion([run])["q"]) == ["a", "b"]


@every_fusion
def test_a_query_without_documents_stays_one(fuse: Fuse) -> None:
    assert fuse([{"q": {}}, {"r": {"a": 1.0}}]).keys() == {"q", "r"}


def test_ranks_need_no_finite_scores() -> None:
    run = {"q": {"a": -math.inf, "b": 0.0, "c": math.inf}}
    assert list(reciprocal_rank_fusion([run])["q"]) == ["c", "b", "a"]


def test_depth_of_minus_one_means_all() -> None:
    assert len(reciprocal_rank_fusion([{"q": {"a": 1.0, "b": 0.0}}], depth=-1)["q"]) == 2


ONE, TWO = {"q": {"a": 1.0}}, {"q": {"a": 2.0, "b": 1.0}}


@every_fusion
@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([], {}, "There is no run to fuse; one at least is needed."),
        ([], {"weights": []}, "There is no run to fuse; one at least is needed."),
        ([ONE, TWO], {"weights": [1]}, "The number of weights is 1, that of runs 2; each run needs a weight."),
        ([ONE, TWO], {"weights": [1, -0.5]}, "The weight of run 2 is -0.5; it must be 0 or more, and finite"),
        ([ONE, TWO], {"weights": [math.nan, 1]}, "The weight of run 1 is nan; it must be 0 or more, and finite"),
        ([ONE, TWO], {"weights": [1, math.inf]}, "The weight of run 2 is inf; it must be 0 or more, and finite"),
        ([ONE, TWO], {"weights": [0, 0]}, "The weights are all 0; one at least must be more."),
        ([ONE, TWO], {"depth": 0}, "depth is 0; it must be at least 1, or None for all."),
        ([ONE, {"q": {"b": math.nan}}], {}, "The score of 'b' for the query 'q' in run 2 is NaN, which has no rank."),
    ],
)  # fmt: skip
def test_what_cannot_be_fused_is_a_sentence(fuse: Fuse, runs: list[Run], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        fuse(runs, **options)
    assert message in str(raised.value)


@pytest.mark.parametrize("k", [0, -60, math.nan, math.inf])
def test_k_is_more_than_0_and_finite(k: float) -> None:
    with pytest.raises(ArgumentError, match=f"k is {k}; it must be more than 0, and finite"):
        reciprocal_rank_fusion([ONE], k=k)


def test_the_nearest_normalization_is_named() -> None:
    with pytest.raises(
        ArgumentError, match=r"'minmax'; it must be one of 'min-max', 'z-score', 'none'\. Did you mean 'min-max'\?"
    ):
        weighted_fusion([ONE], normalize="minmax")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
@pytest.mark.parametrize("score", [math.inf, -math.inf, 1e39])
def test_an_infinite_score_has_no_weighted_sum(normalize: Any, score: float) -> None:
    with pytest.raises(
        ArgumentError, match=r"in run 2 is .*; a weighted sum needs scores that are finite as float32\."
    ) as raised:
        weighted_fusion([ONE, {"q": {"b": score}}], normalize=normalize)
    assert raised.value.hint == "reciprocal rank fusion looks at ranks alone"


@every_fusion
def test_arguments_are_checked_before_a_run_is_read(fuse: Fuse) -> None:
    with pytest.raises(ArgumentError, match="The number of weights is 1, that of runs 2"):
        fuse(["nowhere.trec", "nowhere.trec"], weights=[1])


@every_fusion
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, fuse: Fuse) -> None:
    (tmp_path / "run.trec").write_text("q Q0 d 1 n/a t\n")
    with pytest.raises(MalformedLineError, match=r"run\.trec, line 1: the score 'n/a' is not a number"):
        fuse([str(tmp_path / "run.trec")])


@pytest.fixture(params=["dl19", "dl20"])
def published(request: pytest.FixtureRequest, shared: Path) -> tuple[list[Run], Path]:
    """Published runs of BM25 and of TAS-B, and the judgements."""
    folder = shared / "data" / "msmarco-dl"
    runs = [read_run(folder / "runs" / f"{system}.{request.param}.run") for system in ("bm25", "tasb")]
    return runs, folder / f"qrels.{request.param}.txt"


@every_fusion
def test_real_runs_fuse_as_by_hand(published: tuple[list[Run], Path], fuse: Fuse) -> None:
    entries = list(zip(published[0], [1.0, 2.0], strict=True))
    name = next(name for name in FUSE if FUSE[name] is fuse)
    # As float32, the type of a run's scores.
    singles = [
        ({q: {d: float(np.float32(s)) for d, s in docs.items()} for q, docs in run.items()}, w) for run, w in entries
    ]
    expected = by_hand(
        singles,
        lambda run, query, doc: by_rank(run, query, doc, 60) if name == "rrf" else by_score(run, query, doc, name),
    )
    assert_equal(fuse(published[0], weights=[1, 2]), expected)


def test_reciprocal_rank_fusion_of_words_and_vectors_finds_more_than_either(
    published: tuple[list[Run], Path],
) -> None:
    runs, qrels = published
    fused = reciprocal_rank_fusion(runs, depth=100)
    recall = [evaluate(run, qrels, ["R(rel=2)@100"])["R(rel=2)@100"] for run in (fused, *runs)]
    assert recall[0] > max(recall[1:])
