"""From settings to objects: every name and type is checked first, and nothing is made before it is asked for."""

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from lir_cli.class_names import find_class, short_names
from lir_cli.errors import SettingsError, did_you_mean


@dataclass(frozen=True)
class Recipe:
    """A class and the arguments to make it with; arguments may hold recipes.

    Args:
        made_class: The class.
        arguments: Its arguments, checked.
        key: The dotted name of the place that it came from.
    """

    made_class: type[Any]
    arguments: dict[str, Any]
    key: str

    def make(self, **more: Any) -> Any:
        """Make the object, its parts first."""
        return self.made_class(**made(self.arguments), **more)


def made(value: Any) -> Any:
    """Replace every recipe inside a value by what it makes."""
    if isinstance(value, Recipe):
        return value.make()
    if isinstance(value, dict):
        return {key: made(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(made(item) for item in value)
    return value


def class_recipe(value: Any, expected: type[Any], key: str, *, given_later: tuple[str, ...] = ()) -> Recipe:
    """Check a mapping of ``class_path`` and ``init_args``.

    Args:
        value: The mapping, or the name of a class alone.
        expected: The class must be this one, or an heir.
        key: The dotted name of the place.
        given_later: Arguments that are not for the settings to give, such as an optimizer's parameters.

    Raises:
        SettingsError: If a class, a key or a type is wrong.
    """
    return _recipe(value, (expected,), key, given_later)


def function_arguments(function: Callable[..., Any], values: Any, key: str) -> dict[str, Any]:
    """Check a mapping of arguments.

    Raises:
        SettingsError: If a key or a type is wrong.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"{key} is {values!r}, and must be a mapping.")
    parameters, takes_any = _parameters(function)
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        if name not in parameters and not takes_any:
            near = did_you_mean(name, parameters)
            raise SettingsError(f"There is no setting '{key}.{name}'.{near}")
        hint = parameters[name][0] if name in parameters else Any
        arguments[str(name)] = _checked(value, hint, f"{key}.{name}")
    return arguments


def _recipe(value: Any, expected: tuple[type, ...], key: str, given_later: tuple[str, ...] = ()) -> Recipe:
    node: Any = {"class_path": value} if isinstance(value, str) else value
    if isinstance(node, Mapping) and "class_path" not in node and len(expected) == 1 and _is_config(expected[0]):
        node = {"class_path": f"{expected[0].__module__}.{expected[0].__qualname__}", "init_args": node}
    if not isinstance(node, Mapping) or "class_path" not in node:
        names = ", ".join(short_names(expected)[:8])
        raise SettingsError(f"{key} needs a class_path, the name of a class: {names}.")
    for name in node:
        if name not in ("class_path", "init_args"):
            near = did_you_mean(name, ("class_path", "init_args")) or " Arguments of the class stand in init_args."
            raise SettingsError(f"There is no setting '{key}.{name}'.{near}")
    found = find_class(node["class_path"], expected, f"{key}.class_path")
    arguments = node.get("init_args") or {}
    later = [name for name in given_later if name in arguments]
    if later:
        raise SettingsError(f"{key}.init_args.{later[0]} is not for the settings to give.")
    checked = function_arguments(found.__init__, arguments, f"{key}.init_args")
    for name, (_, is_required) in _parameters(found.__init__)[0].items():
        if is_required and name not in checked and name not in given_later:
            raise SettingsError(f"{key}.init_args.{name} is missing; {found.__name__} needs it.")
    return Recipe(found, checked, key)


def _is_config(kind: type) -> bool:
    """Whether a class is given by its fields alone, without a name."""
    return hasattr(kind, "__dataclass_fields__")


def _parameters(function: Callable[..., Any]) -> tuple[dict[str, tuple[Any, bool]], bool]:
    """Return type and need of each argument by name, and whether any other name is taken too."""
    try:
        hints = get_type_hints(function)
    except (NameError, TypeError):
        hints = {}
    found: dict[str, tuple[Any, bool]] = {}
    takes_any = False
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
            continue
        found[name] = (hints.get(name, Any), parameter.default is parameter.empty)
    return found, takes_any


def _checked(value: Any, hint: Any, key: str) -> Any:
    """Return the value with recipes in place of classes, and the rest in the type that is wanted."""
    classes = _classes_in(hint)
    if classes and _holds_classes(value, hint):
        if isinstance(value, list):
            # An inner list, a loss and its weight, is a pair.
            items = [_checked_item(item, hint, f"{key}.{place}") for place, item in enumerate(value)]
            if not _takes_many(hint):
                wanted = " or ".join(kind.__name__ for kind in classes)
                raise SettingsError(f"{key} is a list, and must be one {wanted}.")
            return items
        if isinstance(value, Mapping | str):
            recipe = _recipe(value, classes, key)
            if not _takes_one(hint):
                return [recipe]
            return recipe
    return _typed(value, hint, key)


def _checked_item(value: Any, hint: Any, key: str) -> Any:
    if isinstance(value, list):
        return tuple(_checked_item(item, hint, f"{key}.{place}") for place, item in enumerate(value))
    if isinstance(value, Mapping | str):
        return _recipe(value, _classes_in(hint), key)
    return value


def _holds_classes(value: Any, hint: Any) -> bool:
    if isinstance(value, Mapping):
        return "class_path" in value or dict not in _members(hint)
    if isinstance(value, list):
        return any(isinstance(item, Mapping | str | list) for item in value)
    return isinstance(value, str) and not any(member is str or get_origin(member) is Literal for member in _members(hint))


def _members(hint: Any) -> list[Any]:
    """Return the types of a union, the origin in place of a generic one."""
    if get_origin(hint) in (Union, types.UnionType):
        return [member for part in get_args(hint) for member in _members(part)]
    origin = get_origin(hint)
    return [hint if origin is None or origin is Literal else origin]


def _takes_one(hint: Any) -> bool:
    return any(isinstance(member, type) and member in _classes_in(hint) for member in _members(hint))


def _takes_many(hint: Any) -> bool:
    return any(isinstance(member, type) and member.__module__ in ("builtins", "collections.abc") for member in _members(hint) if member not in (str, int, float, bool, type(None)))


def _classes_in(hint: Any) -> tuple[type, ...]:
    """Return the classes in a type that settings name by ``class_path``."""
    found: list[type] = []
    for member in get_args(hint) or (hint,):
        if get_origin(hint) is Literal:
            continue
        if member is not hint and get_args(member):
            found += _classes_in(member)
        elif isinstance(member, type) and member.__module__.partition(".")[0] not in _PLAIN:
            found.append(member)
    return tuple(dict.fromkeys(found))


# Where the types come from that YAML writes as they are.
_PLAIN = ("builtins", "collections", "datetime", "pathlib", "typing", "types", "torch", "os")


def _typed(value: Any, hint: Any, key: str) -> Any:
    """Let jsonargparse check a value, and bring it into the type that is wanted."""
    from jsonargparse import ArgumentError, ArgumentParser

    if hint is Any:
        return value
    parser = ArgumentParser(exit_on_error=False)
    try:
        parser.add_argument("--value", type=hint)
    except ValueError:
        return value  # a type that jsonargparse does not know; the class itself will see
    for attempt in (value, str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else (value,):
        try:
            return parser.parse_object({"value": attempt})["value"]
        except (ArgumentError, TypeError):
            continue
    choices = [choice for member in _members(hint) if get_origin(member) is Literal for choice in get_args(member)]
    near = did_you_mean(value, [str(choice) for choice in choices])
    raise SettingsError(f"{key} is {value!r}, and must be {_readable(hint)}.{near}") from None


def _readable(hint: Any) -> str:
    names: list[str] = []
    for member in get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,):
        if get_origin(member) is Literal:
            names += [repr(choice) for choice in get_args(member)]
        elif member is type(None):
            names.append("null")
        elif get_args(member):
            inner = ", ".join(_readable(part) for part in get_args(member) if part is not Ellipsis)
            names.append(f"{getattr(get_origin(member), '__name__', member)} of {inner}")
        else:
            names.append({"str": "text", "bool": "true or false"}.get(member.__name__, member.__name__))
    return " or ".join(dict.fromkeys(names))
