"""From checked settings to a trainer, data and a module, the model last."""

from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from lir_cli.construct import Blueprint, blueprint
from lir_cli.errors import SettingsError
from lir_cli.optimizer import optimizer_blueprint
from lir_cli.progress import ProgressCallback
from lir_cli.settings import Mapped, has_callback, register_datasets
from lir_cli.signals import say_on_stop
from lir_cli.steps import with_training_steps
from lir_cli.stopping import stop_by_signals
from lir_models import detect
from lir_train import (
    BiEncoderModule,
    CrossEncoderModule,
    LightningIRDataModule,
    LightningIRTrainer,
    ParameterGroup,
    TextModule,
)


class Pipeline:
    """A trainer, its data and, when first asked for, the module; a wrong setting is found before the model loads.

    Args:
        settings: With the keys of the YAML.
        stage: ``fit``, ``index``, ``search`` or ``re_rank``.
    """

    def __init__(self, settings: Mapped, stage: str) -> None:
        self.stage = stage
        for key in ("model", "data"):
            if key not in settings:
                raise SettingsError(f"The configuration has no '{key}'.")
        register_datasets(settings)
        if stage == "fit":
            settings = with_training_steps(settings)
        self._model = blueprint(settings["model"], "model", (BiEncoderModule, CrossEncoderModule, TextModule))
        self._optimizer = self._scheduler = None
        self._groups: list[ParameterGroup] = []
        if settings.get("optimizer"):
            self._optimizer, self._groups = optimizer_blueprint(settings["optimizer"])
        if settings.get("lr_scheduler"):
            if self._optimizer is None:
                raise SettingsError("The configuration has an lr_scheduler but no optimizer for it.")
            self._scheduler = blueprint(settings["lr_scheduler"], "lr_scheduler", (LRScheduler,), skip="optimizer")
        data = blueprint(settings["data"], "data", (LightningIRDataModule,))
        trainer = Blueprint(LightningIRTrainer, _trainer_settings(settings.get("trainer") or {}, stage), "trainer")
        _leave_out_other_stages(trainer.arguments, stage)
        # Until here nothing is made. From here on the objects themselves refuse what they are given.
        for planned in (self._model, self._optimizer, self._scheduler, trainer):
            if planned is not None:
                planned.prepare()
        self.data: LightningIRDataModule = data.make()
        self._check_model(self._model)
        if settings.get("seed_everything") is not None:
            from lightning import seed_everything

            seed_everything(settings["seed_everything"], verbose=False)
        self.trainer: LightningIRTrainer = trainer.make()
        self.callbacks.append(ProgressCallback(stage))
        stop_by_signals(self.callbacks)

    @property
    def callbacks(self) -> list[Any]:
        """The trainer's callbacks."""
        return getattr(self.trainer, "callbacks")  # noqa: B009 - Lightning sets it where a type checker does not see it

    def callback(self) -> Any:
        """Return the callback of the stage, or None."""
        return next((item for item in self.callbacks if getattr(item, "stage", None) == self.stage), None)

    @property
    def evaluation_metrics(self) -> list[str]:
        """The names of the module's measures."""
        return list(self._model.arguments.get("evaluation_metrics") or [])

    def _check_model(self, planned: Blueprint) -> None:
        """Find what is wrong with the model from its small files."""
        arguments = planned.arguments
        if issubclass(planned.found, TextModule):
            if self.stage in ("fit", "re_rank"):
                raise SettingsError("A TextModule has no model, so it neither trains nor re-ranks.")
            return
        name = arguments.get("model_name_or_path")
        if name is None:
            raise SettingsError("There is no model: name one by --model, or as model.init_args.model_name_or_path.")
        kind = detect(name)
        wants_cross = issubclass(planned.found, CrossEncoderModule)
        if kind == "cross-encoder" and not wants_cross and self.stage in ("fit", "re_rank"):
            raise SettingsError(f"'{name}' is a cross-encoder, and the module is a BiEncoderModule.")
        if kind == "cross-encoder" and not wants_cross:
            raise SettingsError(
                f"'{name}' is a cross-encoder: it reads query and document together, so it neither indexes nor searches.",
                hint="re-rank with it: lir rerank",
            )
        if kind == "bi-encoder" and wants_cross and arguments.get("config") is None:
            raise SettingsError(f"'{name}' is a bi-encoder, and the module is a CrossEncoderModule.")
        from lir_data import parse_measures

        parse_measures(arguments.get("evaluation_metrics") or [])

    def run(self, **options: Any) -> Any:
        """Load the model and do what the stage says; return what the trainer returns, and the module.

        Args:
            **options: Passed on to the trainer.
        """
        self.trainer.check(self.stage, self.data)
        if self.stage in ("search", "re_rank") and getattr(self.callback(), "run_path", None) is not None:
            say_on_stop("What is finished is kept beside the run; the same command goes on from there.")
        module = self._model.make()
        if self._optimizer:
            scheduler = self._scheduler.make if self._scheduler else None
            module.set_optimizer(self._optimizer.make, scheduler, self._groups)
        return getattr(self.trainer, self.stage)(module, self.data, **options), module


def _trainer_settings(settings: Mapped, stage: str) -> Mapped:
    """Return a trainer's arguments, with what the command decides itself."""
    if stage == "fit" and not {"max_steps", "max_epochs", "max_time"} & set(settings):
        raise SettingsError(
            "The configuration does not say how long to train.", hint="for instance --trainer.max_epochs 1"
        )
    return {
        "logger": False,
        # Lightning's own default is a folder 'checkpoints' wherever one happens to be.
        "enable_checkpointing": has_callback(settings, "ModelCheckpoint"),
        **settings,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }


def _leave_out_other_stages(trainer: Mapped, stage: str) -> None:
    """Leave out the callbacks of other stages: what they refuse, such as an index that exists, is no mistake here."""
    if callbacks := trainer.get("callbacks"):
        trainer["callbacks"] = [item for item in callbacks if getattr(item.found, "stage", stage) == stage]
