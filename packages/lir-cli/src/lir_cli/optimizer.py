"""The optimizer of a configuration: a class, its arguments, and groups of parameters that differ from the rest."""

from typing import Any

from torch.optim import Optimizer

from lir_cli.construct import Blueprint, blueprint
from lir_cli.errors import SettingsError, did_you_mean
from lir_cli.settings import Mapped
from lir_train import ParameterGroup

_KEYS = ("pattern", "options")


def optimizer_blueprint(settings: Mapped) -> tuple[Blueprint, list[ParameterGroup]]:
    """Check the settings below ``optimizer``.

    Args:
        settings: ``class_path``, ``init_args`` and ``groups``, a list of ``pattern`` and ``options``.

    Raises:
        SettingsError: If a class, a key or a value cannot be; the message names the dotted key.
    """
    groups = settings.get("groups") or []
    if not isinstance(groups, list):
        raise SettingsError(f"optimizer.groups is {groups!r}; it must be a list of pattern and options.")
    plain = {key: value for key, value in settings.items() if key != "groups"}
    made = blueprint(plain, "optimizer", (Optimizer,), skip="params")
    return made, [_group(plain, group, f"optimizer.groups.{place}") for place, group in enumerate(groups)]


def _group(optimizer: Mapped, group: Any, path: str) -> ParameterGroup:
    if not isinstance(group, dict):
        raise SettingsError(f"{path} is {group!r}; it must have a pattern and options.")
    for key in group:
        if key not in _KEYS:
            raise SettingsError(f"{path}: there is no key '{key}'.{did_you_mean(key, _KEYS)}")
    pattern, options = group.get("pattern"), group.get("options")
    if not isinstance(pattern, str):
        raise SettingsError(f"{path}: pattern is {pattern!r}; it must be a regular expression of parameters' names.")
    if not isinstance(options, dict) or not options:
        raise SettingsError(f"{path}: options is {options!r}; it must say what is different, such as {{lr: 0.001}}.")
    # An option is an argument of the optimizer: its name and its value are checked as such.
    checked = blueprint({**optimizer, "init_args": options}, f"{path}.options", (Optimizer,), skip="params", inner="")
    return ParameterGroup(pattern, {name: checked.arguments[name] for name in options})
