"""What the processes of a training tell each other, with gradients; in one process nothing.

A loss is a sum over the queries of all processes, divided by their number, and Lightning averages the gradients of the
processes: hence the factors here, by which several processes learn exactly what one with the whole batch would.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch import distributed as dist

#: By the place of a dataset: scores by document by query.
Runs = dict[int, dict[str, dict[str, float]]]


def world_size() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def share_of_total(count: Tensor) -> Tensor:
    """Return a total over all processes, divided by the number of processes; no gradients.

    What divides a process's own sum by this, and is then averaged over the processes, is the sum of all by the total.
    """
    if world_size() == 1:
        return count
    return _total(count) / world_size()


def sum_over_processes(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Add up what each process has, with gradients."""
    return values if world_size() == 1 else _Sum.apply(values)  # pyright: ignore[reportReturnType]


def gather(values: Tensor) -> Tensor:
    """Put the rows of all processes behind each other, those of this process first, with gradients.

    The processes may have different numbers of rows.
    """
    if world_size() == 1:
        return values
    counts = _counts(len(values), values.device)
    rows: Tensor = _Gather.apply(values, counts) if values.is_floating_point() else _rows_of_all(values, counts)  # pyright: ignore[reportAssignmentType]
    start = sum(counts[: dist.get_rank()])
    return torch.cat([rows[start : start + len(values)], rows[:start], rows[start + len(values) :]])


def gather_embeddings(embeddings: Any) -> Any:
    """Gather embeddings of any form, those of this process first."""
    if isinstance(embeddings, tuple):
        kind: Any = type(embeddings)
        return kind(*(gather(part) for part in embeddings))
    return gather(embeddings)


def merged_runs(runs: Runs) -> Runs:
    """Bring together what each process has of the runs of several datasets: queries, or documents of the same queries."""
    if world_size() == 1:
        return runs
    every: list[Any] = [None] * world_size()
    dist.all_gather_object(every, runs)
    merged: Runs = {}
    for part in every:
        for place, run in part.items():
            for query_id, scores in run.items():
                merged.setdefault(place, {}).setdefault(query_id, {}).update(scores)
    return merged


def _total(values: Tensor) -> Tensor:
    """Return the sum over all processes, without gradients."""
    total = values.detach().contiguous().clone()
    dist.all_reduce(total)
    return total


def _counts(count: int, device: torch.device) -> list[int]:
    own = torch.tensor([count], device=device)
    every = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(every, own)
    return torch.cat(every).tolist()


def _rows_of_all(values: Tensor, counts: list[int]) -> Tensor:
    # Collectives want equal shapes.
    padded = values.new_zeros(max(counts), *values.shape[1:])
    padded[: len(values)] = values
    every = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(every, padded)
    return torch.cat([rows[:count] for rows, count in zip(every, counts, strict=True)])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, counts: list[int]) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.start = sum(counts[: dist.get_rank()])
        ctx.count = len(values)
        return _rows_of_all(values, counts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        # Every process's loss depends on these rows.
        total = _total(gradient)
        return total[ctx.start : ctx.start + ctx.count], None


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del ctx
        return _total(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del ctx
        return _total(gradient)
