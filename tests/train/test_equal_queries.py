"""Rows of an equal query are never each other's negatives, in any direction, nor is a query's own positive."""

import math
import random
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lir_data import RankSample, TupleDataset
from lir_models import BiEncoderModel
from lir_train import (
    BiEncoderModule,
    Embedded,
    GuidedInBatchCrossEntropy,
    InBatchCrossEntropy,
    LossFunction,
    LossInput,
    MultipleNegativesRankingLoss,
)
from lir_train.collate import TrainingCollator

DIRECTIONS = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")
RED_TWICE = [
    RankSample("q0", "red", ("d0",), ("red red",), (1.0,)),
    RankSample("q0", "red", ("d1",), ("blue red",), (1.0,)),
]


def value(backbone: Path, samples: list[RankSample], loss: LossFunction) -> float:
    model = BiEncoderModel.from_pretrained(str(backbone), device="cpu")
    module = BiEncoderModule(model=model, loss_functions=[loss])
    return loss.compute(module.loss_input(TrainingCollator(model)(samples))).item()


@pytest.mark.parametrize(
    ("loss", "without_negatives"),
    [
        (InBatchCrossEntropy(), 0.0),
        # The positive is in the sum from both sides.
        (InBatchCrossEntropy(directions=DIRECTIONS), math.log(2)),
        (InBatchCrossEntropy(directions=("query_to_doc", "doc_to_query"), partition_mode="per_direction"), 0.0),
        (MultipleNegativesRankingLoss(), 0.0),
    ],
)
@pytest.mark.parametrize("same", ["id", "text"])
def test_another_relevant_document_of_the_query_is_no_negative(
    backbone: Path, loss: LossFunction, without_negatives: float, same: str
) -> None:
    first, second = RED_TWICE
    other = RankSample("q0", "green", second.doc_ids, second.docs, second.targets)
    if same == "text":
        other = RankSample("q9", "red", second.doc_ids, second.docs, second.targets)
    assert value(backbone, [first, other], loss) == pytest.approx(without_negatives, abs=1e-6)


def test_a_guided_loss_knows_equal_queries(backbone: Path) -> None:
    guide = BiEncoderModel.from_pretrained(str(backbone), device="cpu")
    loss = GuidedInBatchCrossEntropy(guide, margin=-1000.0)
    assert value(backbone, RED_TWICE, loss) == pytest.approx(0.0, abs=1e-6)


def test_different_queries_are_negatives_as_before(backbone: Path) -> None:
    samples = [RED_TWICE[0], RankSample("q1", "blue", ("d1",), ("blue red",), (1.0,))]
    assert value(backbone, samples, InBatchCrossEntropy()) > 0.01


def test_what_is_relevant_in_another_row_is_no_hard_negative(backbone: Path) -> None:
    samples = [RankSample("q0", "red", ("d0", "d1"), ("red red", "blue red"), (1.0, 0.0)), RED_TWICE[1]]
    assert value(backbone, samples, InBatchCrossEntropy()) == pytest.approx(0.0, abs=1e-6)


def test_a_querys_own_positive_among_its_negatives_is_none(backbone: Path) -> None:
    once = [RankSample("q0", "red", ("d0", "d1"), ("red red", "one"), (1.0, 0.0))]
    twice = [RankSample("q0", "red", ("d7", "d0", "d1"), ("red red", "red red", "one"), (0.0, 1.0, 0.0))]
    assert value(backbone, twice, InBatchCrossEntropy()) == pytest.approx(value(backbone, once, InBatchCrossEntropy()))


@st.composite
def batches(draw: st.DrawFn) -> tuple[LossInput, list[int], int]:
    """Draw one document per query, queries that are equal, and those of another process behind; and how many are own."""
    names = draw(st.lists(st.integers(0, 2), min_size=1, max_size=6))
    num_own = draw(st.integers(1, len(names)))
    order = random.Random(draw(st.integers(0, 100)))
    tensor = torch.tensor(
        [[order.uniform(-1, 1) for _ in range(3)] for _ in range(2 * len(names))], dtype=torch.float64
    )
    queries, docs = tensor[: len(names)], tensor[len(names) :]
    embedded = Embedded(queries[:num_own], docs[:num_own], queries, docs, lambda left, right: left @ right.T)
    keys = torch.tensor([[name, 100 + place] for place, name in enumerate(names)])
    all_scores = embedded.compare(embedded.queries, docs)
    batch = LossInput(
        all_scores.diagonal().unsqueeze(1),
        torch.ones(num_own, 1, dtype=torch.float64),
        torch.ones(num_own, 1, dtype=torch.bool),
        all_scores,
        torch.arange(len(names)),
        torch.ones(len(names), dtype=torch.bool),
        embedded,
        query_keys=keys,
        owner_keys=keys,
    )
    return batch, names, num_own


@given(batches())
def test_all_directions_equal_plain_loops_across_processes(drawn: tuple[LossInput, list[int], int]) -> None:
    batch, names, num_own = drawn
    assert batch.embedded is not None
    queries, docs = batch.embedded.all_queries.tolist(), batch.embedded.all_docs.tolist()

    def dot(left: list[float], right: list[float]) -> float:
        return sum(a * b for a, b in zip(left, right, strict=True))

    losses = []
    for row in range(num_own):
        others = [place for place, name in enumerate(names) if name != names[row]]
        positive = dot(queries[row], docs[row])
        summed = [positive, positive]  # of the query with its document, and of the document with its query
        for other in others:
            summed += [dot(queries[row], docs[other]), dot(queries[row], queries[other])]
            summed += [dot(docs[row], queries[other]), dot(docs[row], docs[other])]
        losses.append(math.log(sum(math.exp(score) for score in summed)) - positive)
    found = InBatchCrossEntropy(directions=DIRECTIONS).compute(batch)
    assert float(found) == pytest.approx(sum(losses) / num_own)


def test_the_same_query_of_judgements_makes_no_negatives_of_its_documents(backbone: Path, tmp_path: Path) -> None:
    (tmp_path / "triples.tsv").write_text("red\tred red\tone\nred\tblue red\ttwo\n")
    samples = list(TupleDataset(str(tmp_path / "triples.tsv")))
    alone = [value(backbone, [sample], InBatchCrossEntropy()) for sample in samples]
    assert value(backbone, samples, InBatchCrossEntropy()) == pytest.approx(sum(alone) / 2)
