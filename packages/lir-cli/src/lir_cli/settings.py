"""From YAML, overrides and flags to one configuration, which is plain data: which class a name means is asked later."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lir_cli.errors import SettingsError, did_you_mean
from lir_cli.recipe import PREFIX, read_recipe

Mapped = dict[str, Any]

KEYS = ("trainer", "model", "data", "optimizer", "lr_scheduler", "seed_everything", "datasets")

# What a dataset can be registered with.
_PARTS = ("docs", "queries", "qrels", "scoreddocs", "docpairs")

# Arguments of callbacks that have a class themselves, which the commands look into.
_CONFIGS = ("index_config", "search_config")

# Far beyond any configuration, and far below what would fill the memory.
_MAX_DEPTH = 100
_MAX_VALUES = 100_000

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
        values = load(_text(name), f"'{name}'") or {}
        if not isinstance(values, dict):
            raise SettingsError(
                f"'{name}' is a {type(values).__name__}; a configuration has the keys {', '.join(KEYS)}."
            )
        for key in values:
            if key not in KEYS:
                raise SettingsError(f"{name}: there is no key '{key}'.{did_you_mean(key, KEYS)}")
        _refuse_remote_code(values, name)
        for key, value in values.items():
            spelled = _spelled_out(key, value)
            # The id of a dataset may end with a plus, which elsewhere means that a list is appended to.
            merged[key] = {**merged.get(key, {}), **spelled} if key == "datasets" else merge(merged.get(key), spelled)
    return {key: _settled(key, value) for key, value in merged.items()}


def _text(name: str) -> str:
    if name.startswith(PREFIX):
        return read_recipe(name.removeprefix(PREFIX))
    if not Path(name).is_file():
        raise SettingsError(f"There is no file '{name}'.", hint=f"recipes of lir are named {PREFIX}NAME")
    try:
        return Path(name).read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"'{name}' is no YAML: {error}") from None


def load(text: str, name: str) -> Any:
    """Read YAML: plain values, lists and mappings, of a size and a depth that a configuration can have.

    Args:
        text: The YAML.
        name: What it is, for errors.

    Raises:
        SettingsError: If it is no YAML, or too much of it.
    """
    try:
        value = yaml.safe_load(text)
        _size(value, name, (), {})
    except RecursionError:
        raise _too_deep(name) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date that is none, a number of 5,000 digits
        raise SettingsError(f"{name} is no YAML: {' '.join(str(error).split())}") from None
    return value


def _size(value: Any, name: str, above: tuple[int, ...], known: dict[int, int]) -> int:
    """Count values with all aliases spelled out: nine of them, one inside the other, can stand for billions."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) in above:
        raise SettingsError(f"{name} has an alias that is inside of itself.")
    if len(above) == _MAX_DEPTH:
        raise _too_deep(name)
    if id(value) not in known:
        inner = (*above, id(value))
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(item, name, inner, known) for item in items)
        if known[id(value)] > _MAX_VALUES:
            raise SettingsError(f"{name} has more than {_MAX_VALUES:,} values, its aliases spelled out.")
    return known[id(value)]


def _too_deep(name: str) -> SettingsError:
    return SettingsError(f"{name} is nested more than {_MAX_DEPTH} levels deep.")


def _refuse_remote_code(value: Any, name: str) -> None:
    """Refuse to let a file say that the Python code of a model is run."""
    if isinstance(value, dict):
        if value.get("trust_remote_code", False) not in (False, None):
            raise SettingsError(
                f"{name}: trust_remote_code runs Python code that comes with a model, and a file cannot allow that.",
                hint="--model.model_kwargs.trust_remote_code true, on the command line, does",
            )
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        _refuse_remote_code(item, name)


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
    elif key != "trainer":
        _check_arguments(value, key)
    return value


def _check_arguments(value: Mapped, path: str) -> None:
    if not isinstance(value.get("init_args") or {}, dict):
        raise SettingsError(f"{path}.init_args is {value['init_args']!r}; it must be arguments and their values.")


def _settled(key: str, value: Any) -> Any:
    """Append what is left to append, and make callbacks a list of what has a ``class_path``, for the commands look into it."""
    if key == "trainer":
        value = merge({}, value)
        if value.get("callbacks"):
            found = value["callbacks"] if isinstance(value["callbacks"], list) else [value["callbacks"]]
            named = [_with_class_path(item, f"trainer.callbacks.{place}") for place, item in enumerate(found)]
            value = {**value, "callbacks": named}
    return value if key in ("seed_everything", "datasets") else merge({}, value)


