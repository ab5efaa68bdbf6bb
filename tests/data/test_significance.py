"""Runs compared: by the formulas and by enumeration, corrected by hand."""

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_data import compare_runs, evaluate, read_qrels, write_qrels, write_run
from lir_data.errors import ArgumentError, EmptySourceError, UnknownMeasureError

Run = dict[str, dict[str, float]]

RANKS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=9)


def run_of(ranks: Sequence[int]) -> Run:
    """A run with the one relevant document at these ranks, query after query; 0 lacks it."""
    return {
        f"q{place}": {("relevant" if other == rank else f"d{other}"): float(-other) for other in range(1, 7)}
        for place, rank in enumerate(ranks)
    }


def qrels_of(ranks: Sequence[Any]) -> dict[str, dict[str, int]]:
    return {f"q{place}": {"relevant": 1} for place in range(len(ranks))}


def p_value(pairs: Sequence[tuple[int, int]], test: Any) -> float:
    base, other = zip(*pairs, strict=True)
    return compare_runs(
        {"base": run_of(base), "other": run_of(other)}, qrels_of(pairs), ["RR"], test=test, correction=None
    )[0].p_value


def differences(pairs: Sequence[tuple[int, int]]) -> list[float]:
    def worth(rank: int) -> float:
        return 1 / rank if rank else 0.0

    return [worth(other) - worth(base) for base, other in pairs]


def by_enumeration(values: Sequence[float]) -> float:
    observed = abs(sum(values))
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, values, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    return sum(total >= observed - 1e-9 for total in sums) / len(sums)


def by_students_formula(values: Sequence[float]) -> float:
    count = len(values)
    mean = sum(values) / count
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / (count - 1))
    if deviation < 1e-12:
        return 1.0 if abs(mean) < 1e-12 else 0.0
    t, freedom = mean / (deviation / math.sqrt(count)), count - 1
    constant = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(freedom * math.pi)
    # By t = sqrt(freedom) * tan(angle) the tail of the density becomes that of a power of the cosine.
    angles = np.linspace(math.atan(abs(t) / math.sqrt(freedom)), math.pi / 2, 20_001)
    return float(2 * constant * math.sqrt(freedom) * np.trapezoid(np.cos(angles) ** (freedom - 1), angles))


@settings(deadline=None)
@given(RANKS)
def test_the_randomization_test_of_few_queries_enumerates_all_signs(pairs: list[tuple[int, int]]) -> None:
    assert p_value(pairs, "randomization") == pytest.approx(by_enumeration(differences(pairs)), abs=1e-12)


@settings(deadline=None)
@given(RANKS)
def test_the_t_test_equals_students_formula(pairs: list[tuple[int, int]]) -> None:
    assert p_value(pairs, "t-test") == pytest.approx(by_students_formula(differences(pairs)), abs=1e-6)


def test_of_many_queries_the_randomization_test_draws_by_its_seed_and_agrees_with_the_t_test() -> None:
    random = np.random.default_rng(1)
    base, other = random.integers(1, 6, 60).tolist(), random.integers(1, 4, 60).tolist()
    runs, qrels = {"base": run_of(base), "other": run_of(other)}, qrels_of(base)
    found, again, third = (
        compare_runs(runs, qrels, ["RR"], test="randomization", seed=seed)[0].p_value for seed in (0, 0, 1)
    )
    assert found == again
    assert found != third
    assert found == pytest.approx(compare_runs(runs, qrels, ["RR"])[0].p_value, abs=0.01)


FOUR = {
    "base": run_of([1, 2, 3, 4, 5, 0]),
    "same": run_of([1, 2, 3, 4, 5, 0]),
    "better": run_of([1, 1, 1, 2, 2, 3]),
    "mixed": run_of([2, 1, 1, 3, 5, 4]),
}


def test_each_run_is_compared_with_the_baseline_query_by_query() -> None:
    found = {item.run: item for item in compare_runs(FOUR, qrels_of(range(6)), ["RR", "P@1", "MRR"], baseline="mixed")}
    assert list(found) == ["base", "same", "better"]
    better = compare_runs(FOUR, qrels_of(range(6)), "RR", baseline="mixed")[2]
    assert (better.baseline, better.measure, better.num_queries) == ("mixed", "RR", 6)
    assert (better.wins, better.ties, better.losses) == (4, 2, 0)
    assert better.mean == pytest.approx(evaluate(FOUR["better"], qrels_of(range(6)), "RR")["RR"])
    assert better.difference == pytest.approx(better.mean - evaluate(FOUR["mixed"], qrels_of(range(6)), "RR")["RR"])


@pytest.mark.parametrize("test", ["t-test", "randomization"])
def test_runs_that_never_differ_have_p_1(test: Any) -> None:
    same = compare_runs(FOUR, qrels_of(range(6)), ["RR"], test=test)[0]
    assert (same.p_value, same.corrected_p_value, same.ties) == (1.0, 1.0, 6)


