"""Losses that sentence-transformers has too equal its own: values and gradients."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from sentence_transformers import CrossEncoder
from sentence_transformers.cross_encoder import losses as cross_encoder
from sentence_transformers.multi_vector_encoder import losses as multi_vector
from sentence_transformers.sentence_transformer import losses as dense
from sentence_transformers.sparse_encoder import losses as sparse
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from lir_models import BiEncoderModel, DprConfig
from lir_models.embeddings import Packed
from lir_models.scoring import max_sim
from lir_train import (
    ADRMSELoss,
    BinaryCrossEntropyLoss,
    CoSENTLoss,
    CosineSimilarityLoss,
    DistillKLDivLoss,
    Embedded,
    FlopsLoss,
    FLOPSRegularization,
    GISTEmbedLoss,
    LambdaLoss,
    ListMLELoss,
    ListNetLoss,
    LossFunction,
    LossInput,
    MarginMSELoss,
    MatryoshkaLoss,
    MSELoss,
    MultipleNegativesRankingLoss,
    MultipleNegativesSymmetricRankingLoss,
    PListMLELoss,
    RankNetLoss,
    SpladeLoss,
    Texts,
    TripletLoss,
)
from lir_train.losses.loss import own_scores


class Given(nn.Module):
    """Stands for a model whose embeddings are what it is given."""

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(WordLevel({"a": 0})))
    max_seq_length = 8

    def __init__(self, key: str = "embeddings") -> None:
        super().__init__()
        self.key = key

    def get_embedding_dimension(self) -> int:
        return 8

    def forward(self, features: dict[str, Tensor], **kwargs: object) -> dict[str, Tensor]:
        return {**features, "sentence_embedding": features[self.key]}


class GivenScores(CrossEncoder):
    """Stands for a cross-encoder whose scores are what its documents say."""

    device = torch.device("cpu")
    num_labels = 1

    def __init__(self, scores: dict[str, Tensor]) -> None:
        nn.Module.__init__(self)
        self.given = scores

    def preprocess(self, pairs: Sequence[tuple[str, str]], **kwargs: object) -> dict[str, Tensor]:
        return {"scores": torch.stack([self.given[doc] for _, doc in pairs]).unsqueeze(1)}

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return features


def dot(queries: Tensor, docs: Tensor) -> Tensor:
    return queries @ docs.T


def cosine(queries: Tensor, docs: Tensor) -> Tensor:
    return nn.functional.normalize(queries, dim=1) @ nn.functional.normalize(docs, dim=1).T


def l2(queries: Tensor, docs: Tensor) -> Tensor:
    return -torch.cdist(queries, docs)


def columns(count: int, *, rows: int = 4, dim: int = 8, seed: int = 0) -> list[Tensor]:
    """Make embeddings of queries and of so many documents of each."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(rows, dim, generator=generator).requires_grad_() for _ in range(1 + count)]


def batch_of(
    embeddings: Sequence[Tensor], compare: Callable[[Tensor, Tensor], Tensor], targets: Tensor | None = None
) -> LossInput:
    """Make a batch of the same embeddings; without targets, the first column is relevant."""
    queries = embeddings[0]
    docs = torch.stack(list(embeddings[1:]), dim=1).flatten(0, 1)
    mask = torch.ones(len(queries), len(embeddings) - 1, dtype=torch.bool)
    if targets is None:
        targets = torch.zeros(mask.shape)
        targets[:, 0] = 1.0
    all_scores = compare(queries, docs)
    embedded = Embedded(queries, docs, queries, docs, compare)
    return LossInput(
        own_scores(all_scores, mask), targets, mask, all_scores, torch.arange(len(docs)), embedded=embedded
    )


def assert_equal(ours: Tensor, theirs: Tensor, inputs: Sequence[Tensor]) -> None:
    """Compare two losses, and their gradients."""
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5, abs=1e-6)
    gradients = (torch.autograd.grad(value, inputs, retain_graph=True) for value in (ours, theirs))
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)


ALL = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")


