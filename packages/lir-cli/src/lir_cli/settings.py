"""From YAML, overrides and flags to settings whose names are resolved and checked, before any model is loaded."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from lir_cli.errors import SettingsError, did_you_mean

Mapped = dict[str, Any]

KEYS = ("trainer", "model", "data", "optimizer", "lr_scheduler", "seed_everything", "datasets")

# What a dataset can be registered with.
_PARTS = ("docs", "queries", "qrels", "scoreddocs", "docpairs")

# Where a class is looked for by its short name.
_MODULES = (
    "lir_models",
    "lir_train",
    "lir_data",
    "lir_index",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "lightning.pytorch.callbacks",
    "lightning.pytorch.loggers",
)
_PAPER = "lightning_ir"

# What may stand beside class_path and init_args, by where.
_BESIDE = (
    (re.compile(r"optimizer"), "groups"),
    (re.compile(r"model(\.init_args)?\.loss_functions\.\d+"), "weight"),
)


def read_yaml(files: Sequence[str]) -> Mapped:
    """Read YAML files and merge them, later ones over earlier ones.

    Raises:
        SettingsError: If a file is missing, is no YAML, or has a key that means nothing.
    """
    merged: Mapped = {}
    for name in files:
        path = Path(name)
        if not path.is_file():
            raise SettingsError(f"There is no file '{name}'.")
        try:
            values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(f"'{name}' is no YAML: {' '.join(str(error).split())}") from None
        if not isinstance(values, dict):
            raise SettingsError(
                f"'{name}' is a {type(values).__name__}; a configuration has the keys {', '.join(KEYS)}."
            )
        for key in values:
            if key not in KEYS:
                raise SettingsError(f"{name}: there is no key '{key}'.{did_you_mean(key, KEYS)}")
        merged = merge(merged, {key: _spelled_out(key, value) for key, value in values.items()})
    return merged


def _spelled_out(key: str, value: Any) -> Any:
    """Spell out the short forms: nothing at all, a class's name alone, and data, which has one class."""
    if key == "seed_everything":
        if value is not None and type(value) is not int:
            raise SettingsError(f"seed_everything is {value!r}; it must be a whole number.")
        return value
    if value is None:
        return {}
    if key in ("model", "data", "optimizer", "lr_scheduler") and isinstance(value, str):
        return {"class_path": value}
    if key == "data" and isinstance(value, dict) and "class_path" not in value:
        return {"class_path": "LightningIRDataModule", "init_args": value}
    if not isinstance(value, dict):
        raise SettingsError(f"{key}: {value!r} has no keys and values.")
    if key == "datasets":
        _check_datasets(value)
    return value


def _check_datasets(datasets: Mapping[Any, Any]) -> None:
    """Refuse what is no mapping from ids to the sources of their parts."""
    for dataset_id, sources in datasets.items():
        path = f"datasets.{dataset_id}"
        if not isinstance(sources, dict):
            raise SettingsError(f"{path} is {sources!r}; it must have keys of {', '.join(_PARTS)}.")
        for part, source in sources.items():
            if part not in _PARTS:
                raise SettingsError(
                    f"{path}: there is no key '{part}'; there are {', '.join(_PARTS)}.{did_you_mean(part, _PARTS)}"
                )
            if not isinstance(source, str):
                raise SettingsError(
                    f"{path}.{part} is {source!r}; it must be a file, a folder or an id of ir_datasets."
                )


def register_datasets(settings: Mapping[str, Any]) -> None:
    """Make the files below ``datasets`` ids of ir_datasets."""
    from lir_data import register_dataset

    for dataset_id, sources in (settings.get("datasets") or {}).items():
        register_dataset(str(dataset_id), **sources)


def merge(base: Any, over: Any) -> Any:
    """Put one configuration over another; a list or another class replaces what was there."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    if "class_path" in over and "class_path" in base and short_name(over) != short_name(base):
        return over
    merged: Mapped = {**base, **over}
    return {key: merge(base[key], over[key]) if key in base and key in over else merged[key] for key in merged}


def short_name(settings: Mapping[str, Any]) -> str:
    """Return the last part of a ``class_path``."""
    return str(settings.get("class_path", "")).rpartition(".")[2]


def has_callback(trainer: Mapping[str, Any], name: str) -> bool:
    """Whether a callback of a class, or of one that is named after it, is among a trainer's."""
    callbacks = trainer.get("callbacks") or []
    return any(short_name(item).endswith(name) for item in (callbacks if isinstance(callbacks, list) else [callbacks]))


