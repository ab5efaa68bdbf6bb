"""Contenders that score the same rankings in turns, another part of them in each round, and must agree on the scores."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.measuring import Times, interleaved, timed
from benchmarks.ranked_passages import Ranking

Score = Callable[[list[Ranking]], tuple[Any, tuple[float, float]]]
"""Scores all documents of some rankings, and says how many seconds that took: of the processor, and by the clock."""
#: Scores are of the order of 1 to 10, in float32.
TOLERANCE = 1e-4
COLUMNS = ("by", "ms a query", "documents/s", "x lir")


def here(score: Callable[[list[Ranking]], Any]) -> Score:
    """Measure scoring that this process does."""

    def measured(part: list[Ranking]) -> tuple[Any, tuple[float, float]]:
        found: list[Any] = []
        seconds = timed(lambda: found.append(score(part)))()
        return found[0], seconds

    return measured


@dataclass
class _Contender:
    """A round: the next part.

    Args:
        score: How it scores.
        waiting: What is to be scored, part by part.
        found: The scores so far, of each part.
    """

    score: Score
    waiting: Iterator[list[Ranking]]
    found: list[np.ndarray] = field(default_factory=list)

    def __call__(self) -> tuple[float, float]:
        scores, seconds = self.score(next(self.waiting))
        self.found.append(np.asarray(scores, dtype=np.float64))
        return seconds


@dataclass(frozen=True)
class Measured:
    """What came of it.

    Args:
        times: Milliseconds a query, of each contender; the first is lir.
        difference: The largest between two contenders' scores of a document.
        num_docs: Documents of each query.
    """

    times: dict[str, Times]
    difference: float
    num_docs: int

    def over_lir(self, name: str) -> float:
        """How many times lir's time a contender takes, by the clock."""
        return self.times[name].over_by_clock(next(iter(self.times.values())))

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """A row for each contender."""
        return [
            (
                name,
                f"{times.median_wall:,.1f}",
                f"{1000 * self.num_docs / times.median_wall:,.0f}",
                f"{self.over_lir(name):.2f}",
            )
            for name, times in self.times.items()
        ]


def measure(contenders: dict[str, Score], rankings: list[Ranking], rounds: int) -> Measured:
    """Let all contenders score all rankings once, an equal part in each round; a query alone before does not count.

    Args:
        contenders: The first is lir.
        rankings: All of the same number of documents.
        rounds: How many parts there are.

    Raises:
        ValueError: If the rankings cannot be divided so.
    """
    size, left_over = divmod(len(rankings), rounds)
    if left_over or not size:
        raise ValueError(f"{len(rankings)} queries make no {rounds} rounds of the same number.")
    parts = [rankings[:1], *(rankings[start : start + size] for start in range(0, len(rankings), size))]
    working = {name: _Contender(score, iter(parts)) for name, score in contenders.items()}
    times = interleaved({name: (contender, size) for name, contender in working.items()}, rounds)
    difference = check_equal([np.concatenate(contender.found) for contender in working.values()])
    return Measured(times, difference, len(rankings[0].docs))


def about_times(rounds: int) -> str:
    """Say how the times were taken."""
    return (
        f"By the clock. The contenders take turns: in each of {rounds} rounds all score another part of the queries. "
        "Medians of the rounds; x lir is the median of their ratios."
    )


def check_equal(scores: Sequence[Any]) -> float:
    """Return the largest difference between two contenders' scores, after a check that it is small."""
    found = np.stack([np.asarray(each, dtype=np.float64) for each in scores])
    difference = float((found.max(axis=0) - found.min(axis=0)).max())
    assert difference <= TOLERANCE, f"Scores differ by {difference}."
    return difference
