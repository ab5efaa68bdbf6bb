"""The data of a training, an indexing, a search or a re-ranking."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

from lightning import LightningDataModule
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lir_data import DocDataset, QueryDataset, RetrievalDataset, RunDataset, TupleDataset
from lir_models.batching import batch_limits
from lir_train.collate import TrainingCollator, inference_batch
from lir_train.errors import ArgumentError, WrongStageError
from lir_train.indexed import count_done
from lir_train.named_arguments import NamedArguments
from lir_train.training_stream import TrainDataset, TrainingLoader, TrainingStream

InferenceDataset = RunDataset | DocDataset | QueryDataset | TupleDataset | RetrievalDataset

# Documents of a ranking, where the run does not say.
_USUAL_DEPTH = 100


class BatchStream(IterableDataset[Any]):
    """Batches in an order that does not depend on the number of workers: each makes every n-th of them.

    Args:
        dataset: What gives the samples.
        size: Samples a batch.
        collate: Makes a batch of them.
    """

    def __init__(
        self,
        dataset: RunDataset | DocDataset | QueryDataset | TupleDataset,
        size: int,
        collate: Callable[[Sequence[Any]], Any],
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.size = size
        self.collate = collate

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        return map(self.collate, self.dataset.windows(self.size, number, workers))


class SearchStream(IterableDataset[Any]):
    """All queries in one batch, then the documents: what a search through a whole collection goes by.

    Args:
        queries: What gives the queries' batch; of several workers the first has it, whose batch comes first.
        docs: What gives batches of documents.
    """

    def __init__(self, queries: BatchStream, docs: BatchStream) -> None:
        super().__init__()
        self.queries = queries
        self.docs = docs

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        return chain(() if worker is not None and worker.id > 0 else self.queries, self.docs)


class LightningIRDataModule(LightningDataModule, NamedArguments):
    """Datasets to train on, and datasets to index, search, re-rank or validate with.

    Args:
        module: The module, for loaders that are asked for their batches without a trainer, which knows its own.
        train_dataset: Tuples or rankings to learn from, or several of them mixed.
        train_batch_size: Queries a training batch, of each process.
        shuffle_train: Whether the training data is shuffled anew each epoch.
        inference_datasets: Documents to index, queries to search with, rankings to re-rank; during training,
            rankings to re-rank and collections to search (`RetrievalDataset`) after each epoch.
        inference_batch_size: Texts a window: so many are read and tokenized at a time. They are sorted by length within
            a window and go to the model in batches of a token budget, so this changes no result.
        num_workers: Processes that read and tokenize.
        seed: Of the shuffling.
        no_duplicates: Whether a training batch has no query and no document twice, as sentence-transformers'
            ``NO_DUPLICATES``: what is equal waits for a later batch. Each worker then reads all samples.
    """

    def __init__(
        self,
        module: Any = None,
        train_dataset: TrainDataset | None = None,
        train_batch_size: int = 8,
        shuffle_train: bool = True,
        inference_datasets: list[InferenceDataset] | None = None,
        inference_batch_size: int = 1024,
        num_workers: int = 0,
        seed: int = 0,
        no_duplicates: bool = False,
    ) -> None:
        super().__init__()
        self._module = module
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
        self.no_duplicates = no_duplicates
        #: Rankings that are left out since an interrupted run has them, by the number of their dataset and their query.
        self.kept: Mapping[int, Mapping[str, Mapping[str, float]]] = {}
        self._train_stream: TrainingStream | None = None
        # Of each inference dataset the documents that were indexed before.
        self._num_done: list[int] = []

    @property
    def names(self) -> list[str]:
        """The names of the inference datasets, for logs and files."""
        return [dataset.name for dataset in self.inference_datasets]

    def query_ids(self, number: int) -> list[str]:
        """Return the ids of an inference dataset's queries, in its order; none of one that has only documents."""
        dataset = self.inference_datasets[number]
        return dataset.query_ids if isinstance(dataset, QueryDataset | RunDataset) else []

    @property
    def documents(self) -> str | None:
        """Where the documents to index come from, if they come from one place."""
        sources = {dataset.source for dataset in self.inference_datasets if isinstance(dataset, DocDataset)}
        return sources.pop() if len(sources) == 1 else None

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is about to be read."""
        if self._train_stream is not None:
            self._train_stream.set_epoch(epoch)

    @property
    def _learner(self) -> Any:
        """The module of the trainer, or the one that was given."""
        trainer: Any = self.trainer
        module = self._module if trainer is None else trainer.lightning_module
        if module is None:
            raise WrongStageError(
                "The data has neither a trainer nor a module, and a batch is tokenized by the module's model.",
                hint="LightningIRDataModule(module=BiEncoderModule(...), ...)",
            )
        return module

    @property
    def _model(self) -> Any:
        return self._learner.model

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
        trainer: Any = self.trainer
        rank, world_size = (0, 1) if trainer is None else (trainer.global_rank, trainer.world_size)
        self._train_stream = TrainingStream(
            dataset, self.train_batch_size, self._collator(), rank, world_size, self.no_duplicates
        )
        return TrainingLoader(self._train_stream, self.num_workers, trainer)

    def _collator(self) -> TrainingCollator:
        trainer: Any = self.trainer
        module = self._learner
        needs_targets = any(loss.needs_targets for loss in module.loss_functions)
        if trainer is None:
            return TrainingCollator(module.model, module.limits, needs_targets)
        # Where the weights are sharded, processes wait for each other in every layer, and need the same number of parts.
        holds_weights = isinstance(trainer.strategy, SingleDeviceStrategy | DDPStrategy)
        usual = batch_limits(trainer.strategy.root_device) if holds_weights else None
        return TrainingCollator(module.model, module.limits, needs_targets, usual)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """Return loaders of the rankings and the searches to validate with."""
        return [
            self._search_loader(dataset) if isinstance(dataset, RetrievalDataset) else self._inference_loader(dataset)
            for dataset in self.validation_datasets
        ]

    @property
    def validation_datasets(self) -> list[RunDataset | RetrievalDataset]:
        """What a training is validated with: the rankings and the searches among the inference datasets."""
        return [dataset for dataset in self.inference_datasets if isinstance(dataset, RunDataset | RetrievalDataset)]

    def predict_dataloader(self) -> list[DataLoader[Any]]:
        """Return a loader for each inference dataset; what an interrupted run has finished is left out."""
        datasets = self.inference_datasets
        if not datasets:
            raise WrongStageError("There are no inference_datasets to work on.")
        docs = [dataset for dataset in datasets if isinstance(dataset, DocDataset)]
        self._num_done = [0] * len(datasets)
        if len(docs) == len(datasets) and self.trainer is not None:
            self._num_done = count_done(self.trainer, [self._shard(dataset) for dataset in docs])
        return [
            self._inference_loader(dataset, self._num_done[number], self.kept.get(number, {}))
            for number, dataset in enumerate(datasets)
        ]

    @property
    def num_docs_before(self) -> int:
        """Documents of this rank that an interrupted indexing had done; known when the loaders are made."""
        return sum(self._num_done)

    def inference_dataloader(self) -> list[DataLoader[Any]]:
        """Return what `predict_dataloader` does; this is what the paper's framework calls it."""
        return self.predict_dataloader()

    def num_docs_done(self, dataset: InferenceDataset) -> int:
        """Count the documents of a dataset, in this rank, that an interrupted indexing had done."""
        return sum(
            done for other, done in zip(self.inference_datasets, self._num_done, strict=False) if other is dataset
        )

    def _inference_loader(self, dataset: Any, num_done: int = 0, kept: Collection[str] = ()) -> DataLoader[Any]:
        shard = self._shard(dataset)
        if kept:
            # Of the shard, so that the windows of what is left are those of a run that was not interrupted.
            shard = shard.without([place for place, query_id in enumerate(shard.query_ids) if query_id in kept])
        if num_done:
            shard = shard.skip(num_done)
        size = self.inference_batch_size
        if isinstance(dataset, RunDataset):
            size = max(1, size // (dataset.sample_size or dataset.depth or _USUAL_DEPTH))
        collate = partial(inference_batch, dataset=dataset, model=self._model)
        return self._loader(BatchStream(shard, size, collate))

    def _search_loader(self, dataset: RetrievalDataset) -> DataLoader[Any]:
        queries, docs = (
            BatchStream(part, size, partial(inference_batch, dataset=part, model=self._model))
            for part, size in (
                (dataset.queries, max(1, len(dataset.queries))),
                (self._shard(dataset.docs), self.inference_batch_size),
            )
        )
        return self._loader(SearchStream(queries, docs))

    def _loader(self, stream: IterableDataset[Any]) -> DataLoader[Any]:
        return DataLoader(stream, batch_size=None, num_workers=self.num_workers)
