"""Times of several contenders, in rounds that take turns, so that whatever else the machine does hits all of them."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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

    def over_by_clock(self, other: "Times") -> float:
        """How many times the other's time this takes by the clock: the median of the rounds' ratios."""
        return float(np.median(np.array(self.wall) / np.array(other.wall)))


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


@dataclass
class Steps:
    """When the steps of a training ended.

    Args:
        ends: Of each step the seconds by the clock and of the processor, from any start.
    """

    ends: list[tuple[float, float]] = field(default_factory=list)

    def ended(self) -> None:
        """Say that a step has ended now."""
        self.ends.append((time.perf_counter(), time.process_time()))

    def seconds(self, num_untimed: int) -> tuple[float, float]:
        """Return the seconds of a step, by the clock and of the processor, without the first so many steps."""
        (begin, begin_cpu), (end, end_cpu) = self.ends[num_untimed - 1], self.ends[-1]
        count = len(self.ends) - num_untimed
        return (end - begin) / count, (end_cpu - begin_cpu) / count


def peak_memory() -> float:
    """Megabytes that this process has held at most.

    Not by ``getrusage``, which also counts what the parent held when it started this process.
    """
    return _memory("VmHWM")


def resident_memory() -> float:
    """Megabytes that this process holds."""
    return _memory("VmRSS")


@dataclass
class PrivateMemory:
    """Megabytes that this process has held at most between ``with`` and its end, without files that are memory-mapped."""

    peak: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, _memory("RssAnon"))


def _memory(field_name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field_name}:")) / 1e6


def in_a_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do work in a process of its own, which has done nothing before, and return what it returns."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *arguments).result()
