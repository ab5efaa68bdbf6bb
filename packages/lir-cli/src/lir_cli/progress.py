"""How far a trainer is, for whoever waits."""

from typing import Any

from lightning.pytorch.callbacks import Callback

from lir_cli.output import Progress, say


class ProgressCallback(Callback):
    """Shows how far the work is; of several processes, the first.

    Args:
        stage: ``fit``, ``index``, ``search`` or ``re_rank``.
    """

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._progress: Progress | None = None

    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """Count what there is, and let the module count what is done."""
        if not trainer.is_global_zero:
            return
        datasets = trainer.datamodule.inference_datasets
        unit = "queries" if self._stage == "search" else "docs"
        done = trainer.datamodule.num_docs_before
        if done:
            say(f"{done:,} documents were done before; going on from there.")
        try:
            total = sum(dataset.num_docs if self._stage == "re_rank" else len(dataset) for dataset in datasets)
            left = -(-total // trainer.world_size) - done
        except TypeError:  # ir_datasets does not know of every collection how large it is
            left = None
        self._progress = Progress(self._stage.replace("_", "-"), left, unit)
        pl_module.progress = self._progress.advance

    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        """Say how long it took."""
        del trainer
        pl_module.progress = None
        if self._progress is not None:
            self._progress.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Give the terminal back."""
        del exception
        self.on_predict_end(trainer, pl_module)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Count the steps, if that can be known."""
        del pl_module
        self._progress = Progress("train", trainer.max_steps if trainer.max_steps > 0 else None, "steps")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count a step."""
        del trainer, pl_module, batch, batch_idx
        if self._progress is not None:
            self._progress.advance(1, lambda: f"loss {float(outputs['loss']):.4f}")

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Say how long it took."""
        self.on_predict_end(trainer, pl_module)
