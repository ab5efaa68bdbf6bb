"""Losses of scores equal their equations, written as plain loops in float64."""

import inspect
import math
import re
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import lir_train
from lir_train import (
    ADRMSE,
    ApproxMRR,
    ApproxNDCG,
    ApproxRankMSE,
    BinaryCrossEntropy,
    ConstantMarginMSE,
    CoSENT,
    InfoNCE,
    KLDivergence,
    LambdaLoss,
    ListMLE,
    ListNet,
    LossFunction,
    LossInput,
    MarginMSE,
    MeanSquaredError,
    MultiPositiveInfoNCE,
    NeuralNDCG,
    PearsonCorrelation,
    PListMLE,
    RankNet,
    SupervisedMarginMSE,
    TripletMargin,
)
from lir_train.errors import LirTrainError

#: A score and a target of each document of each query.
Rows = list[list[tuple[float, float]]]

SCORE = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.integers(-400, 400).map(lambda value: value / 100))
ROWS = st.lists(
    st.lists(st.tuples(SCORE, st.sampled_from([0.0, 0.0, 1.0, 2.0, 3.0])), max_size=5), min_size=1, max_size=4
)
TEACHER_ROWS = st.lists(st.lists(st.tuples(SCORE, SCORE), max_size=5), min_size=1, max_size=4)


def batch_of(rows: Rows, dtype: torch.dtype = torch.float64, width: int = 1) -> LossInput:
    """Make a batch in which what lies where there is no document is no number."""
    width = max(width, *(len(row) for row in rows))
    scores = torch.full((len(rows), width), torch.nan, dtype=dtype)
    targets, mask = scores.clone(), torch.zeros(scores.shape, dtype=torch.bool)
    for place, row in enumerate(rows):
        for doc, (score, target) in enumerate(row):
            scores[place, doc], targets[place, doc], mask[place, doc] = score, target, True
    return LossInput(scores, targets, mask)


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def pairs(rows: Rows) -> Iterator[tuple[float, float]]:
    """Yield differences of scores and of targets of each pair of which the first should come first."""
    for row in rows:
        yield from ((s - other, t - lower) for s, t in row for other, lower in row if t > lower)


def log_softmax(values: list[float], temperature: float = 1.0) -> list[float]:
    total = math.log(sum(math.exp(value / temperature) for value in values))
    return [value / temperature - total for value in values]


def binary_cross_entropy(rows: Rows, weight: float) -> float:
    probabilities = [(1 / (1 + math.exp(-s)), min(max(t, 0.0), 1.0)) for row in rows for s, t in row]
    return mean([-weight * t * math.log(p) - (1 - t) * math.log(1 - p) for p, t in probabilities])


def first_margins(rows: Rows) -> float:
    return mean([((row[0][0] - s) - (row[0][1] - t)) ** 2 for row in rows for s, t in row[1:]])


def kl_divergence(rows: Rows, student: float, teacher: float, factor: float) -> float:
    values = []
    for row in filter(None, rows):
        log_q, log_p = log_softmax([s for s, _ in row], student), log_softmax([t for _, t in row], teacher)
        values.append(sum(math.exp(p) * (p - q) for p, q in zip(log_p, log_q, strict=True)))
    return factor * mean(values)


def info_nce(rows: Rows, temperature: float) -> float:
    values = []
    for row in rows:
        if any(t != 0 for _, t in row):
            best = max(range(len(row)), key=lambda place: row[place][1])
            values.append(-log_softmax([s for s, _ in row], temperature)[best])
    return mean(values)


def multi_positive(rows: Rows, positives: str, temperature: float) -> float:
    values = []
    for row in rows:
        found = [
            p
            for p, (_, t) in zip(log_softmax([s for s, _ in row], temperature) if row else [], row, strict=True)
            if t > 0
        ]
        if found:
            values.append(-mean(found) if positives == "each" else -math.log(sum(map(math.exp, found))))
    return mean(values)


