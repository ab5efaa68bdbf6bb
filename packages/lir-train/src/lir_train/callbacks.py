"""What happens to the scores of a re-ranking."""

from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from lir_data import write_run
from lir_train.batches import ScoredRankings
from lir_train.errors import LirTrainError
from lir_train.module import add_rankings


class ReRankCallback(Callback):
    """Collects the scores of a re-ranking, and writes them as TREC runs.

    Args:
        run_path: Where the run goes; of several datasets, a folder for one file each. None writes nothing.
        overwrite: Whether an existing file is replaced.
    """

    def __init__(self, run_path: str | Path | None = None, overwrite: bool = False) -> None:
        self.run_path = None if run_path is None else Path(run_path)
        self.overwrite = overwrite
        #: The re-ranked runs, by the position of their dataset.
        self.runs: dict[int, dict[str, dict[str, float]]] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Refuse files that exist, before any scoring."""
        del pl_module
        self.runs = {}
        if stage != "predict" or self.overwrite:
            return
        for path in self._paths(trainer):
            if path.exists():
                raise LirTrainError(f"'{path}' exists already, and is not overwritten unless asked for.")

    def _paths(self, trainer: Trainer) -> list[Path]:
        names: list[str] = getattr(trainer, "datamodule").names  # noqa: B009 - only there when data modules are used
        if self.run_path is None:
            return []
        if len(names) == 1:
            return [self.run_path]
        return [self.run_path / f"{name.replace('/', '_')}.run" for name in names]

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the scores of a batch."""
        del trainer, pl_module, batch, batch_idx
        if isinstance(outputs, ScoredRankings):
            add_rankings(self.runs.setdefault(dataloader_idx, {}), outputs)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the ranks' scores together and write them."""
        del pl_module
        self.runs = _gathered(self.runs, trainer.world_size)
        if trainer.is_global_zero:
            for place, path in enumerate(self._paths(trainer)):
                write_run(path, self.runs.get(place, {}), overwrite=self.overwrite)


def _gathered(runs: dict[int, dict[str, dict[str, float]]], world_size: int) -> dict[int, dict[str, dict[str, float]]]:
    if world_size == 1:
        return runs
    import torch.distributed

    every: list[Any] = [None] * world_size
    torch.distributed.all_gather_object(every, runs)
    merged: dict[int, dict[str, dict[str, float]]] = {}
    for part in every:
        for place, run in part.items():
            merged.setdefault(place, {}).update(run)
    return merged
