"""A trainer that ends by signals: as soon as it can, and a training between two steps, with a checkpoint."""

from contextlib import suppress
from typing import Any

from lightning.pytorch.callbacks import Callback

from lir_cli import signals
from lir_train import LightningIRModelCheckpoint
from lir_train.checkpoints import ends_step

# A checkpoint with its optimizer is a gigabyte or more, and so may be the embeddings that are not yet written.
_SECONDS_TO_KEEP = 15.0


def stop_by_signals(callbacks: list[Any]) -> None:
    """Let a trainer with these callbacks end by signals."""
    callbacks.insert(0, _KeepsBatchesWhole())
    callbacks.append(_Stops())


class _KeepsBatchesWhole(Callback):
    """Before all other callbacks: lets signals, and the end by force, wait while those keep what there is."""

    def on_predict_batch_end(self, *_: Any, **__: Any) -> None:
        """Let signals wait."""
        signals.defer()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Let the end by force wait."""
        del trainer, pl_module
        if isinstance(exception, signals.Stopped):
            signals.allow(_SECONDS_TO_KEEP)


class _Stops(Callback):
    """After all other callbacks: stops where a signal waited.

    It also puts our handlers back. Lightning sets one that notes SIGTERM, and its loops for inference never look.
    """

    def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
        """Put the handlers back; Lightning has just set its own."""
        del trainer, pl_module
        signals.install()

    on_train_start = on_validation_start = on_predict_start = on_sanity_check_start

    def on_predict_batch_end(self, *_: Any, **__: Any) -> None:
        """Stop if a signal came."""
        signals.stop_if_asked()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Let signals wait no more."""
        del trainer, pl_module, exception
        with suppress(signals.Stopped):  # something else ends the command already
            signals.stop_if_asked()


class StopsBetweenSteps(Callback):
    """Lets a step of a training end before a signal does, and keeps a checkpoint then.

    Args:
        last: Keeps the checkpoint.
    """

    def __init__(self, last: LightningIRModelCheckpoint) -> None:
        self._last = last

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Let signals wait."""
        del trainer, pl_module, batch, batch_idx
        signals.defer()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Stop if a signal came, unless gradients are still being accumulated."""
        del pl_module, outputs, batch
        if ends_step(trainer, batch_idx):
            signals.stop_if_asked()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Keep what was learnt."""
        del pl_module
        # Of several processes, others may be in the midst of a step, or did not hear of the signal.
        if isinstance(exception, signals.Stopped) and trainer.world_size == 1:
            self._last.save_now(trainer)