def list_net(rows: Rows, temperature: float) -> float:
    values = []
    for row in filter(None, rows):
        log_q, log_p = log_softmax([s for s, _ in row], temperature), log_softmax([t for _, t in row])
        values.append(-sum(math.exp(p) * q for p, q in zip(log_p, log_q, strict=True)))
    return mean(values)


def list_mle(rows: Rows, temperature: float, weigh: Callable[[int, int], float], in_order: bool = False) -> float:
    values = []
    for row in filter(None, rows):
        ideal = [s / temperature for s, _ in (row if in_order else sorted(row, key=lambda doc: -doc[1]))]
        weights = [weigh(rank, len(row)) for rank in range(1, len(row) + 1)]
        values.append(
            -sum(
                weight * (s - math.log(sum(map(math.exp, ideal[place:]))))
                for place, (s, weight) in enumerate(zip(ideal, weights, strict=True))
            )
        )
    return mean(values)


def position_weight(rank: int, count: int) -> float:
    total = sum(2 ** (count - other) - 1 for other in range(1, count + 1))
    return (2 ** (count - rank) - 1) / total if total else 0.0


def pearson(rows: Rows) -> float:
    values = []
    for row in rows:
        if len({t for _, t in row}) < 2:
            continue
        if len({s for s, _ in row}) == 1:
            values.append(1.0)
            continue
        score, target = mean([s for s, _ in row]), mean([t for _, t in row])
        product = sum((s - score) * (t - target) for s, t in row)
        values.append(
            1
            - product
            / math.dist([s for s, _ in row], [score] * len(row))
            / math.dist([t for _, t in row], [target] * len(row))
        )
    return mean(values)


def ideal_dcg(row: list[tuple[float, float]], k: int | None = None, exponential: bool = True) -> float:
    gains = sorted((2**t - 1 if exponential else t for _, t in row), reverse=True)
    return sum(gain / math.log2(1 + rank) for rank, gain in enumerate(gains[:k], 1))


def lambda_loss(rows: Rows, weighting: str, k: int | None, sigma: float, mu: float) -> float:
    values = []
    for row in rows:
        ranked = sorted(row, key=lambda doc: -doc[0])
        ideal = ideal_dcg(row, k)
        gains = [(2**t - 1) / ideal if ideal else 0.0 for _, t in ranked]
        for i, (s, t) in enumerate(ranked):
            for j, (other, lower) in enumerate(ranked):
                if k is not None and i >= k and j >= k:
                    continue
                if (not ideal) if weighting == "ndcg_loss1" else (t <= lower):
                    continue
                far, gap = abs(i - j), abs(gains[i] - gains[j])
                distance = abs(1 / math.log2(1 + far) - 1 / math.log2(2 + far)) * gap if far else 0.0
                swap = abs(1 / math.log2(2 + i) - 1 / math.log2(2 + j)) * gap
                weight = {
                    "none": 1.0,
                    "ndcg_loss1": gains[i] / math.log2(2 + i),
                    "ndcg_loss2": distance,
                    "lambda_rank": swap,
                    "ndcg_loss2pp": mu * distance + swap,
                }[weighting]
                values.append(weight * math.log2(1 + math.exp(-sigma * (s - other))))
    return mean(values)


def smooth_ranks(row: list[tuple[float, float]], temperature: float) -> list[float]:
    return [
        1 + sum(1 / (1 + math.exp((s - other) / temperature)) for j, (other, _) in enumerate(row) if j != i)
        for i, (s, _) in enumerate(row)
    ]


def approx_ndcg(rows: Rows, temperature: float, exponential: bool) -> float:
    values = []
    for row in rows:
        ideal = ideal_dcg(row, exponential=exponential)
        if ideal:
            ranks = smooth_ranks(row, temperature)
            gains = [2**t - 1 if exponential else t for _, t in row]
            values.append(1 - sum(g / math.log2(1 + rank) for g, rank in zip(gains, ranks, strict=True)) / ideal)
    return mean(values)


