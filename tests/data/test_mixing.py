"""Several datasets as one."""

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import MixedDataset, RunDataset, TupleDataset, mix
from lir_data.errors import ArgumentError
from lir_data.order import OrderedDataset


class Letters(OrderedDataset[str, str]):
    """A text's letters."""

    def __init__(self, text: str, *, streamed: bool = False) -> None:
        self.text = text
        self.name = text[:1]
        self.streamed = streamed

    def records(self, _: int, /):
        return iter(self.text) if self.streamed else list(self.text)

    def complete(self, records, epoch: int, /):
        return [f"{record}{epoch}" for record in records]

    def __len__(self) -> int:
        return self._count(len(self.text))


def letters(dataset: MixedDataset) -> str:
    return "".join(sample[0] for sample in dataset)


texts = st.lists(st.text("abc", max_size=20), min_size=1, max_size=3)


@given(texts, st.integers(0, 3), st.integers(0, 3), st.booleans(), st.booleans())
def test_every_sample_comes_once(parts: list[str], seed: int, epoch: int, shuffled: bool, streamed: bool) -> None:
    dataset = mix([Letters(part, streamed=streamed) for part in parts], seed=seed)
    dataset = dataset.shuffle(seed, 5) if shuffled else dataset
    dataset.set_epoch(epoch)
    samples = list(dataset)
    assert Counter(samples) == Counter(f"{letter}{epoch}" for part in parts for letter in part)
    assert len(dataset) == len(samples)


@given(texts, st.integers(1, 4), st.integers(1, 3))
def test_it_is_divided_and_cut_like_any_dataset(parts: list[str], size: int, shards: int) -> None:
    dataset = mix([Letters(part) for part in parts]).shuffle(1)
    whole = list(dataset)
    for index in range(shards):
        part = whole[index::shards][1:]
        windows = [part[place : place + size] for place in range(0, len(part), size)]
        assert list(dataset.shard(shards, index).skip(1).windows(size, 1, 2)) == windows[1::2]


def test_the_order_of_each_dataset_is_kept() -> None:
    dataset = mix([Letters("abcdefgh"), Letters("ABCDEFGH")])
    assert "".join(filter(str.islower, letters(dataset))) == "abcdefgh"


def test_it_draws_by_the_weights_of_those_that_last() -> None:
    parts, weights = ["a" * 5, "b" * 20, "c" * 30], [3.0, 1.0, 2.0]
    dataset = MixedDataset([Letters(part) for part in parts], weights, seed=7)
    dataset.set_epoch(2)
    draw, left, expected = random.Random("7-2"), [5, 20, 30], ""
    numbers = [0, 1, 2]
    while numbers:
        (number,) = draw.choices(numbers, [weights[number] for number in numbers])
        if left[number] == 0:
            numbers.remove(number)
            continue
        left[number] -= 1
        expected += "abc"[number]
    assert letters(dataset) == expected


def test_weights_are_the_shares_of_samples() -> None:
    first = letters(MixedDataset([Letters("a" * 9000), Letters("b" * 9000)], [1, 3]))[:8000]
    assert first.count("b") / 8000 == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("change", ["seed", "epoch"])
def test_another_seed_or_epoch_draws_anew(change: str) -> None:
    parts = [Letters("a" * 50), Letters("b" * 50)]
    first, other = mix(parts), mix(parts, seed=int(change == "seed"))
    other.set_epoch(int(change == "epoch"))
    assert letters(first) != letters(other)


def test_a_shuffle_reaches_the_whole_of_each_dataset() -> None:
    dataset = mix([Letters("a" * 500 + "b" * 500), Letters("c" * 1000)]).shuffle(0, buffer_size=1)
    assert 100 < letters(dataset)[:1000].count("b") < 400


def test_a_part_of_a_mixture_is_shuffled_as_that_part() -> None:
    part = mix([Letters("ab"), Letters("cd")]).skip(2)
    assert sorted(part.shuffle(3)) == sorted(part)


def test_an_epoch_set_before_the_shuffle_stays() -> None:
    dataset = mix([Letters("ab")])
    dataset.set_epoch(4)
    assert set(dataset.shuffle()) == {"a4", "b4"}


def test_mixtures_can_be_mixed() -> None:
    assert sorted(mix([mix([Letters("ab"), Letters("c")]), Letters("d")])) == ["a0", "b0", "c0", "d0"]


def test_tuples_and_rankings_are_mixed(collection: Path) -> None:
    texts = {"docs": str(collection / "docs.jsonl"), "queries": str(collection / "queries.tsv")}
    (collection / "triples.tsv").write_text("q2\td2\td1\nq1\td1\td4\n")
    tuples = TupleDataset(str(collection / "triples.tsv"), **texts)
    run = RunDataset(str(collection / "run.trec"), targets="rank", **texts)
    dataset = mix([tuples, run], [1, 2])
    assert sorted(map(repr, dataset)) == sorted(map(repr, [*tuples, *run]))
    assert dataset.name == "triples+run"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "datasets is empty; there is nothing to mix"),
        (([Letters("a")], [1, 2]), "there are 1 datasets, but 2 weights"),
        (([Letters("a")], [0]), "a weight is 0; each must be a number above 0"),
        (([Letters("a")], [float("nan")]), "a weight is nan"),
        (([Letters("a")], None, -1), "seed is -1; it must be 0 or more"),
    ],
)
def test_a_wrong_argument_is_a_sentence(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        MixedDataset(*arguments)
