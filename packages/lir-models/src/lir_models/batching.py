"""Batches of texts: planned so that little is padded; smaller ones when memory runs out; the order restored.

Texts of one length are batched together wherever there are enough of them, so that a batch has next to no padding, whatever
the model does with its tokens.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from lir_models.memory import release_memory
from lir_models.tokenization import TokenBatch, TokenizedText, Tokenizer, collate

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

#: Told how many more are done, while a model works through many.
Progress = Callable[[int], object]

#: Texts that are tokenized, and sorted by length, at a time: enough for batches of one length, and some MB.
WINDOW_SIZE = 8192


class BatchLimits(NamedTuple):
    """How texts are batched on a device.

    Args:
        token_budget: Most tokens a batch, padding included. On a CPU larger batches are slower: they fall out of the
            cache.
        batch_cost: Tokens that take as long as what a batch costs beside its tokens.
    """

    token_budget: int
    batch_cost: int


# Texts after which freed memory goes back to the system, which takes some milliseconds.
_TEXTS_TO_RELEASE = 1024

_CPU_LIMITS = BatchLimits(token_budget=2048, batch_cost=32)
_GPU_LIMITS = BatchLimits(token_budget=65536, batch_cost=2048)


def batch_limits(device: torch.device) -> BatchLimits:
    """Return how texts are batched on a device unless its memory runs out."""
    return _CPU_LIMITS if device.type == "cpu" else _GPU_LIMITS


def plan_batches(lengths: Sequence[int] | np.ndarray, token_budget: int, batch_cost: int) -> list[np.ndarray]:
    """Divide texts into batches so that the least time goes to padding and to batches as such.

    The texts are sorted by length, and cut where it is best: of all ways to cut, the one with the fewest tokens, padding
    and ``batch_cost`` included. The longest come first, so that memory runs out at the start or not at all.

    Args:
        lengths: Tokens of each text.
        token_budget: Most tokens a batch, padding included; a longer text is a batch of its own.
        batch_cost: Tokens that take as long as what a batch costs beside its tokens.

    Returns:
        Positions in ``lengths`` of the texts of each batch; every position once.
    """
    if len(lengths) == 1:  # a query waits for this
        return [np.zeros(1, dtype=np.int64)]
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    negative, counts = np.unique(-np.asarray(lengths, dtype=np.int64), return_counts=True)
    longest, ends = np.maximum(1, -negative), np.concatenate([[0], np.cumsum(counts)])
    room = np.maximum(1, token_budget // longest)
    # least[j]: tokens of the best way to divide the texts of the j longest lengths, whose last cut is at cuts[j].
    least, cuts = np.zeros(len(ends)), np.zeros(len(ends), dtype=np.int64)
    for stop in range(1, len(ends)):
        texts = ends[stop] - ends[:stop]
        tokens = least[:stop] + texts * longest[:stop] - (texts // -room[:stop]) * batch_cost
        cuts[stop] = tokens.argmin()
        least[stop] = tokens[cuts[stop]]
    batches: list[np.ndarray] = []
    stop = len(ends) - 1
    while stop:
        start = cuts[stop]
        texts = order[ends[start] : ends[stop]]
        batches += np.array_split(texts, -(len(texts) // -room[start]))[::-1]
        stop = start
    return batches[::-1]


class BatchRunner:
    """Runs a model over texts in batches; where memory has run out, in smaller ones from then on."""

    def __init__(self) -> None:
        self._token_budgets: dict[str, int] = {}
        self._texts_since_release = 0

    def run(
        self,
        texts: Sequence[TokenizedText],
        forward: Callable[[TokenBatch], Any],
        *,
        tokenizer: Tokenizer,
        device: torch.device,
        progress: Progress | None = None,
    ) -> Iterator[tuple[np.ndarray, Any]]:
        """Run a model over texts.

        Args:
            texts: Token ids, in any order.
            forward: From a padded batch to a tensor, or a tuple of tensors.
            tokenizer: Whose token ids these are.
            device: Where the batches go.
            progress: Called with the number of texts done since the last call.

        Yields:
            Positions of the texts of a batch, and what ``forward`` returned, on the CPU.
        """
        lengths = np.array([len(text.input_ids) for text in texts])
        limits = batch_limits(device)
        budget = self._token_budgets.get(device.type, limits.token_budget)
        waiting = plan_batches(lengths, budget, limits.batch_cost)[::-1]
        computed: tuple[np.ndarray, _OnItsWay] | None = None
        while waiting:
            positions = waiting.pop()
            batch = collate([texts[i] for i in positions], pad_id=tokenizer.pad_id, padding_side=tokenizer.padding_side)
            try:
                rows = _OnItsWay(forward(batch.to(device)))
            except (RuntimeError, MemoryError) as error:
                if len(positions) == 1 or not is_memory_error(error):
                    raise
                budget = self._token_budgets[device.type] = batch.input_ids.numel() // 2
                logger.warning("Memory ran out; going on with batches of at most %d tokens.", budget)
                rest = np.concatenate([positions, *waiting])
                waiting = [rest[batch] for batch in plan_batches(lengths[rest], budget, limits.batch_cost)][::-1]
                continue
            # A batch is handed over when the next one is under way, so that a GPU need not wait for what is done with it.
            if computed is not None:
                yield _handed_over(*computed, progress)
            computed = positions, rows
        if computed is not None:
            yield _handed_over(*computed, progress)
        self._texts_since_release += len(texts)
        if device.type == "cpu" and self._texts_since_release >= _TEXTS_TO_RELEASE:
            release_memory()
            self._texts_since_release = 0


class _OnItsWay:
    """Tensors whose copy to the CPU has begun."""

    def __init__(self, rows: Any) -> None:
        self._rows = (
            type(rows)(*(part.to("cpu", non_blocking=True) for part in rows))
            if isinstance(rows, tuple)
            else rows.to("cpu", non_blocking=True)
        )
        device = (rows[0] if isinstance(rows, tuple) else rows).device
        self._event = torch.cuda.Event() if device.type == "cuda" else None
        if self._event is not None:
            self._event.record()

    def arrived(self) -> Any:
        if self._event is not None:
            self._event.synchronize()
        return self._rows


def _handed_over(positions: np.ndarray, rows: _OnItsWay, progress: Progress | None) -> tuple[np.ndarray, Any]:
    if progress is not None:
        progress(len(positions))
    return positions, rows.arrived()


def is_memory_error(error: BaseException) -> bool:
    """Whether an error is about memory that ran out, of a GPU or of the machine."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def tokenized_windows(
    texts: Iterable[Item],
    tokenize: Callable[[list[Item]], list[TokenizedText]],
    size: int,
    device: torch.device,
) -> Iterator[list[TokenizedText]]:
    """Read and tokenize texts in windows; for a GPU the next window while the last one is computed.

    On a CPU this takes turns: tokenizing uses all cores, and so does a model.
    """
    tokenized = map(tokenize, windows(texts, size))
    yield from tokenized if device.type == "cpu" else _ahead(tokenized)


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Read so many items at a time, each when its turn comes."""
    rest = iter(items)
    return iter(lambda: list(islice(rest, size)), [])


def _ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Prepare the next item, in a thread, while one is worked on."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


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