def approx_mrr(rows: Rows, temperature: float) -> float:
    return mean(
        [
            1 - max(min(t, 1) / rank for (_, t), rank in zip(row, smooth_ranks(row, temperature), strict=True))
            for row in rows
            if any(t > 0 for _, t in row)
        ]
    )


def approx_rank_mse(rows: Rows, temperature: float, weigh: Callable[[float], float]) -> float:
    values = []
    for row in rows:
        for (_, t), smooth in zip(row, smooth_ranks(row, temperature), strict=True):
            places = [rank for rank, other in enumerate(sorted((t for _, t in row), reverse=True), 1) if other == t]
            values.append(weigh(mean(places)) * (smooth - mean(places)) ** 2)
    return mean(values)


def neural_ndcg(rows: Rows, temperature: float, k: int | None) -> float:
    values = []
    for row in rows:
        ideal, count = ideal_dcg(row, k), len(row)
        if not ideal:
            continue
        scores = [s / temperature for s, _ in row]
        matrix = [
            [math.exp((count + 1 - 2 * rank) * s - sum(abs(s - other) for other in scores)) for s in scores]
            for rank in range(1, count + 1)
        ]
        matrix = [[value / sum(line) for value in line] for line in matrix]
        for _ in range(50):
            columns = [sum(line[place] for line in matrix) for place in range(count)]
            if max(abs(column - 1) for column in columns) <= 1e-5:
                break
            matrix = [[value / column for value, column in zip(line, columns, strict=True)] for line in matrix]
            matrix = [[value / sum(line) for value in line] for line in matrix]
        dcg = sum(
            sum(p * (2**t - 1) for p, (_, t) in zip(line, row, strict=True)) / math.log2(1 + rank)
            for rank, line in enumerate(matrix[:k], 1)
        )
        values.append(1 - dcg / ideal)
    return mean(values)


def cosent(rows: Rows, temperature: float) -> float:
    docs = [doc for row in rows for doc in row]
    return math.log(1 + sum(math.exp((other - s) / temperature) for s, t in docs for other, lower in docs if t > lower))


