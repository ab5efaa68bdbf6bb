"""The trainer: Lightning's, with the stages of a retrieval pipeline."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from lightning import Trainer

from lir_data import DocDataset, QueryDataset, RunDataset, write_run
from lir_data.trec import check_run_ids, check_run_output
from lir_models.batching import is_memory_error
from lir_train.callbacks import ReRankCallback
from lir_train.checkpoint_files import write_whole
from lir_train.checkpoints import read_checkpoint
from lir_train.cross_encoder_module import CrossEncoderModule
from lir_train.data_module import LightningIRDataModule
from lir_train.errors import OutOfMemoryError, WrongStageError
from lir_train.module import LightningIRModule
from lir_train.named_arguments import NamedArguments
from lir_train.partial_run import PartialRuns
from lir_train.ranks import watched


class LightningIRTrainer(Trainer, NamedArguments):
    """Lightning's Trainer that also indexes, searches and re-ranks; it takes the same arguments."""

    # The stage and the data that were checked before the model was loaded.
    _checked: tuple[str, LightningIRDataModule] | None = None

    def fit(  # pyright: ignore[reportIncompatibleMethodOverride] # one source of data, a data module
        self, module: LightningIRModule, datamodule: LightningIRDataModule, ckpt_path: str | Path | None = None
    ) -> None:
        """Train a module; after each epoch the rankings among the inference datasets are measured.

        Args:
            module: What is trained.
            datamodule: What it is trained on.
            ckpt_path: A Lightning checkpoint to go on from: with its optimizer, its scheduler, its random numbers, and
                the next batch of its data.

        Raises:
            CheckpointError: If the checkpoint is missing or damaged, or holds more than tensors and plain values.
            EmptyDatasetError: If the training data has no samples.
            TargetsMissingError: If it does not say what is to be learnt, and a loss must know.
            DivergedError: If the loss becomes infinite or no number.
            OutOfMemoryError: If memory runs out.
            RankEndedError: If one of several processes ended.
        """
        if ckpt_path is not None:
            read_checkpoint(ckpt_path, weights=False)
        if not datamodule.validation_datasets:
            self.limit_val_batches = 0
        write_whole(self.strategy)
        module.train()  # a model is loaded for inference, with dropout off
        # Our loaders count right, however many processes read.
        warnings.filterwarnings("ignore", message="Your `IterableDataset` has `__len__` defined")
        try:
            with watched(
                self, "the training goes on from its last checkpoint, if it has one: lir train --resume, or ckpt_path"
            ):
                super().fit(module, datamodule=datamodule, ckpt_path=ckpt_path)
        except (RuntimeError, MemoryError) as error:
            if is_memory_error(error):
                raise OutOfMemoryError(
                    f"Memory ran out at step {module.global_step}, on {module.batch_in_words}.",
                    hint="mini_batch_size=32, of the module, has the same gradients in less memory; so has a smaller "
                    "train_batch_size with the trainer's accumulate_grad_batches, for losses without in-batch negatives",
                ) from error
            raise
        finally:
            module.eval()

    def index(self, module: LightningIRModule, datamodule: LightningIRDataModule) -> None:
        """Embed documents and build an index of them; an ``IndexCallback`` says which and where.

        Raises:
            WrongStageError: If the module is a cross-encoder, a dataset holds no documents, or there is no callback.
        """
        _refuse_cross_encoder(module, "index")
        self._check_once("index", datamodule)
        with self._callbacks_of("index"):
            self._infer(module, datamodule, "what is encoded is kept; the same command goes on from there")

    def search(self, module: LightningIRModule, datamodule: LightningIRDataModule) -> dict[str, float]:
        """Search an index with queries; a ``SearchCallback`` says which and where to.

        What is finished is kept beside the run until the run is written: the same search, repeated after an interruption,
        goes on from there.

        Returns:
            The module's measures, by ``dataset/measure``, of each dataset that has judgements.

        Raises:
            WrongStageError: If the module is a cross-encoder, a dataset holds no queries, or there is no callback.
            LirDataError: If a run could not be written where it is to be.
        """
        _refuse_cross_encoder(module, "search")
        self._check_once("search", datamodule)
        with self._callbacks_of("search") as found, self._resumed("search", found, module, datamodule):
            self._infer(module, datamodule)
        return module.evaluate_runs(found[0].runs, datamodule.inference_datasets)

    def re_rank(self, module: LightningIRModule, datamodule: LightningIRDataModule) -> dict[str, float]:
        """Re-rank the documents of runs; a ``ReRankCallback``, if there is one, says where to.

        What is finished is kept beside the run until the run is written: the same re-ranking, repeated after an
        interruption, goes on from there.

        Returns:
            The module's measures, by ``dataset/measure``, of each dataset that has judgements.

        Raises:
            WrongStageError: If a dataset holds no rankings.
            LirDataError: If a run has unknown documents, or could not be written where it is to be.
        """
        self._check_once("re_rank", datamodule)
        with self._callbacks_of("re_rank") as found, self._resumed("re_rank", found, module, datamodule):
            self._infer(module, datamodule)
        return module.evaluate_runs(found[0].runs, datamodule.inference_datasets)

    def check(self, stage: str, datamodule: LightningIRDataModule) -> None:
        """Refuse what can be known to be wrong before a model is loaded: the data, the callbacks, the runs' files and ids.

        Args:
            stage: ``index``, ``search`` or ``re_rank``; of any other nothing is checked here.
            datamodule: The data of the stage.

        Raises:
            WrongStageError: If a dataset or the callbacks do not fit the stage.
            LirDataError: If a run has unknown documents, or could not be written where it is to be.
        """
        if stage not in _STAGES:
            return
        needed = _STAGES[stage]
        for dataset in datamodule.inference_datasets:
            if not isinstance(dataset, needed.dataset):
                raise WrongStageError(
                    f"{stage} works on a {needed.dataset.__name__}; '{dataset.name}' is a {type(dataset).__name__}."
                )
        with self._callbacks_of(stage) as found:
            if not found:
                raise WrongStageError(f"{stage} needs {needed.callback} among the trainer's callbacks.")
            for dataset in datamodule.inference_datasets:
                if isinstance(dataset, RunDataset):
                    dataset.check_documents()
            if stage != "index":
                for callback in found:
                    _check_runs(callback, datamodule)
        self._checked = stage, datamodule

    def _check_once(self, stage: str, datamodule: LightningIRDataModule) -> None:
        if self._checked != (stage, datamodule):
            self.check(stage, datamodule)
        self._checked = None

    @property
    def _all_callbacks(self) -> list[Any]:
        return getattr(self, "callbacks")  # noqa: B009 - Lightning sets it where a type checker does not see it

    @contextmanager
    def _callbacks_of(self, stage: str) -> Generator[list[Any], None, None]:
        """Set the callbacks of other stages aside, and give those of this one; a re-ranking always has one.

        A callback says by its ``stage`` where it belongs; one without belongs to all stages.
        """
        every = self._all_callbacks
        if stage == "re_rank" and not any(getattr(callback, "stage", None) == stage for callback in every):
            every.append(ReRankCallback())
        kept = [callback for callback in every if getattr(callback, "stage", stage) == stage]
        setattr(self, "callbacks", kept)  # noqa: B010 - as above
        found = [callback for callback in kept if getattr(callback, "stage", None) == stage]
        for callback in found:
            # lir-index writes TREC alone; of all formats there is one writer.
            if getattr(callback, "write", write_run) is None:
                callback.write = write_run
        try:
            yield found
        finally:
            setattr(self, "callbacks", every)  # noqa: B010

    @contextmanager
    def _resumed(
        self, stage: str, found: list[Any], module: LightningIRModule, data: LightningIRDataModule
    ) -> Generator[None, None, None]:
        """Leave out the queries that an interrupted run of the same has finished, and keep those that are finished now."""
        paths: list[Path] = found[0].run_paths(data.names) if len(found) == 1 else []
        if not paths:
            yield
            return
        datasets: list[Any] = data.inference_datasets
        identities = [_decides_scores(stage, module, found[0], dataset, str(self.precision)) for dataset in datasets]
        partial = PartialRuns(found[0], datasets, paths, identities)
        # Directly behind: what stops the work after a batch comes later.
        self._all_callbacks.insert(self._all_callbacks.index(found[0]) + 1, partial)
        data.kept = partial.kept
        try:
            yield
        finally:
            data.kept = {}

    def _infer(
        self,
        module: LightningIRModule,
        data: LightningIRDataModule,
        hint: str = "the same command goes on with the queries that are left",
    ) -> None:
        # The callbacks keep what is needed; predictions of a whole collection would not fit in memory.
        with watched(self, hint):
            self.predict(module, datamodule=data, return_predictions=False)


