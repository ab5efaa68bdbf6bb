"""Data to stdout; everything else to stderr."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from lir_cli.errors import OutputExistsError


def table(header: Sequence[str], rows: Iterable[Sequence[object]], *, wide: str | None = None) -> None:
    """Print a table to stdout: drawn on a terminal, otherwise separated by tabs, a line of names first.

    Args:
        header: The names of the columns.
        rows: The values; numbers are shown with four decimals, in full where another program reads them.
        wide: A column of long text, cut to two lines on a terminal.
    """
    if not sys.stdout.isatty():
        for row in (header, *rows):
            click.echo("\t".join(" ".join(str(value).split()) for value in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for name in header:
        drawn.add_column(name, overflow="fold")
    limit = max(40, 2 * (console.width - 45))
    for row in rows:
        cells: list[Text] = []
        for name, value in zip(header, row, strict=True):
            text = f"{value:.4f}" if isinstance(value, float) else " ".join(str(value).split())
            if name == wide and len(text) > limit:
                text = f"{text[: limit - 1]}…"
            cells.append(Text(text, justify="right" if isinstance(value, int | float) else "left"))
        drawn.add_row(*cells)
    console.print(drawn)


def measures_table(values: dict[str, dict[str, float]], first: str) -> None:
    """Print one row of measures for each run or dataset.

    Args:
        values: Values by measure, by name of the run or dataset.
        first: What the first column is called.
    """
    if values:
        names = list(dict.fromkeys(measure for measured in values.values() for measure in measured))
        table([first, *names], ([name, *(measured[key] for key in names)] for name, measured in values.items()))


def by_dataset(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """Split ``dataset/measure``, as the trainer names values, into both."""
    values: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        dataset, _, measure = name.rpartition("/")
        values.setdefault(dataset, {})[measure] = float(value)
    return values


def note(text: str = "") -> None:
    """Tell what happens, on stderr."""
    click.echo(text, err=True)


def hint(text: str) -> None:
    """Show a way on, on stderr."""
    click.echo(f"hint: {text}", err=True)


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse to write over something.

    Raises:
        OutputExistsError: If there is something, and it may not be overwritten.
    """
    if path.exists() and not overwrite:
        raise OutputExistsError(
            f"'{path}' exists already, and is not overwritten unless asked for.",
            hint="give another name, or --overwrite",
        )
