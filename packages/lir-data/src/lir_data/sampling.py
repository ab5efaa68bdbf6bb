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
        strategy: ``top``: the first. ``random``: any. ``log_random``: any, with weight 1 / log(1 + rank), so the higher
            the likelier. ``top_and_random``: the first half from the top (of an odd number the larger), then any of the
            others. ``single_relevant``: one relevant document first, then others that are not relevant; only such
            others where none is relevant.
        size: Documents wanted; fewer come back where there are fewer.
        relevant: Whether each document of the ranking is relevant, best first.
        random: The randomness.

    Returns:
        Positions from 0, each once, in the order of the ranking, except that of ``single_relevant`` the relevant one
        leads.
    """
    return _STRATEGIES[strategy](size, relevant, random)


def sample_tuple(num_positives: int, num_docs: int, size: int | None, random: np.random.Generator) -> list[int]:
    """Draw one relevant document and others that are not.

    Args:
        num_positives: Relevant documents, which come first.
        num_docs: Documents in all.
        size: Documents wanted; None for the relevant one and all others. Fewer come back where there are fewer.
        random: The randomness.

    Returns:
        Positions from 0, each once: the relevant document, then the others in their own order.
    """
    others = range(num_positives, num_docs)
    return _draw(range(num_positives), 1, random) + _draw(others, len(others) if size is None else size - 1, random)


def _draw(
    positions: Sequence[int], size: int, random: np.random.Generator, weights: np.ndarray | None = None
) -> list[int]:
    size = min(size, len(positions))
    if size == 0:
        return []
    shares = None if weights is None else weights / weights.sum()
    return sorted(random.choice(np.asarray(positions), size=size, replace=False, p=shares).tolist())


def _top(size: int, relevant: Sequence[bool], _: np.random.Generator) -> list[int]:
    return list(range(min(size, len(relevant))))


def _random(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    return _draw(range(len(relevant)), size, random)


def _log_random(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    ranks = np.arange(1, len(relevant) + 1)
    return _draw(range(len(relevant)), size, random, 1 / np.log1p(ranks))


def _top_and_random(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    top = _top(size - size // 2, relevant, random)
    return top + _draw(range(len(top), len(relevant)), size - len(top), random)


def _single_relevant(size: int, relevant: Sequence[bool], random: np.random.Generator) -> list[int]:
    positive = _draw(np.flatnonzero(relevant).tolist(), 1, random)
    others = np.flatnonzero(np.logical_not(relevant)).tolist()
    return positive + _draw(others, size - len(positive), random)


_STRATEGIES: dict[SamplingStrategy, Callable[[int, Sequence[bool], np.random.Generator], list[int]]] = {
    "top": _top,
    "random": _random,
    "log_random": _log_random,
    "top_and_random": _top_and_random,
    "single_relevant": _single_relevant,
}