def _decides_scores(
    stage: str, module: LightningIRModule, callback: Any, dataset: Any, precision: str
) -> dict[str, Any]:
    """Return what the scores of a dataset's run depend on, beside its texts."""
    model = module.model
    decides: dict[str, Any] = {
        "stage": stage,
        "model": getattr(model, "fingerprint", None),
        "precision": precision,
        "types": sorted({str(weight.dtype) for weight in module.parameters()}),
        "data": dataset.source,
    }
    if stage == "search":
        return decides | callback.identity()
    # The documents that are drawn are compared one by one; how they are cut is in their texts.
    return decides | {"depth": dataset.depth, "sample_size": dataset.sample_size}


class _Needed(NamedTuple):
    """What a stage works on, and the callback that it cannot do without, in words."""

    dataset: type
    callback: str


_STAGES = {
    "index": _Needed(DocDataset, "an IndexCallback"),
    "search": _Needed(QueryDataset, "a SearchCallback"),
    "re_rank": _Needed(RunDataset, "a ReRankCallback"),
}


def _check_runs(callback: Any, data: LightningIRDataModule) -> None:
    """Refuse runs that could not be written: for their files, or for the ids of queries or documents."""
    paths: list[Path] = callback.run_paths(data.names)
    for number, path in enumerate(paths):
        check_run_output(path, overwrite=callback.overwrite)
        dataset = data.inference_datasets[number]
        check_run_ids(path, data.query_ids(number))
        # What is searched for is in the index; what is re-ranked, in the run.
        doc_ids = dataset.doc_ids if isinstance(dataset, RunDataset) else callback.open().doc_ids.unusual()
        check_run_ids(path, doc_ids)


def _refuse_cross_encoder(module: LightningIRModule, stage: str) -> None:
    if isinstance(module, CrossEncoderModule):
        raise WrongStageError(
            f"{stage} needs a bi-encoder; '{module.model.name}' is a cross-encoder, which reads query and document together.",
            hint="re-rank with it: trainer.re_rank or 'lir rerank'",
        )
