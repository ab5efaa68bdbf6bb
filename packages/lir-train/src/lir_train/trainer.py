"""The trainer: Lightning's, with the stages of a retrieval pipeline."""

from pathlib import Path
from typing import Any

from lightning import Trainer

from lir_data import DocDataset, QueryDataset, RunDataset
from lir_models.batching import is_memory_error
from lir_train.callbacks import ReRankCallback
from lir_train.checkpoint_files import write_whole
from lir_train.checkpoints import read_checkpoint
from lir_train.cross_encoder_module import CrossEncoderModule
from lir_train.data_module import LightningIRDataModule
from lir_train.errors import OutOfMemoryError, WrongStageError
from lir_train.module import LightningIRModule
from lir_train.named_arguments import NamedArguments


class LightningIRTrainer(Trainer, NamedArguments):
    """Lightning's Trainer that also indexes, searches and re-ranks; it takes the same arguments."""

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
        """
        if ckpt_path is not None:
            read_checkpoint(ckpt_path, weights=False)
        if not datamodule.validation_datasets:
            self.limit_val_batches = 0
        write_whole(self.strategy)
        module.train()  # a model is loaded for inference, with dropout off
        try:
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
        self._check("index", datamodule, DocDataset, "num_docs_done", "an IndexCallback")
        self._infer(module, datamodule)

    def search(self, module: LightningIRModule, datamodule: LightningIRDataModule) -> dict[str, float]:
        """Search an index with queries; a ``SearchCallback`` says which and where to.

        Returns:
            The module's measures, by ``dataset/measure``, of each dataset that has judgements.

        Raises:
            WrongStageError: If the module is a cross-encoder, a dataset holds no queries, or there is no callback.
        """
        _refuse_cross_encoder(module, "search")
        callback = self._check("search", datamodule, QueryDataset, "runs", "a SearchCallback")
        self._infer(module, datamodule)
        return module.evaluate_runs(callback.runs, datamodule.inference_datasets)

    def re_rank(self, module: LightningIRModule, datamodule: LightningIRDataModule) -> dict[str, float]:
        """Score the documents of rankings anew; a ``ReRankCallback``, if there is one, says where to.

        Returns:
            The module's measures, by ``dataset/measure``, of each dataset that has judgements.

        Raises:
            WrongStageError: If a dataset holds no rankings.
        """
        callbacks = [callback for callback in self._all_callbacks if isinstance(callback, ReRankCallback)]
        if not callbacks:
            callbacks = [ReRankCallback()]
            self._all_callbacks.append(callbacks[0])
        self._check("re_rank", datamodule, RunDataset, "runs", "a ReRankCallback")
        for dataset in datamodule.inference_datasets:
            if isinstance(dataset, RunDataset):
                dataset.check_documents()
        self._infer(module, datamodule)
        return module.evaluate_runs(callbacks[0].runs, datamodule.inference_datasets)

    @property
    def _all_callbacks(self) -> list[Any]:
        return getattr(self, "callbacks")  # noqa: B009 - Lightning sets it where a type checker does not see it

    def _check(self, stage: str, data: LightningIRDataModule, kind: type, attribute: str, callback_words: str) -> Any:
        """Refuse data or callbacks that do not fit the stage; return the callback."""
        for dataset in data.inference_datasets:
            if not isinstance(dataset, kind):
                raise WrongStageError(
                    f"{stage} works on a {kind.__name__}; '{dataset.name}' is a {type(dataset).__name__}."
                )
        for callback in self._all_callbacks:
            if hasattr(callback, attribute):
                return callback
        raise WrongStageError(f"{stage} needs {callback_words} among the trainer's callbacks.")

    def _infer(self, module: LightningIRModule, data: LightningIRDataModule) -> None:
        # The callbacks keep what is needed; predictions of a whole collection would not fit in memory.
        self.predict(module, datamodule=data, return_predictions=False)


def _refuse_cross_encoder(module: LightningIRModule, stage: str) -> None:
    if isinstance(module, CrossEncoderModule):
        raise WrongStageError(
            f"{stage} needs a bi-encoder; '{module.model.name}' is a cross-encoder, which reads query and document together.",
            hint="re-rank with it: trainer.re_rank or 'lir rerank'",
        )
