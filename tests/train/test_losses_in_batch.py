"""Losses with the documents of other queries equal their equations, written as plain loops."""

import inspect
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_train import (
    CachedMultipleNegativesRankingLoss,
    Embedded,
    InBatchCrossEntropy,
    LossFunction,
    LossInput,
    MultipleNegativesRankingLoss,
    ScoreBasedInBatchCrossEntropy,
)
from lir_train.errors import LirTrainError


@dataclass
class Drawn:
    """A batch, and what it is made of: document by document, whose it is, its target and its key."""

    batch: LossInput
    queries: int
    scores: list[list[float]]
    owners: list[int]
    targets: list[float]
    keys: list[int]
    best: list[int | None]


@st.composite
def batches(draw: st.DrawFn) -> Drawn:
    """Draw queries with different numbers of documents, documents that are the same, and those of another process."""
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(any))
    foreign = draw(st.lists(st.booleans(), max_size=3))
    order = random.Random(draw(st.integers(0, 1000)))
    owners = [query for query, count in enumerate(counts) for _ in range(count)] + [-1] * len(foreign)
    scores = [[order.choice([order.uniform(-2, 2), 0.5]) for _ in owners] for _ in counts]
    targets = [float(order.choice([0, 0, 1, 2])) for _ in owners]
    keys = [order.randrange(draw(st.sampled_from([3, 100]))) for _ in owners]
    best: list[int | None] = []
    for query in range(len(counts)):
        own = [place for place, owner in enumerate(owners) if owner == query]
        best.append(max(own, key=lambda place: targets[place]) if own else None)
    is_best = [place in best for place in range(sum(counts))] + foreign

    mask = torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(1)
    table = torch.full(mask.shape, torch.nan, dtype=torch.float64)
    all_scores = torch.tensor(scores, dtype=torch.float64)
    own_targets = table.masked_scatter(mask, torch.tensor(targets, dtype=torch.float64))
    batch = LossInput(table, own_targets, mask, all_scores, torch.tensor(keys), torch.tensor(is_best))
    return Drawn(batch, len(counts), scores, owners, targets, keys, best)


def is_left_out(drawn: Drawn, query: int) -> bool:
    return not any(drawn.targets[place] for place, owner in enumerate(drawn.owners) if owner == query)


def equation(drawn: Drawn, temperature: float, is_negative: Callable[[int, int], bool]) -> float:
    values = []
    for query in range(drawn.queries):
        best = drawn.best[query]
        if best is None or is_left_out(drawn, query):
            continue
        own_keys = {key for key, owner in zip(drawn.keys, drawn.owners, strict=True) if owner == query}
        chosen = [best]
        for place, owner in enumerate(drawn.owners):
            is_same = owner != query and drawn.keys[place] in own_keys
            if place != best and not is_same and is_negative(query, place):
                chosen.append(place)
        logits = [drawn.scores[query][place] / temperature for place in chosen]
        values.append(math.log(sum(map(math.exp, logits))) - logits[0])
    return sum(values) / len(values) if values else 0.0


@settings(deadline=None)
@given(
    drawn=batches(),
    own=st.sampled_from(["all", "first"]),
    others=st.sampled_from(["all", "first", "all_and_non_first"]),
    temperature=st.sampled_from([0.05, 1.0]),
    margin=st.sampled_from([None, -0.5, 0.0, 0.5]),
)
def test_in_batch_cross_entropy_equals_its_equation(
    drawn: Drawn, own: str, others: str, temperature: float, margin: float | None
) -> None:
    def is_negative(query: int, place: int) -> bool:
        scores = drawn.scores[query]
        if margin is not None and scores[place] > scores[drawn.best[query]] + margin:
            return False
        if drawn.owners[place] == query:
            return own == "all" or others == "all_and_non_first"
        return others != "first" or bool(drawn.batch.is_best[place])

    loss = InBatchCrossEntropy(own, others, temperature=temperature, false_negative_margin=margin)
    assert loss.compute(drawn.batch).item() == pytest.approx(equation(drawn, temperature, is_negative), abs=1e-8)


