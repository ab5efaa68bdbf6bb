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
        self._num_done = 0
        self._steps = 0

    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """Count what there is, and let the module count what is done."""
        data, world_size = trainer.datamodule, trainer.world_size
        datasets = data.inference_datasets
        is_cut = any(getattr(dataset, "passage_windows", None) is not None for dataset in datasets)
        docs_done = _of_all_processes(trainer, data.num_docs_before)
        queries_done = sum(map(len, data.kept.values()))
        self._num_done = 0
        if trainer.is_global_zero:
            if docs_done:
                say(f"{docs_done:,} {'passages' if is_cut else 'documents'} were done before; going on from there.")
            if queries_done:
                say(f"{queries_done:,} queries were done before; going on from there.")
            unit = "queries" if self._stage == "search" else "passages" if is_cut else "docs"
            try:
                total = sum(dataset.num_docs if self._stage == "re_rank" else len(dataset) for dataset in datasets)
                rankings = [scores for run in data.kept.values() for scores in run.values()]
                left = total - docs_done - (sum(map(len, rankings)) if self._stage == "re_rank" else queries_done)
            except TypeError:  # ir_datasets does not know of every collection how large it is
                left = None
            self._progress = Progress(self._stage.replace("_", "-"), left, unit)

        def count(num: int) -> None:
            self._num_done += num
            if self._progress is not None:
                # What the others do meanwhile is about the same; at the end it is counted.
                self._progress.advance(num * world_size)

        pl_module.progress = count

    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        """Say how long it took."""
        num_done = _of_all_processes(trainer, self._num_done)
        if self._progress is not None:
            self._progress.done = num_done
        self._close(pl_module)

    def _close(self, pl_module: Any) -> None:
        pl_module.progress = None
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Give the terminal back."""
        del trainer, exception
        self._close(pl_module)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Count the steps, if that can be known."""
        del pl_module
        if not trainer.is_global_zero:
            return
        self._steps = trainer.global_step
        left = trainer.max_steps - self._steps if trainer.max_steps > 0 else None
        self._progress = Progress("train", left, "steps")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count a step of the optimizer, which may be one of several batches."""
        del pl_module, batch, batch_idx
        new = trainer.global_step - self._steps
        if self._progress is not None and new > 0:
            self._steps += new
            self._progress.advance(new, lambda: f"loss {float(outputs['loss']):.4f}")

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Say how long it took."""
        del trainer
        self._close(pl_module)


def _of_all_processes(trainer: Any, count: int) -> int:
    """Add up what each process counts."""
    if trainer.world_size == 1:
        return count
    import torch

    counted = torch.tensor(count, device=trainer.strategy.root_device)
    return int(trainer.strategy.reduce(counted, reduce_op="sum"))
