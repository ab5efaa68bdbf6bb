"""Adapters of peft: made, trained, saved with the heads that are new, loaded, merged."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import (
    BiEncoderConfig,
    BiEncoderModel,
    ColConfig,
    CrossEncoderModel,
    MonoConfig,
    SetEncoderConfig,
    SpladeConfig,
)
from lir_models.errors import CheckpointError, ConfigError, ModelNotFoundError

peft = pytest.importorskip("peft")

# peft 0.21 asks transformers 5 by a name that is given up.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

LORA = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
FAMILIES: dict[str, tuple[type, Any, str]] = {
    "dense": (BiEncoderModel, BiEncoderConfig(), "Model"),
    "col": (BiEncoderModel, ColConfig(embedding_dim=8), "Model"),
    "markers": (BiEncoderModel, ColConfig(embedding_dim=8, add_marker_tokens=True), "Model"),
    "splade": (BiEncoderModel, SpladeConfig(), "ForMaskedLM"),
    "two encoders": (BiEncoderModel, BiEncoderConfig(shared_encoder=False), "Model"),
    "classifier": (CrossEncoderModel, MonoConfig(), "Model"),
    "pooled": (CrossEncoderModel, MonoConfig(pooling_strategy="first"), "Model"),
    "set": (CrossEncoderModel, SetEncoderConfig(), "Model"),
}


@pytest.fixture
def adapted(tiny_model: Callable[..., Path]) -> Callable[[str], Any]:
    """What makes a family's model with an adapter that changes its scores."""

    def make(family: str) -> Any:
        kind, config, head = FAMILIES[family]
        torch.manual_seed(0)
        model = kind.from_pretrained(tiny_model("bert", head), config)
        model.add_adapter(LORA)
        change(model)
        return model.eval()

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapter_changes_scores_and_the_fingerprint(
    tiny_model: Callable[..., Path], adapted: Callable[[str], Any], texts: list[str], family: str
) -> None:
    kind, config, head = FAMILIES[family]
    torch.manual_seed(0)
    plain = kind.from_pretrained(tiny_model("bert", head), config)
    model = adapted(family)
    assert model.fingerprint != plain.fingerprint
    assert float((model.score(texts[0], texts).scores - plain.score(texts[0], texts).scores).abs().max()) > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_adapter_and_new_heads_are_trained(adapted: Callable[[str], Any], family: str) -> None:
    trained = [name for name, weight in adapted(family).named_parameters() if weight.requires_grad]
    assert any("lora_A" in name for name in trained)
    allowed = ("lora_", "head.layers.", "head.linear.", "modules_to_save", "trainable_tokens")
    assert [name for name in trained if not any(part in name for part in allowed)] == []
    if family in ("col", "markers", "classifier", "pooled", "set"):
        assert any(part in name for name in trained for part in allowed[1:])


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_saved_scores_the_same_and_holds_no_base_weights(
    tiny_model: Callable[..., Path], adapted: Callable[[str], Any], texts: list[str], tmp_path: Path, family: str
) -> None:
    model = adapted(family)
    model.save_pretrained(tmp_path / "saved")
    assert not (tmp_path / "saved" / "model.safetensors").exists()
    again = FAMILIES[family][0].from_pretrained(tmp_path / "saved")
    assert again.config == model.config
    torch.testing.assert_close(
        again.score(texts[0], texts).scores, model.score(texts[0], texts).scores, atol=1e-6, rtol=1e-6
    )
    assert [name for name, weight in again.named_parameters() if weight.requires_grad] == [
        name for name, weight in model.named_parameters() if weight.requires_grad
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_it_scores_the_same_and_is_saved_as_any_model(
    adapted: Callable[[str], Any], texts: list[str], tmp_path: Path, family: str
) -> None:
    model = adapted(family)
    expected = model.score(texts[0], texts).scores
    model.merge_adapter()
    torch.testing.assert_close(model.score(texts[0], texts).scores, expected, atol=1e-5, rtol=1e-5)
    assert not any("lora" in name for name, _ in model.named_parameters())
    model.save_pretrained(tmp_path / "saved")
    assert list((tmp_path / "saved").rglob("model.safetensors"))
    again = FAMILIES[family][0].from_pretrained(tmp_path / "saved")
    torch.testing.assert_close(again.score(texts[0], texts).scores, expected, atol=1e-5, rtol=1e-5)


def test_peft_loads_what_lir_saves(
    tiny_model: Callable[..., Path], adapted: Callable[[str], Any], tmp_path: Path, texts: list[str]
) -> None:
    from transformers import AutoModel

    model = adapted("dense")
    model.save_pretrained(tmp_path / "saved")
    theirs = peft.PeftModel.from_pretrained(AutoModel.from_pretrained(tiny_model("bert")), tmp_path / "saved").eval()
    tokens = model.tokenizer.tokenizer(texts[0], return_tensors="pt")
    with torch.no_grad():
        expected = theirs(**tokens).last_hidden_state.mean(dim=1)[0]
    torch.testing.assert_close(torch.tensor(model.encode_document(texts[0])), expected, atol=1e-5, rtol=1e-5)


def test_a_merged_weight_is_the_sum_by_hand(adapted: Callable[[str], Any]) -> None:
    model = adapted("dense")
    layer = model.backbone.encoder.layer[0].attention.self.query
    expected = layer.base_layer.weight + layer.lora_B["default"].weight @ layer.lora_A["default"].weight * (8 / 4)
    expected = expected.detach().clone()
    model.merge_adapter()
    torch.testing.assert_close(model.backbone.encoder.layer[0].attention.self.query.weight, expected)


def test_an_adapter_without_a_rule_takes_one(tiny_model: Callable[..., Path], tmp_path: Path, texts: list[str]) -> None:
    from transformers import AutoModel

    torch.manual_seed(0)
    base = AutoModel.from_pretrained(tiny_model("bert"))
    peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["query"], init_lora_weights=False)).save_pretrained(
        tmp_path / "tevatron"
    )
    config = BiEncoderConfig(query_pooling_strategy="first", doc_pooling_strategy="first")
    model = BiEncoderModel.from_pretrained(tmp_path / "tevatron", config)
    plain = BiEncoderModel.from_pretrained(tiny_model("bert"), config)
    assert abs(model.encode_document(texts) - plain.encode_document(texts)).max() > 1e-3