@pytest.mark.parametrize(
    ("directions", "partition_mode"),
    [
        (("query_to_doc",), "joint"),
        (("query_to_doc", "query_to_query"), "joint"),
        (("query_to_doc", "doc_to_query"), "joint"),
        (("query_to_doc", "doc_to_doc"), "joint"),
        (ALL, "joint"),
        (("query_to_doc", "doc_to_query"), "per_direction"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_multiple_negatives_ranking(directions: tuple[str, ...], partition_mode: str, count: int) -> None:
    embeddings = columns(count)
    options = {"directions": directions, "partition_mode": partition_mode}
    theirs = dense.MultipleNegativesRankingLoss(Given(), **options).compute_loss_from_embeddings(embeddings, None)
    ours = MultipleNegativesRankingLoss(**options).compute(batch_of(embeddings, cosine))
    assert_equal(ours, theirs, embeddings)


@pytest.mark.parametrize("mode", ["in_batch_negatives", "hard_negatives", "all_negatives"])
def test_hardness(mode: str) -> None:
    embeddings = columns(3)
    options = {"hardness_mode": mode, "hardness_strength": 2.0}
    theirs = dense.MultipleNegativesRankingLoss(Given(), **options).compute_loss_from_embeddings(embeddings, None)
    ours = MultipleNegativesRankingLoss(**options).compute(batch_of(embeddings, cosine))
    assert_equal(ours, theirs, embeddings)


@pytest.mark.filterwarnings("ignore:The MultipleNegativesSymmetricRankingLoss is deprecated")
def test_multiple_negatives_symmetric_ranking() -> None:
    embeddings = columns(1)
    theirs = dense.MultipleNegativesSymmetricRankingLoss(Given()).compute_loss_from_embeddings(embeddings, None)
    ours = MultipleNegativesSymmetricRankingLoss().compute(batch_of(embeddings, cosine))
    assert_equal(ours, theirs, embeddings)


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(("strategy", "margin"), [("absolute", 0.0), ("absolute", 0.2), ("relative", 0.1)])
@pytest.mark.parametrize("contrast", [(True, True), (True, False), (False, True)])
def test_gist_embed(backbone: Path, count: int, strategy: str, margin: float, contrast: tuple[bool, bool]) -> None:
    words = ["red", "blue green", "black white", "one two three"]
    texts = [words, *([f"{word} {extra}" for word in words] for extra in ("one", "four")[:count])]
    guide = BiEncoderModel.from_pretrained(str(backbone), DprConfig(similarity_function="cosine"), device="cpu")
    embeddings = columns(count)
    sides = [guide.encode_query, *[guide.encode_document] * count]
    features = [
        {"embeddings": embedding, "guide": torch.as_tensor(encode(column))}
        for embedding, encode, column in zip(embeddings, sides, texts, strict=True)
    ]
    options = {"temperature": 0.1, "margin_strategy": strategy, "margin": margin}
    options |= {"contrast_anchors": contrast[0], "contrast_positives": contrast[1]}
    theirs = dense.GISTEmbedLoss(Given(), Given("guide"), **options)(features, None)
    batch = batch_of(embeddings, cosine)
    docs = [doc for row in zip(*texts[1:], strict=True) for doc in row]
    batch = LossInput(**{**vars(batch), "texts": Texts(words, docs)})
    assert_equal(GISTEmbedLoss(guide, **options).compute(batch), theirs, embeddings)


@pytest.mark.parametrize("count", [2, 4])
def test_margin_mse(count: int) -> None:
    embeddings, labels = columns(count), torch.randn(4, count)
    theirs = dense.MarginMSELoss(Given()).compute_loss_from_embeddings(embeddings, labels)
    assert_equal(MarginMSELoss().compute(batch_of(embeddings, dot, labels)), theirs, embeddings)


@pytest.mark.parametrize(
    "options", [{}, {"temperature": 2.0}, {"student_temperature": 0.5, "teacher_temperature": 3.0}]
)
def test_distill_kl_div(options: dict[str, float]) -> None:
    embeddings, labels = columns(3), torch.randn(4, 3)
    theirs = dense.DistillKLDivLoss(Given(), **options).compute_loss_from_embeddings(embeddings, labels)
    assert_equal(DistillKLDivLoss(**options).compute(batch_of(embeddings, dot, labels)), theirs, embeddings)


def test_cosent() -> None:
    embeddings, labels = columns(1, rows=12), torch.randint(0, 4, (12,)).float()
    theirs = dense.CoSENTLoss(Given()).compute_loss_from_embeddings(embeddings, labels)
    assert_equal(CoSENTLoss().compute(batch_of(embeddings, cosine, labels.unsqueeze(1))), theirs, embeddings)


def test_cosine_similarity() -> None:
    embeddings, labels = columns(1), torch.rand(4)
    theirs = dense.CosineSimilarityLoss(Given()).compute_loss_from_embeddings(embeddings, labels)
    assert_equal(CosineSimilarityLoss().compute(batch_of(embeddings, cosine, labels.unsqueeze(1))), theirs, embeddings)


def test_triplet() -> None:
    embeddings = columns(2)
    theirs = dense.TripletLoss(Given()).compute_loss_from_embeddings(embeddings, None)
    assert_equal(TripletLoss().compute(batch_of(embeddings, l2)), theirs, embeddings)


@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 0.25]])
def test_matryoshka(weights: list[float] | None) -> None:
    embeddings = columns(2)
    model = Given()
    units = [nn.functional.normalize(embedding, dim=1) for embedding in embeddings]
    loss = dense.MatryoshkaLoss(model, dense.MultipleNegativesRankingLoss(model), [8, 4, 2], weights)
    theirs = loss([{"embeddings": embedding} for embedding in units], None)
    ours = MatryoshkaLoss(MultipleNegativesRankingLoss(), [8, 4, 2], weights).compute(batch_of(units, dot))
    assert_equal(ours, theirs, embeddings)


