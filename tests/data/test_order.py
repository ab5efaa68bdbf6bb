"""Shuffles, shards, what is left of them, and windows."""

import pickle
import random
import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data.errors import ArgumentError
from lir_data.order import OrderedDataset


class Numbers(OrderedDataset[int, str]):
    """Numbers as texts; it counts what it made."""

    def __init__(self, total: int, together: int = 1) -> None:
        self.total = total
        self.together = together
        self.made: list[int] = []

    def records(self, _: int, /):
        return list(range(self.total))

    def complete(self, records, epoch: int, /):
        self.made.extend(records)
        return [str(number) for number in records]

    def __len__(self) -> int:
        return self._count(self.total)


class Stream(Numbers):
    def records(self, _: int, /):
        return iter(range(self.total))


def numbers(dataset: Numbers) -> list[int]:
    return [int(text) for text in dataset]


kinds = st.sampled_from([Numbers, Stream])
# What can be done to a dataset, one after the other.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("skip"), st.integers(0, 12)),
        st.integers(1, 4).flatmap(lambda n: st.tuples(st.just("shard"), st.just(n), st.integers(0, n - 1))),
        st.tuples(st.just("shuffle"), st.integers(0, 5), st.integers(1, 20)),
    ),
    max_size=4,
)


@given(kinds, st.integers(0, 40), st.integers(1, 5))
def test_shards_hold_every_item_once(kind: type[Numbers], total: int, shards: int) -> None:
    parts = [numbers(kind(total).shard(shards, index)) for index in range(shards)]
    assert sorted(number for part in parts for number in part) == list(range(total))


@given(kinds, st.integers(0, 40), st.integers(1, 5), st.integers(0, 12))
def test_shards_interleave_and_skip_counts_within_the_shard(
    kind: type[Numbers], total: int, shards: int, skipped: int
) -> None:
    for index in range(shards):
        assert numbers(kind(total).shard(shards, index).skip(skipped)) == list(range(total))[index::shards][skipped:]


@given(kinds, st.integers(0, 40), st.integers(1, 4), st.integers(0, 6), st.integers(1, 4))
def test_a_part_of_a_part_is_a_part(kind: type[Numbers], total: int, outer: int, skipped: int, inner: int) -> None:
    for index in range(inner):
        part = kind(total).shard(outer, outer - 1).skip(skipped).shard(inner, index)
        assert numbers(part) == list(range(total))[outer - 1 :: outer][skipped:][index::inner]


@given(kinds, st.integers(0, 60), st.integers(0, 3), st.integers(1, 70), st.integers(0, 3))
def test_a_shuffle_holds_every_item_once(kind: type[Numbers], total: int, seed: int, buffer: int, epoch: int) -> None:
    shuffled = kind(total).shuffle(seed, buffer)
    shuffled.set_epoch(epoch)
    assert sorted(numbers(shuffled)) == list(range(total))


@given(kinds, st.integers(0, 60), steps, st.integers(0, 2))
def test_operations_apply_in_the_order_of_their_calls(
    kind: type[Numbers], total: int, done: list[tuple[str, int]], epoch: int
) -> None:
    dataset = kind(total)
    dataset.set_epoch(epoch)
    expected = list(range(total))
    for name, *arguments in done:
        if name == "skip":
            expected = expected[arguments[0] :]
        elif name == "shard":
            expected = expected[arguments[1] :: arguments[0]]
        else:
            order = kind(len(expected)).shuffle(*arguments)
            order.set_epoch(epoch)
            expected = [expected[place] for place in numbers(order)]
        dataset = getattr(dataset, name)(*arguments)
    assert numbers(dataset) == expected
    assert len(dataset) == len(expected)


@given(kinds, st.integers(0, 60), steps, st.integers(1, 9), st.integers(0, 4), st.integers(1, 4), st.integers(1, 20))
def test_windows_are_the_iteration_cut_into_lists(
    kind: type[Numbers], total: int, done: list[tuple[str, int]], size: int, start: int, step: int, together: int
) -> None:
    dataset = kind(total, together)
    for name, *arguments in done:
        dataset = getattr(dataset, name)(*arguments)
    items = list(dataset)
    windows = [items[place : place + size] for place in range(0, len(items), size)]
    assert list(dataset.windows(size, start, step)) == windows[start::step]


