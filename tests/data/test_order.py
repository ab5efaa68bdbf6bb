"""Shards and what is left of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data.errors import ArgumentError
from lir_data.order import Divisible


class Numbers(Divisible):
    def __init__(self, total: int) -> None:
        self.total = total

    def __iter__(self):
        return self.within.of(range(self.total))

    def __len__(self) -> int:
        return len(self.within.positions(self.total))


@given(st.integers(0, 40), st.integers(1, 5))
def test_shards_hold_every_item_once(total: int, shards: int) -> None:
    parts = [list(Numbers(total).shard(shards, index)) for index in range(shards)]
    assert sorted(number for part in parts for number in part) == list(range(total))


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 12))
def test_shards_interleave_and_skip_counts_within_the_shard(total: int, shards: int, skipped: int) -> None:
    for index in range(shards):
        assert list(Numbers(total).shard(shards, index).skip(skipped)) == list(range(total))[index::shards][skipped:]


@given(st.integers(0, 40), st.integers(1, 4), st.integers(0, 6), st.integers(1, 4))
def test_a_part_of_a_part_is_a_part(total: int, outer: int, skipped: int, inner: int) -> None:
    for index in range(inner):
        part = Numbers(total).shard(outer, outer - 1).skip(skipped).shard(inner, index)
        assert list(part) == list(range(total))[outer - 1 :: outer][skipped:][index::inner]


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 12))
def test_the_length_is_the_number_of_items(total: int, shards: int, skipped: int) -> None:
    part = Numbers(total).shard(shards, 0).skip(skipped)
    assert len(part) == len(list(part))


def test_a_part_leaves_the_whole_as_it_was() -> None:
    numbers = Numbers(4)
    numbers.shard(2, 1)
    assert list(numbers) == [0, 1, 2, 3]


@pytest.mark.parametrize(("shards", "index"), [(2, 2), (2, -1), (0, 0)])
def test_a_shard_that_is_not_there_is_named(shards: int, index: int) -> None:
    with pytest.raises(ArgumentError, match=f"no shard {index} of {shards}"):
        Numbers(4).shard(shards, index)


def test_a_negative_number_cannot_be_skipped() -> None:
    with pytest.raises(ArgumentError, match="-1 items cannot be skipped"):
        Numbers(4).skip(-1)
