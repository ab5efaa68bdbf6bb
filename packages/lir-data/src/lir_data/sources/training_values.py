"""The values of a record of training data, each checked, with a sentence where it is not what it should be."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from lir_data.errors import UnusableLineError
from lir_data.sources.fields import listed
from lir_data.sources.unicode import clean


def value_of(values: Mapping[str, Any], key: str) -> Any:
    """Return the value of a key that must be there."""
    if key not in values:
        raise UnusableLineError(f"there is no '{key}' among the keys {keys_of(values)}.")
    return values[key]


def first_key(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Return the first of the keys that is there."""
    for key in keys:
        if key in values:
            return key
    raise UnusableLineError(f"there is no {' or '.join(map(repr, keys))} among the keys {keys_of(values)}.")


def name_of(key: str, value: Any) -> str:
    """Return an id, which may be a whole number, or a text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise UnusableLineError(f"the {key} is {shortened(value)}; it must be a text or a whole number.")
    return clean(str(value))


def text_of(key: str, value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise UnusableLineError(f"the {key} is {shortened(value)}; it must be a text.")
    return clean(value)


def names_of(key: str, values: Any) -> tuple[str, ...]:
    """Return the ids or texts of a list."""
    if not isinstance(values, list | tuple):
        raise UnusableLineError(f"the {key} is {shortened(values)}; it must be a list.")
    return tuple(name_of(f"item of {key}", value) for value in values)


def with_a_positive(positives: tuple[Any, ...], key: str) -> tuple[Any, ...]:
    """Return the relevant documents, of which there must be one."""
    if not positives:
        raise UnusableLineError(f"the {key} is empty, but a tuple needs a relevant document.")
    return positives


def scores_of(values: Any, count: int, key: str = "scores") -> tuple[float, ...]:
    """Return the numbers of a list that must hold so many."""
    scores = [number_of(value) for value in values] if isinstance(values, list | tuple) else []
    if len(scores) != count or None in scores:
        raise UnusableLineError(
            f"the {key} must be a list of {count} numbers, one for each document, but they are {shortened(values)}."
        )
    return tuple(score for score in scores if score is not None)


def number_of(value: Any) -> float | None:
    """Return a number; None of anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
    return float(value) if is_number else None


def number_in(text: str) -> float | None:
    """Return the number that a text names, if it names one."""
    try:
        return number_of(float(text))
    except ValueError:
        return None


def shortened(value: Any) -> str:
    """Return a value as a message shows it."""
    return clean(json.dumps(value, default=str, ensure_ascii=False)[:60])


def keys_of(values: Mapping[str, Any]) -> str:
    """Return the keys as a message lists them."""
    return listed(values)
