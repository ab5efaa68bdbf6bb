"""Whether a training can learn anything from its data: a loss that compares documents needs more than one per query."""

from collections.abc import Sequence
from itertools import islice
from typing import Any

from lir_data import RankSample
from lir_train.errors import NothingToLearnError
from lir_train.losses import LossFunction

# Samples that are looked at, until one has what a loss compares: what all of these lack, the others lack too.
_LOOKED_AT = 1024

_HINT = "'lir mine' finds other documents for each query, in a run or an index: negatives to compare with"


def check_learnable(losses: Sequence[LossFunction], dataset: Any, batch_size: int) -> None:
    """Refuse data from which no loss would learn, before the first step.

    Args:
        losses: The losses.
        dataset: What is trained on.
        batch_size: Queries that are compared with each other.

    Raises:
        NothingToLearnError: If the first samples have nothing that a loss compares.
    """
    for loss in losses:
        if loss.compares == "none" and not (loss.needs_all_scores and batch_size == 1):
            continue
        count = 0
        for sample in islice(dataset, _LOOKED_AT):
            count = max(count, len(set(sample.docs)))
            if _is_enough(loss, sample):
                break
        else:
            if count:
                raise _nothing_to_learn(loss, dataset.name, count)


def _is_enough(loss: LossFunction, sample: RankSample) -> bool:
    if len(set(sample.docs)) < 2:
        return False
    return loss.compares != "targets" or sample.targets is None or len(set(sample.targets)) > 1


def _nothing_to_learn(loss: LossFunction, data: str, count: int) -> NothingToLearnError:
    """Say what a loss lacks, of data with so many documents per query."""
    name = type(loss).__name__
    if loss.compares == "none":
        return NothingToLearnError(
            f"{name} compares a query's document with those of the other queries in its batch; train_batch_size is 1, and "
            f"'{data}' has one document per query.",
            hint="train_batch_size=32, for instance",
        )
    if count < 2:
        return NothingToLearnError(
            f"{name} compares the documents of one query with each other, and '{data}' has one document per query.",
            hint=f"{_HINT}; or a loss that takes the other queries' documents, such as InBatchCrossEntropy",
        )
    return NothingToLearnError(
        f"{name} compares documents of different targets, and those of each query in '{data}' have the same.",
        hint=_HINT,
    )