def _with_class_path(value: Any, path: str) -> Mapped:
    """Spell out a callback, and the configs among its arguments, that are given by the name of a class alone."""
    if isinstance(value, str):
        return {"class_path": value}
    if not isinstance(value, dict):
        raise SettingsError(f"{path} is {value!r}; it must have a class_path and init_args.")
    _check_arguments(value, path)
    arguments = dict(value.get("init_args") or {})
    for name in _CONFIGS:
        if arguments.get(name) is not None:
            arguments[name] = _with_class_path(arguments[name], f"{path}.init_args.{name}")
    return {**value, "init_args": arguments} if arguments else value


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
            names = source if isinstance(source, list) and source else [source]
            if not all(isinstance(name, str) for name in names):
                raise SettingsError(
                    f"{path}.{part} is {source!r}; it must be a file, a list of files, a folder or an id of ir_datasets."
                )


def register_datasets(settings: Mapping[str, Any]) -> None:
    """Make the files below ``datasets`` ids of ir_datasets."""
    from lir_data import register_dataset

    for dataset_id, sources in (settings.get("datasets") or {}).items():
        register_dataset(str(dataset_id), **sources)


def merge(base: Any, over: Any) -> Any:
    """Put one configuration over another; a list or another class replaces what was there.

    ``callbacks+`` appends to the list ``callbacks``, as in jsonargparse.
    """
    if isinstance(over, list):
        return [merge({}, item) for item in over]
    if not isinstance(over, dict):
        return over
    if not isinstance(base, dict):
        base = {}
    if "class_path" in over and "class_path" in base and short_name(over) != short_name(base):
        base = {}
    merged: Mapped = dict(base)
    for key, value in over.items():
        name = str(key)
        if name.endswith("+"):
            merged[name[:-1]] = [*_listed(merged.get(name[:-1])), *_listed(merge({}, value))]
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def short_name(settings: Mapping[str, Any]) -> str:
    """Return the last part of a ``class_path``."""
    return str(settings.get("class_path", "")).rpartition(".")[2]


def has_callback(trainer: Mapping[str, Any], name: str) -> bool:
    """Whether a callback of a class, or of one that is named after it, is among a trainer's."""
    callbacks = trainer.get("callbacks") or []
    return any(short_name(item).endswith(name) for item in (callbacks if isinstance(callbacks, list) else [callbacks]))


def check_overrides(arguments: Sequence[str], flags: Sequence[str] = ()) -> list[tuple[str, Any]]:
    """Read ``--trainer.max_steps 100`` and the like as dotted keys and values.

    Args:
        arguments: What the command does not know as its own.
        flags: What it does, for the nearest name.

    Raises:
        SettingsError: If an argument is no override; the message names the nearest flag.
    """
    words = list(arguments)
    found: list[tuple[str, Any]] = []
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
        if path.count(".") > _MAX_DEPTH:
            raise _too_deep(f"'{word[:40]}...'")
        found.append((path, load(value, f"--{path}: {value!r}")))
    return found


def apply_overrides(settings: Mapped, arguments: Sequence[str], flags: Sequence[str] = ()) -> Mapped:
    """Apply ``--trainer.max_steps 100`` and the like.

    ``init_args`` may be left out; a number is a place in a list, and a name there is of the last that is in it; a plus at
    the end, as in ``--trainer.callbacks+ ModelCheckpoint``, appends.

    Raises:
        SettingsError: If an argument is no override; the message names the nearest flag.
    """
    for path, value in check_overrides(arguments, flags):
        keys = _keys(path)
        _set(settings, keys, value, path)
        settings[keys[0]] = _settled(keys[0], _spelled_out(keys[0], settings[keys[0]]))
    return settings


def _keys(path: str) -> list[str]:
    """Split a dotted key; the id of a dataset may have dots itself."""
    first, *others = path.split(".")
    if first == "datasets" and len(others) > 2:
        others = [".".join(others[:-1]), others[-1]]
    return [first, *others]


def _set(target: Any, keys: list[str], value: Any, path: str) -> None:
    key, *rest = keys
    place: Any = key
    if isinstance(target, list):
        if not key.isdigit() and target and isinstance(target[-1], dict):
            return _set(target[-1], keys, value, path)
        if not key.isdigit() or int(key) >= len(target):
            raise SettingsError(f"--{path}: '{key}' is no place in a list of {len(target)}.")
        place = int(key)
    else:
        here = ".".join(path.split(".")[: -len(keys)])
        if "class_path" in target and key not in keys_beside(here):
            target = target.setdefault("init_args", {})
        if rest and not isinstance(target.get(key), dict | list):
            target[key] = {}
    if rest:
        _set(target[place], rest, value, path)
    else:
        target[place] = value
    return None


def keys_beside(path: str) -> list[str]:
    """Return the keys that an object may have where it stands."""
    return ["class_path", "init_args", *(key for place, key in _BESIDE if place.fullmatch(path))]
