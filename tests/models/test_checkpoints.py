"""Folders in the formats that models are published in, and what is said of damaged ones."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lir_models import BiEncoderConfig, BiEncoderModel, ColConfig, CrossEncoderModel, DenseLayer, detect, read_config
from lir_models.errors import CheckpointError

POOLINGS = [
    "first", "mean", "max", "mean_sqrt_len", "weighted_mean", "last", ("first", "mean"), ("max", "mean_sqrt_len", "last"),
]  # fmt: skip


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_older_files_of_sentence_transformers_say_all_that_lir_does(
    backbone: Path, tmp_path: Path, texts: list[str], pooling: object
) -> None:
    width = 32 * (len(pooling) if isinstance(pooling, tuple) else 1)
    config = BiEncoderConfig(
        query_pooling_strategy=pooling,
        doc_pooling_strategy=pooling,
        projection=(DenseLayer(in_features=width, out_features=8, activation="tanh", residual=True),),
        normalization_strategy="l2",
        query_length=20,
        doc_length=20,
        query_prompt="what is ",
        similarity_function="dot",
    )
    model = BiEncoderModel.from_pretrained(backbone, config)
    model.save_pretrained(tmp_path / "saved")
    (tmp_path / "saved" / "lir.json").unlink()
    again = BiEncoderModel.from_pretrained(tmp_path / "saved")
    assert again.config == model.config
    np.testing.assert_array_equal(again.encode_query(texts), model.encode_query(texts))


def test_weights_of_dense_layers_are_read_from_bin_files(backbone: Path, tmp_path: Path, texts: list[str]) -> None:
    model = BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(embedding_dim=8))
    model.save_pretrained(tmp_path / "saved")
    dense = tmp_path / "saved" / "2_Dense"
    torch.save(load_file(dense / "model.safetensors"), dense / "pytorch_model.bin")
    (dense / "model.safetensors").unlink()
    again = BiEncoderModel.from_pretrained(tmp_path / "saved")
    np.testing.assert_array_equal(again.encode_document(texts), model.encode_document(texts))


def test_a_plain_transformer_and_its_rule_are_told_apart(backbone: Path, classifier: Path) -> None:
    assert [detect(backbone), detect(classifier)] == ["backbone", "cross-encoder"]
    assert read_config(backbone) is None


@pytest.fixture
def saved(backbone: Path, tmp_path: Path) -> Path:
    """A folder that lir wrote."""
    BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(embedding_dim=8)).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize("umask", [0o002, 0o077])
def test_others_may_read_a_saved_model_as_the_umask_says(
    backbone: Path, classifier: Path, tmp_path: Path, umask: int
) -> None:
    config = ColConfig(embedding_dim=8)
    models = [BiEncoderModel.from_pretrained(backbone, config), CrossEncoderModel.from_pretrained(classifier)]
    before = os.umask(umask)
    try:
        for place, model in enumerate(models):
            model.save_pretrained(tmp_path / str(place) / "saved")
    finally:
        os.umask(before)
    saved = [path for place in range(len(models)) for path in (tmp_path / str(place)).rglob("*")]
    assert len(saved) > 10
    assert all(path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~umask for path in saved)


def test_a_newer_format_is_named(saved: Path) -> None:
    change(saved / "lir.json", format_version=99)
    with pytest.raises(CheckpointError, match="has format version 99; this lir-models reads version 1"):
        BiEncoderModel.from_pretrained(saved)


def test_a_field_that_is_unknown_is_named(saved: Path) -> None:
    change(saved / "lir.json", config={"family": "BiEncoderConfig", "query_lenght": 3})
    with pytest.raises(CheckpointError, match=r"has no field 'query_lenght'. Did you mean 'query_length'?"):
        BiEncoderModel.from_pretrained(saved)


def test_weights_that_are_missing_are_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"cannot be loaded: .*model.safetensors"):
        BiEncoderModel.from_pretrained(saved)


def test_a_dense_layer_of_another_width_is_named(saved: Path) -> None:
    shutil.copy(saved / "model.safetensors", saved / "lir_heads.safetensors")
    with pytest.raises(CheckpointError, match=r"The head in .* does not fit its rule: it lacks layers.0.linear.weight"):
        BiEncoderModel.from_pretrained(saved)


def test_a_list_of_modules_that_is_none_is_named(saved: Path) -> None:
    (saved / "lir.json").unlink()
    (saved / "modules.json").write_text('{"idx": 0}')
    with pytest.raises(CheckpointError, match=r"modules.json' is damaged: it is no list of modules"):
        BiEncoderModel.from_pretrained(saved)


def test_an_activation_that_is_code_of_somebody_is_not_run(saved: Path) -> None:
    (saved / "lir.json").unlink()
    change(saved / "2_Dense" / "config.json", activation_function="os.system")
    with pytest.raises(CheckpointError, match=r"asks for the activation 'os.system'; known are Identity, Tanh"):
        BiEncoderModel.from_pretrained(saved)


def test_markers_are_saved_under_the_name_that_transformers_4_reads(backbone: Path, tmp_path: Path) -> None:
    config = ColConfig(embedding_dim=8, add_marker_tokens=True)
    BiEncoderModel.from_pretrained(backbone, config).save_pretrained(tmp_path / "saved")
    values = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert values["additional_special_tokens"] == ["[Q]", "[D]"]
    assert "extra_special_tokens" not in values
