"""Plain values of a configuration, as the annotations of arguments want them; nothing here imports or makes anything."""

import re
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import Enum
from pathlib import Path, PurePath
from typing import Any, Literal

from lir_cli.annotations import in_words, texts_in
from lir_cli.errors import did_you_mean

# YAML reads 1e-5, which has no point, as a text.
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_WHOLE_NUMBER = re.compile(r"[-+]?\d{1,18}")
_DURATION = re.compile(r"(?:(\d+) days?, )?(\d+):(\d{2}):(\d{2})")


class Unfit(Exception):  # noqa: N818 - not told as it is: what it says becomes a part of a sentence
    """A value is not what an annotation allows.

    Args:
        value: The value, or the class of the object that it names.
        hint: The annotation.
        path: The dotted key.
    """

    def __init__(self, value: Any, hint: Any, path: str) -> None:
        super().__init__(path)
        self.value = value
        self.hint = hint
        self.path = path

    def sentence(self, before: str) -> str:
        """Say so, with the key as it is after ``before``."""
        near = did_you_mean(self.value, texts_in(self.hint)) if isinstance(self.value, str) else ""
        return f"{self.path.removeprefix(before)} is {_shown(self.value)}; it must be {in_words(self.hint)}.{near}"


def plain(value: Any, choice: Any, path: str, *, exactly: bool) -> Any:
    """Make a value what one annotation, which is no union, allows.

    Args:
        value: The value.
        choice: The annotation.
        path: The dotted key, for errors.
        exactly: Whether the value must be of that type already; if not, what can only mean it is taken too.

    Raises:
        Unfit: If it is something else.
    """
    kind = typing.get_origin(choice) or choice
    if kind is Literal:
        if any(type(item) is type(value) and item == value for item in typing.get_args(choice)):
            return value
    elif kind in (type(None), bool, int, float, str):
        if type(value) is kind:
            return value
        if not exactly and kind in (int, float):
            return _number(value, kind, choice, path)
    elif isinstance(kind, type) and not exactly:
        return _made(value, kind, choice, path)
    raise Unfit(value, choice, path)


def _number(value: Any, kind: type, choice: Any, path: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if isinstance(value, str) and (_NUMBER if kind is float else _WHOLE_NUMBER).fullmatch(value):
        return kind(value)
    raise Unfit(value, choice, path)


def _made(value: Any, kind: type, choice: Any, path: str) -> Any:
    """Make what has a form of its own in a file: paths, durations, names of an enumeration."""
    if isinstance(value, str) and issubclass(kind, PurePath):
        return Path(value)
    if isinstance(value, str) and kind.__name__ == "PathLike":
        return value
    if isinstance(value, str) and issubclass(kind, Enum) and value in kind.__members__:
        return kind[value]
    if isinstance(value, str) and kind is timedelta and (found := _DURATION.fullmatch(value)):
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if isinstance(value, dict) and kind is timedelta:
        try:
            return timedelta(**value)
        except (TypeError, OverflowError):
            raise Unfit(value, choice, path) from None
    raise Unfit(value, choice, path)


def is_mapping(choice: Any) -> bool:
    """Whether an annotation is of keys and values."""
    return _origin(choice) in (dict, Mapping, typing.get_origin(typing.MutableMapping))


def is_tuple(choice: Any) -> bool:
    """Whether an annotation is of a tuple."""
    return _origin(choice) is tuple


def is_list(choice: Any) -> bool:
    """Whether an annotation is of something that a list will do for."""
    return _origin(choice) in (list, Sequence, Iterable, Collection)


def items_of(choice: Any) -> tuple[Any, ...]:
    """Return the annotations of what is in a list, a tuple, or keys and values."""
    return typing.get_args(choice) or ((Any, ...) if _origin(choice) is tuple else (Any,))


def _origin(choice: Any) -> Any:
    return typing.get_origin(choice) or choice


def _shown(value: Any) -> str:
    if isinstance(value, bool | int | float) or value is None:
        return str(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_shown(item)}' for key, item in value.items())}}}"
    return f"a {value.__name__}" if isinstance(value, type) else f"'{value}'"