def test_mistakes_are_told(adapted: Callable[[str], Any], tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    model = adapted("dense")
    with pytest.raises(ConfigError, match="has an adapter already"):
        model.add_adapter(LORA)
    plain = BiEncoderModel.from_pretrained(tiny_model("bert"), BiEncoderConfig())
    with pytest.raises(ConfigError, match=r"LoraConfig has no field 'ranks'"):
        plain.add_adapter({"ranks": 8})
    with pytest.raises(ConfigError, match="no adapter to merge"):
        plain.merge_adapter()
    model.save_pretrained(tmp_path / "saved")
    file = tmp_path / "saved" / "adapter_config.json"
    file.write_text(file.read_text().replace(str(tiny_model("bert")), str(tmp_path / "nowhere")))
    with pytest.raises(ModelNotFoundError, match=r"is an adapter of the model '.*nowhere', which is not found"):
        BiEncoderModel.from_pretrained(tmp_path / "saved")


PAIRS = [("berlin", doc) for doc in ("the capital of germany", "paris", "", "the river is long " * 30)]


@pytest.mark.parametrize("head", ["Model", "ForSequenceClassification"])
@pytest.mark.parametrize("strategy", ["rank", "mono"])
@pytest.mark.parametrize("pooling", [None, "first", "bert_pool"])
def test_sentence_transformers_loads_a_cross_encoders_adapter(
    tiny_model: Callable[..., Path], tmp_path: Path, head: str, strategy: Any, pooling: Any
) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    labels = {"num_labels": 1 if strategy == "rank" else 2} if head != "Model" else {}
    config = MonoConfig(scoring_strategy=strategy, pooling_strategy=pooling, max_length=20, activation="sigmoid")
    model = CrossEncoderModel.from_pretrained(tiny_model("bert", head, **labels), config)
    model.add_adapter(LORA)
    change(model)
    model.eval().save_pretrained(tmp_path / "saved")
    other = sentence_transformers.CrossEncoder(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(model.predict(PAIRS), other.predict(PAIRS), atol=1e-5)


@pytest.mark.parametrize(
    ("head", "labels"), [("Model", None), ("ForSequenceClassification", 1), ("ForSequenceClassification", 2)]
)
def test_an_adapter_of_a_cross_encoder_of_sentence_transformers_is_read(
    tiny_model: Callable[..., Path], tmp_path: Path, head: str, labels: int | None
) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    base = tiny_model("bert", head, **({} if labels is None else {"num_labels": labels}))
    other = sentence_transformers.CrossEncoder(str(base), device="cpu", max_length=20)
    # Of a plain backbone the head is new, and saved if that is asked for.
    heads = ["classifier"] if labels is None else None
    other.add_adapter(peft.LoraConfig(task_type="SEQ_CLS", modules_to_save=heads, **LORA))
    change(other)
    other.save(str(tmp_path / "st"))
    other = sentence_transformers.CrossEncoder(str(tmp_path / "st"), device="cpu")
    expected = torch.tensor(other.predict(PAIRS))
    expected = expected.log_softmax(dim=-1)[:, 1] if labels == 2 else expected
    model = CrossEncoderModel.from_pretrained(tmp_path / "st")
    assert model.has_adapter
    np.testing.assert_allclose(model.predict(PAIRS), expected, atol=1e-5)


def change(model: Any) -> None:
    """Change an adapter, which by itself changes nothing."""
    torch.manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)


def test_an_adapter_that_would_import_a_package_is_refused(adapted: Callable[[str], Any], tmp_path: Path) -> None:
    adapted("dense").save_pretrained(tmp_path / "saved")
    file = tmp_path / "saved" / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "megatron_config": {}, "megatron_core": "antigravity"}))
    with pytest.raises(CheckpointError, match=r"has megatron_config \{\}; lir has no layers of Megatron's"):
        BiEncoderModel.from_pretrained(tmp_path / "saved")
