"""Losses equal their equations, written as plain loops in float64."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lir_train
from lir_train import InBatchCrossEntropy, KLDivergence, LossInput, RankNet, SupervisedMarginMSE
from lir_train.errors import LirTrainError


def random_batch(seed: int, counts: list[int]) -> LossInput:
    """Make a batch in which queries have different numbers of documents."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(counts), max(counts))
    mask = torch.arange(shape[1]).unsqueeze(0) < torch.tensor(counts).unsqueeze(1)
    all_scores = torch.randn(len(counts), sum(counts), generator=generator)
    owner, place = mask.nonzero(as_tuple=True)
    scores = torch.zeros(shape).index_put((owner, place), all_scores[owner, torch.arange(len(owner))])
    targets = torch.randint(0, 3, shape, generator=generator).float() * mask
    return LossInput(scores, targets, mask, all_scores, torch.arange(sum(counts)))


def pairs(batch: LossInput):
    """Yield scores and targets of each pair of which the first should come first."""
    for row, there in enumerate(batch.mask):
        count = int(there.sum())
        for i in range(count):
            for j in range(count):
                if batch.targets[row, i] > batch.targets[row, j]:
                    yield (
                        float(batch.scores[row, i] - batch.scores[row, j]),
                        float(batch.targets[row, i] - batch.targets[row, j]),
                    )


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


BATCHES = {"seed": st.integers(0, 1000), "counts": st.lists(st.integers(1, 5), min_size=1, max_size=5)}


@given(**BATCHES, temperature=st.sampled_from([0.5, 1.0, 3.0]))
def test_rank_net_equals_its_equation(seed: int, counts: list[int], temperature: float) -> None:
    batch = random_batch(seed, counts)
    expected = mean([math.log(1 + math.exp(-score / temperature)) for score, _ in pairs(batch)])
    assert RankNet(temperature).compute(batch).item() == pytest.approx(expected, abs=1e-5)


@given(**BATCHES)
def test_margin_mse_equals_its_equation(seed: int, counts: list[int]) -> None:
    batch = random_batch(seed, counts)
    expected = mean([(score - target) ** 2 for score, target in pairs(batch)])
    assert SupervisedMarginMSE().compute(batch).item() == pytest.approx(expected, abs=1e-4)


@given(**BATCHES, temperature=st.sampled_from([0.5, 1.0, 3.0]))
def test_kl_divergence_equals_its_equation(seed: int, counts: list[int], temperature: float) -> None:
    batch = random_batch(seed, counts)
    values = []
    for row, count in enumerate(counts):
        weights = [math.exp(float(target) / temperature) for target in batch.targets[row, :count]]
        others = [math.exp(float(score) / temperature) for score in batch.scores[row, :count]]
        teacher = [weight / sum(weights) for weight in weights]
        student = [weight / sum(others) for weight in others]
        values.append(sum(p * math.log(p / q) for p, q in zip(teacher, student, strict=True)))
    assert KLDivergence(temperature).compute(batch).item() == pytest.approx(mean(values), abs=1e-5)


@given(
    **BATCHES,
    own=st.sampled_from(["all", "first"]),
    others=st.sampled_from(["all", "first", "all_and_non_first"]),
    temperature=st.sampled_from([0.05, 1.0]),
)
def test_in_batch_cross_entropy_equals_its_equation(
    seed: int, counts: list[int], own: str, others: str, temperature: float
) -> None:
    batch = random_batch(seed, counts)
    starts = [sum(counts[:row]) for row in range(len(counts))]
    best = [
        start + int(batch.targets[row, :count].argmax())
        for row, (start, count) in enumerate(zip(starts, counts, strict=True))
    ]
    values = []
    for row, (start, count) in enumerate(zip(starts, counts, strict=True)):
        if not batch.targets[row, :count].any():
            continue
        mine = set(range(start, start + count))
        foreign = set(best) - mine if others == "first" else set(range(sum(counts))) - mine
        chosen = {best[row]} | foreign | (mine if own == "all" or others == "all_and_non_first" else set())
        total = math.log(sum(math.exp(float(batch.all_scores[row, place]) / temperature) for place in chosen))
        values.append(total - float(batch.all_scores[row, best[row]]) / temperature)
    loss = InBatchCrossEntropy(own, others, temperature=temperature)
    assert loss.compute(batch).item() == pytest.approx(mean(values), abs=1e-4)


def test_the_same_document_of_another_query_is_no_negative() -> None:
    batch = random_batch(0, [1, 1])
    same = LossInput(batch.scores, torch.ones(2, 1), batch.mask, batch.all_scores, torch.tensor([0, 0]))
    assert InBatchCrossEntropy().compute(same).item() == 0.0


def test_a_batch_without_a_relevant_document_teaches_in_batch_cross_entropy_nothing() -> None:
    batch = random_batch(0, [2, 1])
    scores = batch.all_scores.clone().requires_grad_()
    value = InBatchCrossEntropy().compute(LossInput(batch.scores, torch.zeros(2, 2), batch.mask, scores))
    value.backward()
    assert value.item() == 0.0
    assert not scores.grad.any()


def test_negatives_can_be_limited() -> None:
    batch = random_batch(0, [1] * 20)
    even = LossInput(batch.scores, torch.ones(20, 1), batch.mask, torch.zeros(20, 20), torch.arange(20))
    assert InBatchCrossEntropy(max_num_neg_samples=3).compute(even).item() == pytest.approx(math.log(4))


@pytest.mark.parametrize("loss", [RankNet(), SupervisedMarginMSE(), KLDivergence()])
def test_a_batch_that_teaches_nothing_has_no_nan(loss: lir_train.LossFunction) -> None:
    scores = torch.zeros(1, 1, requires_grad=True)
    value = loss.compute(LossInput(scores, torch.ones(1, 1), torch.ones(1, 1, dtype=torch.bool)))
    value.backward()
    assert value.item() == 0.0
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize(
    "make", [lambda: RankNet(0.0), lambda: KLDivergence(-1.0), lambda: InBatchCrossEntropy(temperature=0.0)]
)
def test_a_temperature_of_nothing_is_refused(make: object) -> None:
    with pytest.raises(LirTrainError, match="must be greater than 0"):
        make()


def test_the_public_names_can_be_imported() -> None:
    assert sorted(lir_train.__all__) == lir_train.__all__
    assert all(hasattr(lir_train, name) for name in lir_train.__all__)
