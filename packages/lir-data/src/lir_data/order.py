"""Which part of a dataset is read: shards for ranks, and the rest of what was begun."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Self, TypeVar

from lir_data.errors import ArgumentError

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Part:
    """Every ``step``-th item from ``start`` on."""

    start: int = 0
    step: int = 1

    def of(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items of the part."""
        return islice(items, self.start, None, self.step)

    def positions(self, total: int) -> range:
        """Return the positions of the part's items, of so many in all."""
        return range(self.start, total, self.step)

    def part(self, start: int, step: int) -> "Part":
        """Return a part of this part."""
        return Part(self.start + start * self.step, self.step * step)


class Divisible:
    """A dataset that can be divided among ranks, and continued."""

    #: What is read of the whole.
    within = Part()

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
        return self._divided(index, num_shards)

    def skip(self, count: int) -> Self:
        """Return the dataset without its first ``count`` items; a shard's own are counted.

        Raises:
            ArgumentError: If the count is negative.
        """
        if count < 0:
            raise ArgumentError(f"{count} items cannot be skipped; it must be 0 or more.")
        return self._divided(count, 1)

    def _divided(self, start: int, step: int) -> Self:
        view = copy.copy(self)
        view.within = self.within.part(start, step)
        return view
