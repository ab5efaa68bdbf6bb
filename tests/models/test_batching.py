"""Batches: every text once, little padding, the order kept, endless texts, memory that runs out."""

from collections.abc import Iterator
from itertools import count, islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lir_models import BiEncoderConfig, BiEncoderModel, CrossEncoderModel, MonoConfig, batching
from lir_models.batching import plan_batches, tokenized_windows
from lir_models.tokenization import TokenBatch, TokenizedText


@pytest.fixture
def model(backbone: Path) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(backbone, BiEncoderConfig())


def _tokens(batches: list[np.ndarray], lengths: list[int], batch_cost: int) -> int:
    return sum(len(batch) * max(lengths[text] for text in batch) + batch_cost for batch in batches)


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 500), st.integers(0, 100))
def test_batches_hold_every_text_once_and_keep_the_limits(lengths: list[int], budget: int, batch_cost: int) -> None:
    batches = plan_batches(lengths, budget, batch_cost)
    assert sorted(int(text) for batch in batches for text in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[text] for text in batch) <= budget for batch in batches)
    longest = [max(lengths[text] for text in batch) for batch in batches]
    assert all(first >= second for first, second in pairwise(longest))


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8, unique=True), st.integers(0, 10))
def test_no_other_way_to_cut_sorted_texts_has_fewer_tokens(lengths: list[int], batch_cost: int) -> None:
    ordered = sorted(range(len(lengths)), key=lambda text: -lengths[text])
    ways: list[int] = []
    for cuts in range(2 ** (len(lengths) - 1)):
        batches = [[ordered[0]]]
        for place, text in enumerate(ordered[1:]):
            if cuts >> place & 1:
                batches.append([])
            batches[-1].append(text)
        ways.append(_tokens([np.array(batch) for batch in batches], lengths, batch_cost))
    assert _tokens(plan_batches(lengths, 1000, batch_cost), lengths, batch_cost) == min(ways)


def test_many_texts_are_hardly_padded() -> None:
    lengths = np.random.default_rng(0).lognormal(4.2, 0.5, 8192).astype(int).clip(3, 256).tolist()
    assert _tokens(plan_batches(lengths, 2048, 32), lengths, 0) < 1.002 * sum(lengths)


def test_memory_that_runs_out_changes_no_embedding_and_is_remembered(
    model: BiEncoderModel, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = model.encode_document(texts)
    embed, failures = model.embed, 0

    def scarce(batch: TokenBatch, side: str) -> torch.Tensor:
        nonlocal failures
        if batch.input_ids.numel() > 8:
            failures += 1
            raise torch.OutOfMemoryError("no more")
        return embed(batch, side)  # pyright: ignore[reportArgumentType, reportReturnType]

    monkeypatch.setattr(model, "embed", scarce)
    same = ["the river"] * 20
    first = model.encode_document(same)
    assert failures
    np.testing.assert_allclose(first, [model.encode_document("the river")] * 20, atol=1e-6)
    seen = failures
    model.encode_document(same)
    assert failures == seen
    monkeypatch.setattr(model, "embed", embed)
    np.testing.assert_allclose(model.encode_document(texts), expected, atol=1e-6)


def test_memory_that_one_text_exceeds_is_an_error(model: BiEncoderModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(batch: TokenBatch, side: str) -> torch.Tensor:
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(model, "embed", none)
    with pytest.raises(torch.OutOfMemoryError):
        model.encode_document(["paris", "rome"])


def test_other_errors_are_not_taken_for_memory(model: BiEncoderModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(batch: TokenBatch, side: str) -> torch.Tensor:
        raise RuntimeError("broken")

    monkeypatch.setattr(model, "embed", broken)
    with pytest.raises(RuntimeError, match="broken"):
        model.encode_document(["paris", "rome"])


@pytest.mark.parametrize("window_size", [1, 3, 1000])
def test_endless_texts_are_embedded_window_by_window(model: BiEncoderModel, texts: list[str], window_size: int) -> None:
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        for number in count():
            read += 1
            yield texts[number % len(texts)]

    windows = list(islice(model.encode_stream(endless(), "doc", window_size=window_size), 2))
    assert read <= 3 * window_size
    expected = model.encode_document([texts[number % len(texts)] for number in range(2 * window_size)])
    np.testing.assert_allclose(np.concatenate(windows), expected, atol=1e-6)


def test_pairs_are_scored_window_by_window(backbone: Path, texts: list[str]) -> None:
    model = CrossEncoderModel.from_pretrained(backbone, MonoConfig(pooling_strategy="first"))
    pairs = [(query, doc) for query in texts[:2] for doc in texts]
    scores = torch.cat(list(model.score_stream(iter(pairs), window_size=4)))
    torch.testing.assert_close(scores, model.score(texts[:2], [texts, texts]).scores)


def test_for_a_gpu_the_next_window_is_tokenized_ahead_in_order() -> None:
    windows = tokenized_windows(
        range(10), lambda window: [TokenizedText([number]) for number in window], 3, torch.device("cuda")
    )
    assert [[text.input_ids[0] for text in window] for window in windows] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]


def test_freed_memory_goes_back_after_many_texts_not_after_each_query(
    model: BiEncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    released: list[None] = []
    monkeypatch.setattr(batching, "release_memory", lambda: released.append(None))
    for _ in range(20):
        model.encode_query("paris")
    model.encode_document(["berlin"] * 500)
    assert not released
    model.encode_document(["berlin"] * 600)
    assert len(released) == 1
    model.encode_document(["berlin"] * 3000)
    assert len(released) == 2
