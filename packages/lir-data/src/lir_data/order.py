"""Which part of a dataset is read: shards for ranks, and what was done before."""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Dataset = TypeVar("Dataset", bound=Any)


@dataclass(frozen=True, slots=True)
class Shard:
    """Every ``num_shards``-th item from ``index`` on, without the first ``skip`` of those."""

    num_shards: int = 1
    index: int = 0
    skip: int = 0

    def of(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items of the shard."""
        return islice(items, self.index + self.skip * self.num_shards, None, self.num_shards)

    def count(self, total: int) -> int:
        """Count the shard's items, of so many in all."""
        return len(range(self.index + self.skip * self.num_shards, total, self.num_shards))

    def position(self, item: int) -> int:
        """Return the position in the whole of the shard's n-th item."""
        return self.index + (self.skip + item) * self.num_shards

    def applied(self, dataset: Dataset, *, num_shards: int = 1, index: int = 0, skip: int = 0) -> Dataset:
        """Return a copy of a dataset that reads this part of what it reads now."""
        if not 0 <= index < num_shards or skip < 0:
            raise ValueError(f"There is no shard {index} of {num_shards} that skips {skip}.")
        view = copy.copy(dataset)
        view.order = replace(
            self,
            num_shards=self.num_shards * num_shards,
            index=self.position(skip) + index * self.num_shards,
            skip=0,
        )
        return view
