"""Cross-encoders score as sentence-transformers' CrossEncoder does, on folders of its own making."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import CrossEncoderModel
from lir_models.errors import CheckpointError

sentence_transformers = pytest.importorskip("sentence_transformers")
base = pytest.importorskip("sentence_transformers.base.modules")
dense = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
cross = pytest.importorskip("sentence_transformers.cross_encoder.modules")

TEMPLATE = "{% for message in messages %}{{ message.role }} {{ message.content }} {% endfor %}deep"


@pytest.fixture
def pairs(texts: list[str]) -> list[tuple[str, str]]:
    return [(texts[0], text) for text in texts if len(text) < 100]


def assert_same(folder: Path, reference: Any, pairs: list[tuple[str, str]], tmp_path: Path) -> None:
    """Scores, and those of what lir saves, loaded by both."""
    expected = reference.predict(pairs)
    model = CrossEncoderModel.from_pretrained(folder)
    np.testing.assert_allclose(model.predict(pairs), expected, atol=1e-5)
    raw = reference.predict(pairs, activation_fn=torch.nn.Identity())
    np.testing.assert_allclose(model.score(pairs[0][0], [doc for _, doc in pairs]).scores, raw, atol=1e-5)
    model.save_pretrained(tmp_path / "saved")
    np.testing.assert_allclose(
        CrossEncoderModel.from_pretrained(tmp_path / "saved").predict(pairs), expected, atol=1e-5
    )


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
@pytest.mark.parametrize("is_chat", [False, True])
@pytest.mark.parametrize("has_no", [False, True])
def test_the_answers_of_a_causal_language_model_equal(
    tiny_model: Callable[..., Path], tmp_path: Path, pairs: Any, kind: str, is_chat: bool, has_no: bool
) -> None:
    folder = tmp_path / "lm"
    folder.mkdir()
    for file in tiny_model(kind, "ForCausalLM").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    if is_chat:
        # Short: sentence-transformers may cut the template's end, lir cuts the document.
        pairs = [("lake", doc) for doc in ("", "red", "blue", "one")]
        (folder / "chat_template.jinja").write_text(TEMPLATE)
    transformer = base.Transformer(str(folder), transformer_task="text-generation")
    yes, no = transformer.tokenizer.convert_tokens_to_ids(["blue", "red"])
    score = cross.LogitScore(true_token_id=yes, false_token_id=no if has_no else None)
    options: dict[str, Any] = {"prompts": {"rank": "the"}, "default_prompt_name": "rank"} if is_chat else {}
    reference = sentence_transformers.CrossEncoder(modules=[transformer, score], device="cpu", **options)
    reference.save(str(tmp_path / "st"))
    assert_same(tmp_path / "st", reference, pairs, tmp_path)
    if is_chat:  # which the two cut in their own ways
        assert not (tmp_path / "saved" / "modules.json").exists()
        return
    again = sentence_transformers.CrossEncoder(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(again.predict(pairs), reference.predict(pairs), atol=1e-5)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_a_pooled_layer_equals(backbone: Path, tmp_path: Path, pairs: Any, pooling: str, bias: bool) -> None:
    torch.manual_seed(2)
    names = {"module_input_name": "sentence_embedding", "module_output_name": "scores"}
    chain = [
        base.Transformer(str(backbone)),
        dense.Pooling(32, pooling_mode=pooling),
        base.Dense(32, 1, bias=bias, activation_function=torch.nn.Identity(), **names),
    ]
    reference = sentence_transformers.CrossEncoder(modules=chain, device="cpu")
    reference.save(str(tmp_path / "st"))
    assert_same(tmp_path / "st", reference, pairs, tmp_path)


def test_two_labels_equal(two_labels: Path, tmp_path: Path, pairs: Any) -> None:
    reference = sentence_transformers.CrossEncoder(str(two_labels), device="cpu")
    reference.save(str(tmp_path / "st"))
    expected = torch.tensor(reference.predict(pairs)).log_softmax(dim=-1)[:, 1]
    for folder in (two_labels, tmp_path / "st"):
        scores = CrossEncoderModel.from_pretrained(folder).score(pairs[0][0], [doc for _, doc in pairs]).scores
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_modules_that_lir_does_not_read_are_named(backbone: Path, tmp_path: Path, pairs: Any) -> None:
    names = {"module_input_name": "sentence_embedding", "module_output_name": "scores"}
    chain = [base.Transformer(str(backbone)), dense.Pooling(32), base.Dense(32, 1, **names)]
    sentence_transformers.CrossEncoder(modules=chain, device="cpu").save(str(tmp_path / "st"))
    with pytest.raises(CheckpointError, match=r"activation='tanh'.*lir reads one mode, and one linear layer"):
        CrossEncoderModel.from_pretrained(tmp_path / "st")
