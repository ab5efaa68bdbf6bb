"""From checked settings to a trainer, data and a module, the model last."""

from typing import Any

from lightning.pytorch.callbacks import Callback
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lir_cli.construct import Blueprint, blueprint
from lir_cli.errors import SettingsError
from lir_cli.output import Progress, quiet_libraries, say
from lir_cli.settings import Mapped, check_arguments, resolve_classes, short_name
from lir_models import detect
from lir_train import BiEncoderModule, CrossEncoderModule, LightningIRDataModule, LightningIRTrainer


class Pipeline:
    """A trainer, its data and, when first asked for, the module; a wrong setting is found before the model loads.

    Args:
        settings: With the keys of the YAML.
        stage: ``fit``, ``index``, ``search`` or ``re_rank``.
    """

    def __init__(self, settings: Mapped, stage: str) -> None:
        quiet_libraries()
        self.stage = stage
        for key in ("model", "data"):
            if key not in settings:
                raise SettingsError(f"The configuration has no '{key}'.")
        settings = {key: resolve_classes(value, key) for key, value in settings.items()}
        trainer = {"logger": False} | settings.get("trainer", {})
        check_arguments(LightningIRTrainer, trainer, "trainer")
        # Lightning's own default is a folder 'checkpoints' wherever one happens to be.
        trainer.setdefault("enable_checkpointing", _has_callback(trainer, "ModelCheckpoint"))
        if stage == "fit" and not {"max_steps", "max_epochs", "max_time"} & set(trainer):
            raise SettingsError(
                "The configuration does not say how long to train.", hint="for instance --trainer.max_epochs 1"
            )
        trainer |= {"enable_progress_bar": False, "enable_model_summary": False}
        self._model = blueprint(settings["model"], "model", (BiEncoderModule, CrossEncoderModule))
        self._optimizer = self._scheduler = None
        if settings.get("optimizer"):
            self._optimizer = blueprint(settings["optimizer"], "optimizer", (Optimizer,), skip="params")
        if settings.get("lr_scheduler"):
            if self._optimizer is None:
                raise SettingsError("The configuration has an lr_scheduler but no optimizer for it.")
            self._scheduler = blueprint(settings["lr_scheduler"], "lr_scheduler", (LRScheduler,), skip="optimizer")
        trainer_blueprint = Blueprint(LightningIRTrainer, trainer, "trainer")
        self.data: LightningIRDataModule = blueprint(settings["data"], "data", (LightningIRDataModule,)).make()
        self._check_model(settings["model"])
        if settings.get("seed_everything") is not None:
            from lightning import seed_everything

            seed_everything(settings["seed_everything"], verbose=False)
        self.trainer: LightningIRTrainer = trainer_blueprint.make()
        self.callbacks.append(_ProgressCallback(stage))

    @property
    def callbacks(self) -> list[Any]:
        """The trainer's callbacks."""
        return getattr(self.trainer, "callbacks")  # noqa: B009 - Lightning sets it where a type checker does not see it

    def _check_model(self, settings: Mapped) -> None:
        """Find what is wrong with the model from its small files."""
        arguments = settings.get("init_args", {})
        name = arguments.get("model_name_or_path")
        if name is None:
            raise SettingsError("There is no model: name one by --model, or as model.init_args.model_name_or_path.")
        kind = detect(name)
        wants_cross = settings["class_path"].endswith("CrossEncoderModule")
        if kind == "cross-encoder" and not wants_cross:
            raise SettingsError(
                f"'{name}' is a cross-encoder: it reads query and document together, so it neither indexes nor searches.",
                hint="re-rank with it: lir rerank",
            )
        if kind == "bi-encoder" and wants_cross and arguments.get("config") is None:
            raise SettingsError(f"'{name}' is a bi-encoder, and the module is a CrossEncoderModule.")
        from lir_data import parse_measures

        parse_measures(arguments.get("evaluation_metrics") or [])

    def run(self) -> Any:
        """Load the model and do what the stage says; return what the trainer returns, and the module."""
        module = self._model.make()
        if self._optimizer:
            module.set_optimizer(self._optimizer.make, self._scheduler.make if self._scheduler else None)
        return getattr(self.trainer, self.stage)(module, self.data), module


def _has_callback(trainer: Mapped, name: str) -> bool:
    callbacks = trainer.get("callbacks") or []
    return any(short_name(item) == name for item in (callbacks if isinstance(callbacks, list) else [callbacks]))


class _ProgressCallback(Callback):
    """Shows how far the work is; of several processes, the first."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._progress: Progress | None = None

    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """Count what there is, and let the module count what is done."""
        if not trainer.is_global_zero:
            return
        datasets = trainer.datamodule.inference_datasets
        unit = "queries" if self._stage == "search" else "docs"
        total = sum(dataset.num_docs if self._stage == "re_rank" else len(dataset) for dataset in datasets)
        total = -(-total // trainer.world_size)
        done = trainer.datamodule.num_docs_done(datasets[0])
        if done:
            say(f"{done:,} documents were done before; going on from there.")
        self._progress = Progress(self._stage.replace("_", "-"), total - done, unit)
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
