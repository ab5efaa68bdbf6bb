"""Schedulers that fall until the end of a training know from the trainer when that is."""

import inspect
from typing import Any

from lir_cli.errors import SettingsError
from lir_cli.settings import Mapped, find_class

_ARGUMENT = "num_training_steps"


def with_training_steps(settings: Mapped) -> Mapped:
    """Fill in ``num_training_steps`` of the schedulers that lack it by the trainer's ``max_steps``.

    Args:
        settings: Whose classes are resolved.

    Raises:
        SettingsError: If a scheduler lacks it, and the trainer has no ``max_steps``.
    """
    trainer = settings.get("trainer") or {}
    max_steps = trainer.get("max_steps")
    filled = dict(settings)
    if "lr_scheduler" in settings:
        filled["lr_scheduler"] = _filled(settings["lr_scheduler"], "lr_scheduler", max_steps)
    callbacks = trainer.get("callbacks")
    if isinstance(callbacks, list):
        each = [_filled(item, f"trainer.callbacks.{place}", max_steps) for place, item in enumerate(callbacks)]
        filled["trainer"] = {**trainer, "callbacks": each}
    elif callbacks:
        filled["trainer"] = {**trainer, "callbacks": _filled(callbacks, "trainer.callbacks", max_steps)}
    return filled


def _filled(scheduler: Any, path: str, max_steps: Any) -> Any:
    if not isinstance(scheduler, dict) or "class_path" not in scheduler:
        return scheduler
    found = find_class(scheduler["class_path"], path)
    arguments = scheduler.get("init_args") or {}
    if _ARGUMENT not in inspect.signature(found).parameters or _ARGUMENT in arguments:
        return scheduler
    if max_steps in (None, -1):
        raise SettingsError(
            f"{path}.init_args: {found.__name__} needs {_ARGUMENT}, which is the trainer's max_steps where that is given.",
            hint="--trainer.max_steps 1000, for instance",
        )
    return {**scheduler, "init_args": {**arguments, _ARGUMENT: max_steps}}