@settings(deadline=None)
@given(drawn=batches(), difference=st.sampled_from([0.0, 1.0, 2.0]))
def test_score_based_cross_entropy_equals_its_equation(drawn: Drawn, difference: float) -> None:
    def is_negative(query: int, place: int) -> bool:
        highest = drawn.targets[drawn.best[query]]
        return drawn.owners[place] != query or highest - drawn.targets[place] >= difference

    value = ScoreBasedInBatchCrossEntropy(difference, temperature=0.5).compute(drawn.batch)
    assert value.item() == pytest.approx(equation(drawn, 0.5, is_negative), abs=1e-8)


@settings(max_examples=30, deadline=None)
@given(drawn=batches())
def test_the_best_is_known_from_the_targets_where_nobody_says_it(drawn: Drawn) -> None:
    unsaid = replace(drawn.batch, is_best=None)
    assert InBatchCrossEntropy().compute(unsaid).item() == InBatchCrossEntropy().compute(drawn.batch).item()


ALL = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")
LOSSES = [
    InBatchCrossEntropy(temperature=0.05),
    InBatchCrossEntropy("first", "first", false_negative_margin=0.1),
    InBatchCrossEntropy(directions=ALL, hardness_mode="all_negatives", hardness_strength=1.0),
    InBatchCrossEntropy(
        directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction", false_negative_margin=-5.0
    ),
    ScoreBasedInBatchCrossEntropy(1.0),
]


def embedded_batch(counts: list[int], targets: list[float], scale: float = 1.0, others: int = 0) -> LossInput:
    """Make a batch from random embeddings, of which the last documents and a query are another process's."""
    generator = torch.Generator().manual_seed(0)
    queries, all_queries, docs, all_docs = (
        scale * torch.randn(count, 4, generator=generator, dtype=torch.float64)
        for count in (len(counts), others, sum(counts), others)
    )
    return joined(counts, targets, queries, docs, all_queries, all_docs)


def joined(counts: list[int], targets: list[float], *parts: torch.Tensor) -> LossInput:
    """Make a batch of this process's queries and documents and of another's."""
    queries, docs, more_queries, more_docs = parts
    all_queries, all_docs = torch.cat([queries, more_queries]), torch.cat([docs, more_docs])
    mask = torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(1)
    table = torch.zeros(mask.shape, dtype=torch.float64).masked_scatter(
        mask, torch.tensor(targets, dtype=torch.float64)
    )
    embedded = Embedded(queries, docs, all_queries, all_docs, lambda queries, docs: queries @ docs.T)
    return LossInput(table, table, mask, queries @ all_docs.T, torch.arange(len(all_docs)), embedded=embedded)


# Hardness has no gradient, on purpose.
@pytest.mark.parametrize("loss", [*LOSSES[:2], InBatchCrossEntropy(directions=ALL), *LOSSES[3:]])
def test_the_gradient_is_that_of_the_loss(loss: LossFunction) -> None:
    batch = embedded_batch([2, 1, 3], [1.0, 0.0, 2.0, 0.0, 3.0, 1.0], others=2)
    parts = [
        part.clone().requires_grad_()
        for part in (
            batch.embedded.queries,
            batch.embedded.docs,
            batch.embedded.all_queries[3:],
            batch.embedded.all_docs[6:],
        )
    ]
    assert torch.autograd.gradcheck(
        lambda *parts: loss.compute(joined([2, 1, 3], [1.0, 0.0, 2.0, 0.0, 3.0, 1.0], *parts)), parts
    )


@pytest.mark.parametrize("scale", [1.0, 100.0])
@pytest.mark.parametrize(
    ("counts", "targets"),
    [([1], [1.0]), ([1], [0.0]), ([0, 1], [1.0]), ([2, 2], [0.0] * 4), ([2, 2], [1.0] * 4), ([3, 0, 1], [0, 2, 1, 0])],
)
@pytest.mark.parametrize("loss", LOSSES)
def test_value_and_gradient_are_numbers(
    loss: LossFunction, counts: list[int], targets: list[float], scale: float
) -> None:
    batch = embedded_batch(counts, targets, scale)
    parts = [
        part.clone().requires_grad_()
        for part in (batch.embedded.queries, batch.embedded.docs, *torch.zeros(2, 0, 4).double())
    ]
    value = loss.compute(joined(counts, targets, *parts))
    value.backward()
    assert math.isfinite(value.item())
    assert all(torch.isfinite(part.grad).all() for part in parts[:2])


