"""From resolved settings to objects, innermost first, so that each mistake is told where it is and by whoever finds it.

jsonargparse reads an object's plain values by the type hints of its class. It is given the objects inside as they are:
were it to make them itself, their errors would drown in its own account of what it tried.
"""

import inspect
import types
import typing
from typing import Any, Literal

from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings

from lir_cli.errors import SettingsError, did_you_mean
from lir_cli.settings import Mapped, check_arguments, find_class
from lir_models import BiEncoderConfig, CrossEncoderConfig

_KEY = "made"


class Blueprint:
    """A class with checked arguments, to be made later: a model is, when nothing else can be wrong any more.

    Args:
        found: The class.
        arguments: Its arguments; what has a ``class_path`` inside is made at once.
        path: The dotted key, for errors.
        skip: Parameters that are given when it is made.

    Raises:
        SettingsError: If an argument is missing, or is not what its type hint says.
    """

    def __init__(self, found: type, arguments: Mapped, path: str, *, skip: str | None = None) -> None:
        self.found = found
        hints = _hints(found)
        given = {name: make(_with_class(value, hints.get(name)), f"{path}.{name}") for name, value in arguments.items()}
        # Configs are dataclasses, whose class could otherwise not be chosen.
        set_parsing_settings(subclasses_enabled=[BiEncoderConfig, CrossEncoderConfig])
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(found, _KEY, skip={skip} if skip else None, instantiate=False, sub_configs=True)
        try:
            # A class without arguments leaves nothing behind.
            made = parser.instantiate(parser.parse_object({_KEY: given})).get(_KEY)
        except (ArgumentError, ValueError, TypeError) as error:
            raise SettingsError(_sentence(found, given, path, str(error))) from error
        # jsonargparse marks a name that its namespace has a method of, "keys" for instance, by a space of no width.
        self.arguments: Mapped = {name.lstrip("\u200b"): value for name, value in vars(made).items()} if made else {}

    def make(self, *first: Any) -> Any:
        """Make the object."""
        return self.found(*first, **self.arguments)


def blueprint(
    settings: Any,
    path: str,
    kinds: tuple[type, ...] = (object,),
    *,
    skip: str | None = None,
    inner: str = ".init_args",
) -> Blueprint:
    """Check settings of ``class_path`` and ``init_args``.

    Args:
        settings: The settings.
        path: The dotted key, for errors.
        kinds: What the class must be one of.
        skip: A parameter that is given when the object is made.
        inner: What leads from there to the arguments.

    Raises:
        SettingsError: If the class is another, or an argument is missing or wrong.
    """
    wanted = " or ".join(kind.__name__ for kind in kinds)
    wanted = f"{'an' if wanted[0] in 'AEIOU' else 'a'} {wanted}"
    if not isinstance(settings, dict) or "class_path" not in settings:
        raise SettingsError(f"{path}: there is no class_path; it must name {wanted}.")
    found = find_class(settings["class_path"], path)
    if not issubclass(found, kinds):
        raise SettingsError(f"{path}: the class must be {wanted}; {found.__name__} is none.")
    arguments = settings.get("init_args") or {}
    check_arguments(found, arguments, f"{path}{inner}")
    return Blueprint(found, arguments, f"{path}{inner}", skip=skip)


def make(value: Any, path: str) -> Any:
    """Make whatever has a ``class_path``, the innermost first; anything else stays as it is."""
    if isinstance(value, list):
        return [make(item, f"{path}.{place}") for place, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if "weight" in value and "class_path" in value:
        return _weighted(value, path)
    if "class_path" in value:
        return blueprint(value, path).make()
    return {key: make(item, f"{path}.{key}") for key, item in value.items()}


def _weighted(value: Mapped, path: str) -> tuple[Any, float]:
    """Make a loss that has a weight beside it."""
    weight = value["weight"]
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise SettingsError(f"{path}: weight is {_shown(weight)}; it must be a number.")
    return blueprint(value, path).make(), float(weight)


def _with_class(value: Any, hint: Any) -> Any:
    """Spell out the class of an object that is given by its arguments alone, where only one can be meant."""
    if not isinstance(value, dict) or "class_path" in value:
        return value
    classes = [kind for kind in typing.get_args(hint) or (hint,) if kind is not type(None)]
    if len(classes) != 1 or not isinstance(classes[0], type) or classes[0].__module__ == "builtins":
        return value
    return {"class_path": f"{classes[0].__module__}.{classes[0].__qualname__}", "init_args": value}


def _hints(found: type) -> dict[str, Any]:
    return typing.get_type_hints(found.__init__)


def _sentence(found: type, given: Mapped, path: str, error: str) -> str:
    """Say in one sentence what jsonargparse found wrong."""
    parameters = inspect.signature(found).parameters
    for name, value in given.items():
        if f'"{_KEY}.{name}"' in error and name in parameters:
            hint = _hints(found).get(name, Any)
            near = did_you_mean(value, [item for item in _literals(hint) if isinstance(item, str)])
            return f"{path}: {name} is {_shown(value)}; it must be {_words(hint)}.{near}"
    lacking = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty and name not in given and f"{_KEY}.{name}" in error
    ]
    if lacking:
        return f"{path}: {found.__name__} needs {' and '.join(lacking)}."
    return f"{path}: {' '.join(error.replace(f'{_KEY}.', '').split())}"


def _shown(value: Any) -> str:
    if isinstance(value, bool | int | float | dict) or value is None:
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return f"'{value}'" if isinstance(value, str) else f"a {type(value).__name__}"


def _words(hint: Any) -> str:
    """Say what a type hint allows."""
    choices = list(dict.fromkeys(_choices(hint)))
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _choices(hint: Any) -> list[str]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return [choice for item in inner for choice in _choices(item)]
    if origin is Literal:
        return [repr(item) for item in inner]
    if hint is type(None):
        return ["null"]
    if isinstance(origin, type) and inner and not issubclass(origin, tuple):
        return [f"a list of {_words(inner[0])}" if len(inner) == 1 else origin.__name__]
    return [_PLAIN.get(hint, getattr(hint, "__name__", str(hint)))]


_PLAIN: dict[Any, str] = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def _literals(hint: Any) -> list[Any]:
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    return [item for inner in typing.get_args(hint) for item in _literals(inner)]
