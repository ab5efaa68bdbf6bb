"""From a configuration to objects: all of it is checked first, then the innermost objects are made, then those around them.

An object is made only where the annotation of an argument asks for one, and only of a class that the annotation allows.
Anywhere else a configuration is plain data, and data it stays.
"""

import inspect
from typing import Any

from lir_cli.annotations import ANYTHING, alternatives, arguments_of, in_words, kinds_in
from lir_cli.classes import find_class, full_name, is_one_of
from lir_cli.errors import SettingsError, did_you_mean, is_ours
from lir_cli.settings import Mapped, keys_beside
from lir_cli.values import Unfit, is_list, is_mapping, is_tuple, items_of, plain


class Blueprint:
    """A class with checked arguments, to be made later: a model is, when nothing else can be wrong any more.

    Args:
        found: The class.
        arguments: Its arguments.
        path: The dotted key, for errors.
        skip: A parameter that is given when it is made.

    Raises:
        SettingsError: If an argument is missing, is unknown, or is not what its annotation says.
    """

    def __init__(self, found: type, arguments: Any, path: str, *, skip: str | None = None) -> None:
        self.found = found
        self.path = path
        allowed = arguments_of(found, skip=skip)
        self.arguments: Mapped = {}
        for name, value in _mapped(arguments, path).items():
            if name not in allowed.named and not (allowed.takes_others and isinstance(name, str)):
                elsewhere = getattr(found, "elsewhere", {}).get(name)
                near = f" {elsewhere}" if elsewhere else did_you_mean(name, allowed.named)
                raise SettingsError(f"{path}: {found.__name__} has no argument '{name}'.{near}")
            hint = allowed.named[name].hint if name in allowed.named else Any
            try:
                self.arguments[name] = fitted(value, _known_better(found, name, hint), f"{path}.{name}")
            except Unfit as error:
                raise SettingsError(f"{path}: {error.sentence(f'{path}.')}") from None
        lacking = [name for name, one in allowed.named.items() if one.is_required and name not in self.arguments]
        if lacking:
            raise SettingsError(f"{path}: {found.__name__} needs {' and '.join(lacking)}.")

    def prepare(self) -> "Blueprint":
        """Make the objects among the arguments, so that what they refuse is told before this one is made."""
        self.arguments = {name: made(value) for name, value in self.arguments.items()}
        return self

    def make(self, *first: Any) -> Any:
        """Make the object."""
        arguments = self.prepare().arguments
        try:
            return self.found(*first, **arguments)
        except Exception as error:
            if is_ours(error) or self.found.__module__.startswith("lir_"):
                raise
            reason = " ".join(str(error).split()) or type(error).__name__
            raise SettingsError(f"{self.path}: {self.found.__name__} refuses its arguments: {reason}") from error


