"""What every loss is given, and what it gives."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lir_train.errors import ArgumentError

Pairs = Float[Tensor, "queries docs docs"]


@dataclass(frozen=True)
class LossInput:
    """Scores and targets of a batch.

    Args:
        scores: Of each query's own documents, float32.
        targets: What is to be learnt of them, larger is better.
        mask: Whether there is a document; queries may have different numbers of them.
        all_scores: Of each query with every document of the batch, the documents in the order in which ``mask`` is
            true; None for a cross-encoder, which would have to read every pair.
        doc_keys: Equal numbers for equal documents.
    """

    scores: Float[Tensor, "queries docs"]
    targets: Float[Tensor, "queries docs"]
    mask: Bool[Tensor, "queries docs"]
    all_scores: Float[Tensor, "queries all_docs"] | None = None
    doc_keys: Int[Tensor, " all_docs"] | None = None


class LossFunction(ABC):
    """A loss; it is logged under its class's name."""

    #: Whether it compares a query with other queries' documents, so that only bi-encoders can have it.
    needs_all_scores = False

    @abstractmethod
    def compute(self, batch: LossInput) -> Float[Tensor, ""]:
        """Return the mean loss of a batch."""


def check_temperature(loss: LossFunction, temperature: float) -> float:
    """Refuse a temperature that scores cannot be divided by."""
    if not temperature > 0:
        raise ArgumentError(f"{type(loss).__name__}: temperature is {temperature}; it must be greater than 0.")
    return temperature


def masked_mean(values: Float[Tensor, "*shape"], mask: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Return the mean of the values where the mask is true; 0 where it is nowhere."""
    return torch.where(mask, values, 0.0).sum() / mask.sum().clamp(min=1)


def ordered_pairs(batch: LossInput) -> tuple[Pairs, Pairs, Bool[Tensor, "queries docs docs"]]:
    """Return score and target differences of documents i and j of a query, and where i should come before j."""
    score = batch.scores.unsqueeze(2) - batch.scores.unsqueeze(1)
    target = batch.targets.unsqueeze(2) - batch.targets.unsqueeze(1)
    there = batch.mask.unsqueeze(2) & batch.mask.unsqueeze(1)
    return score, target, there & (target > 0)