def test_a_difference_that_never_varies_is_beyond_chance() -> None:
    assert p_value([(2, 1), (2, 1), (2, 1)], "t-test") == 0.0


def test_holm_and_bonferroni_by_hand() -> None:
    qrels = qrels_of(range(6))
    raw = [item.p_value for item in compare_runs(FOUR, qrels, ["RR"], correction=None)]
    assert [item.corrected_p_value for item in compare_runs(FOUR, qrels, ["RR"], correction=None)] == [None] * 3
    low, middle, high = sorted(raw)
    by_hand = {
        low: min(1, 3 * low),
        middle: max(min(1, 3 * low), min(1, 2 * middle)),
        high: max(min(1, 3 * low), min(1, 2 * middle), high),
    }
    holm = [item.corrected_p_value for item in compare_runs(FOUR, qrels, ["RR"])]
    assert holm == pytest.approx([by_hand[value] for value in raw])
    bonferroni = [item.corrected_p_value for item in compare_runs(FOUR, qrels, ["RR"], correction="bonferroni")]
    assert bonferroni == pytest.approx([min(1, 3 * value) for value in raw])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_corrected_values_keep_their_order_and_holms_are_never_above_bonferronis(values: list[float]) -> None:
    from lir_data.significance import _bonferroni, _holm

    holm, bonferroni = _holm(values), _bonferroni(values)
    assert all(low <= mine <= high <= 1 for low, mine, high in zip(values, holm, bonferroni, strict=True))
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [holm[place] for place in order] == sorted(holm)


def test_a_query_that_a_run_lacks_counts_0_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    short = {query: docs for query, docs in FOUR["base"].items() if query not in ("q0", "q1")}
    found = compare_runs({"base": FOUR["base"], "short": short}, qrels_of(range(6)), ["RR"])[0]
    assert found.num_queries == 6
    assert found.losses == 2
    assert found.difference == pytest.approx(-1.5 / 6)
    assert (
        "The run 'short' has no documents for 2 of the 6 judged queries, 'q0' the first; they count 0." in caplog.text
    )


def test_files_are_read(tmp_path: Path) -> None:
    write_run(tmp_path / "a.trec", {query: docs for query, docs in FOUR["base"].items() if docs})
    write_run(tmp_path / "b.trec", FOUR["better"])
    write_qrels(tmp_path / "qrels.txt", qrels_of(range(6)))
    runs = {"a": tmp_path / "a.trec", "b": str(tmp_path / "b.trec")}
    in_memory = {"a": FOUR["base"], "b": FOUR["better"]}
    assert compare_runs(runs, tmp_path / "qrels.txt", ["RR"]) == compare_runs(in_memory, qrels_of(range(6)), ["RR"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runs": {}}, "the number of runs is 0; two at least can be compared."),
        ({"runs": {"base": "nowhere.trec"}}, "the number of runs is 1, 'base'; two at least can be compared."),
        ({"baseline": "bse"}, "there is no run 'bse' to be the baseline. Did you mean 'base'?"),
        ({"baseline": "x"}, "there is no run 'x' to be the baseline. The runs are 'base', 'other'."),
        ({"test": "ttest"}, "test is 'ttest'; it must be one of 't-test', 'randomization'. Did you mean 't-test'?"),
        ({"correction": "holms"}, "correction is 'holms'; .* Did you mean 'holm'?"),
        ({"qrels": {"q1": {"a": 1}}}, "There is one judged query, 'q1'; a test needs two at least."),
    ],
)
def test_what_cannot_be_compared_is_refused_before_a_run_is_read(options: dict[str, Any], message: str) -> None:
    given = {"runs": {"base": "nowhere.trec", "other": "nowhere.trec"}, "qrels": qrels_of(range(2)), **options}
    with pytest.raises(ArgumentError, match=message):
        compare_runs(given.pop("runs"), given.pop("qrels"), ["RR"], **given)


def test_an_unknown_measure_is_found_before_a_file_is_read() -> None:
    with pytest.raises(UnknownMeasureError, match="Did you mean 'nDCG@10'"):
        compare_runs({"a": "nowhere.trec", "b": "nowhere.trec"}, "nowhere.txt", ["ndgc@10"])


def test_judgements_are_needed() -> None:
    with pytest.raises(EmptySourceError, match="There are no judgements to measure with"):
        compare_runs(FOUR, {}, ["RR"])


def test_on_real_runs_both_tests_tell_a_dense_run_from_word_matching(shared: Path) -> None:
    folder = shared / "data" / "msmarco-dl"
    runs = {name: folder / "runs" / f"{name}.dl19.run" for name in ("bm25", "tasb", "bm25rm3")}
    qrels = read_qrels(folder / "qrels.dl19.txt")
    for test in ("t-test", "randomization"):
        dense, expanded = compare_runs(runs, qrels, ["nDCG@10"], test=test)
        assert dense.corrected_p_value is not None
        assert dense.corrected_p_value < 1e-3 < 0.05 < expanded.p_value
