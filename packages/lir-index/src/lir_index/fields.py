"""JSON that a stranger may have written: each value is looked at before it is used, and errors name the file."""

import json
import math
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, cast

from lir_index.errors import DamagedIndexError, LirIndexError

# Deeper than anything that lir writes, and far from where Python's own recursion ends.
_DEEPEST = 64


class Fields(Mapping[str, Any]):
    """The values of a JSON object, read by what each of them has to be.

    Args:
        path: The file, for error messages.
        values: The object.
        place: Where it is in the file, for error messages: ``segments[0].``
        error: What is raised.

    Raises:
        DamagedIndexError: If ``values`` is no object; and by each method if the value is missing or another.
    """

    def __init__(
        self, path: Path, values: object, place: str = "", error: type[LirIndexError] = DamagedIndexError
    ) -> None:
        self._path, self._place, self._error = path, place, error
        if not isinstance(values, dict):
            self._fail(f"{place.rstrip('.') or 'it'} is {values!r:.80}, not an object")
        self._values = cast("dict[str, Any]", values)

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            self._fail(f"it has no {self._place}{name}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def refuse_name(self, name: str) -> NoReturn:
        """Refuse a name in it."""
        self._fail(f"{self._place or 'it '}{name!r:.80} is no name of a file")

    def only(self, names: Collection[str]) -> None:
        """Refuse other names than these."""
        for name in self:
            if name not in names:
                self._fail(f"it has {self._place}{name:.80}, which means nothing there")

    def text(self, name: str) -> str:
        """A text that can be written as UTF-8."""
        value = self[name]
        if not isinstance(value, str) or re.search("[\ud800-\udfff]", value):
            self._refuse(name, "a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or None."""
        return None if self[name] is None else self.text(name)

    def count(self, name: str, least: int = 0) -> int:
        """A whole number, not so large that a sum of some would leave int64."""
        value = self[name]
        if type(value) is not int or not least <= value < 2**48:
            self._refuse(name, f"a whole number from {least}")
        return value

    def number(self, name: str) -> float:
        """A number that is finite."""
        value = self[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(float(value)):
            self._refuse(name, "a finite number")
        return float(value)

    def one_of(self, name: str, known: Collection[Any]) -> Any:
        """One of some values."""
        value = self[name]
        if not any(type(value) is type(one) and value == one for one in known):
            self._refuse(name, f"one of {', '.join(map(str, known))}")
        return value

    def matching(self, name: str, pattern: str, right: str) -> str:
        """A text of some pattern."""
        value = self[name]
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            self._refuse(name, right)
        return value

    def object(self, name: str) -> "Fields":
        """An object."""
        return Fields(self._path, self[name], f"{self._place}{name}.", self._error)

    def plain(self, name: str) -> dict[str, Any]:
        """An object whose values are not interpreted here."""
        return dict(self.object(name))

    def objects(self, name: str) -> list["Fields"]:
        """A list of objects."""
        values = self[name]
        if not isinstance(values, list):
            self._refuse(name, "a list")
        places = enumerate(cast("list[object]", values))
        return [Fields(self._path, value, f"{self._place}{name}[{i}].", self._error) for i, value in places]

    def _refuse(self, name: str, right: str) -> NoReturn:
        self._fail(f"{self._place}{name} is {self._values[name]!r:.80}, not {right}")

    def _fail(self, reason: str) -> NoReturn:
        raise self._error(f"'{self._path}' is damaged: {reason}.")


def read_json(path: Path, error: type[LirIndexError] = DamagedIndexError) -> object:
    """Read a file of JSON.

    Args:
        path: The file.
        error: What is raised.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedIndexError: If it is a link, cannot be read, or is no JSON that lir would write.
    """
    check_regular(path, error)
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
        is_deep = _is_deeper(values, _DEEPEST)
    except FileNotFoundError:
        raise
    except OSError as cause:
        raise error(f"'{path}' cannot be read: {cause.strerror or cause}.") from cause
    except (ValueError, RecursionError) as cause:
        # Of a number of thousands of digits, Python's sentence goes on to tell how to allow it.
        reason = "it is nested too deeply" if isinstance(cause, RecursionError) else str(cause).split(";")[0]
        raise error(f"'{path}' is damaged: it is no JSON ({reason}).") from cause
    if is_deep:
        raise error(f"'{path}' is damaged: it is nested deeper than {_DEEPEST} levels.")
    return values


def check_regular(path: Path, error: type[LirIndexError] = DamagedIndexError) -> None:
    """Refuse what is no regular file: a link could lead anywhere, and of a pipe nothing may ever come.

    Raises:
        FileNotFoundError: If there is no such file.
        DamagedIndexError: If it is something else, or out of reach.
    """
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise FileNotFoundError(cause.errno, cause.strerror, str(path)) from cause
    except OSError as cause:
        raise error(f"'{path}' cannot be read: {cause.strerror or cause}.") from cause
    if not stat.S_ISREG(mode):
        what = "a link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else "something else"
        raise error(f"'{path}' is damaged: it is {what}, not a file.")


def _is_deeper(values: object, levels: int) -> bool:
    level = [values]
    for _ in range(levels):
        level = [
            inner
            for value in level
            for inner in (
                cast("dict[str, object]", value).values()
                if isinstance(value, dict)
                else cast("list[object]", value)
                if isinstance(value, list)
                else ()
            )
        ]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
