"""Results as markdown: printed, and kept with what is needed to repeat them."""

import platform
import shlex
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path

_RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Claim:
    """A target and what was measured.

    Args:
        text: What is claimed.
        measured: The number.
        target: The number that it is compared with.
        at_least: Whether more is better.
    """

    text: str
    measured: float
    target: float
    at_least: bool

    @property
    def row(self) -> tuple[str, ...]:
        """The claim as a row of a table."""
        is_met = self.measured >= self.target if self.at_least else self.measured <= self.target
        sign = "≥" if self.at_least else "≤"
        return self.text, f"{self.measured:.2f}", f"{sign} {self.target:g}", "yes" if is_met else "no"


CLAIMS = ("claim", "measured", "target", "met")


def markdown(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Lay a table out so that it can be read as it is."""
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    lines = [columns, tuple("-" * width for width in widths), *rows]
    return "\n".join(f"| {' | '.join(cell.ljust(w) for cell, w in zip(line, widths, strict=True))} |" for line in lines)


def report(name: str, title: str, sections: list[str], packages: list[str], threads: str = "one thread") -> None:
    """Print sections, and write them to ``results``.

    Args:
        name: Of the file.
        title: Its heading.
        sections: Tables and paragraphs.
        packages: Whose versions are told, of this environment.
        threads: How many worked.
    """
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    arguments = shlex.join([name, *sys.argv[2:]])
    origin = (
        f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {cpu_count()} cores, {threads}. Python "
        f"{platform.python_version()}, {versions}. Repeat it with `uv run python -m benchmarks {arguments}`."
    )
    text = "\n\n".join([f"# {title}", origin, *sections]) + "\n"
    print(text)
    _RESULTS.mkdir(exist_ok=True)
    (_RESULTS / f"{name}.md").write_text(text, encoding="utf-8")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