def test_flops() -> None:
    (queries, docs) = (column.relu() for column in columns(1))
    theirs = sum(sparse.FlopsLoss(None, threshold=4).compute_loss_from_embeddings(part) for part in (queries, docs))
    ours = FlopsLoss(4).compute(batch_of([queries, docs], dot))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)


def test_splade() -> None:
    embeddings = columns(2)
    terms = [column.relu() for column in embeddings]
    model = Given()
    theirs = sparse.SpladeLoss(
        model,
        sparse.SparseMultipleNegativesRankingLoss(model),
        document_regularizer_weight=0.3,
        query_regularizer_weight=0.5,
        query_regularizer_threshold=3,
    )([{"embeddings": column} for column in terms])
    ours = SpladeLoss(MultipleNegativesRankingLoss(1.0), 0.3, 0.5, query_regularizer_threshold=3)
    assert_equal(ours.compute(batch_of(terms, dot)), sum(theirs.values()), embeddings)


def test_splade_is_a_loss_and_a_regularization() -> None:
    batch = batch_of([column.relu() for column in columns(2)], dot)
    parts = [MultipleNegativesRankingLoss(1.0), FLOPSRegularization(0.5, 0.3)]
    both = SpladeLoss(parts[0], 0.3, 0.5).compute(batch)
    assert both.item() == pytest.approx(sum(part.compute(batch).item() for part in parts), rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"student_temperature": 2.0, "teacher_temperature": 0.5}])
def test_multi_vector_distill_kl_div(options: dict[str, float]) -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = [torch.randn(3, 5, 8, generator=generator).requires_grad_() for _ in range(3)]
    masks = [torch.arange(5) < lengths.unsqueeze(1) for lengths in torch.tensor([[5, 3, 2], [4, 5, 1], [2, 2, 5]])]
    labels = torch.randn(3, 2, generator=generator)
    features = [{"token_embeddings": part, "attention_mask": mask} for part, mask in zip(tokens, masks, strict=True)]
    theirs = multi_vector.MultiVectorDistillKLDivLoss(Given("token_embeddings"), **options)(features, labels)
    queries, docs = (
        Packed(part[mask], mask.sum(dim=1))
        for part, mask in (
            (tokens[0], masks[0]),
            (torch.stack(tokens[1:], 1).flatten(0, 1), torch.stack(masks[1:], 1).flatten(0, 1)),
        )
    )
    mask = torch.ones(3, 2, dtype=torch.bool)
    ours = DistillKLDivLoss(**options).compute(LossInput(own_scores(max_sim(queries, docs), mask), labels, mask))
    assert_equal(ours, theirs, tokens)


def ragged(counts: Sequence[int], *, ties: bool = False) -> tuple[Tensor, list[Tensor], LossInput]:
    """Make scores and targets of different numbers of documents, for sentence-transformers and for lir."""
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(sum(counts), generator=generator).requires_grad_()
    labels = [
        torch.randint(0, 3, (count,), generator=generator).float()
        if ties
        else torch.randperm(count, generator=generator).float()
        for count in counts
    ]
    mask = torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(1)
    table = torch.zeros(mask.shape).masked_scatter(mask, scores)
    targets = torch.zeros(mask.shape).masked_scatter(mask, torch.cat(labels))
    return scores, labels, LossInput(table, targets, mask)


