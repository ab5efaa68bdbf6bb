"""Several datasets as one: each next sample is of one that is drawn by weight."""

import copy
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, Self

from lir_data.errors import ArgumentError
from lir_data.order import OrderedDataset
from lir_data.runs import RunDataset
from lir_data.tuples import TupleDataset


class MixedDataset(OrderedDataset[tuple[int, Any], Any]):
    """The samples of several datasets, each once per epoch.

    Which dataset gives the next sample is drawn by the weights, as a function of seed and epoch. When one is exhausted,
    the others go on by theirs.

    Args:
        datasets: What is mixed, such as a `TupleDataset` and a `RunDataset`; a view of one, too (see `shuffle`).
        weights: How often each gives a sample while all last, in relation to the others; None for all alike.
        seed: Decides what is drawn, together with the epoch.

    Raises:
        ArgumentError: If there is no dataset, or there are not as many weights, or one is not above 0.
    """

    def __init__(
        self, datasets: Sequence[TupleDataset | RunDataset], weights: Sequence[float] | None = None, seed: int = 0
    ) -> None:
        if not datasets:
            raise ArgumentError("MixedDataset: datasets is empty; there is nothing to mix.")
        weights = [1.0] * len(datasets) if weights is None else weights
        if len(weights) != len(datasets):
            raise ArgumentError(f"MixedDataset: there are {len(datasets)} datasets, but {len(weights)} weights.")
        if wrong := [weight for weight in weights if not 0 < weight < math.inf]:
            raise ArgumentError(f"MixedDataset: a weight is {wrong[0]}; each must be a number above 0.")
        if seed < 0:
            raise ArgumentError(f"MixedDataset: seed is {seed}; it must be 0 or more.")
        self.datasets: list[OrderedDataset[Any, Any]] = list(datasets)
        self.weights = list(weights)
        self.seed = seed
        self.together = max(dataset.together for dataset in datasets)

    @property
    def name(self) -> str:
        """The names of the datasets, for logs."""
        return "+".join(str(getattr(dataset, "name", type(dataset).__name__)) for dataset in self.datasets)

    def records(self, epoch: int, /) -> Iterator[tuple[int, Any]]:
        """Yield the records of all, each with the number of its dataset."""
        draw = random.Random(f"{self.seed}-{epoch}")  # noqa: S311
        streams = [dataset.in_order(epoch) for dataset in self.datasets]
        left = list(range(len(streams)))
        while left:
            (number,) = draw.choices(left, [self.weights[number] for number in left])
            try:
                record = next(streams[number])
            except StopIteration:
                left.remove(number)
                continue
            yield number, record

    def complete(self, records: Sequence[tuple[int, Any]], epoch: int, /) -> Sequence[Any]:
        """Let each dataset make its own samples."""
        owned: dict[int, list[Any]] = {}
        for number, record in records:
            owned.setdefault(number, []).append(record)
        samples = {number: iter(self.datasets[number].complete(own, epoch)) for number, own in owned.items()}
        return [next(samples[number]) for number, _ in records]

    def shuffle(self, seed: int = 0, buffer_size: int = 10_000) -> Self:
        """Return the mixture in an order that seed and epoch decide.

        Each dataset is shuffled by itself, what lies in memory as a whole, and the weights hold as before. But a part of
        a mixture (see `shard`, `skip`) is a stream, and shuffled by a buffer.

        Args:
            seed: Any number from 0.
            buffer_size: Records that are held of a stream.
        """
        if self.steps:
            return super().shuffle(seed, buffer_size)
        shuffled = copy.copy(self)
        shuffled.datasets = [dataset.shuffle(seed, buffer_size) for dataset in self.datasets]
        return shuffled

    def __len__(self) -> int:
        lengths = [len(dataset) for dataset in self.datasets]  # pyright: ignore[reportArgumentType]
        return self._count(sum(lengths))


def mix(
    datasets: Sequence[TupleDataset | RunDataset], weights: Sequence[float] | None = None, seed: int = 0
) -> MixedDataset:
    """Return the samples of several datasets as one dataset; see `MixedDataset`."""
    return MixedDataset(datasets, weights, seed)