@given(kinds, st.integers(0, 60), st.integers(1, 9), st.integers(1, 4), st.integers(1, 20))
def test_samples_of_windows_left_out_are_never_made(
    kind: type[Numbers], total: int, size: int, workers: int, together: int
) -> None:
    dataset = kind(total, together).shuffle(1, 10)
    made: list[int] = []
    for worker in range(workers):
        read = [int(text) for window in dataset.windows(size, worker, workers) for text in window]
        assert dataset.made[len(made) :] == read
        made += read
    assert sorted(made) == list(range(total))


@pytest.mark.parametrize("kind", [Numbers, Stream])
@pytest.mark.parametrize("change", [lambda view: view.set_epoch(1), lambda view: view.shuffle(7)])
def test_epochs_and_seeds_order_differently(kind: type[Numbers], change: Callable[[Numbers], Numbers | None]) -> None:
    first, other = kind(50).shuffle(3), kind(50)
    other = (change(other) or other).shuffle(3)
    assert numbers(first) != numbers(other)


def test_the_next_epoch_of_a_seed_is_not_the_next_seed() -> None:
    for kind in (Numbers, Stream):
        first, other = kind(50).shuffle(0), kind(50).shuffle(1)
        first.set_epoch(1)
        assert numbers(first) != numbers(other)


@pytest.mark.parametrize("kind", [Numbers, Stream])
def test_equal_seeds_order_equally(kind: type[Numbers]) -> None:
    assert numbers(kind(50).shuffle(3)) == numbers(pickle.loads(pickle.dumps(kind(50).shuffle(3))))


def test_another_process_orders_equally() -> None:
    code = (
        "from lir_data.order import Shuffle; shuffle = Shuffle(3, 5); "
        "print([list(shuffle.of(iter(range(20)), 2)), list(shuffle.places(range(20), 2))])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_a_buffer_gives_what_is_drawn_from_it() -> None:
    draw, items = random.Random("4-0"), list("abcdefgh")
    buffer, rest = items[:3], items[3:]
    expected = []
    for item in rest:
        place = draw.randrange(3)
        expected.append(buffer[place])
        buffer[place] = item
    draw.shuffle(buffer)
    order = Stream(8).shuffle(4, 3)
    assert [items[number] for number in numbers(order)] == expected + buffer


def test_a_buffer_holds_no_more_than_its_size() -> None:
    taken: list[int] = []

    class Watched(Stream):
        def records(self, _: int, /):
            for number in range(100):
                taken.append(number)
                yield number

    next(iter(Watched(100).shuffle(0, 10)))
    assert len(taken) == 11


def test_what_lies_in_memory_is_shuffled_as_a_whole() -> None:
    assert max(numbers(Numbers(1000).shuffle(0, 1))[:100]) > 500


def test_one_sample_of_a_shuffled_dataset_is_that_of_its_iteration() -> None:
    view = Numbers(9).shuffle(2)
    for epoch in (0, 1, 0):
        view.set_epoch(epoch)
        assert list(view._places(9, epoch)) == numbers(view)


def test_a_view_without_some_positions_counts_its_own() -> None:
    view = Numbers(9).shard(2, 1).without([0, 2])
    assert numbers(view) == [3, 7]
    assert numbers(Numbers(9).without([1]).shard(2, 1)) == [2, 4, 6, 8]


def test_a_view_leaves_the_whole_as_it_was() -> None:
    whole = Numbers(4)
    whole.shard(2, 1).shuffle()
    assert numbers(whole) == [0, 1, 2, 3]


@pytest.mark.parametrize(("shards", "index"), [(2, 2), (2, -1), (0, 0)])
def test_a_shard_that_is_not_there_is_named(shards: int, index: int) -> None:
    with pytest.raises(ArgumentError, match=f"no shard {index} of {shards}"):
        Numbers(4).shard(shards, index)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda view: view.skip(-1), "-1 items cannot be skipped"),
        (lambda view: view.shuffle(seed=-1), "The seed of a shuffle is -1; it must be 0 or more"),
        (lambda view: view.shuffle(buffer_size=0), "The buffer_size of a shuffle is 0; it must be at least 1"),
        (lambda view: view.windows(0), "The size of windows is 0; it must be at least 1"),
        (lambda view: view.windows(1, start=-1), "The start of windows is -1; it must be at least 0"),
        (lambda view: view.windows(1, step=0), "The step of windows is 0; it must be at least 1"),
    ],
)
def test_a_wrong_number_is_a_sentence(call: Callable[[Numbers], object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call(Numbers(4))
