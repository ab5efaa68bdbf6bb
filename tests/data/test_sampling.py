"""The strategies that draw some of many."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data.sampling import SamplingStrategy, generator, sample

STRATEGIES = get_args(SamplingStrategy)


@given(st.sampled_from(STRATEGIES), st.integers(1, 12), st.lists(st.booleans(), max_size=20), st.integers(0, 5))
def test_positions_are_within_the_ranking_and_each_once(
    strategy: SamplingStrategy, size: int, relevant: list[bool], epoch: int
) -> None:
    drawn = sample(strategy, size, relevant, generator(0, epoch, "q"))
    assert len(set(drawn)) == len(drawn) <= size
    assert set(drawn) <= set(range(len(relevant)))


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "single_relevant"])
@given(st.integers(1, 12), st.integers(0, 20))
def test_so_many_are_drawn_as_there_are_in_the_order_of_the_ranking(
    strategy: SamplingStrategy, size: int, total: int
) -> None:
    drawn = sample(strategy, size, [False] * total, generator(0, 0, "q"))
    assert len(drawn) == min(size, total)
    assert drawn == sorted(drawn)


def test_top_is_the_first() -> None:
    assert sample("top", 3, [False] * 5, generator(0, 0, "q")) == [0, 1, 2]


def test_top_and_random_begins_with_the_larger_half_of_the_top() -> None:
    drawn = sample("top_and_random", 5, [False] * 100, generator(0, 0, "q"))
    assert drawn[:3] == [0, 1, 2]
    assert drawn != [0, 1, 2, 3, 4]


def test_single_relevant_has_one_relevant_document_first() -> None:
    relevant = [False, True, False, True, False]
    drawn = sample("single_relevant", 3, relevant, generator(0, 0, "q"))
    assert [relevant[position] for position in drawn] == [True, False, False]


def test_log_random_draws_by_the_logarithm_of_the_rank() -> None:
    counts = np.zeros(5)
    for epoch in range(4000):
        counts[sample("log_random", 1, [False] * 5, generator(0, epoch, "q"))] += 1
    weights = np.array([1 / np.log(1 + rank) for rank in (1, 2, 3, 4, 5)])
    np.testing.assert_allclose(counts / counts.sum(), weights / weights.sum(), atol=0.03)


def test_random_draws_evenly() -> None:
    counts = np.zeros(5)
    for epoch in range(4000):
        counts[sample("random", 1, [False] * 5, generator(0, epoch, "q"))] += 1
    np.testing.assert_allclose(counts / counts.sum(), 0.2, atol=0.03)


def test_queries_draw_apart() -> None:
    assert sample("random", 5, [False] * 50, generator(0, 0, "q1")) != sample(
        "random", 5, [False] * 50, generator(0, 0, "q2")
    )
