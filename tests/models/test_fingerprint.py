"""A fingerprint is of all that embeddings and scores depend on, and of nothing else."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lir_models import (
    BiEncoderConfig,
    BiEncoderModel,
    CoilConfig,
    ColConfig,
    CrossEncoderModel,
    DprConfig,
    MonoConfig,
    MvrConfig,
    SpladeConfig,
    UniCoilConfig,
)

from .tiny import KINDS, MASKED_LM

FAMILIES = {
    "mean": BiEncoderConfig(),
    "dpr": DprConfig(embedding_dim=8, normalization_strategy="l2"),
    "col": ColConfig(embedding_dim=8, query_expansion=True),
    "xtr": ColConfig(embedding_dim=8, k_train=4, normalization_strategy="l2"),
    "splade": SpladeConfig(),
    "doc-only splade": SpladeConfig(query_weighting="static", query_expansion=False),
    "coil": CoilConfig(token_embedding_dim=4, cls_embedding_dim=8),
    "unicoil": UniCoilConfig(),
    "mvr": MvrConfig(num_viewer_tokens=3),
}


def load(folder: Path, **options: Any) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(folder, device="cpu", **options)


def with_weights(folder: Path, place: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    """Return a copy of a model's folder with other weights."""
    shutil.copytree(folder, place)
    weights = load_file(place / "model.safetensors")
    change(weights)
    save_file(weights, place / "model.safetensors", metadata={"format": "pt"})
    return place


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_equal_at_every_load_of_every_kind_of_backbone(tiny_model: Callable[..., Path], kind: str) -> None:
    head = "ForMaskedLM" if kind in MASKED_LM else "EncoderModel" if kind in ("t5", "mt5") else "Model"
    folder = tiny_model(kind, head)
    rules = [BiEncoderConfig(), *([SpladeConfig()] if kind in MASKED_LM else [])]
    found = [[load(folder, config=rule).fingerprint for rule in rules] for _ in range(2)]
    assert found[0] == found[1]
    assert len(set(found[0])) == len(rules)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_value_of_any_weight_makes_another_and_all_are_what_a_family_reads(
    tiny_model: Callable[..., Path], family: str, tmp_path: Path
) -> None:
    load(tiny_model("bert", "ForMaskedLM"), config=FAMILIES[family]).save_pretrained(tmp_path / "saved")
    model = load(tmp_path / "saved")
    before = model.fingerprint
    assert before == load(tmp_path / "saved").fingerprint
    assert not [name for name in model.state_dict() if "pooler" in name]
    texts = ["berlin is the capital of germany", "how long is the river"]
    for name, weight in model.named_parameters():
        flat = weight.data.view(-1)
        place, kept = len(flat) // 2, flat[len(flat) // 2].clone()
        flat[place] += 1e-3  # no counter of changes sees this
        assert model.fingerprint != before, name
        flat[place] = kept
    assert model.fingerprint == before
    model.encode_document(texts)
    assert model.fingerprint == before


def test_a_step_of_training_makes_another(tiny_model: Callable[..., Path]) -> None:
    model = load(tiny_model("bert"), config=BiEncoderConfig())
    before = model.fingerprint
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    batch = model.tokenizer.tokenizer(["berlin", "paris"], return_tensors="pt")
    model.backbone(**batch).last_hidden_state.square().sum().backward()
    optimizer.step()
    assert model.fingerprint != before


def test_a_pooler_is_neither_loaded_nor_saved_nor_part_of_it(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    folder = tiny_model("bert")
    pooler = ("pooler.dense.weight", "pooler.dense.bias")
    without = with_weights(folder, tmp_path / "a", lambda weights: [weights.pop(name) for name in pooler])
    another = with_weights(folder, tmp_path / "b", lambda weights: [weights[name].add_(1) for name in pooler])
    models = [load(place, config=BiEncoderConfig()) for place in (folder, without, another)]
    assert len({model.fingerprint for model in models}) == 1
    models[0].save_pretrained(tmp_path / "saved")
    assert not [name for name in load_file(tmp_path / "saved" / "model.safetensors") if "pooler" in name]
    assert load(tmp_path / "saved").fingerprint == models[0].fingerprint


def test_a_head_that_the_rule_does_not_read_is_no_part_of_it(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    folder = tiny_model("bert", "ForMaskedLM")
    name = "cls.predictions.transform.dense.weight"
    other = with_weights(folder, tmp_path / "other", lambda weights: weights[name][0].add_(1))
    mean, splade = BiEncoderConfig(), SpladeConfig()
    assert load(folder, config=mean).fingerprint == load(other, config=mean).fingerprint
    assert load(folder, config=splade).fingerprint != load(other, config=splade).fingerprint


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"layer_norm_eps": 1e-3}),
        ("config.json", {"num_attention_heads": 2}),
        ("tokenizer_config.json", {"model_max_length": 16}),
    ],
)
def test_settings_that_weights_do_not_show_are_part_of_it(
    tiny_model: Callable[..., Path], tmp_path: Path, file: str, change: dict[str, Any]
) -> None:
    folder = tiny_model("bert")
    shutil.copytree(folder, tmp_path / "other")
    values = json.loads((folder / file).read_text()) | change
    (tmp_path / "other" / file).write_text(json.dumps(values))
    found, expected = (load(place, config=BiEncoderConfig()).fingerprint for place in (tmp_path / "other", folder))
    assert found != expected


