"""What a person or a program reads: data on stdout; progress, logs and hints on stderr."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lir_cli.errors import SettingsError
from lir_cli.terminal import clean_line, echo
from lir_cli.voice import voice

# Two or three lines of a terminal: enough to tell whether a hit is worth reading.
_LONGEST_CELL = 280
# A longer word, an id mostly, is folded all the same.
_LONGEST_WORD = 24


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table: drawn on a terminal, where long texts are cut, tab-separated and whole for a program.

    Where a terminal is too narrow for its columns, each row is printed as a block of lines.
    """
    if not _is_first_process():
        return
    texts = [[clean_line(f"{cell:.4f}" if isinstance(cell, float) else str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [columns, *texts]:
            echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    console = Console()
    if _least_width(columns, texts) > console.width:
        name_width = max(map(len, columns))
        for number, row in enumerate(texts):
            lines = (f"{name:{name_width}}  {cell}" for name, cell in zip(columns, row, strict=True))
            echo("\n".join(["", *lines] if number else lines))
        return
    table = Table(*(Column(name, overflow="fold") for name in columns))  # an id is never cut
    for row in texts:
        table.add_row(
            *(Text(cell if len(cell) <= _LONGEST_CELL else f"{cell[:_LONGEST_CELL].rstrip()} …") for cell in row)
        )
    console.print(table)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how wide a table is whose cells are broken between words alone; an id or a number is none the better for it."""
    longest = [max(map(len, " ".join(cells).split()), default=0) for cells in zip(columns, *rows, strict=True)]
    return sum(min(width, _LONGEST_WORD) + 3 for width in longest) + 1


def say(text: str) -> None:
    """Tell the person something that is no data, unless --quiet is given; of several processes, the first."""
    if _is_first_process() and not voice().quiet:
        echo(text, err=True)


def _is_first_process() -> bool:
    """Whether no other process says the same: known from what Lightning, torchrun and Slurm tell those that they start."""
    if (rank := os.environ.get("RANK")) is not None:
        return rank == "0"
    names = ("LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
    return all(os.environ.get(name, "0") == "0" for name in names)


def check_new(output: str, *, overwrite: bool) -> None:
    """Refuse, before any work, a file that exists, or that could not be written after it.

    Raises:
        SettingsError: If it exists, and is not to be replaced.
        UnwritableOutputError: If it cannot be written.
    """
    from lir_data.writing import check_output

    if Path(output).exists() and not overwrite:
        raise SettingsError(f"'{output}' exists already.", hint="--overwrite replaces it")
    check_output(output, overwrite=overwrite)


class Progress:
    """A bar with rate and time left on a terminal; a plain line every ten seconds elsewhere.

    Args:
        title: What is going on.
        total: How much there is, if that is known.
        unit: Of what.
    """

    def __init__(self, title: str, total: int | None, unit: str) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.done = 0
        self._start = self._last = time.monotonic()
        self._bar: Any = None
        self.interval = 0.5 if sys.stderr.isatty() else 10.0
        if sys.stderr.isatty() and not voice().quiet:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(title, total=total, rate="")
            self._bar.start()

    def advance(self, count: int, note: Callable[[], str] = str) -> None:
        """Say that so many more are done.

        Args:
            count: So many.
            note: Says more about it; asked only when there is something to show, since a loss has to come from the GPU.
        """
        self.done += count
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._task, advance=count)
        if now - self._last < self.interval:
            return
        self._last = now
        rate = f"{_digits(self.done / max(now - self._start, 1e-9))} {self.unit}/s"
        if self._bar is not None:
            self._bar.update(self._task, rate=" ".join([rate, note()]))
            return
        left = ""
        if self.total is not None:
            left = f" of {self.total:,}, {(self.total - self.done) * (now - self._start) / self.done:.0f} s left"
        say(f"{self.title}: {self.done:,}{left} ({', '.join(filter(None, [rate, note()]))})")

    def close(self) -> None:
        """Say how long it took."""
        if self._bar is not None:
            self._bar.stop()
        seconds = time.monotonic() - self._start
        say(f"{self.title}: {self.done:,} {self.unit} in {seconds:.1f} s")


def _digits(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