def listwise(loss: Callable[..., nn.Module], scores: Tensor, labels: list[Tensor], **options: object) -> Tensor:
    """Compute a listwise loss of sentence-transformers."""
    names = [f"d{place}" for place in range(len(scores))]
    docs = list(names)
    lists = [[docs.pop(0) for _ in label] for label in labels]
    model = GivenScores(dict(zip(names, scores, strict=True)))
    return loss(model, **options)([["q"] * len(lists), lists], labels)


SCHEMES = {
    "none": cross_encoder.NoWeightingScheme(),
    "ndcg_loss1": cross_encoder.NDCGLoss1Scheme(),
    "ndcg_loss2": cross_encoder.NDCGLoss2Scheme(),
    "lambda_rank": cross_encoder.LambdaRankScheme(),
    "ndcg_loss2pp": cross_encoder.NDCGLoss2PPScheme(mu=3.0),
}


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("reduction_log", ["binary", "natural"])
@pytest.mark.parametrize("weighting", SCHEMES)
def test_lambda_loss(weighting: str, reduction_log: str, k: int | None) -> None:
    scores, labels, batch = ragged([5, 3, 4], ties=True)
    options = {"k": k, "sigma": 2.0, "reduction_log": reduction_log}
    theirs = listwise(cross_encoder.LambdaLoss, scores, labels, weighting_scheme=SCHEMES[weighting], **options)
    assert_equal(LambdaLoss(weighting, mu=3.0, **options).compute(batch), theirs, [scores])


@pytest.mark.parametrize(
    ("ours", "theirs", "options"),
    [
        (RankNetLoss, cross_encoder.RankNetLoss, {}),
        (RankNetLoss, cross_encoder.RankNetLoss, {"k": 2, "sigma": 0.5, "reduction_log": "natural"}),
        (ListNetLoss, cross_encoder.ListNetLoss, {}),
        (ListMLELoss, cross_encoder.ListMLELoss, {}),
        (ListMLELoss, cross_encoder.ListMLELoss, {"respect_input_order": False}),
        (PListMLELoss, cross_encoder.PListMLELoss, {}),
        (PListMLELoss, cross_encoder.PListMLELoss, {"respect_input_order": False}),
        (ADRMSELoss, cross_encoder.ADRMSELoss, {}),
        (ADRMSELoss, cross_encoder.ADRMSELoss, {"alpha": 2.0}),
    ],
)
@pytest.mark.parametrize("ties", [False, True])
def test_listwise(
    ours: Callable[..., LossFunction], theirs: Callable[..., nn.Module], options: dict[str, object], ties: bool
) -> None:
    # Theirs breaks ties of targets in no order.
    ties = ties and not ours.__name__.endswith("MLELoss")
    scores, labels, batch = ragged([5, 3, 4], ties=ties)
    assert_equal(ours(**options).compute(batch), listwise(theirs, scores, labels, **options), [scores])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (BinaryCrossEntropyLoss(), lambda model: cross_encoder.BinaryCrossEntropyLoss(model)),
        (
            BinaryCrossEntropyLoss(3.0),
            lambda model: cross_encoder.BinaryCrossEntropyLoss(model, pos_weight=torch.tensor(3.0)),
        ),
        (MSELoss(), lambda model: cross_encoder.MSELoss(model)),
    ],
)
def test_pointwise(ours: LossFunction, theirs: Callable[[CrossEncoder], nn.Module]) -> None:
    scores = torch.randn(6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([0.0, 1.0, 0.25, 1.0, 0.0, 0.0])
    names = [f"d{place}" for place in range(6)]
    expected = theirs(GivenScores(dict(zip(names, scores, strict=True))))([["q"] * 6, names], labels)
    batch = LossInput(scores.view(2, 3), labels.view(2, 3), torch.ones(2, 3, dtype=torch.bool))
    assert_equal(ours.compute(batch), expected, [scores])


def test_margin_mse_of_a_cross_encoder() -> None:
    scores = torch.randn(6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.tensor([[0.5, 1.0, 0.25], [1.0, 0.0, 2.0]])
    names = [f"d{place}" for place in range(6)]
    model = GivenScores(dict(zip(names, scores, strict=True)))
    theirs = cross_encoder.MarginMSELoss(model)([["q", "p"], *zip(names[:3], names[3:], strict=True)], labels)
    batch = LossInput(scores.view(2, 3), labels, torch.ones(2, 3, dtype=torch.bool))
    assert_equal(MarginMSELoss().compute(batch), theirs, [scores])
    assert math.isfinite(theirs.item())