def test_the_tokenizer_is_part_of_it_and_what_it_did_last_is_not(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tiny_model("bert")
    model = load(folder, config=BiEncoderConfig())
    before = model.fingerprint
    model.tokenizer.tokenizer(["the river", "a"], padding=True, truncation=True, max_length=3)
    assert model.fingerprint == before
    shutil.copytree(folder, tmp_path / "other")
    file = tmp_path / "other" / "tokenizer.json"
    values = json.loads(file.read_text())
    ids = values["model"]["vocab"]
    ids["river"], ids["lake"] = ids["lake"], ids["river"]
    file.write_text(json.dumps(values))
    assert load(tmp_path / "other", config=BiEncoderConfig()).fingerprint != before


def test_settings_of_files_and_of_training_are_no_part_of_it(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    folder = tiny_model("bert")
    shutil.copytree(folder, tmp_path / "other")
    values = json.loads((folder / "config.json").read_text())
    values |= {"transformers_version": "5.0.0", "hidden_dropout_prob": 0.3, "id2label": {"0": "a"}, "use_cache": True}
    (tmp_path / "other" / "config.json").write_text(json.dumps(values))
    found, expected = (load(place, config=BiEncoderConfig()).fingerprint for place in (tmp_path / "other", folder))
    assert found == expected


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_documents_in_half_precision_are_of_the_same_model_as_queries_in_float32(
    tiny_model: Callable[..., Path], dtype: str
) -> None:
    folder = tiny_model("bert", "ForMaskedLM")
    for rule in (BiEncoderConfig(), SpladeConfig()):
        half = load(folder, config=rule, dtype=dtype)
        assert half.fingerprint == load(folder, config=rule).fingerprint
        next(weight for weight in half.parameters() if weight.dtype != torch.float32).data[0] += 1
        assert half.fingerprint != load(folder, config=rule).fingerprint


def test_eight_bits_are_another_model_and_float32_by_onnx_is_the_same(tiny_model: Callable[..., Path]) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = tiny_model("bert")
    on_torch = load(folder, config=BiEncoderConfig()).fingerprint
    assert load(folder, config=BiEncoderConfig(), backend="onnx").fingerprint == on_torch
    assert load(folder, config=BiEncoderConfig(), backend="onnx", dtype="int8").fingerprint != on_torch


def test_the_strength_of_an_adapter_is_part_of_it(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    pytest.importorskip("peft")
    model = load(tiny_model("bert"), config=BiEncoderConfig())
    model.add_adapter({"r": 2, "target_modules": "all-linear", "init_lora_weights": False})
    model.save_pretrained(tmp_path / "adapter")
    assert load(tmp_path / "adapter").fingerprint == model.fingerprint
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"lora_alpha": 99}))
    assert load(tmp_path / "adapter").fingerprint != model.fingerprint


def test_of_a_language_models_head_a_ranker_has_the_rows_of_its_answers(
    tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    rule = MonoConfig(scoring_strategy="mono", answers=("paris", "berlin"))
    folder = tiny_model("llama", "ForCausalLM", tie_word_embeddings=False)
    answer = CrossEncoderModel.from_pretrained(folder, rule).tokenizer.token_id("berlin")

    def changed(row: int) -> str:
        place = tmp_path / str(row)
        with_weights(folder, place, lambda weights: weights["lm_head.weight"][row].add_(1))
        return CrossEncoderModel.from_pretrained(place, rule, device="cpu").fingerprint

    expected = CrossEncoderModel.from_pretrained(folder, rule, device="cpu").fingerprint
    assert changed(answer) != expected
    assert changed(answer - 1) == expected
