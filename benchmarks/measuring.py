"""Times of several contenders, in rounds that take turns, so that whatever else the machine does hits all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Round = Callable[[], tuple[float, float]]
"""Does the work once, and says how many seconds it took: of the processor, and by the clock."""


@dataclass(frozen=True)
class Times:
    """Milliseconds a query of each round: of the processor, and by the clock."""

    cpu: list[float]
    wall: list[float]

    @property
    def median(self) -> float:
        """The median of the processor's."""
        return float(np.median(self.cpu))

    @property
    def median_wall(self) -> float:
        """The median by the clock."""
        return float(np.median(self.wall))

    def over(self, other: "Times") -> float:
        """How many times the other's time this takes: the median of the rounds' ratios."""
        return float(np.median(np.array(self.cpu) / np.array(other.cpu)))


def timed(work: Callable[[], object]) -> Round:
    """Measure work that this process does."""

    def measured() -> tuple[float, float]:
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        return time.process_time() - cpu, time.perf_counter() - wall

    return measured


def interleaved(contenders: dict[str, tuple[Round, int]], rounds: int) -> dict[str, Times]:
    """Measure all contenders in turn, round by round, after one round that does not count.

    Args:
        contenders: For each name, its round, and how many queries that answers.
        rounds: How many count.
    """
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for _ in range(rounds + 1):
        for name, (measured, _) in contenders.items():
            seconds[name].append(measured())
    return {
        name: Times(
            [1000 * cpu / queries for cpu, _ in seconds[name][1:]],
            [1000 * wall / queries for _, wall in seconds[name][1:]],
        )
        for name, (_, queries) in contenders.items()
    }