def blueprint(
    settings: Any,
    path: str,
    kinds: tuple[type, ...],
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
    allowed = keys_beside(path)
    for key in settings:
        if key not in allowed:
            raise SettingsError(f"{path}: there is no key '{key}' beside class_path.{did_you_mean(key, allowed)}")
    found = find_class(settings["class_path"], path, kinds)
    if not is_one_of(found, kinds):
        raise SettingsError(f"{path}: the class must be {wanted}; {found.__name__} is none.")
    return Blueprint(found, settings.get("init_args"), f"{path}{inner}", skip=skip)


def made(value: Any) -> Any:
    """Make the objects that are planned in a value; anything else stays as it is."""
    if isinstance(value, Blueprint):
        return value.make()
    if isinstance(value, dict):
        return {key: made(item) for key, item in value.items()}
    return type(value)(map(made, value)) if type(value) in (list, tuple) else value


def fitted(value: Any, hint: Any, path: str) -> Any:
    """Make a value of a configuration what an annotation allows, with blueprints in the places of objects.

    Args:
        value: The value.
        hint: The annotation.
        path: The dotted key, for errors.

    Raises:
        SettingsError: If a class is named where none is wanted, or one that is not wanted.
        Unfit: If the value is of another type.
    """
    choices = alternatives(hint)
    if any(choice in ANYTHING for choice in choices):
        return _data(value, path)
    kinds = kinds_in(hint)
    if isinstance(value, dict) and "class_path" in value:
        return _planned(value, hint, kinds, path)
    unfit = Unfit(value, hint, path)
    for exactly in (True, False):
        for choice in choices:
            try:
                return _as(value, choice, path, exactly=exactly)
            except Unfit as error:
                # Of a list in which one value is wrong, that one is told of.
                unfit = error if error.path != path else unfit
    if isinstance(value, str) and kinds:
        return _planned({"class_path": value}, hint, kinds, path)
    if isinstance(value, dict) and len(kinds) == 1:
        # Only one class can be meant.
        return _planned({"class_path": full_name(kinds[0]), "init_args": value}, hint, kinds, path)
    raise unfit


def _as(value: Any, choice: Any, path: str, *, exactly: bool) -> Any:
    """Make a value what one alternative of an annotation allows."""
    items = items_of(choice)
    if isinstance(value, dict) and is_mapping(choice):
        return {key: fitted(item, items[-1], f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, list) and is_tuple(choice):
        if items[-1] is not ... and len(items) != len(value):
            raise Unfit(value, choice, path)
        hints = [items[0]] * len(value) if items[-1] is ... else items
        return tuple(fitted(item, one, f"{path}.{n}") for n, (item, one) in enumerate(zip(value, hints, strict=True)))
    if isinstance(value, list) and is_list(choice):
        return [fitted(item, items[0], f"{path}.{n}") for n, item in enumerate(value)]
    return plain(value, choice, path, exactly=exactly)


def _planned(value: Mapped, hint: Any, kinds: tuple[type, ...], path: str) -> Any:
    """Plan an object of a class that the annotation allows."""
    if not kinds:
        raise SettingsError(
            f"{path} names the class '{value['class_path']}'; it must be {in_words(hint)}, and no object is made there."
        )
    allowed = keys_beside(path)
    for key in value:
        if key not in allowed:
            raise SettingsError(f"{path}: there is no key '{key}' beside class_path.{did_you_mean(key, allowed)}")
    found = find_class(value["class_path"], path, kinds)
    if not is_one_of(found, kinds):
        raise Unfit(found, hint, path)
    if inspect.isabstract(found):
        raise SettingsError(f"{path}: {found.__name__} is what all of its kind share; name one of them.")
    planned = Blueprint(found, value.get("init_args"), f"{path}.init_args")
    if "weight" not in value:
        return planned
    weight = value["weight"]
    if isinstance(weight, bool) or not isinstance(weight, int | float):
        raise SettingsError(f"{path}: weight is {weight!r}; it must be a number.")
    return planned, float(weight)


def _data(value: Any, path: str) -> Any:
    """Refuse a class where an annotation allows any value; what is made there nobody could tell."""
    if isinstance(value, dict):
        if "class_path" in value:
            raise SettingsError(f"{path} names the class '{value['class_path']}', and no object is made there.")
        return {key: _data(item, f"{path}.{key}") for key, item in value.items()}
    return [_data(item, f"{path}.{n}") for n, item in enumerate(value)] if isinstance(value, list) else value


def _mapped(arguments: Any, path: str) -> dict[Any, Any]:
    if arguments is None:
        return {}
    if not isinstance(arguments, dict):
        raise SettingsError(f"{path} is {arguments!r}; it must be arguments and their values.")
    return arguments


def _known_better(found: type, name: str, hint: Any) -> Any:
    """Return the annotation of an argument: peft is an extra, so that lir's modules cannot name its class themselves."""
    if name != "adapter" or not found.__module__.startswith("lir_train."):
        return hint
    try:
        from peft import PeftConfig
    except ImportError:
        return dict[str, Any] | None
    return PeftConfig | dict[str, Any] | None
