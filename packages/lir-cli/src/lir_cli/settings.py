"""The settings of a stage as one mapping: YAML files, then flags, then options with dots, each over those before."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from lir_cli.errors import SettingsError, did_you_mean

SECTIONS = ("trainer", "model", "data", "optimizer", "lr_scheduler", "seed_everything")

Values = dict[str, Any]


class Settings:
    """What a stage was told, not yet looked at.

    Args:
        values: The mapping, by section.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: Values = {}
        self.merge(values or {})

    @classmethod
    def read(cls, paths: Iterable[str | Path]) -> Self:
        """Read YAML files; a later one wins.

        Raises:
            SettingsError: If a file is missing, no YAML, or no mapping.
        """
        settings = cls()
        for path in paths:
            settings.merge(_read_yaml(Path(path)))
        return settings

    def merge(self, values: Mapping[str, Any]) -> None:
        """Put values over those that are there; mappings are merged, anything else is replaced."""
        for section in values:
            check_section(str(section))
        _merge(self.values, values)

    def override(self, overrides: Iterable[tuple[str, str]]) -> None:
        """Apply options with dots, such as ``trainer.max_steps`` and ``100``.

        The parts of the name lead through the mapping; ``init_args`` may be left out, and a number is a place in a
        list.

        Raises:
            SettingsError: If the name leads nowhere.
        """
        for key, text in overrides:
            check_section(key.split(".")[0])
            self.set(key, _parse(text, f"--{key}"))

    def set(self, key: str, value: Any) -> None:
        """Set one value by its dotted name."""
        *parents, last = key.split(".")
        place: Any = self.values
        for depth, part in enumerate(parents):
            place = _step(place, part, ".".join(parents[:depth]))
        if isinstance(place, list):
            place[_position(place, last, ".".join(parents))] = value
            return
        target = _arguments(place) if _is_argument(place, last) else place
        if isinstance(target.get(last), dict) and isinstance(value, dict):
            _merge(target[last], value)
        elif isinstance(target.get(last), dict) and "class_path" in target[last] and isinstance(value, str):
            target[last] = {"class_path": value}
        else:
            target[last] = value

    def get(self, key: str) -> Any:
        """Return the value of a dotted name, or None."""
        place: Any = self.values
        for part in key.split("."):
            if isinstance(place, Mapping) and _is_argument(place, part):
                place = place.get("init_args") or {}
            place = place.get(part) if isinstance(place, Mapping) else None
        return place

    def callback(self, class_name: str, required: str, **arguments: Any) -> None:
        """Set arguments of the trainer's callback of a class; it is added where there is none."""
        given = {name: value for name, value in arguments.items() if value is not None}
        found = self.get("trainer.callbacks") or []
        callbacks: list[Any] = found if isinstance(found, list) else [found]
        self.values.setdefault("trainer", {})["callbacks"] = callbacks
        for callback in callbacks:
            if _short(callback) == class_name:
                callback["init_args"] = {**(callback.get("init_args") or {}), **given}
                return
        if required in given:
            callbacks.append({"class_path": class_name, "init_args": given})

    def dataset(self, class_name: str, required: str, **arguments: Any) -> None:
        """Set arguments of the one inference dataset; another class or number of datasets is replaced."""
        given = {name: value for name, value in arguments.items() if value is not None}
        if not given:
            return
        found = self.get("data.inference_datasets") or []
        if len(found) == 1 and _short(found[0]) == class_name:
            found[0]["init_args"] = {**(found[0].get("init_args") or {}), **given}
        elif required in given:
            self.set("data.inference_datasets", [{"class_path": class_name, "init_args": given}])


def check_section(name: str) -> None:
    """Refuse a section that there is not."""
    if name not in SECTIONS:
        near = did_you_mean(name, SECTIONS) or f" There are {', '.join(SECTIONS)}."
        raise SettingsError(f"There is no setting '{name}'.{near}")


def split_overrides(arguments: Sequence[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Take options with dots (``--trainer.max_steps 100``) out of a command line.

    Returns:
        Names and values, and the arguments that are left.

    Raises:
        SettingsError: If an option has no value.
    """
    overrides: list[tuple[str, str]] = []
    rest: list[str] = []
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return overrides, [*rest, argument, *waiting]
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--") or ("." not in name and name != "seed_everything"):
            rest.append(argument)
            continue
        check_section(name.split(".")[0])
        if not equals:
            if not waiting:
                raise SettingsError(f"The option --{name} has no value.")
            value = waiting.pop(0)
        overrides.append((name, value))
    return overrides, rest


def _read_yaml(path: Path) -> Values:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"The settings '{path}' cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings '{path}' are no UTF-8 ({error.reason}).") from None
    values = _parse(text, str(path))
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: it is no mapping of {', '.join(SECTIONS)}.")
    for section in values:
        if section not in SECTIONS:
            near = did_you_mean(section, SECTIONS) or f" There are {', '.join(SECTIONS)}."
            raise SettingsError(f"{path}: there is no setting '{section}'.{near}")
    return values


def _parse(text: str, place: str) -> Any:
    """Read YAML, as jsonargparse does: ``1e-5`` is a number."""
    from jsonargparse import get_loader
    from yaml import YAMLError

    try:
        return get_loader("yaml")(text)
    except YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise SettingsError(f"{place}{where}: it is no YAML ({problem}).") from None


def _merge(target: Values, values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        there = target.get(key)
        if isinstance(there, dict) and isinstance(value, Mapping):
            if value.get("class_path", there.get("class_path")) != there.get("class_path"):
                # Another class has other arguments.
                there.pop("init_args", None)
            _merge(there, value)
        else:
            target[key] = _copy(value)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _is_argument(place: Any, name: str) -> bool:
    """Whether a name means an argument of a class, ``init_args`` being left out."""
    return "class_path" in place and name not in ("class_path", "init_args")


def _arguments(place: Values) -> Values:
    if not isinstance(place.get("init_args"), dict):
        place["init_args"] = {}
    return place["init_args"]


def _step(place: Any, part: str, path: str) -> Any:
    if isinstance(place, list):
        found = place[_position(place, part, path)]
    else:
        if _is_argument(place, part):
            place = _arguments(place)
        if isinstance(place.get(part), str) and part[:1].isalpha():
            # A class given by name alone, whose arguments come now.
            place[part] = {"class_path": place[part]}
        elif place.get(part) is None:
            place[part] = {}
        found = place[part]
    if not isinstance(found, dict | list):
        raise SettingsError(f"{path}.{part} is {found!r}, so there is nothing in it to set.".lstrip("."))
    return found


def _position(place: list[Any], part: str, path: str) -> int:
    if not part.isdigit() or int(part) >= len(place):
        raise SettingsError(f"{path} is a list of {len(place)}, counted from 0; '{part}' is none of its places.")
    return int(part)


def _short(node: Any) -> str | None:
    return str(node["class_path"]).rpartition(".")[2] if isinstance(node, dict) and "class_path" in node else None
