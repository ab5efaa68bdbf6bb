"""Which documents of a ranking a model sees: strategies to draw some of many."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

SamplingStrategy = Literal["top", "random", "log_random", "top_and_random", "single_relevant"]


def generator(seed: int, epoch: int, query_id: str) -> np.random.Generator:
    """Return the randomness of one query in one epoch, whichever worker or machine draws."""
    digest = hashlib.blake2b(query_id.encode(), digest_size=8).digest()
    return np.random.default_rng([seed, epoch, int.from_bytes(digest, "little")])


def sample(strategy: SamplingStrategy, size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    """Draw positions of a ranking.

    Args:
        strategy: ``top``: the first. ``random``: any. ``log_random``: any, the higher the likelier (weight 1 / rank).
            ``top_and_random``: half of each. ``single_relevant``: one relevant document first, then others that are
            not relevant.
        size: Documents wanted; fewer come back where there are fewer.
        relevant: Whether each document of the ranking is relevant.
        random: The randomness.

    Returns:
        Positions, each once; in the order of the ranking, but for ``single_relevant``.
    """
    return _STRATEGIES[strategy](size, relevant, random)


def _draw(
    positions: Sequence[int], size: int, random: np.random.Generator, weights: np.ndarray | None = None
) -> list[int]:
    size = min(size, len(positions))
    if size == 0:
        return []
    return sorted(random.choice(np.asarray(positions), size=size, replace=False, p=weights).tolist())


def _top(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    del random
    return list(range(min(size, len(relevant))))


def _random(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    return _draw(range(len(relevant)), size, random)


def _log_random(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    weights = 1 / np.arange(1, len(relevant) + 1)
    return _draw(range(len(relevant)), size, random, weights / weights.sum())


def _top_and_random(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    top = _top(size - size // 2, relevant, random)
    return top + _draw(range(len(top), len(relevant)), size - len(top), random)


def _single_relevant(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    positive = _draw([position for position, is_relevant in enumerate(relevant) if is_relevant], 1, random)
    others = [position for position, is_relevant in enumerate(relevant) if not is_relevant]
    return positive + _draw(others, size - len(positive), random)


_STRATEGIES: dict[SamplingStrategy, Callable[[int, Sequence[bool], np.random.Generator], list[int]]] = {
    "top": _top,
    "random": _random,
    "log_random": _log_random,
    "top_and_random": _top_and_random,
    "single_relevant": _single_relevant,
}
