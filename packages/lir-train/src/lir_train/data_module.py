"""The data of a training, an indexing, a search or a re-ranking."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from lightning import LightningDataModule
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lir_data import DocDataset, MixedDataset, QueryDataset, RunDataset, TupleDataset
from lir_train.collate import inference_batch, train_batch
from lir_train.errors import ArgumentError, WrongStageError

# Documents of a ranking, where the run does not say.
_USUAL_DEPTH = 100


class BatchStream(IterableDataset[Any]):
    """Batches in an order that does not depend on the number of workers: each makes every n-th of them.

    Args:
        dataset: What gives the samples, and their order.
        size: Samples a batch.
        collate: Makes a batch of them.
    """

    def __init__(self, dataset: Any, size: int, collate: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__()
        self.dataset = dataset
        self.size = size
        self.collate = collate
        self.epoch = 0

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        self.dataset.set_epoch(self.epoch)
        return map(self.collate, self.dataset.windows(self.size, number, workers))


class LightningIRDataModule(LightningDataModule):
    """Datasets to train on, and datasets to index, search, re-rank or validate with.

    Args:
        module: Not needed; taken for the sake of code written for the paper's framework.
        train_dataset: Tuples or rankings to learn from, or several of them mixed.
        train_batch_size: Queries a training batch.
        shuffle_train: Whether the training data is shuffled anew each epoch.
        inference_datasets: Documents to index, queries to search with, rankings to re-rank; during training, rankings
            to validate on.
        inference_batch_size: Texts a window: so many are read and tokenized at a time. They are sorted by length within
            a window and go to the model in batches of a token budget, so this changes no result.
        num_workers: Processes that read and tokenize.
        seed: Of the shuffling.
    """

    def __init__(
        self,
        module: Any = None,
        train_dataset: RunDataset | TupleDataset | MixedDataset | None = None,
        train_batch_size: int = 8,
        shuffle_train: bool = True,
        inference_datasets: list[RunDataset | DocDataset | QueryDataset | TupleDataset] | None = None,
        inference_batch_size: int = 1024,
        num_workers: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        del module
        for argument, value in (("train_batch_size", train_batch_size), ("inference_batch_size", inference_batch_size)):
            if value < 1:
                raise ArgumentError(f"LightningIRDataModule: {argument} is {value}; it must be at least 1.")
        self.train_dataset = train_dataset
        self.train_batch_size = train_batch_size
        self.shuffle_train = shuffle_train
        self.inference_datasets = list(inference_datasets or [])
        self.inference_batch_size = inference_batch_size
        self.num_workers = num_workers
        self.seed = seed
        self._train_stream: BatchStream | None = None

    @property
    def names(self) -> list[str]:
        """The names of the inference datasets, for logs and files."""
        return [dataset.name for dataset in self.inference_datasets]

    @property
    def documents(self) -> str | None:
        """Where the documents to index come from, if they come from one place."""
        sources = {dataset.source for dataset in self.inference_datasets if isinstance(dataset, DocDataset)}
        return sources.pop() if len(sources) == 1 else None

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is about to be read."""
        if self._train_stream is not None:
            self._train_stream.epoch = epoch

    @property
    def _model(self) -> Any:
        return self.trainer.lightning_module.model  # pyright: ignore[reportOptionalMemberAccess]

    def _shard(self, dataset: Any) -> Any:
        trainer = self.trainer
        return (
            dataset
            if trainer is None or trainer.world_size == 1
            else dataset.shard(trainer.world_size, trainer.global_rank)
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of training batches."""
        if self.train_dataset is None:
            raise WrongStageError("There is no train_dataset to fit to.")
        dataset = self.train_dataset.shuffle(self.seed) if self.shuffle_train else self.train_dataset
        # Ranks divide what is shuffled: their k-th batches are together the k-th of one process with the whole batch.
        collate = partial(train_batch, model=self._model)
        self._train_stream = BatchStream(self._shard(dataset), self.train_batch_size, collate)
        return self._loader(self._train_stream)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Return loaders of the rankings to validate on."""
        return [self._inference_loader(dataset) for dataset in self.validation_datasets]

    @property
    def validation_datasets(self) -> list[RunDataset]:
        """The rankings among the inference datasets."""
        return [dataset for dataset in self.inference_datasets if isinstance(dataset, RunDataset)]

    def predict_dataloader(self) -> list[DataLoader[Any]]:
        """Return a loader for each inference dataset; documents that are indexed already are left out."""
        if not self.inference_datasets:
            raise WrongStageError("There are no inference_datasets to work on.")
        return [self._inference_loader(dataset, self.num_docs_done(dataset)) for dataset in self.inference_datasets]

    def num_docs_done(self, dataset: DocDataset | QueryDataset | RunDataset | TupleDataset) -> int:
        """Count the documents of this rank that an interrupted indexing left complete; 0 of anything but documents."""
        trainer = self.trainer
        if trainer is None or not isinstance(dataset, DocDataset) or len(self.inference_datasets) > 1:
            return 0
        counts = [
            callback.num_docs_done(trainer.global_rank, trainer.world_size)  # pyright: ignore[reportAttributeAccessIssue]
            for callback in trainer.callbacks  # pyright: ignore[reportAttributeAccessIssue]
            if hasattr(callback, "num_docs_done")
        ]
        return min(counts, default=0)

    def _inference_loader(self, dataset: Any, num_done: int = 0) -> DataLoader[Any]:
        shard = self._shard(dataset)
        if num_done:
            shard = shard.skip(num_done)
        size = self.inference_batch_size
        if isinstance(dataset, RunDataset):
            size = max(1, size // (dataset.sample_size or dataset.depth or _USUAL_DEPTH))
        collate = partial(inference_batch, dataset=dataset, model=self._model)
        return self._loader(BatchStream(shard, size, collate))

    def _loader(self, stream: BatchStream) -> DataLoader[Any]:
        return DataLoader(stream, batch_size=None, num_workers=self.num_workers)
