"""Checkpoints of a training, each with a folder that holds its model for everyone else."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from lir_models.checkpoints.ownership import check_replaceable, remove_model
from lir_models.errors import ForeignFolderError
from lir_train.checkpoint_files import write_whole
from lir_train.errors import CheckpointError

# The name of a measure in a template, {run/nDCG@10:.3f}.
_MEASURE = re.compile(r"\{[^:}]*")


class LightningIRModelCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint that also saves the model itself; it takes the same arguments.

    Beside ``NAME.ckpt``, from which a training goes on, lies the folder ``NAME``, which lir and sentence-transformers
    load. The folder is complete or absent, and goes when its checkpoint goes.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save a checkpoint where the rhythm says so, between two steps of the optimizer."""
        if ends_step(trainer, batch_idx):
            super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)

    def save_now(self, trainer: Trainer) -> None:
        """Save a checkpoint, whatever the rhythm; where that of this step is there, nothing is done."""
        if trainer.global_step and trainer.global_step != self._last_global_step_saved:
            self._save_topk_checkpoint(trainer, self._monitor_candidates(trainer))

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Let checkpoints be written whole, by Lightning's own trainer too."""
        super().setup(trainer, pl_module, stage)
        write_whole(trainer.strategy)

    def format_checkpoint_name(
        self, metrics: dict[str, Tensor], filename: str | None = None, *args: Any, **kwargs: Any
    ) -> str:
        """Return the name of a checkpoint; a slash in the name of a measure makes no folder."""
        template = filename or self.filename
        if template is not None:
            template = _MEASURE.sub(lambda found: found[0].replace("/", "-"), template)
        plain = {name.replace("/", "-"): value for name, value in metrics.items()}
        return super().format_checkpoint_name(plain, template, *args, **kwargs)

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        folder = model_folder(filepath)
        # A linked folder is that of another checkpoint, and stays.
        if not folder.is_symlink():
            check_replaceable(folder)
        super()._save_checkpoint(trainer, filepath)
        if trainer.is_global_zero:
            module: Any = trainer.lightning_module
            if folder.is_symlink():
                remove_model(folder)
            module.save_pretrained(folder, overwrite=True)

    @staticmethod
    def _link_checkpoint(trainer: Trainer, filepath: str, linkpath: str) -> None:
        link = super(LightningIRModelCheckpoint, LightningIRModelCheckpoint)._link_checkpoint
        # Lightning would remove any folder.
        if trainer.is_global_zero:
            remove_model(model_folder(linkpath))
        link(trainer, str(model_folder(filepath)), str(model_folder(linkpath)))
        link(trainer, filepath, linkpath)

    def _remove_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        if trainer.is_global_zero:
            with suppress(ForeignFolderError):  # someone has put something there: it stays
                remove_model(model_folder(filepath))
        super()._remove_checkpoint(trainer, filepath)


def ends_step(trainer: Trainer, batch_idx: int) -> bool:
    """Whether the optimizer's step was made after this batch; gradients that are half accumulated are in no checkpoint."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0 or trainer.is_last_batch


def read_checkpoint(path: str | Path, *, weights: bool = True) -> dict[str, Any]:
    """Read a checkpoint of a training, and run no code that may be in it.

    Args:
        path: A file that Lightning wrote.
        weights: Whether the tensors are read too; without, they have shapes alone, and a large file is read at once.

    Returns:
        What Lightning keeps: ``state_dict``, ``global_step``, ``callbacks`` and so on.

    Raises:
        CheckpointError: If there is no such file, if it is damaged, or holds anything but tensors and plain values.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"There is no checkpoint '{path}'.")
    try:
        found = torch.load(path, map_location="cpu" if weights else "meta", weights_only=True, mmap=not weights)
    # What a damaged file raises depends on where it is damaged.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"'{path}' is damaged, or holds more than tensors and plain values: {reason}") from error
    if not isinstance(found, dict) or "state_dict" not in found:
        raise CheckpointError(f"'{path}' is no checkpoint of a training: it has no state_dict.")
    return found


def model_folder(path: str | Path) -> Path:
    """Return where the model of a checkpoint lies."""
    return Path(str(path).removesuffix(ModelCheckpoint.FILE_EXTENSION))
