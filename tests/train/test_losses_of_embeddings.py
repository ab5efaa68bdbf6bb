"""Losses of embeddings: regularizers, views, token retrieval, Matryoshka, guided negatives."""

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_models import BiEncoderModel, ColConfig, DprConfig
from lir_models.embeddings import CoilEmbeddings, Packed, as_packed
from lir_models.scoring import compare, xtr
from lir_train import (
    ContrastiveLocalLoss,
    DFFLOPSRegularization,
    Embedded,
    FLOPSRegularization,
    GISTEmbedLoss,
    GuidedInBatchCrossEntropy,
    InBatchCrossEntropy,
    InfoNCE,
    KLDivergence,
    L1Regularization,
    L2Regularization,
    LossFunction,
    LossInput,
    Matryoshka,
    Texts,
    XtrCrossEntropy,
)
from lir_train.errors import LirTrainError
from lir_train.losses.loss import own_scores


def dot(queries: Any, docs: Any) -> torch.Tensor:
    """Compare in the precision of the embeddings, which the tests of gradients need."""
    if isinstance(queries, Packed) or isinstance(docs, Packed):
        queries, docs = as_packed(queries), as_packed(docs)
        matches = torch.segment_reduce(docs.vectors @ queries.vectors.T, "max", lengths=docs.lengths, axis=0)
        return torch.segment_reduce(matches.T.contiguous(), "sum", lengths=queries.lengths, axis=0)
    return queries @ docs.T


def batch_of(
    queries: Any, docs: Any, counts: Sequence[int], targets: Sequence[float], compare: Callable[..., torch.Tensor] = dot
) -> LossInput:
    """Make a batch of embeddings."""
    mask = torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(1)
    all_scores = compare(queries, docs)
    table = torch.zeros(mask.shape, dtype=all_scores.dtype).masked_scatter(
        mask, torch.tensor(targets, dtype=all_scores.dtype)
    )
    embedded = Embedded(queries, docs, queries, docs, compare)
    keys = torch.arange(all_scores.shape[1])
    return LossInput(own_scores(all_scores, mask), table, mask, all_scores, keys, embedded=embedded)