CASES: list[tuple[str, LossFunction, Callable[[Rows], float]]] = [
    ("BinaryCrossEntropy", BinaryCrossEntropy(), lambda rows: binary_cross_entropy(rows, 1.0)),
    ("BinaryCrossEntropy-3", BinaryCrossEntropy(3.0), lambda rows: binary_cross_entropy(rows, 3.0)),
    ("MeanSquaredError", MeanSquaredError(), lambda rows: mean([(s - t) ** 2 for row in rows for s, t in row])),
    *(
        (
            f"RankNet-{temperature}",
            RankNet(temperature),
            lambda rows, temperature=temperature: mean(
                [math.log(1 + math.exp(-s / temperature)) for s, _ in pairs(rows)]
            ),
        )
        for temperature in (0.5, 1.0, 3.0)
    ),
    ("SupervisedMarginMSE", SupervisedMarginMSE(), lambda rows: mean([(s - t) ** 2 for s, t in pairs(rows)])),
    ("ConstantMarginMSE", ConstantMarginMSE(2.0), lambda rows: mean([(s - 2) ** 2 for s, _ in pairs(rows)])),
    ("MarginMSE-first", MarginMSE(pairs="first"), first_margins),
    ("TripletMargin", TripletMargin(0.7), lambda rows: mean([max(0.0, 0.7 - s) for s, _ in pairs(rows)])),
    ("KLDivergence", KLDivergence(), lambda rows: kl_divergence(rows, 1.0, 1.0, 1.0)),
    ("KLDivergence-2", KLDivergence(2.0), lambda rows: kl_divergence(rows, 2.0, 2.0, 1.0)),
    (
        "KLDivergence-scaled",
        KLDivergence(5.0, 0.5, 2.0, scale_by_temperature=True),
        lambda rows: kl_divergence(rows, 0.5, 2.0, 0.25),
    ),
    ("InfoNCE", InfoNCE(0.5), lambda rows: info_nce(rows, 0.5)),
    ("MultiPositiveInfoNCE-each", MultiPositiveInfoNCE("each", 0.5), lambda rows: multi_positive(rows, "each", 0.5)),
    ("MultiPositiveInfoNCE-any", MultiPositiveInfoNCE("any", 2.0), lambda rows: multi_positive(rows, "any", 2.0)),
    ("ListNet", ListNet(0.5), lambda rows: list_net(rows, 0.5)),
    ("ListMLE", ListMLE(2.0), lambda rows: list_mle(rows, 2.0, lambda rank, count: 1.0)),
    (
        "ListMLE-in-order",
        ListMLE(respect_input_order=True),
        lambda rows: list_mle(rows, 1.0, lambda rank, count: 1.0, in_order=True),
    ),
    ("PListMLE", PListMLE(0.5), lambda rows: list_mle(rows, 0.5, position_weight)),
    ("PearsonCorrelation", PearsonCorrelation(), pearson),
    *(
        (
            f"LambdaLoss-{weighting}-{k}",
            LambdaLoss(weighting, k, 1.5, 4.0),
            lambda rows, weighting=weighting, k=k: lambda_loss(rows, weighting, k, 1.5, 4.0),
        )
        for weighting in ("none", "ndcg_loss1", "ndcg_loss2", "lambda_rank", "ndcg_loss2pp")
        for k in (None, 2)
    ),
    ("ApproxNDCG", ApproxNDCG(0.5), lambda rows: approx_ndcg(rows, 0.5, True)),
    ("ApproxNDCG-linear", ApproxNDCG(scale_gains=False), lambda rows: approx_ndcg(rows, 1.0, False)),
    ("ApproxMRR", ApproxMRR(0.5), lambda rows: approx_mrr(rows, 0.5)),
    ("ApproxRankMSE", ApproxRankMSE(0.5), lambda rows: approx_rank_mse(rows, 0.5, lambda rank: 1.0)),
    (
        "ApproxRankMSE-reciprocal",
        ApproxRankMSE(discount="reciprocal"),
        lambda rows: approx_rank_mse(rows, 1.0, lambda rank: 1 / rank),
    ),
    ("ADRMSE", ADRMSE(2.0), lambda rows: approx_rank_mse(rows, 2.0, lambda rank: 1 / math.log2(1 + rank))),
    ("NeuralNDCG", NeuralNDCG(), lambda rows: neural_ndcg(rows, 1.0, None)),
    ("NeuralNDCG-2", NeuralNDCG(0.5, k=2), lambda rows: neural_ndcg(rows, 0.5, 2)),
    ("CoSENT", CoSENT(0.5), lambda rows: cosent(rows, 0.5)),
]
#: Of which a teacher's scores are targets too: below 0, and no whole numbers.
TEACHERS = {
    "Rank",
    "Superv",
    "Margin",
    "Constant",
    "Triplet",
    "KL",
    "InfoNCE",
    "ListNet",
    "ListMLE",
    "Pearson",
    "CoSENT",
}
LOSSES = [pytest.param(loss, id=name) for name, loss, _ in CASES]
EQUATIONS = [pytest.param(loss, equation, id=name) for name, loss, equation in CASES]
OF_TEACHERS = [
    pytest.param(loss, equation, id=name) for name, loss, equation in CASES if name.startswith(tuple(TEACHERS))
]


@pytest.mark.parametrize(("loss", "equation"), EQUATIONS)
@settings(max_examples=30, deadline=None)
@given(rows=ROWS)
def test_equals_its_equation(loss: LossFunction, equation: Callable[[Rows], float], rows: Rows) -> None:
    assert loss.compute(batch_of(rows)).item() == pytest.approx(equation(rows), abs=1e-8)


