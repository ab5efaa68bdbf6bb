"""The one way to a terminal: all that is printed is cleaned, since data may hold what a terminal obeys."""

import click

# A terminal obeys the control characters C0, DEL and C1; half of a surrogate pair cannot be encoded at all.
_CONTROLS = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000)], "\N{REPLACEMENT CHARACTER}")
_OF_TEXTS = {code: mark for code, mark in _CONTROLS.items() if code not in map(ord, "\t\n")}
_OF_LINES = {**_CONTROLS, ord("\t"): " ", ord("\n"): " "}


def clean(text: str) -> str:
    r"""Replace control characters and halves of surrogate pairs by U+FFFD; tabs and line breaks stay.

    Example:
        >>> clean("\x1b[2Jgone")
        '�[2Jgone'
    """
    return text.translate(_OF_TEXTS)


def clean_line(text: str) -> str:
    """Clean a text that has to stay on its line: tabs and line breaks become spaces."""
    return text.translate(_OF_LINES)


def echo(text: str, *, err: bool = False) -> None:
    """Print a text, cleaned, to stdout or stderr."""
    click.echo(clean(text), err=err)
