"""Datasets of Hugging Face, of the hub or of a local folder: ``hf:NAME?config=…&split=…``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlencode

from lir_data.errors import (
    ArgumentError,
    LirDataError,
    MissingPartError,
    SourceNotFoundError,
    UnreadableSourceError,
    did_you_mean,
)
from lir_data.sources.fields import NO_FIELDS, ROLES, Fields, parse_fields

PREFIX = "hf:"

_OPTIONS = ("config", "split")


@dataclass(frozen=True, slots=True)
class HuggingFaceName:
    """A name of one table of a dataset.

    Args:
        path: An id of the hub, such as ``mteb/scifact``, or the absolute path of a folder.
        config: Which of its configurations; None for the only one, or the default.
        split: Which of its splits; None for the only one.
        fields: Which columns hold what, where the known names do not say.
    """

    path: str
    config: str | None = None
    split: str | None = None
    fields: Fields = NO_FIELDS

    def __str__(self) -> str:
        options = {name: value for name in _OPTIONS if (value := getattr(self, name)) is not None}
        named = [text for text in (urlencode(options, safe="/"), str(self.fields)) if text]
        return f"{PREFIX}{self.path}{'?' if named else ''}{'&'.join(named)}"

    @classmethod
    def parse(cls, source: str) -> "HuggingFaceName":
        """Read ``hf:NAME?config=…&split=…&id=…&text=…``; a folder's path is made absolute.

        Raises:
            ArgumentError: If there is no name, or an option that does not exist.
        """
        path, _, query = source.removeprefix(PREFIX).partition("?")
        if not path:
            raise ArgumentError(f"'{source}' names no dataset; write {PREFIX}NAME, such as {PREFIX}mteb/scifact.")
        options: dict[str, str] = {}
        fields: list[tuple[str, str]] = []
        for pair in filter(None, query.split("&")):
            option, _, value = pair.partition("=")
            if option in _OPTIONS:
                options[option] = unquote_plus(value)
                if not value:
                    raise ArgumentError(f"'{source}': the {option} is empty.")
            elif option in ROLES:
                fields.append((option, value))
            else:
                raise ArgumentError(
                    f"'{source}': there is no option '{option}'; there are {' and '.join(_OPTIONS)}, and fields: "
                    f"{', '.join(ROLES)}.{did_you_mean(option, (*_OPTIONS, *ROLES))}"
                )
        if query and not options and not fields:
            raise ArgumentError(f"'{source}': after the question mark come config=NAME and split=NAME, joined by &.")
        if path.startswith((".", "/", "~")) or Path(path).is_dir():
            path = str(Path(path).expanduser().resolve())
        return cls(path, **options, fields=parse_fields(fields, source) if fields else NO_FIELDS)


def stream(name: HuggingFaceName) -> Iterable[Mapping[str, Any]]:
    """Return the rows, which are read one after the other as they are asked for.

    Raises:
        SourceNotFoundError: If there is no such folder.
        MissingPartError: If there is no such split.
        ArgumentError: If no split is named where there are several.
        UnreadableSourceError: If datasets is not installed, or cannot read it.
    """
    splits = _load(name, streaming=True)
    return splits[_split(name, list(splits))]


def table(name: HuggingFaceName) -> Any:
    """Return the rows as a ``datasets.Dataset``: kept in the cache of datasets, memory-mapped, found by number.

    Raises:
        LirDataError: As `stream` does.
    """
    split = _split(name, list(_load(name, streaming=True)))
    return _load(name, split=split)


def reading_failed(name: HuggingFaceName, error: Exception) -> LirDataError:
    """Return the sentence about what datasets could not read."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return UnreadableSourceError(f"datasets could not read '{name}': {reason}")


def _load(name: HuggingFaceName, **options: Any) -> Any:
    try:
        from datasets import load_dataset
    except ModuleNotFoundError:
        raise UnreadableSourceError(f"'{name}' needs datasets: pip install lir-data[hugging-face]") from None
    if name.path.startswith("/") and not Path(name.path).is_dir():
        raise SourceNotFoundError(f"'{name}': there is no folder '{name.path}'.")
    try:
        return load_dataset(name.path, name.config, **options)
    except Exception as error:
        raise reading_failed(name, error) from error


def _split(name: HuggingFaceName, splits: list[str]) -> str:
    listed = ", ".join(f"'{split}'" for split in splits)
    if name.split is None:
        if len(splits) > 1:
            raise ArgumentError(f"'{name}' has the splits {listed}; choose one by split=NAME after a question mark.")
        return splits[0]
    if name.split not in splits:
        raise MissingPartError(
            f"'{name}' has no split '{name.split}'; it has {listed}.{did_you_mean(name.split, splits)}"
        )
    return name.split
