"""The order in which a dataset is read: shuffled, divided among ranks, continued, a window at a time.

A dataset is cheap records (the line of a file, a pair of ids, a place in a list) and what makes samples of them (parsing,
looking texts up). Records alone are put in order, so what a reader leaves out costs next to nothing; and the order is a
function of seed and epoch, whoever reads.
"""

import copy
import random
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Self, TypeVar

import numpy as np

from lir_data.errors import ArgumentError
from lir_data.named_arguments import NamedArguments

Record = TypeVar("Record")
Sample = TypeVar("Sample")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Part:
    """Every ``step``-th item from ``start`` on."""

    start: int
    step: int

    def of(self, items: Iterator[Item], epoch: int) -> Iterator[Item]:
        """Yield the items of the part of a stream."""
        del epoch
        return islice(items, self.start, None, self.step)

    def places(self, places: Sequence[int], epoch: int) -> Sequence[int]:
        """Return the places of the part's items."""
        del epoch
        return places[self.start :: self.step]


@dataclass(frozen=True, slots=True)
class Without:
    """All items but those at some positions."""

    left_out: frozenset[int]

    def of(self, items: Iterator[Item], epoch: int) -> Iterator[Item]:
        """Yield the items of a stream that are kept."""
        del epoch
        return (item for position, item in enumerate(items) if position not in self.left_out)

    def places(self, places: Sequence[int], epoch: int) -> Sequence[int]:
        """Return the places of the items that are kept."""
        del epoch
        return [place for position, place in enumerate(places) if position not in self.left_out]


@dataclass(frozen=True, slots=True)
class Shuffle:
    """An order that seed and epoch decide: of a stream, as far as a buffer reaches."""

    seed: int
    buffer_size: int

    def of(self, items: Iterator[Item], epoch: int) -> Iterator[Item]:
        """Yield the items of a stream: each time one of those in the buffer, whose place the next takes."""
        # One text of both: by a sum, epoch 1 of seed 0 would be epoch 0 of seed 1.
        draw = random.Random(f"{self.seed}-{epoch}")  # noqa: S311
        buffer = list(islice(items, self.buffer_size))
        for item in items:
            place = draw.randrange(len(buffer))
            yield buffer[place]
            buffer[place] = item
        draw.shuffle(buffer)
        yield from buffer

    def places(self, places: Sequence[int], epoch: int) -> Sequence[int]:
        """Return all places in another order."""
        return np.random.default_rng([self.seed, epoch]).permutation(np.asarray(places, dtype=np.int64)).tolist()


