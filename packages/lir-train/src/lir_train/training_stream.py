"""The batches of a training: the same for any number of workers and processes, and continued where a training stopped."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lir_data import MixedDataset, RankSample, RunDataset, TupleDataset
from lir_train.batches import TrainBatch
from lir_train.collate import TrainingCollator, without_samples
from lir_train.errors import EmptyDatasetError

TrainDataset = RunDataset | TupleDataset | MixedDataset


class TrainingStream(IterableDataset[Any]):
    """The batches of one process.

    All processes cut the same samples into the same batches, and divide each: process ``rank`` has its samples ``rank``,
    ``rank + world_size``, …. So what they learn from in a step is what one process with the whole batch would. Each has
    as many batches as the others; where the samples end before the processes do, one of no samples.

    Args:
        dataset: The samples, in their order.
        size: Samples of one process's batch.
        collate: Makes a batch of them.
        rank: Which process this is.
        world_size: How many there are.
        no_duplicates: Whether a query or document that a batch has already waits for a later batch.
    """

    def __init__(
        self,
        dataset: TrainDataset,
        size: int,
        collate: TrainingCollator,
        rank: int = 0,
        world_size: int = 1,
        no_duplicates: bool = False,
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.size = size
        self.collate = collate
        self.rank = rank
        self.world_size = world_size
        self.no_duplicates = no_duplicates
        self.epoch = 0
        #: Batches of the epoch that are left out, since they were learnt from before.
        self.num_done = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is about to be read, from 0; one that was begun goes on."""
        if epoch != self.epoch:
            self.epoch, self.num_done = epoch, 0

    def __iter__(self) -> Iterator[TrainBatch]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        # Now, not when the first batch is asked for: by then another epoch may have been said.
        return self._batches(self.epoch, self.num_done + number, workers)

    def count_batches(self) -> int:
        """Count the batches of an epoch; of a file, its records are read."""
        return sum(1 for _ in self._windows(self.epoch))

    def _batches(self, epoch: int, start: int, step: int) -> Iterator[TrainBatch]:
        self.dataset.set_epoch(epoch)
        place = -1
        for place, window in enumerate(self._windows(epoch)):
            if place >= start and (place - start) % step == 0:
                own = window[self.rank :: self.world_size]
                samples = own or window[:1]
                batch = self.collate(samples if self.no_duplicates else self.dataset.complete(samples, epoch))
                yield batch if own else without_samples(batch)
        if place < 0:
            raise EmptyDatasetError(
                f"The training data '{self.dataset.name}' has no samples: there is nothing to learn from."
            )

    def _windows(self, epoch: int) -> Iterator[list[Any]]:
        """Yield the batches of all processes: as records, or, where equal ones are kept apart, as samples."""
        size = self.size * self.world_size
        records: Iterator[Any] = self.dataset.in_order(epoch)
        windows = iter(lambda: list(islice(records, size)), [])
        if not self.no_duplicates:
            return windows
        return _kept_apart((sample for window in windows for sample in self.dataset.complete(window, epoch)), size)


def _kept_apart(samples: Iterator[RankSample], size: int) -> Iterator[list[RankSample]]:
    """Cut samples into batches in which no query and no document occurs twice; what is equal waits for the next batch."""
    waiting: list[RankSample] = []
    while True:
        batch: list[RankSample] = []
        left: list[RankSample] = []
        known: set[tuple[str, str]] = set()
        for sample in waiting:
            (batch if len(batch) < size and _is_new(sample, known) else left).append(sample)
        while len(batch) < size and (sample := next(samples, None)) is not None:
            (batch if _is_new(sample, known) else left).append(sample)
        if not batch:
            return
        yield batch
        waiting = left


def _is_new(sample: RankSample, known: set[tuple[str, str]]) -> bool:
    """Whether nothing of a sample is known, which then is."""
    texts = {("query", sample.query), *(("doc", doc) for doc in sample.docs)}
    if texts & known:
        return False
    known |= texts
    return True


class TrainingLoader(DataLoader[Any]):
    """Loads batches, and tells a checkpoint how far it is.

    Lightning saves and loads the state of a loader that has one.

    Args:
        stream: The batches.
        num_workers: Processes that read and tokenize.
        trainer: Lightning's, which knows which batches were learnt from.
    """

    def __init__(self, stream: TrainingStream, num_workers: int, trainer: Any) -> None:
        # A generator of its own: otherwise each epoch would take a number from the model's.
        super().__init__(stream, batch_size=None, num_workers=num_workers, generator=torch.Generator())
        self.stream = stream
        self.trainer = trainer
        self._length: int | None = None

    def __len__(self) -> int:
        """Count the batches, where a part of them is asked for: Lightning asks in any case, and a file is read for it."""
        trainer = self.trainer
        parts = ("limit_train_batches", "val_check_interval", "overfit_batches")
        values = [getattr(trainer, name, None) for name in parts]
        if not any(isinstance(value, float) and value not in (0.0, 1.0) for value in values):
            raise TypeError("The number of batches is not known before they are read.")
        if self._length is None:
            self._length = self.stream.count_batches()
        return self._length

    def state_dict(self) -> dict[str, int]:
        """Return which epoch and which of its batches comes next."""
        progress = self.trainer.fit_loop.epoch_loop.batch_progress
        if progress.is_last_batch:
            return {"epoch": self.stream.epoch + 1, "num_done": 0}
        return {"epoch": self.stream.epoch, "num_done": progress.current.processed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from there."""
        self.stream.epoch = state["epoch"]
        self.stream.num_done = state["num_done"]