@pytest.mark.parametrize(("loss", "equation"), OF_TEACHERS)
@settings(max_examples=20, deadline=None)
@given(rows=TEACHER_ROWS)
def test_equals_its_equation_with_a_teachers_scores(
    loss: LossFunction, equation: Callable[[Rows], float], rows: Rows
) -> None:
    assert loss.compute(batch_of(rows)).item() == pytest.approx(equation(rows), abs=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_is_enough(loss: LossFunction) -> None:
    rows = [[(0.5, 1.0), (-2.0, 0.0), (3.0, 2.0)], [(1.0, 0.0), (1.0, 1.0)]]
    value = loss.compute(batch_of(rows, torch.float32))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(loss.compute(batch_of(rows)).item(), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_that_of_the_loss(loss: LossFunction) -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(3, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[2.0, 1.0, 0.0, 3.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 3.0, 2.0]], dtype=torch.float64)
    mask = torch.tensor([[True] * 4, [True, True, False, False], [True] * 3 + [False]])
    assert torch.autograd.gradcheck(lambda scores: loss.compute(LossInput(scores, targets, mask)), scores)


@pytest.mark.parametrize("loss", LOSSES)
@settings(max_examples=10, deadline=None)
@given(rows=ROWS)
def test_places_and_queries_without_documents_change_nothing(loss: LossFunction, rows: Rows) -> None:
    batch, wider = batch_of(rows), batch_of([*rows, []], width=7)
    assert loss.compute(wider).item() == pytest.approx(loss.compute(batch).item(), abs=1e-12)


DEGENERATE: dict[str, Rows] = {
    "no document": [[], []],
    "one document": [[(0.3, 1.0)]],
    "one document that is not relevant": [[(0.3, 0.0)], []],
    "all relevant": [[(0.3, 1.0), (0.1, 1.0), (-2.0, 1.0)]],
    "none relevant": [[(0.3, 0.0), (0.1, 0.0)]],
    "equal scores": [[(1 / 3, 1.0), (1 / 3, 0.0), (1 / 3, 2.0)]],
    "large scores": [[(1e4, 0.0), (-1e4, 1.0), (0.0, 2.0)], [(1e4, 1.0), (1e4, 0.0)], [(-1e4, 3.0)]],
    "large targets": [[(0.1, 1e4), (0.2, -1e4), (0.3, 200.0)]],
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", DEGENERATE.values(), ids=DEGENERATE.keys())
@pytest.mark.parametrize("loss", LOSSES)
def test_value_and_gradient_are_numbers(loss: LossFunction, rows: Rows, dtype: torch.dtype) -> None:
    batch = batch_of(rows, dtype, width=4)
    scores = batch.scores.clone().requires_grad_()
    value = loss.compute(LossInput(scores, batch.targets, batch.mask))
    value.backward()
    assert math.isfinite(value.item())
    assert torch.isfinite(scores.grad).all()
    assert not scores.grad[~batch.mask].any()


NEEDS_PAIRS = [
    RankNet(),
    SupervisedMarginMSE(),
    ConstantMarginMSE(),
    TripletMargin(),
    LambdaLoss(),
    PearsonCorrelation(),
]
NEEDS_RELEVANT = [InfoNCE(), MultiPositiveInfoNCE(), ApproxNDCG(), ApproxMRR(), NeuralNDCG(), LambdaLoss("ndcg_loss1")]


@pytest.mark.parametrize("loss", [*NEEDS_PAIRS, *NEEDS_RELEVANT], ids=lambda loss: type(loss).__name__)
def test_a_query_that_teaches_nothing_does_not_count(loss: LossFunction) -> None:
    rows = [[(0.3, 1.0), (0.5, 0.0), (0.1, 2.0)]]
    alone, beside = loss.compute(batch_of(rows)), loss.compute(batch_of([*rows, [(0.2, 0.0), (0.9, 0.0)]]))
    assert alone.item() > 0
    assert beside.item() == pytest.approx(alone.item(), abs=1e-12)


def test_equal_targets_are_ranked_as_they_came() -> None:
    rows = [[(1.0, 1.0), (2.0, 1.0)]]
    assert ListMLE().compute(batch_of(rows)).item() == pytest.approx(
        ListMLE(respect_input_order=True).compute(batch_of(rows)).item()
    )


def test_many_documents_do_not_overflow_the_weights_of_positions() -> None:
    rows = [[(0.01 * place, float(place)) for place in range(1500)]]
    assert math.isfinite(PListMLE().compute(batch_of(rows, torch.float32)).item())


def test_the_schemes_of_sentence_transformers_are_weightings() -> None:
    assert LambdaLoss("NDCGLoss2PPScheme").weighting == "ndcg_loss2pp"


@pytest.mark.parametrize(
    "make",
    [
        RankNet,
        KLDivergence,
        InfoNCE,
        ListNet,
        ListMLE,
        PListMLE,
        ApproxNDCG,
        ApproxMRR,
        ApproxRankMSE,
        ADRMSE,
        NeuralNDCG,
        CoSENT,
    ],
)
@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_nothing_can_be_divided_by_is_refused(
    make: Callable[[float], LossFunction], temperature: float
) -> None:
    with pytest.raises(LirTrainError, match=f"temperature is {temperature}; it must be greater than 0"):
        make(temperature)


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (BinaryCrossEntropy, {"pos_weight": 0.0}, "BinaryCrossEntropy: pos_weight is 0.0; it must be greater than 0."),
        (TripletMargin, {"margin": -1.0}, "TripletMargin: margin is -1.0; it must be at least 0."),
        (MarginMSE, {"margin": "score"}, "MarginMSE: margin is 'score'; it must be a number or 'scores'."),
        (
            MarginMSE,
            {"pairs": "order"},
            "MarginMSE: pairs is 'order'; it must be 'ordered' or 'first'. Did you mean 'ordered'?",
        ),
        (KLDivergence, {"teacher_temperature": -2.0}, "teacher_temperature is -2.0; it must be greater than 0."),
        (MultiPositiveInfoNCE, {"positives": "all"}, "positives is 'all'; it must be 'each' or 'any'."),
        (
            LambdaLoss,
            {"weighting": "ndcgloss2"},
            "it must be 'none', 'ndcg_loss1', 'ndcg_loss2', 'lambda_rank' or 'ndcg_loss2pp'. Did you mean 'ndcg_loss2'?",
        ),
        (LambdaLoss, {"k": 0}, "LambdaLoss: k is 0; it must be a whole number, at least 1."),
        (LambdaLoss, {"sigma": 0.0}, "LambdaLoss: sigma is 0.0; it must be greater than 0."),
        (LambdaLoss, {"mu": -1.0}, "LambdaLoss: mu is -1.0; it must be at least 0."),
        (LambdaLoss, {"reduction_log": "ln"}, "reduction_log is 'ln'; it must be 'binary' or 'natural'."),
        (ApproxRankMSE, {"discount": "log"}, "discount is 'log'; it must be 'log2' or 'reciprocal'."),
        (NeuralNDCG, {"k": 1.5}, "NeuralNDCG: k is 1.5; it must be a whole number, at least 1."),
        (NeuralNDCG, {"tol": 0.0}, "NeuralNDCG: tol is 0.0; it must be greater than 0."),
        (NeuralNDCG, {"max_iter": 0}, "NeuralNDCG: max_iter is 0; it must be a whole number, at least 1."),
    ],
)
def test_a_wrong_argument_is_named(kind: type[LossFunction], arguments: dict[str, object], message: str) -> None:
    # As it is without the tests' own check of annotations, which would find wrong types first.
    make = inspect.unwrap(kind.__init__)
    with pytest.raises(LirTrainError, match=re.escape(message)):
        make(kind.__new__(kind), **arguments)


def test_the_public_names_can_be_imported() -> None:
    assert sorted(lir_train.__all__) == lir_train.__all__
    assert all(hasattr(lir_train, name) for name in lir_train.__all__)


def test_all_losses_are_public() -> None:
    assert set(lir_train.losses.__all__) <= set(lir_train.__all__)