class OrderedDataset(ABC, NamedArguments, Generic[Record, Sample]):
    """A dataset whose order is a function of seed and epoch, and that can be divided and continued.

    `shard`, `skip`, `without` and `shuffle` return views, and apply in the order in which they are called: a shard of what is
    shuffled is a part of the shuffled order.
    """

    #: The epoch that is read, from 0.
    epoch = 0
    #: Samples that are best made together, since one look-up of many documents is quicker than many.
    together = 1

    #: What was done to the whole, in order.
    steps: tuple[Part | Without | Shuffle, ...] = ()

    # The last answer of `_places`, for readers that ask for one sample after the other.
    _placed: tuple[object, Sequence[int]] = None, ()

    @abstractmethod
    def records(self, epoch: int, /) -> Iterable[Record]:
        """Return the records of the whole: as a sequence where any can be had at once, else one after the other."""

    @abstractmethod
    def complete(self, records: Sequence[Record], epoch: int, /) -> Sequence[Sample]:
        """Make a sample of each record."""

    def shard(self, num_shards: int, index: int) -> Self:
        """Return every ``num_shards``-th item, from ``index`` on, as a dataset of its own.

        Args:
            num_shards: Shards in all; together they are the whole, and no item is in two.
            index: Which of them, from 0.

        Raises:
            ArgumentError: If there is no such shard.
        """
        if not 0 <= index < num_shards:
            raise ArgumentError(f"There is no shard {index} of {num_shards}; shards are counted from 0.")
        return self._view(Part(index, num_shards))

    def skip(self, count: int) -> Self:
        """Return the dataset without its first ``count`` items; a shard's own are counted.

        Raises:
            ArgumentError: If the count is negative.
        """
        if count < 0:
            raise ArgumentError(f"{count} items cannot be skipped; it must be 0 or more.")
        return self._view(Part(count, 1))

    def without(self, positions: Collection[int]) -> Self:
        """Return the dataset without the items at some positions, from 0; a shard's own are counted."""
        return self._view(Without(frozenset(positions)))

    def shuffle(self, seed: int = 0, buffer_size: int = 10_000) -> Self:
        """Return the dataset in an order that seed and epoch decide; see `set_epoch`.

        Args:
            seed: Any number from 0.
            buffer_size: Of a stream (a file of tuples, documents) so many records are held, and each time one of them
                is drawn. What lies in memory anyway (queries, runs, judgements) is shuffled as a whole.

        Raises:
            ArgumentError: If a number is out of range.
        """
        if seed < 0:
            raise ArgumentError(f"The seed of a shuffle is {seed}; it must be 0 or more.")
        if buffer_size < 1:
            raise ArgumentError(f"The buffer_size of a shuffle is {buffer_size}; it must be at least 1.")
        return self._view(Shuffle(seed, buffer_size))

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, from 0, so that each shuffles and draws anew.

        Args:
            epoch: What is drawn depends on it, on the seed and on the query alone, whichever process draws.
        """
        self.epoch = epoch

    def windows(self, size: int, start: int = 0, step: int = 1) -> Iterator[Sequence[Sample]]:
        """Yield the samples so many at a time; of the windows that are left out nothing is parsed or looked up.

        Args:
            size: Samples a window; the last may have fewer.
            start: The first window that is wanted, from 0.
            step: Only every ``step``-th window from there on: of n workers, each takes every n-th.

        Raises:
            ArgumentError: If a number is out of range.
        """
        for name, value, least in (("size", size, 1), ("start", start, 0), ("step", step, 1)):
            if value < least:
                raise ArgumentError(f"The {name} of windows is {value}; it must be at least {least}.")
        return self._windows(size, start, step)

    def __iter__(self) -> Iterator[Sample]:
        for window in self._windows(self.together, 0, 1):
            yield from window

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, 'name', '')!r})"

    def in_order(self, epoch: int) -> Iterator[Record]:
        """Yield the records that are read in an epoch, in order."""
        records = self.records(epoch)
        if isinstance(records, Sequence):
            return map(records.__getitem__, self._places(len(records), epoch))
        items = iter(records)
        for step in self.steps:
            items = step.of(items, epoch)
        return items

    def _windows(self, size: int, start: int, step: int) -> Iterator[Sequence[Sample]]:
        epoch = self.epoch
        wanted = _cut(self.in_order(epoch), size, start, step)
        while windows := list(islice(wanted, max(1, self.together // size))):
            samples = iter(self.complete([record for window in windows for record in window], epoch))
            for window in windows:
                yield list(islice(samples, len(window)))

    def _places(self, total: int, epoch: int) -> Sequence[int]:
        """Return the places of the records that are read, of so many in all."""
        if self._placed[0] != (asked := (self.steps, total, epoch)):
            places: Sequence[int] = range(total)
            for step in self.steps:
                places = step.places(places, epoch)
            self._placed = asked, places
        return self._placed[1]

    def _count(self, total: int) -> int:
        """Count the records that are read, of so many in all."""
        places: Sequence[int] = range(total)
        for step in self.steps:
            if not isinstance(step, Shuffle):
                places = step.places(places, 0)
        return len(places)

    def _view(self, step: Part | Without | Shuffle) -> Self:
        view = copy.copy(self)
        view.steps = (*self.steps, step)
        return view


def _cut(records: Iterator[Item], size: int, start: int, step: int) -> Iterator[list[Item]]:
    """Yield every ``step``-th window from window ``start`` on."""
    left_out = start * size
    while True:
        # Taking nothing up to here takes all that is left out.
        next(islice(records, left_out, left_out), None)
        if not (window := list(islice(records, size))):
            return
        yield window
        left_out = (step - 1) * size
