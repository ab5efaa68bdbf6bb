"""Checks of arguments, made before anything is read."""

from lir_data.errors import ArgumentError, did_you_mean


def check_choice(owner: str, argument: str, value: object, allowed: tuple[str | None, ...]) -> None:
    """Refuse a value that is not among the allowed ones.

    Raises:
        ArgumentError: The message lists what is allowed, and names the nearest.
    """
    if value not in allowed:
        names = ", ".join("None" if item is None else f"'{item}'" for item in allowed)
        near = did_you_mean(value, [item for item in allowed if item])
        raise ArgumentError(f"{owner}: {argument} is {value!r}; it must be one of {names}.{near}")


def check_count(owner: str, argument: str, value: int | None) -> int | None:
    """Return a positive count or None; -1 means None, as in the framework of the paper.

    Raises:
        ArgumentError: If it is neither.
    """
    if value == -1:
        return None
    if value is not None and value < 1:
        raise ArgumentError(f"{owner}: {argument} is {value}; it must be at least 1, or None for all.")
    return value