def test_a_query_that_has_a_document_too_is_no_negative_of_it() -> None:
    batch = embedded_batch([1, 1], [1.0, 1.0])
    loss = InBatchCrossEntropy(directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction")
    assert loss.compute(batch).item() > 0
    assert loss.compute(replace(batch, doc_keys=torch.tensor([7, 7]))).item() == 0.0


def test_a_batch_without_a_relevant_document_teaches_nothing() -> None:
    batch = embedded_batch([2, 1], [0.0] * 3)
    scores = batch.all_scores.clone().requires_grad_()
    value = InBatchCrossEntropy().compute(replace(batch, all_scores=scores))
    value.backward()
    assert value.item() == 0.0
    assert not scores.grad.any()


def test_negatives_can_be_limited() -> None:
    mask = torch.ones(20, 1, dtype=torch.bool)
    even = LossInput(torch.ones(20, 1), torch.ones(20, 1), mask, torch.zeros(20, 20), torch.arange(20))
    assert InBatchCrossEntropy(max_num_neg_samples=3).compute(even).item() == pytest.approx(math.log(4))


def test_false_negatives_are_left_out() -> None:
    mask = torch.ones(2, 1, dtype=torch.bool)
    scores = torch.tensor([[0.5, 0.7], [0.2, 0.5]])
    batch = LossInput(torch.ones(2, 1), torch.ones(2, 1), mask, scores, torch.arange(2))
    expected = math.log(1 + math.exp(0.2 - 0.5)) / 2
    assert InBatchCrossEntropy(false_negative_margin=0.1).compute(batch).item() == pytest.approx(expected)


def test_embeddings_are_needed_for_other_directions_alone() -> None:
    assert not InBatchCrossEntropy().needs_embeddings
    assert InBatchCrossEntropy(directions=ALL).needs_embeddings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pos_sampling_technique": "frist"}, "it must be 'all' or 'first'. Did you mean 'first'?"),
        ({"neg_sampling_technique": "none"}, "is 'none'; it must be 'all', 'first' or 'all_and_non_first'."),
        ({"max_num_neg_samples": 0}, "InBatchCrossEntropy: max_num_neg_samples is 0; it must be a whole number"),
        ({"temperature": 0.0}, "InBatchCrossEntropy: temperature is 0.0; it must be greater than 0."),
        (
            {"directions": ("query_to_doc", "doc_to_docs")},
            "is 'doc_to_docs'; it must be 'query_to_doc', 'query_to_query', 'doc_to_query' or 'doc_to_doc'. Did you mean",
        ),
        ({"directions": ("doc_to_query",)}, "directions are ['doc_to_query']; 'query_to_doc', which has the positive,"),
        ({"directions": ALL, "partition_mode": "per_direction"}, "'query_to_query' has no positive to be found"),
        ({"partition_mode": "both"}, "partition_mode is 'both'; it must be 'joint' or 'per_direction'."),
        ({"hardness_mode": "hard"}, "hardness_mode is 'hard'; it must be 'in_batch_negatives', 'hard_negatives' or"),
        ({"hardness_strength": -1.0}, "hardness_strength is -1.0; it must be at least 0."),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], message: str) -> None:
    # As it is without the tests' own check of annotations, which would find wrong types first.
    make = inspect.unwrap(InBatchCrossEntropy.__init__)
    with pytest.raises(LirTrainError, match=re.escape(message)):
        make(InBatchCrossEntropy.__new__(InBatchCrossEntropy), **arguments)


def test_a_negative_difference_is_refused() -> None:
    with pytest.raises(LirTrainError, match=r"min_target_diff is -1\.0; it must be at least 0"):
        ScoreBasedInBatchCrossEntropy(-1.0)


def test_a_scale_of_nothing_is_refused() -> None:
    with pytest.raises(LirTrainError, match=r"MultipleNegativesRankingLoss: scale is 0\.0; it must be greater than 0"):
        MultipleNegativesRankingLoss(0.0)


def test_a_cached_loss_says_where_its_mini_batches_are_set() -> None:
    with pytest.raises(LirTrainError, match=r"mini_batch_size is 32; in lir it is an option of the\s+module"):
        CachedMultipleNegativesRankingLoss(mini_batch_size=32)
