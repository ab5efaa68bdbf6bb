"""Layers run by ONNX Runtime: torch's numbers, in eight bits near ones, and torch's own layers wherever something is trained."""

import copy
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import BiEncoderConfig, BiEncoderModel, CrossEncoderModel, MonoConfig, SetEncoderConfig, SpladeConfig
from lir_models.errors import ConfigError, MissingExtraError

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

DOCS = ["the capital of germany is berlin", "the river is long and deep", "paris", "how blue is the lake of the city"]
QUERY = "what is the capital of germany"


@pytest.fixture(scope="module")
def bert(tiny_model: Callable[..., Path]) -> Path:
    return tiny_model("bert")


@pytest.fixture(scope="module")
def on_onnx(bert: Path) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(bert, BiEncoderConfig(), backend="onnx")


@pytest.mark.parametrize("texts_given", [slice(None), slice(1), slice(2, 3)], ids=["all", "an empty one", "one"])
def test_embeddings_are_those_of_torch(
    bert: Path, on_onnx: BiEncoderModel, texts: list[str], texts_given: slice
) -> None:
    expected = BiEncoderModel.from_pretrained(bert, BiEncoderConfig(), device="cpu").encode_document(texts[texts_given])
    np.testing.assert_allclose(on_onnx.encode_document(texts[texts_given]), expected, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["albert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta"])
def test_embeddings_are_those_of_torch_for_every_kind(
    tiny_model: Callable[..., Path], texts: list[str], kind: str
) -> None:
    folder = tiny_model(kind)
    expected = BiEncoderModel.from_pretrained(folder, BiEncoderConfig(), device="cpu")
    model = BiEncoderModel.from_pretrained(folder, BiEncoderConfig(), backend="onnx")
    for given in (texts, texts[:1], texts[2:3]):
        np.testing.assert_allclose(model.encode_document(given), expected.encode_document(given), atol=1e-5)


@pytest.mark.long
def test_terms_of_a_masked_language_model_are_those_of_torch(tiny_model: Callable[..., Path]) -> None:
    folder = tiny_model("bert", "ForMaskedLM")
    expected = BiEncoderModel.from_pretrained(folder, SpladeConfig(), device="cpu").encode_document(DOCS)
    found = BiEncoderModel.from_pretrained(folder, SpladeConfig(), backend="onnx").encode_document(DOCS)
    np.testing.assert_allclose(found.toarray(), expected.toarray(), atol=1e-5)


def test_scores_of_a_classifier_are_those_of_torch(classifier: Path) -> None:
    expected = CrossEncoderModel.from_pretrained(classifier, device="cpu").score(QUERY, DOCS).scores
    found = CrossEncoderModel.from_pretrained(classifier, backend="onnx").score(QUERY, DOCS).scores
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_in_eight_bits_embeddings_are_near(tiny_model: Callable[..., Path]) -> None:
    folder = tiny_model("bert", hidden_size=64, initializer_range=0.1)
    expected = BiEncoderModel.from_pretrained(folder, BiEncoderConfig(), device="cpu").encode_document(DOCS)
    model = BiEncoderModel.from_pretrained(folder, BiEncoderConfig(), backend="onnx", dtype="int8")
    found = model.encode_document(DOCS)
    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert (cosines > 0.99).all()
    assert np.abs(found - expected).max() > 1e-3
    assert model.backbone.encoder.layer[0].output.dense.weight.dtype == torch.float32  # what is saved


def test_in_eight_bits_no_batch_mate_changes_an_embedding(tiny_model: Callable[..., Path], texts: list[str]) -> None:
    folder = tiny_model("bert", hidden_size=64, initializer_range=0.1)
    model = BiEncoderModel.from_pretrained(folder, BiEncoderConfig(), backend="onnx", dtype="int8")
    together = model.encode_document([*texts, "red " * 40, "blue"])
    alone = [model.encode_document(text) for text in texts]
    np.testing.assert_allclose(together[: len(texts)], alone, atol=1e-5)


