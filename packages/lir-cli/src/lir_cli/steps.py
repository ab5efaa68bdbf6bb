"""Schedulers that fall until the end of a training know from the trainer when that is."""

from typing import Any

from lir_cli.annotations import arguments_of
from lir_cli.classes import find_class, is_one_of
from lir_cli.errors import SettingsError
from lir_cli.settings import Mapped

_ARGUMENT = "num_training_steps"


def with_training_steps(settings: Mapped) -> Mapped:
    """Fill in ``num_training_steps`` of the schedulers that lack it by the trainer's ``max_steps``.

    Args:
        settings: With the keys of the YAML.

    Raises:
        SettingsError: If a scheduler lacks it, and the trainer has no ``max_steps``.
    """
    from lightning import Callback
    from torch.optim.lr_scheduler import LRScheduler

    trainer = settings.get("trainer") or {}
    max_steps = trainer.get("max_steps")
    filled = dict(settings)
    if "lr_scheduler" in settings:
        filled["lr_scheduler"] = _filled(settings["lr_scheduler"], LRScheduler, "lr_scheduler", max_steps)
    if callbacks := trainer.get("callbacks"):
        each = [
            _filled(item, Callback, f"trainer.callbacks.{place}", max_steps) for place, item in enumerate(callbacks)
        ]
        filled["trainer"] = {**trainer, "callbacks": each}
    return filled


def _filled(scheduler: Any, kind: type, path: str, max_steps: Any) -> Any:
    if "class_path" not in scheduler:
        return scheduler
    found = find_class(scheduler["class_path"], path, (kind,))
    arguments = scheduler.get("init_args") or {}
    # What is of another kind is refused in a moment, with what else is wrong.
    if not is_one_of(found, (kind,)) or _ARGUMENT in arguments or _ARGUMENT not in arguments_of(found).named:
        return scheduler
    if max_steps in (None, -1):
        raise SettingsError(
            f"{path}.init_args: {found.__name__} needs {_ARGUMENT}, which is the trainer's max_steps where that is given.",
            hint="--trainer.max_steps 1000, for instance",
        )
    return {**scheduler, "init_args": {**arguments, _ARGUMENT: max_steps}}
