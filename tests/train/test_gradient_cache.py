"""A batch in parts has the gradients of the whole batch, in the memory of a part."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lir_data import RankSample
from lir_models import CoilConfig, ColConfig, MonoConfig, SetEncoderConfig
from lir_models.batching import BatchLimits
from lir_models.embeddings import CoilEmbeddings, Packed
from lir_models.tokenization import TokenizedText
from lir_train import BiEncoderModule, CrossEncoderModule, InBatchCrossEntropy, RankNet
from lir_train.collate import TrainingCollator
from lir_train.errors import LirTrainError
from lir_train.gradient_cache import run
from lir_train.mini_batches import MiniBatchLimits, joined, mini_batches, mini_batches_of_sets

WORDS = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]


def samples() -> list[RankSample]:
    """Make five queries with two to four documents of different lengths."""
    rankings = []
    for row in range(5):
        docs = tuple(" ".join(WORDS[(row + place) % 10 :][: 1 + (row * place) % 7]) for place in range(2 + row % 3))
        targets = tuple(float(place == 0) for place in range(len(docs)))
        rankings.append(
            RankSample(f"q{row}", WORDS[row], tuple(f"{row}-{place}" for place in range(len(docs))), docs, targets)
        )
    return rankings


def gradients(
    module: BiEncoderModule | CrossEncoderModule, *, cached: bool = True, usual: BatchLimits | None = None
) -> dict[str, torch.Tensor]:
    """Return loss and gradients of one batch."""
    module.train()
    module.zero_grad()
    module.log = lambda *args, **kwargs: None
    torch.manual_seed(1)
    limits = module.limits
    batch = TrainingCollator(module.model, limits, usual=usual)(samples())
    assert usual is None or len(batch.docs.parts) > 1
    if not cached:
        module.limits = MiniBatchLimits()  # in the same parts, whose activations are kept
    scored = module.loss_input(batch)
    assert scored.scores.dtype == torch.float32
    value = module.loss_functions[0].compute(scored)
    value.backward()
    module.limits = limits
    found = {name: weight.grad.clone() for name, weight in module.named_parameters() if weight.grad is not None}
    return found | {"loss": value.detach()}


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, atol=2e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


RULES = {
    "dense": None,
    "multi-vector": ColConfig(embedding_dim=8, normalization_strategy="l2"),
    "xtr": ColConfig(embedding_dim=8, k_train=9),
    "coil": CoilConfig(token_embedding_dim=8, cls_embedding_dim=8),
}
LIMITS = [{"mini_batch_size": 3}, {"mini_batch_num_tokens": 20}, {"mini_batch_size": 2, "mini_batch_num_tokens": 12}]


def bi_encoder(folder: Path, rule: str, dropout: float, **limits: int) -> BiEncoderModule:
    torch.manual_seed(0)
    module = BiEncoderModule(str(folder), RULES[rule], loss_functions=[InBatchCrossEntropy(temperature=0.5)], **limits)
    set_dropout(module, dropout)
    return module


def set_dropout(module: torch.nn.Module, share: float) -> None:
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = share
        if hasattr(part, "dropout_prob"):
            part.dropout_prob = share


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_a_bi_encoder_has_the_gradients_of_the_whole_batch(backbone: Path, rule: str, limits: dict[str, int]) -> None:
    whole = gradients(bi_encoder(backbone, rule, 0.0))
    assert_equal(gradients(bi_encoder(backbone, rule, 0.0, **limits)), whole)


@pytest.mark.parametrize("rule", RULES)
def test_parts_of_little_padding_have_the_gradients_of_the_whole_batch(backbone: Path, rule: str) -> None:
    module = bi_encoder(backbone, rule, 0.0)
    assert_equal(gradients(module, usual=BatchLimits(token_budget=40, batch_cost=2)), gradients(module))


@pytest.mark.parametrize("rule", RULES)
def test_dropout_is_replayed(backbone: Path, rule: str) -> None:
    module = bi_encoder(backbone, rule, 0.3, mini_batch_size=3)
    cached = gradients(module)
    assert_equal(cached, gradients(module, cached=False))
    without_dropout = gradients(bi_encoder(backbone, rule, 0.0, mini_batch_size=3))
    assert not torch.allclose(cached["loss"], without_dropout["loss"])


def test_the_precision_is_replayed(backbone: Path) -> None:
    module = bi_encoder(backbone, "dense", 0.3, mini_batch_size=3)
    with torch.autocast("cpu", torch.bfloat16):
        cached = gradients(module)
        kept = gradients(module, cached=False)
    assert_equal(cached, kept)
    assert not torch.allclose(cached["loss"], gradients(module)["loss"], rtol=1e-6)


def cross_encoder(folder: Path, rule: object, dropout: float, **limits: int) -> CrossEncoderModule:
    torch.manual_seed(0)
    module = CrossEncoderModule(str(folder), rule, loss_functions=[RankNet()], **limits)
    set_dropout(module, dropout)
    return module


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("rule", [MonoConfig(), SetEncoderConfig()], ids=lambda rule: type(rule).__name__)
def test_a_cross_encoder_has_the_gradients_of_the_whole_batch(
    backbone: Path, rule: object, limits: dict[str, int]
) -> None:
    whole = gradients(cross_encoder(backbone, rule, 0.0))
    assert_equal(gradients(cross_encoder(backbone, rule, 0.0, **limits)), whole)
    module = cross_encoder(backbone, rule, 0.3, **limits)
    assert_equal(gradients(module), gradients(module, cached=False))


def test_the_activations_of_one_part_are_kept_at_a_time(backbone: Path) -> None:
    """Nothing but the inputs and outputs of the parts that wait is saved for the backward pass."""

    def saved(module: BiEncoderModule) -> int:
        module.train()
        sizes: list[int] = []
        batch = TrainingCollator(module.model, module.limits)(samples())

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            run(lambda _, part: module.model.embed(part, "doc"), batch.docs, cached=bool(module.limits))
        return sum(sizes)

    assert saved(bi_encoder(backbone, "dense", 0.1, mini_batch_size=1)) < saved(bi_encoder(backbone, "dense", 0.1)) / 10


texts = st.lists(st.integers(1, 9), min_size=1, max_size=20)
limits = st.builds(MiniBatchLimits, st.none() | st.integers(1, 5), st.none() | st.integers(1, 30))


class Pads:
    """What the parts ask of a tokenizer."""

    pad_id = 0
    padding_side = "right"


@given(texts, limits)
def test_parts_keep_their_limits_and_give_each_text_back(lengths: list[int], limit: MiniBatchLimits) -> None:
    tokenized = [TokenizedText([place + 1] * length) for place, length in enumerate(lengths)]
    batch = mini_batches(tokenized, Pads, limit)
    for part in batch.parts:
        assert limit.size is None or len(part.input_ids) <= limit.size
        assert limit.num_tokens is None or part.input_ids.numel() <= limit.num_tokens or len(part.input_ids) == 1
    if (
        limit.size is not None and limit.num_tokens is None
    ):  # whatever the lengths: processes wait for each other's parts
        assert len(batch.parts) == -(-len(lengths) // limit.size)
    numbers = [part.input_ids[:, :1] for part in batch.parts]
    assert joined(numbers, batch.order).flatten().tolist() == list(range(1, len(lengths) + 1))
    vectors = [Packed(part.input_ids[part.token_mask].unsqueeze(1), part.token_mask.sum(1)) for part in batch.parts]
    whole = joined(vectors, batch.order)
    assert whole.lengths.tolist() == lengths
    assert whole.vectors.flatten().tolist() == [
        number + 1 for number, length in enumerate(lengths) for _ in range(length)
    ]
    tokens = [
        CoilEmbeddings(row, part.vectors, part.vectors[:, 0], part.lengths)
        for row, part in zip(numbers, vectors, strict=True)
    ]
    again = joined(tokens, batch.order)
    assert again.text_vectors.flatten().tolist() == list(range(1, len(lengths) + 1))
    assert torch.equal(again.token_ids, whole.vectors[:, 0])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), limits)
def test_the_pairs_of_a_query_stay_together(num_docs: list[int], limit: MiniBatchLimits) -> None:
    tokenized = [TokenizedText([row + 1] * (1 + row % 4)) for row, count in enumerate(num_docs) for _ in range(count)]
    batch, sizes = mini_batches_of_sets(tokenized, num_docs, Pads, limit)
    assert [size for part in sizes for size in part] == num_docs
    assert [len(part.input_ids) for part in batch.parts] == [sum(part) for part in sizes]
    assert batch.order.tolist() == list(range(sum(num_docs)))
    for part, queries in zip(batch.parts, sizes, strict=True):
        if len(queries) > 1:
            assert limit.size is None or len(part.input_ids) <= limit.size
            assert limit.num_tokens is None or part.input_ids.numel() <= limit.num_tokens


@pytest.mark.parametrize("argument", ["mini_batch_size", "mini_batch_num_tokens"])
@pytest.mark.parametrize("module", [BiEncoderModule, CrossEncoderModule])
def test_a_limit_of_nothing_is_refused_before_the_model_is_loaded(module: Callable[..., object], argument: str) -> None:
    with pytest.raises(LirTrainError, match=f"{argument} is 0; it must be at least 1, or None for no limit"):
        module("./nowhere", **{argument: 0})