def test_a_copy_that_is_trained_hands_its_new_weights_over(bert: Path, on_onnx: BiEncoderModel) -> None:
    before = on_onnx.encode_document(DOCS)
    model = copy.deepcopy(pickle.loads(pickle.dumps(on_onnx)))
    np.testing.assert_array_equal(model.encode_document(DOCS), before)
    batch = model.tokenizer.tokenizer(DOCS, padding=True, return_tensors="pt")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model.train().backbone(**batch).last_hidden_state.square().mean().backward()
    optimizer.step()
    after = model.eval().encode_document(DOCS)
    reference = BiEncoderModel.from_pretrained(bert, BiEncoderConfig(), device="cpu")
    reference.load_state_dict(model.state_dict())
    np.testing.assert_allclose(after, reference.encode_document(DOCS), atol=1e-5)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_array_equal(on_onnx.encode_document(DOCS), before)


def test_what_is_saved_is_a_model_as_any(on_onnx: BiEncoderModel, tmp_path: Path) -> None:
    on_onnx.save_pretrained(tmp_path / "saved")
    found = BiEncoderModel.from_pretrained(tmp_path / "saved", device="cpu").encode_document(DOCS)
    np.testing.assert_allclose(found, on_onnx.encode_document(DOCS), atol=1e-5)


def test_what_is_asked_for_beside_is_there(on_onnx: BiEncoderModel) -> None:
    batch = on_onnx.tokenizer.tokenizer(DOCS, padding=True, return_tensors="pt")
    with torch.no_grad():
        assert on_onnx.backbone(**batch, output_hidden_states=True).hidden_states is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "onx"}, "no backend 'onx'; it is torch or onnx. Did you mean 'onnx'"),
        ({"dtype": "int8"}, "computed by ONNX Runtime alone: give backend='onnx'"),
        ({"backend": "onnx", "dtype": "bfloat16"}, "float32 or int8, not in bfloat16"),
        ({"backend": "onnx", "device": "cuda"}, "runs on the CPU, not on 'cuda'"),
    ],
)
def test_what_no_backend_can_do_is_refused_before_anything_is_loaded(options: dict[str, Any], message: str) -> None:
    for kind in (BiEncoderModel, CrossEncoderModel):
        with pytest.raises(ConfigError, match=message):
            kind.from_pretrained("no/such-model", **options)


def test_decoders_and_set_encoders_are_refused(tiny_model: Callable[..., Path], bert: Path) -> None:
    with pytest.raises(ConfigError, match=r"runs encoders such as BERT.*kind 't5'"):
        CrossEncoderModel.from_pretrained(
            tiny_model("t5", "ForConditionalGeneration"), MonoConfig(scoring_strategy="rank"), backend="onnx"
        )
    with pytest.raises(ConfigError, match="set-encoder"):
        CrossEncoderModel.from_pretrained(bert, SetEncoderConfig(), backend="onnx")


def test_without_the_extra_one_sentence_says_how_to_get_it(bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match="needs the package onnxruntime") as caught:
        BiEncoderModel.from_pretrained(bert, BiEncoderConfig(), backend="onnx")
    assert caught.value.hint == "pip install 'lir-models[onnx]'"


@pytest.mark.long
def test_an_adapter_is_handed_over_too(bert: Path, on_onnx: BiEncoderModel, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    adapted = BiEncoderModel.from_pretrained(bert, BiEncoderConfig(), device="cpu")
    adapted.add_adapter({"r": 2, "target_modules": ["query"], "init_lora_weights": False})
    adapted.save_pretrained(tmp_path / "adapter")
    expected = adapted.eval().encode_document(DOCS)
    found = BiEncoderModel.from_pretrained(tmp_path / "adapter", backend="onnx").encode_document(DOCS)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - on_onnx.encode_document(DOCS)).max() > 1e-3