def random_vectors(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


VECTORS = st.integers(1, 4).flatmap(
    lambda width: st.lists(
        st.lists(st.sampled_from([0.0, 0.0, -0.5, 1.0, 2.0]), min_size=width, max_size=width), min_size=1, max_size=4
    )
)


def mean_columns(rows: list[list[float]], threshold: int) -> list[float]:
    kept = [row if sum(value != 0 for value in row) > threshold else [0.0] * len(row) for row in rows]
    return [sum(abs(row[place]) for row in kept) / len(rows) for place in range(len(rows[0]))]


PENALTIES = {
    FLOPSRegularization: lambda rows: sum(value**2 for value in mean_columns(rows, 0)),
    L1Regularization: lambda rows: sum(mean_columns(rows, 0)),
    L2Regularization: lambda rows: sum(math.hypot(*row) for row in rows) / len(rows),
}


def embeddings_of(queries: list[list[float]], docs: list[list[float]], *, packed: bool = False) -> LossInput:
    """Make a batch that has nothing but embeddings; packed, each text has all vectors of its side."""
    sides: list[Any] = [torch.tensor(rows, dtype=torch.float64) for rows in (queries, docs)]
    if packed:
        sides = [Packed(vectors, torch.tensor([len(vectors)])) for vectors in sides]
    none = torch.zeros(1, 1, dtype=torch.float64)
    return LossInput(none, none, none == 0, embedded=Embedded(*sides, *sides, dot))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", PENALTIES)
@settings(max_examples=20, deadline=None)
@given(queries=VECTORS, docs=VECTORS)
def test_a_penalty_equals_its_equation(
    kind: type[LossFunction], packed: bool, queries: list[list[float]], docs: list[list[float]]
) -> None:
    expected = 0.5 * PENALTIES[kind](queries) + 2.0 * PENALTIES[kind](docs)
    value = kind(0.5, 2.0).compute(embeddings_of(queries, docs, packed=packed))
    assert value.item() == pytest.approx(expected, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(docs=VECTORS, threshold=st.integers(0, 3))
def test_texts_of_few_terms_are_not_penalized(docs: list[list[float]], threshold: int) -> None:
    loss = FLOPSRegularization(0.0, 1.0, doc_threshold=threshold)
    expected = sum(value**2 for value in mean_columns(docs, threshold))
    assert loss.compute(embeddings_of(docs, docs)).item() == pytest.approx(expected, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(docs=st.lists(VECTORS, min_size=1, max_size=3), decay=st.sampled_from([0.0, 0.9]))
def test_df_flops_equals_its_equation(docs: list[list[list[float]]], decay: float) -> None:
    width = min(len(rows[0]) for rows in docs)
    batches = [[row[:width] for row in rows] for rows in docs]
    loss = DFFLOPSRegularization(1.0, 2.0, alpha=0.2, beta=3.0, decay=decay)
    shares: list[float] | None = None
    for rows in batches:
        seen = [sum(row[place] != 0 for row in rows) / len(rows) for place in range(width)]
        shares = [decay * old + (1 - decay) * new for old, new in zip(shares or seen, seen, strict=True)]
        weights = [1 / (1 + (min(share, 1.0) ** math.log(2, 0.2) - 1) ** 3) if share > 0 else 0.0 for share in shares]
        expected = sum((w * value) ** 2 for w, value in zip(weights, mean_columns(rows, 0), strict=True))
        expected = 2 * expected + sum(value**2 for value in mean_columns(rows, 0))
        assert loss.compute(embeddings_of(rows, rows)).item() == pytest.approx(expected, abs=1e-8)


def test_a_term_of_the_share_alpha_has_half_the_weight() -> None:
    rows = [[1.0]] * 1 + [[0.0]] * 9
    value = DFFLOPSRegularization(0.0, 1.0, alpha=0.1).compute(embeddings_of(rows, rows))
    assert value.item() == pytest.approx((0.5 * 0.1) ** 2)


def test_a_scheduler_may_set_weights() -> None:
    loss = FLOPSRegularization(1.0, 1.0)
    loss.query_weight = 0.0
    assert loss.compute(embeddings_of([[5.0]], [[2.0]])).item() == 4.0


@pytest.mark.parametrize(
    "kind",
    [FLOPSRegularization, L1Regularization, L2Regularization, DFFLOPSRegularization],
    ids=lambda kind: kind.__name__,
)
def test_the_gradient_of_a_penalty_is_a_number_where_embeddings_are_0(kind: Callable[..., LossFunction]) -> None:
    queries, docs = torch.zeros(2, 3, requires_grad=True), torch.tensor([[0.0, 1e4, -1e4]] * 2, requires_grad=True)
    kind(1.0, 1.0).compute(batch_of(queries, docs, [1, 1], [1.0, 1.0])).backward()
    assert torch.isfinite(queries.grad).all()
    assert torch.isfinite(docs.grad).all()


def test_regularizations_need_no_targets() -> None:
    assert not FLOPSRegularization().needs_targets
    assert FLOPSRegularization().needs_embeddings


COUNTS, TARGETS = [2, 1, 3], [0.0, 1.0, 0.0, 2.0, 3.0, 1.0]
LENGTHS = torch.tensor([2, 3, 1, 4, 2, 3])


def views() -> tuple[torch.Tensor, Packed]:
    return random_vectors(3, 4), Packed(random_vectors(15, 4, seed=1), LENGTHS)


def test_contrastive_local_equals_its_equation() -> None:
    queries, docs = views()
    values = []
    for query, best in ((0, 1), (2, 4)):  # the second query has no relevant document
        start = int(LENGTHS[:best].sum())
        matches = (docs.vectors[start : start + LENGTHS[best]] @ queries[query] / 0.5).tolist()
        values.append(math.log(sum(map(math.exp, matches))) - max(matches))
    value = ContrastiveLocalLoss(0.5).compute(batch_of(queries, docs, COUNTS, TARGETS))
    assert value.item() == pytest.approx(sum(values) / 2, abs=1e-10)


def test_the_temperature_of_contrastive_local_matters() -> None:
    batch = batch_of(*views(), COUNTS, TARGETS)
    assert ContrastiveLocalLoss(0.1).compute(batch).item() != ContrastiveLocalLoss(1.0).compute(batch).item()


def test_the_gradient_of_contrastive_local_is_that_of_the_loss() -> None:
    queries, docs = views()
    assert torch.autograd.gradcheck(
        lambda queries, vectors: ContrastiveLocalLoss(0.5).compute(
            batch_of(queries, Packed(vectors, LENGTHS), COUNTS, TARGETS)
        ),
        (queries.requires_grad_(), docs.vectors.requires_grad_()),
    )


def test_xtr_is_in_batch_cross_entropy_of_retrieved_tokens() -> None:
    queries = Packed(random_vectors(6, 4).float(), torch.tensor([3, 1, 2]))
    docs = Packed(random_vectors(15, 4, seed=1).float(), LENGTHS)
    similarities = queries.vectors @ docs.vectors.T
    of_doc, of_query = torch.arange(6).repeat_interleave(LENGTHS), [0, 0, 0, 1, 2, 2]
    scores = torch.zeros(3, 6)
    for query in range(3):
        for doc in range(6):
            found = []
            for token, owner in enumerate(of_query):
                retrieved = similarities[token].argsort(descending=True)[:5].tolist()
                matches = [similarities[token, place].item() for place in retrieved if of_doc[place] == doc]
                if owner == query and matches:
                    found.append(max(matches))
            scores[query, doc] = sum(found) / max(len(found), 1)
    batch = batch_of(queries, docs, COUNTS, TARGETS, lambda queries, docs: compare(queries, docs, "dot"))
    expected = InBatchCrossEntropy(temperature=0.5).compute(replace(batch, all_scores=scores))
    assert XtrCrossEntropy(5, temperature=0.5).compute(batch).item() == pytest.approx(expected.item(), abs=1e-5)


def test_xtr_teaches_retrieved_tokens_alone() -> None:
    vectors = random_vectors(15, 4, seed=1).float().requires_grad_()
    queries = Packed(random_vectors(3, 4).float(), torch.ones(3, dtype=torch.long))
    batch = batch_of(queries, Packed(vectors, LENGTHS), COUNTS, TARGETS, lambda q, d: compare(q, d, "dot"))
    XtrCrossEntropy(2).compute(batch).backward()
    assert torch.isfinite(vectors.grad).all()
    assert 0 < vectors.grad.any(dim=1).sum() <= 6


def test_xtr_of_all_tokens_is_in_batch_cross_entropy_of_their_mean_match() -> None:
    queries, docs = Packed(random_vectors(3, 4).float(), torch.ones(3, dtype=torch.long)), views()[1]
    docs = Packed(docs.vectors.float(), docs.lengths)
    batch = batch_of(queries, docs, COUNTS, TARGETS, lambda q, d: compare(q, d, "dot"))
    assert XtrCrossEntropy(1000).compute(batch).item() == pytest.approx(InBatchCrossEntropy().compute(batch).item())
    assert torch.equal(xtr(queries, docs, 1000), batch.all_scores)


COIL = CoilEmbeddings(
    torch.ones(1, 2), torch.ones(1, 2), torch.ones(1, dtype=torch.long), torch.ones(1, dtype=torch.long)
)


@pytest.mark.parametrize("loss", [ContrastiveLocalLoss(), XtrCrossEntropy(3), Matryoshka(InfoNCE(), [1])])
def test_a_coil_model_is_refused_where_its_vectors_cannot_be_compared(loss: LossFunction) -> None:
    batch = batch_of(torch.ones(1, 2), torch.ones(1, 2), [1], [1.0])
    coil = replace(batch, embedded=Embedded(COIL, COIL, COIL, COIL, dot))
    with pytest.raises(LirTrainError, match=f"{type(loss).__name__} .* a COIL model"):
        loss.compute(coil)


def units(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.nn.functional.normalize(random_vectors(*shape, seed=seed), dim=1)


@pytest.mark.parametrize("inner", [InBatchCrossEntropy(temperature=0.1), KLDivergence(), InfoNCE()])
def test_matryoshka_is_the_loss_of_cut_embeddings(inner: LossFunction) -> None:
    queries, docs = random_vectors(3, 8), random_vectors(6, 8, seed=1)
    parts = [inner.compute(batch_of(queries[:, :dim], docs[:, :dim], COUNTS, TARGETS)).item() for dim in (8, 2)]
    value = Matryoshka(inner, [8, 2], [1.0, 0.5]).compute(batch_of(queries, docs, COUNTS, TARGETS))
    assert value.item() == pytest.approx(parts[0] + 0.5 * parts[1], abs=1e-10)


def test_matryoshka_cuts_each_vector_of_several() -> None:
    queries, docs = views()
    cut = batch_of(queries[:, :2], Packed(docs.vectors[:, :2], docs.lengths), COUNTS, TARGETS)
    value = Matryoshka(InBatchCrossEntropy(), [2]).compute(batch_of(queries, docs, COUNTS, TARGETS))
    assert value.item() == pytest.approx(InBatchCrossEntropy().compute(cut).item(), abs=1e-10)


def test_matryoshka_makes_unit_vectors_unit_vectors_again() -> None:
    queries, docs = units(3, 8), units(6, 8, seed=1)
    cut = [torch.nn.functional.normalize(part[:, :4], dim=1) for part in (queries, docs)]
    value = Matryoshka(InfoNCE(), [4]).compute(batch_of(queries, docs, COUNTS, TARGETS))
    assert value.item() == pytest.approx(InfoNCE().compute(batch_of(*cut, COUNTS, TARGETS)).item(), abs=1e-10)


def test_the_gradient_of_matryoshka_is_that_of_the_loss() -> None:
    loss = Matryoshka(InBatchCrossEntropy(), [4, 2])
    assert torch.autograd.gradcheck(
        lambda queries, docs: loss.compute(batch_of(queries, docs, COUNTS, TARGETS)),
        (random_vectors(3, 4).requires_grad_(), random_vectors(6, 4, seed=1).requires_grad_()),
    )


def test_matryoshka_wraps_a_regularization() -> None:
    batch = embeddings_of([[1.0, 2.0]], [[3.0, 4.0]])
    assert Matryoshka(L1Regularization(1.0, 1.0), [2, 1]).compute(batch).item() == 10.0 + 4.0


def test_all_processes_draw_the_same_widths() -> None:
    batch = batch_of(random_vectors(3, 8), random_vectors(6, 8, seed=1), COUNTS, TARGETS)
    losses = [Matryoshka(InBatchCrossEntropy(), [8, 4, 2, 1], n_dims_per_step=1) for _ in range(2)]
    drawn = [[loss.compute(batch).item() for _ in range(8)] for loss in losses]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) > 1


def test_matryoshka_needs_what_its_loss_needs() -> None:
    assert Matryoshka(InBatchCrossEntropy(), [2]).needs_all_scores
    assert not Matryoshka(KLDivergence(), [2]).needs_all_scores
    assert not Matryoshka(L1Regularization(), [2]).needs_targets
    assert Matryoshka(KLDivergence(), [2]).needs_embeddings


def test_a_width_beyond_the_models_is_named() -> None:
    with pytest.raises(LirTrainError, match="dims has 16, and the model's embeddings have 8 dimensions"):
        Matryoshka(InfoNCE(), [8, 16]).compute(batch_of(random_vectors(3, 8), random_vectors(6, 8), COUNTS, TARGETS))


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (Matryoshka, {"loss": InfoNCE, "dims": [2]}, "is no loss function of lir, such as RankNet()."),
        (Matryoshka, {"loss": InfoNCE(), "dims": []}, "Matryoshka: dims is empty; name at least one width."),
        (Matryoshka, {"loss": InfoNCE(), "dims": [0]}, "dims is 0; it must be a whole number, at least 1."),
        (Matryoshka, {"loss": InfoNCE(), "dims": [2], "weights": [1, 2]}, "there are 2 weights for 1 dims;"),
        (
            Matryoshka,
            {"loss": InfoNCE(), "dims": [2], "n_dims_per_step": 0},
            "n_dims_per_step is 0; it must be a whole",
        ),
        (
            FLOPSRegularization,
            {"query_weight": -1.0},
            "FLOPSRegularization: query_weight is -1.0; it must be at least 0.",
        ),
        (DFFLOPSRegularization, {"alpha": 1.0}, "alpha is 1.0; it must be greater than 0 and less than 1."),
        (DFFLOPSRegularization, {"beta": 0.0}, "beta is 0.0; it must be greater than 0."),
        (DFFLOPSRegularization, {"decay": 1.0}, "decay is 1.0; it must be at least 0 and less than 1."),
        (XtrCrossEntropy, {"k": 0}, "XtrCrossEntropy: k is 0; it must be a whole number, at least 1."),
        (XtrCrossEntropy, {"k": 1, "similarity_function": "cos"}, "is 'cos'; it must be 'dot', 'cosine' or 'l2'."),
        (
            ContrastiveLocalLoss,
            {"temperature": 0.0},
            "ContrastiveLocalLoss: temperature is 0.0; it must be greater than 0.",
        ),
        (
            GuidedInBatchCrossEntropy,
            {"guide": "x", "margin_strategy": "percent"},
            "margin_strategy is 'percent'; it must be 'absolute' or 'relative'.",
        ),
        (
            GuidedInBatchCrossEntropy,
            {"guide": "x", "temperature": 0.0},
            "temperature is 0.0; it must be greater than 0.",
        ),
    ],
)
def test_a_wrong_argument_is_named(kind: type[LossFunction], arguments: dict[str, object], message: str) -> None:
    # As it is without the tests' own check of annotations, which would find wrong types first.
    make = inspect.unwrap(kind.__init__)
    with pytest.raises(LirTrainError, match=re.escape(message)):
        make(kind.__new__(kind), **arguments)


@pytest.fixture(params=["dense", "multi-vector"])
def guide(backbone: Path, request: pytest.FixtureRequest) -> BiEncoderModel:
    config = DprConfig(similarity_function="cosine") if request.param == "dense" else ColConfig(embedding_dim=8)
    return BiEncoderModel.from_pretrained(str(backbone), config, device="cpu")


WORDS = Texts(["red one", "blue", "green two"], ["red", "red one", "blue", "green", "two two", "black"])


def test_a_guide_leaves_out_what_it_scores_above_the_best(guide: BiEncoderModel) -> None:
    batch = replace(
        batch_of(random_vectors(3, 8).float(), random_vectors(6, 8, seed=1).float(), COUNTS, TARGETS), texts=WORDS
    )
    guided = guide.similarity(guide.encode_query(WORDS.queries), guide.encode_document(WORDS.docs))
    values = []
    for query, best in ((0, 1), (2, 4)):
        logits = [
            batch.all_scores[query, doc].item() / 0.5
            for doc in range(6)
            if doc == best or guided[query, doc] <= guided[query, best] - 0.01
        ]
        values.append(math.log(sum(map(math.exp, logits))) - batch.all_scores[query, best].item() / 0.5)
    loss = GuidedInBatchCrossEntropy(guide, 0.01, temperature=0.5, contrast_queries=False, contrast_docs=False)
    assert loss.compute(batch).item() == pytest.approx(sum(values) / 2, abs=1e-5)


def test_a_guide_is_loaded_when_it_is_needed_and_learns_nothing(backbone: Path) -> None:
    loss = GISTEmbedLoss(str(backbone))
    assert loss.guide == str(backbone)
    queries = random_vectors(3, 8).float().requires_grad_()
    batch = replace(batch_of(queries, random_vectors(6, 8, seed=1).float(), COUNTS, TARGETS), texts=WORDS)
    loss.compute(batch).backward()
    assert isinstance(loss.guide, BiEncoderModel)
    assert torch.isfinite(queries.grad).all()
    assert all(parameter.grad is None for parameter in loss.guide.parameters())


def test_a_guide_that_is_trained_elsewhere_stays_in_training(guide: BiEncoderModel) -> None:
    guide.train()
    batch = replace(batch_of(random_vectors(3, 8).float(), random_vectors(6, 8).float(), COUNTS, TARGETS), texts=WORDS)
    loss = GISTEmbedLoss(guide)
    assert loss.compute(batch).item() == loss.compute(batch).item()
    assert guide.training