def apply_overrides(settings: Mapped, arguments: Sequence[str], flags: Sequence[str] = ()) -> Mapped:
    """Apply ``--trainer.max_steps 100`` and the like; ``init_args`` may be left out, and a number is a place in a list.

    Raises:
        SettingsError: If an argument is no override; the message names the nearest flag.
    """
    words = list(arguments)
    while words:
        word = words.pop(0)
        path, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or path.partition(".")[0] not in KEYS:
            near = did_you_mean(word, [*flags, *(f"--{key}" for key in KEYS)])
            raise SettingsError(f"There is no {'option' if word.startswith('-') else 'argument'} '{word}' here.{near}")
        if not equals:
            if not words:
                raise SettingsError(f"The option '{word}' has no value.")
            value = words.pop(0)
        keys = _keys(path)
        _set(settings, keys, _plain(path, value), path)
        settings[keys[0]] = _spelled_out(keys[0], settings[keys[0]])
    return settings


def _keys(path: str) -> list[str]:
    """Split a dotted key; the id of a dataset may have dots itself."""
    first, *others = path.split(".")
    if first == "datasets" and len(others) > 2:
        others = [".".join(others[:-1]), others[-1]]
    return [first, *others]


def _plain(path: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"--{path}: {text!r} is no YAML: {' '.join(str(error).split())}") from None


def _set(target: Any, keys: list[str], value: Any, path: str) -> None:
    key, *rest = keys
    place: Any = key
    if isinstance(target, list):
        if not key.isdigit() or int(key) >= len(target):
            raise SettingsError(f"--{path}: '{key}' is no place in a list of {len(target)}.")
        place = int(key)
    else:
        here = ".".join(path.split(".")[: -len(keys)])
        if "class_path" in target and key not in _keys_beside(here):
            target = target.setdefault("init_args", {})
        if rest and not isinstance(target.get(key), dict | list):
            target[key] = {}
    if rest:
        _set(target[place], rest, value, path)
    else:
        target[place] = value


def _keys_beside(path: str) -> list[str]:
    """Return the keys that an object may have where it stands."""
    return ["class_path", "init_args", *(key for place, key in _BESIDE if place.fullmatch(path))]


def resolve_classes(value: Any, path: str) -> Any:
    """Give every ``class_path`` its full name, and refuse classes and arguments that do not exist.

    Raises:
        SettingsError: The message names the dotted key and the nearest valid name.
    """
    if isinstance(value, list):
        return [resolve_classes(item, f"{path}.{place}") for place, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "class_path" not in value:
        return {key: resolve_classes(item, f"{path}.{key}") for key, item in value.items()}
    allowed = _keys_beside(path)
    for key in value:
        if key not in allowed:
            raise SettingsError(f"{path}: there is no key '{key}' beside class_path.{did_you_mean(key, allowed)}")
    found = find_class(str(value["class_path"]), path)
    arguments = value.get("init_args") or {}
    check_arguments(found, arguments, f"{path}.init_args")
    name = f"{found.__module__}.{found.__qualname__}"
    beside = {key: value[key] for key in value if key not in ("class_path", "init_args")}
    return {"class_path": name, "init_args": resolve_classes(arguments, f"{path}.init_args"), **beside}


def find_class(name: str, path: str) -> type:
    """Find a class by its short or full name, or by its name in the paper's framework."""
    module, _, short = name.rpartition(".")
    if module and module.partition(".")[0] != _PAPER:
        try:
            return getattr(import_module(module), short)
        except (ImportError, AttributeError):
            raise SettingsError(f"{path}: there is no class '{name}'.{did_you_mean(short, _known())}") from None
    for place in _MODULES:
        found = getattr(import_module(place), short, None)
        if isinstance(found, type):
            return found
    raise SettingsError(f"{path}: there is no class '{name}'.{did_you_mean(short, _known())}")


def _known() -> Iterator[str]:
    for place in _MODULES:
        module = import_module(place)
        names = getattr(module, "__all__", None) or dir(module)
        yield from (name for name in names if name[:1].isupper())


def check_arguments(found: Any, arguments: Mapping[str, Any], path: str) -> None:
    """Refuse arguments that a class does not have, and name the nearest that it has."""
    parameters = inspect.signature(found).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for key in arguments:
        if key not in parameters:
            raise SettingsError(f"{path}: {found.__name__} has no argument '{key}'.{did_you_mean(key, parameters)}")
