"""A batch of texts in padded parts, which go through the model one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from lir_models.batching import BatchLimits, plan_batches
from lir_models.tokenization import TokenBatch, TokenizedText, Tokenizer, collate
from lir_train.errors import ArgumentError


@dataclass(frozen=True)
class MiniBatchLimits:
    """How much of a batch goes through the model at a time; without a limit, all of it.

    Args:
        size: Most texts of a part (of a cross-encoder, pairs).
        num_tokens: Most tokens of a part, padding included; a longer text is a part of its own.
    """

    size: int | None = None
    num_tokens: int | None = None

    def __post_init__(self) -> None:
        for argument, value in (("mini_batch_size", self.size), ("mini_batch_num_tokens", self.num_tokens)):
            if value is not None and value < 1:
                raise ArgumentError(f"{argument} is {value}; it must be at least 1, or None for no limit.")

    def __bool__(self) -> bool:
        return self.size is not None or self.num_tokens is not None

    def allow(self, lengths: np.ndarray) -> bool:
        """Whether texts of so many tokens may go together."""
        num_tokens = len(lengths) * lengths.max(initial=0)
        return (self.size is None or len(lengths) <= self.size) and (
            self.num_tokens is None or num_tokens <= self.num_tokens
        )

    def cut(self, lengths: Sequence[int], usual: BatchLimits | None = None) -> list[np.ndarray]:
        """Return positions of the texts of each part; texts of like length come together, so that few are padded much.

        Args:
            lengths: Tokens of each text.
            usual: How texts are batched where nothing is limited: in parts of little padding; None for one part.
        """
        if not self:
            whole = [np.arange(len(lengths))]
            return whole if usual is None else plan_batches(lengths, usual.token_budget, usual.batch_cost)
        # As full as they may be: each part has a cost, and processes with sharded weights need the same number of them.
        order = np.argsort(-np.asarray(lengths), kind="stable")
        parts: list[np.ndarray] = []
        while len(order):
            room = len(order) if self.num_tokens is None else max(1, self.num_tokens // max(1, lengths[order[0]]))
            size = min(room, self.size or room)
            parts.append(order[:size])
            order = order[size:]
        return parts


#: Whole batches.
NO_LIMITS = MiniBatchLimits()


@dataclass(frozen=True)
class MiniBatches:
    """Padded texts.

    Args:
        parts: At least one, so that every process runs its model in every step.
        order: For each text, the row where it stands, the rows of all parts counted on; empty where a process has no
            texts left, and runs its model on one that nothing is learnt of.
    """

    parts: tuple[TokenBatch, ...]
    order: Int[Tensor, " texts"]

    def __len__(self) -> int:
        return len(self.order)

    def to(self, device: torch.device | str) -> Self:
        """Return the texts on a device."""
        return type(self)(tuple(part.to(device) for part in self.parts), self.order.to(device, non_blocking=True))


def mini_batches(
    texts: Sequence[TokenizedText], tokenizer: Tokenizer, limits: MiniBatchLimits, usual: BatchLimits | None = None
) -> MiniBatches:
    """Cut texts into parts (see `MiniBatchLimits.cut`) and pad each to its longest."""
    return _padded(texts, limits.cut([len(text.input_ids) for text in texts], usual), tokenizer)


def mini_batches_of_sets(
    texts: Sequence[TokenizedText], num_docs: Sequence[int], tokenizer: Tokenizer, limits: MiniBatchLimits
) -> tuple[MiniBatches, list[list[int]]]:
    """Cut pairs into parts without dividing the pairs of a query, which read each other.

    Args:
        texts: Pairs, query after query.
        num_docs: Pairs of each query.
        tokenizer: What pads.
        limits: How much goes together; the pairs of one query do, however many.

    Returns:
        The parts, and the numbers of pairs of the queries of each.
    """
    lengths = np.array([len(text.input_ids) for text in texts])
    parts: list[np.ndarray] = []
    sizes: list[list[int]] = []
    start = 0
    for count in num_docs:
        positions = np.arange(start, start + count)
        together = np.concatenate([parts[-1], positions]) if parts else positions
        if parts and limits.allow(lengths[together]):
            parts[-1] = together
            sizes[-1].append(count)
        else:
            parts.append(positions)
            sizes.append([count])
        start += count
    return _padded(texts, parts, tokenizer), sizes


def _padded(texts: Sequence[TokenizedText], parts: Sequence[np.ndarray], tokenizer: Tokenizer) -> MiniBatches:
    rows = [
        collate(
            [texts[position] for position in positions],
            pad_id=tokenizer.pad_id,
            padding_side=tokenizer.padding_side,
        )
        for positions in parts
    ]
    order = np.argsort(np.concatenate(parts), kind="stable")
    return MiniBatches(tuple(rows), torch.from_numpy(order))


def joined(parts: Sequence[Any], order: Int[Tensor, " texts"]) -> Any:
    """Put the embeddings or scores of parts together, each text's at its place, with gradients.

    Args:
        parts: Of each part a tensor with one row a text, or packed vectors (see `lir_models.embeddings`).
        order: For each text its row; rows that no text names are left out.
    """
    if isinstance(parts[0], Tensor):
        return torch.cat(list(parts))[order]
    kind = type(parts[0])
    whole = dict(zip(kind._fields, (torch.cat(field) for field in zip(*parts, strict=True)), strict=True))
    lengths = whole["lengths"]
    starts = (lengths.cumsum(0) - lengths)[order]
    kept = lengths[order]
    total = len(whole["vectors"]) if len(order) else 0  # known without asking a GPU
    offsets = torch.repeat_interleave(starts - (kept.cumsum(0) - kept), kept, output_size=total)
    rows = offsets + torch.arange(total, device=lengths.device)
    return kind(
        **{name: values[order if name in ("text_vectors", "lengths") else rows] for name, values in whole.items()}
    )
