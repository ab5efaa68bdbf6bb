"""Batches of a token budget, sorted by length; the order restored; smaller batches when memory runs out."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch

from lir_models.tokenization import TokenBatch, TokenizedText, collate

logger = logging.getLogger(__name__)

Rows = TypeVar("Rows")

#: Told how many more are done, while a model works through many.
Progress = Callable[[int], object]

#: Tokens a batch, padding included. On a CPU larger batches are slower: they fall out of the cache.
CPU_TOKEN_BUDGET = 2048
GPU_TOKEN_BUDGET = 65536


def batches_by_length(lengths: Sequence[int], token_budget: int) -> Iterator[np.ndarray]:
    """Yield positions of texts in batches, the longest first, so that memory runs out at the start or not at all.

    Args:
        lengths: Tokens of each text.
        token_budget: Most tokens a batch, padding included; a longer text is a batch of its own.

    Yields:
        Positions into ``lengths``; every position once.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    start = 0
    while start < len(order):
        size = max(1, token_budget // max(1, lengths[order[start]]))
        yield order[start : start + size]
        start += size


def run_in_batches(
    texts: Sequence[TokenizedText],
    forward: Callable[[TokenBatch], Rows],
    *,
    pad_id: int,
    padding_side: str,
    device: torch.device,
    progress: Progress | None = None,
) -> Iterator[tuple[np.ndarray, Rows]]:
    """Run a model over texts.

    Args:
        texts: Token ids, in any order.
        forward: From a padded batch to one row a text.
        pad_id: The token that fills short rows.
        padding_side: ``right`` or ``left``.
        device: Where the batches go.
        progress: Called with the number of texts done since the last call.

    Yields:
        Positions of the texts of a batch, and their rows.
    """
    budget = CPU_TOKEN_BUDGET if device.type == "cpu" else GPU_TOKEN_BUDGET
    lengths = [len(text.input_ids) for text in texts]
    waiting = list(batches_by_length(lengths, budget))[::-1]
    while waiting:
        positions = waiting.pop()
        batch = collate([texts[position] for position in positions], pad_id=pad_id, padding_side=padding_side)
        try:
            rows = forward(batch.to(device))
        except torch.OutOfMemoryError:
            if len(positions) == 1:
                raise
            half = -(-len(positions) // 2)
            logger.warning("Memory ran out on a batch of %d texts; going on with half of it.", len(positions))
            rest = [
                part[start : start + half]
                for part in (positions, *waiting[::-1])
                for start in range(0, len(part), half)
            ]
            waiting = rest[::-1]
            continue
        yield positions, rows
        if progress is not None:
            progress(len(positions))


def in_proportion(progress: Progress | None, whole: int, steps: int) -> Progress | None:
    """Report so many steps as parts of another whole: ten texts read as four documents scored."""
    if progress is None:
        return None
    done = 0

    def report(count: int) -> None:
        nonlocal done
        before = whole * done // steps
        done += count
        progress(whole * done // steps - before)

    return report
