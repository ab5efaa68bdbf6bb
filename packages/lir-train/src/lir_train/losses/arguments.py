"""Checks of what losses are made with."""

from collections.abc import Iterable, Sequence

from lir_models.errors import did_you_mean
from lir_train.errors import ArgumentError

#: Spelled out for checks of annotations at run time, which take no int for a float.
Number = int | float


def check_choice(loss: object, name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices."""
    if value not in choices:
        allowed = ", ".join(f"'{choice}'" for choice in choices[:-1])
        raise ArgumentError(
            f"{type(loss).__name__}: {name} is {value!r}; it must be {allowed} or '{choices[-1]}'."
            f"{did_you_mean(value, choices)}"
        )


def check_positive(loss: object, **values: Number | None) -> None:
    """Refuse what is not greater than 0; None is nothing said."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ArgumentError(f"{type(loss).__name__}: {name} is {value}; it must be greater than 0.")


def check_not_negative(loss: object, **values: Number | None) -> None:
    """Refuse what is less than 0; None is nothing said."""
    for name, value in values.items():
        if value is not None and not value >= 0:
            raise ArgumentError(f"{type(loss).__name__}: {name} is {value}; it must be at least 0.")


def check_count(loss: object, **values: Number | None) -> None:
    """Refuse what is no whole number of at least 1; None is nothing said."""
    for name, value in values.items():
        if value is not None and (value < 1 or value != int(value)):
            raise ArgumentError(f"{type(loss).__name__}: {name} is {value}; it must be a whole number, at least 1.")


def check_choices(loss: object, name: str, values: Iterable[str], choices: Sequence[str]) -> None:
    """Refuse a list in which something is none of the choices."""
    for value in values:
        check_choice(loss, name, value, choices)
