"""What a training keeps while it goes on, and which of it is the best in the end."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from lightning import Callback

from lir_cli.errors import InterruptedTrainingError, SettingsError
from lir_cli.output import say
from lir_cli.pipeline import Pipeline
from lir_cli.stopping import StopsBetweenSteps
from lir_data import parse_measures
from lir_train import LightningIRModelCheckpoint, read_checkpoint

#: What checkpoints are called, without ``.ckpt``.
NAMES = ("last", "best")

# Of a training whose epochs take a night; a checkpoint takes some seconds.
_STEPS_BETWEEN = 1_000
# The most that a kill can cost.
_TIME_BETWEEN = timedelta(minutes=5)


class Checkpoints:
    """The checkpoints of a training in a folder: ``last.ckpt``, and ``best.ckpt`` if something is measured.

    The last is kept at the end of each epoch, every 1,000 steps, every five minutes, and when a signal stops the training;
    the best at each validation, by the first measure of the first dataset that has judgements.

    Args:
        pipeline: Whose training it is.
        folder: Where they are kept.
    """

    def __init__(self, pipeline: Pipeline, folder: Path) -> None:
        self.pipeline = pipeline
        self.folder = folder
        self.measure = _first_measure(pipeline)
        self._best: LightningIRModelCheckpoint | None = None
        self._validated = _Validated()
        # Lightning has one rhythm for each callback. The file's name stays, so that no state names a file that is gone.
        same: dict[str, Any] = {"dirpath": folder, "enable_version_counter": False}
        if self.measure is not None:
            self._best = LightningIRModelCheckpoint(
                filename="best", monitor=self.measure, mode="max", save_on_train_epoch_end=False, **same
            )
            pipeline.callbacks.extend((self._validated, self._best))
        rhythms: list[dict[str, Any]] = [
            {"every_n_train_steps": _STEPS_BETWEEN},
            {"train_time_interval": _TIME_BETWEEN},
            {"every_n_epochs": 1, "save_on_train_epoch_end": True},
        ]
        last = [LightningIRModelCheckpoint(filename="last", **same, **rhythm) for rhythm in rhythms]
        pipeline.callbacks.extend((StopsBetweenSteps(last[-1]), *last))

    def take_best(self, module: Any) -> None:
        """Give a module, which was trained, the weights of the best step, and say which step that is.

        Where the training ended between two validations, the weights it ended with are measured too.
        """
        if self._best is None or self.measure is None:
            return
        trainer: Any = self.pipeline.trainer
        step, value = trainer.global_step, None
        kept = self._best.best_model_path
        found = read_checkpoint(kept) if kept and Path(kept).is_file() else None
        if self._validated.step != step:
            trainer.validate(module, datamodule=self.pipeline.data, verbose=False)
            value = float(trainer.callback_metrics[self.measure])
        if found is not None:
            best = float(self._best.best_model_score or 0.0)
            if value is None or best >= value:
                step, value = found["global_step"], best
                module.load_state_dict(found["state_dict"])
        say(f"The best model is that of step {step:,}: {self.measure} {value:.4f}")


class _Validated(Callback):
    """Knows the step of the last validation."""

    step = -1

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Note the step."""
        del pl_module
        if not trainer.sanity_checking:
            self.step = trainer.global_step


def _first_measure(pipeline: Pipeline) -> str | None:
    """Return what Lightning knows the first measure of the first dataset with judgements by; None if nothing is measured."""
    measures = parse_measures(pipeline.evaluation_metrics)
    names = [dataset.name for dataset in pipeline.data.validation_datasets if getattr(dataset, "qrels", None)]
    return f"{names[0]}/{measures[0]}" if measures and names else None


def checkpoint_to_go_on_from(folder: Path) -> Path:
    """Return the last checkpoint of a folder.

    Raises:
        SettingsError: If there is none.
    """
    path = folder / "last.ckpt"
    if not path.is_file():
        raise SettingsError(
            f"There is no checkpoint '{path}' to go on from.", hint="without --resume the training begins anew"
        )
    return path


def refuse_checkpoints(folder: Path) -> None:
    """Refuse to train where the checkpoints of another training are; one that ended before its first left none.

    Raises:
        SettingsError: If some are there.
    """
    if (folder / "last.ckpt").exists():
        raise SettingsError(
            f"'{folder}' exists already: a training with this output was begun.",
            hint="--resume goes on from its last checkpoint, --overwrite begins anew",
        )
    if (folder / "best.ckpt").exists():
        raise SettingsError(
            f"'{folder}' exists already: a training with this output was begun, and has no last checkpoint to go on from.",
            hint="--overwrite begins anew",
        )


def interrupted(step: int, folder: Path) -> InterruptedTrainingError:
    """Say where a training was interrupted, and how it goes on."""
    path = folder / "last.ckpt"
    message = f"The training was interrupted at step {step:,}."
    if not path.is_file():
        return InterruptedTrainingError(f"{message} There is no checkpoint yet, so nothing of it is left.")
    kept = read_checkpoint(path, weights=False)["global_step"]
    return InterruptedTrainingError(message, hint=f"the same command with --resume goes on from step {kept:,}")
