"""A pool gives what the model gives, in the order of the texts, and says what went wrong in a process."""

import multiprocessing
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from lir_models import BiEncoderModel, CrossEncoderModel, DprConfig, ModelPool, SetEncoderConfig
from lir_models.errors import ConfigError, InputError, LirModelsError, WrongModelKindError

TWO = ["cpu", "cpu"]
DOCS = [f"{'the river is long ' * (number % 7)}{word}" for number, word in enumerate(["paris", "berlin", "lake"] * 11)]


@pytest.fixture(scope="module")
def dense(backbone: Path) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(backbone, DprConfig(), device="cpu")


@pytest.fixture(scope="module")
def pool(dense: BiEncoderModel) -> Iterator[ModelPool]:
    with ModelPool(dense, TWO) as pool:
        yield pool


def test_embeddings_are_the_model_s(dense: BiEncoderModel, pool: ModelPool) -> None:
    np.testing.assert_allclose(pool.encode_document(DOCS), dense.encode_document(DOCS), atol=1e-6)
    np.testing.assert_allclose(pool.encode_query(DOCS[:1]), dense.encode_query(DOCS[:1]), atol=1e-6)
    assert pool.encode_document([]).shape == dense.encode_document([]).shape


def test_scores_of_a_bi_encoder_are_the_model_s(dense: BiEncoderModel, pool: ModelPool) -> None:
    queries, lists = ["paris", "lake", "berlin"], [DOCS, [], DOCS[:2]]
    found, expected = pool.score(queries, lists), dense.score(queries, lists)
    assert found.num_docs == expected.num_docs
    torch.testing.assert_close(found.scores, expected.scores, atol=1e-5, rtol=1e-5)
    assert pool.score("paris", []).scores.shape == (0,)


def test_endless_texts_are_read_as_they_are_needed(dense: BiEncoderModel, pool: ModelPool) -> None:
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield DOCS[read % len(DOCS)]

    windows = list(islice(pool.encode_stream(texts(), "doc", window_size=5), 4))
    assert read <= 5 * (4 + 2 * len(TWO))
    expected = dense.encode_document([DOCS[number % len(DOCS)] for number in range(1, 21)])
    np.testing.assert_allclose(np.concatenate([np.asarray(window) for window in windows]), expected, atol=1e-6)


def test_a_cross_encoder_of_sets_and_the_death_of_its_process(backbone: Path) -> None:
    model = CrossEncoderModel.from_pretrained(backbone, SetEncoderConfig(), device="cpu")
    queries, lists = ["paris", "lake"], [DOCS[:9], DOCS[9:14]]
    others = multiprocessing.active_children()
    with ModelPool(model, ["cpu"]) as pool:
        found, expected = pool.score(queries, lists), model.score(queries, lists)
        torch.testing.assert_close(found.scores, expected.scores, atol=1e-5, rtol=1e-5)
        with pytest.raises(WrongModelKindError, match="cross-encoder: it embeds nothing"):
            pool.encode_document(DOCS)
        (process,) = set(multiprocessing.active_children()) - set(others)
        process.kill()
        with pytest.raises(LirModelsError, match="process of the pool has died"):
            pool.score(queries, lists)


@pytest.mark.parametrize(
    ("devices", "message"),
    [
        (["gpu:0"], r"no device 'gpu:0'; it is 'cpu', 'cuda:0'"),
        (["cuda:99"], r"no device 'cuda:99': this machine has \d+ GPUs"),
        ([], r"devices is \[\]; it is a list"),
        ("cpu", r"devices is 'cpu'; it is a list"),
    ],
)
def test_devices_that_are_not_there_are_refused(dense: BiEncoderModel, devices: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelPool(dense, devices)


def test_what_is_no_text_is_refused_before_any_work(pool: ModelPool) -> None:
    with pytest.raises(InputError, match="Text 1 of 2 is 3"):
        pool.encode_document(["paris", 3])  # pyright: ignore[reportArgumentType]
