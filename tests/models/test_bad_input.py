"""What bad input gets: one clear sentence where it cannot be scored, and a score where it can."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lir_models import BiEncoderConfig, BiEncoderModel, ColConfig, CrossEncoderModel, DenseLayer, SpladeConfig
from lir_models.errors import CheckpointError, ConfigError, InputError

STRANGE = {
    "a lone surrogate": "berlin \ud800 is",
    "control characters": "berlin\x00 \x07is\x1b[2J",
    "ten thousand words": "the river is long " * 2500,
    "only spaces": " \t\n",
    "an unknown script": "東京 は 首都",
    "nothing": "",
}


@pytest.fixture(scope="module")
def models(tiny_model: Callable[..., Path]) -> dict[str, BiEncoderModel]:
    torch.manual_seed(0)
    return {
        "dense": BiEncoderModel.from_pretrained(tiny_model("bert"), BiEncoderConfig()),
        "sparse": BiEncoderModel.from_pretrained(tiny_model("bert", "ForMaskedLM"), SpladeConfig()),
        "multi-vector": BiEncoderModel.from_pretrained(tiny_model("bert"), ColConfig(embedding_dim=8)),
        "decoder": BiEncoderModel.from_pretrained(tiny_model("llama"), BiEncoderConfig()),
    }


@pytest.mark.parametrize("form", ["dense", "sparse", "multi-vector", "decoder"])
@pytest.mark.parametrize("text", STRANGE.values(), ids=STRANGE.keys())
def test_a_strange_text_has_a_score(models: dict[str, BiEncoderModel], form: str, text: str) -> None:
    model = models[form]
    as_doc = model.score("berlin", [text, "paris"]).scores
    as_query = model.score(text, ["paris"]).scores
    assert torch.isfinite(torch.cat([as_doc, as_query])).all()
    torch.testing.assert_close(as_doc[1:], model.score("berlin", ["paris"]).scores, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("form", ["dense", "sparse", "multi-vector"])
def test_no_documents_have_no_scores(models: dict[str, BiEncoderModel], form: str) -> None:
    model = models[form]
    assert model.score("berlin", []).scores.shape == (0,)
    assert [len(scores) for scores in model.score(["berlin", "paris"], [[], ["lake"]]).per_query()] == [0, 1]
    assert model.rank("berlin", []) == []
    nothing = model.encode_document([])
    assert (nothing.vectors if form == "multi-vector" else nothing).shape == (0, model.dim)
    assert model.similarity(model.encode_query(["berlin"]), nothing).shape == (1, 0)


@pytest.mark.parametrize("bad", [None, 3, b"bytes", ["list"]])
def test_what_is_no_text_is_named(models: dict[str, BiEncoderModel], bad: object) -> None:
    with pytest.raises(InputError, match=r"Text 1 of 2 is .* not a string"):
        models["dense"].encode_document(["fine", bad])


def test_embeddings_of_two_forms_are_not_comparable(models: dict[str, BiEncoderModel]) -> None:
    queries, docs = models["dense"].encode_query(["berlin"]), models["sparse"].encode_document(["berlin"])
    with pytest.raises(InputError, match="embedded as ndarray and the documents as csr_array"):
        models["dense"].similarity(queries, docs)


def test_texts_that_are_cut_are_counted(models: dict[str, BiEncoderModel], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="lir_models"):
        models["dense"].encode_document(["the river " * 60, "paris", "the lake " * 60])
    assert "2 of 3 texts were cut to 64 tokens." in caplog.text


def test_an_embedding_wider_than_the_backbone_is_refused(tiny_model: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="embedding_dim is 64, but the backbone makes 32 dimensions"):
        BiEncoderModel.from_pretrained(tiny_model("bert"), BiEncoderConfig(embedding_dim=64))


def test_a_field_that_there_is_not_is_named(tiny_model: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"has no field 'truncat_dim'. Did you mean 'truncate_dim'"):
        BiEncoderModel.from_pretrained(tiny_model("bert"), BiEncoderConfig(), truncat_dim=3)


def test_a_dtype_that_there_is_not_is_named(tiny_model: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"no dtype 'float61'.* Did you mean 'float16'"):
        BiEncoderModel.from_pretrained(tiny_model("bert"), BiEncoderConfig(), dtype="float61")


@pytest.fixture
def copy(tiny_model: Callable[..., Path], tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model("bert"), tmp_path / "copy")


@pytest.mark.parametrize("kept", [0, 100, 5000])
def test_a_truncated_weights_file_is_named(copy: Path, kept: int) -> None:
    file = copy / "model.safetensors"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"copy' cannot be loaded: "):
        BiEncoderModel.from_pretrained(copy, BiEncoderConfig())


def test_a_truncated_bin_file_is_named(copy: Path) -> None:
    from safetensors.torch import load_file

    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    BiEncoderModel.from_pretrained(copy, BiEncoderConfig())
    (copy / "pytorch_model.bin").write_bytes((copy / "pytorch_model.bin").read_bytes()[:5000])
    with pytest.raises(CheckpointError, match=r"copy' cannot be loaded: "):
        BiEncoderModel.from_pretrained(copy, BiEncoderConfig())


@pytest.mark.parametrize("kind", [BiEncoderModel, CrossEncoderModel])
def test_a_config_without_weights_is_named(copy: Path, kind: type) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"copy' cannot be loaded: .*"):
        kind.from_pretrained(copy, None)


def test_layers_that_the_weights_lack_are_named(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(copy / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks weights of its layers: encoder\.layer\.1\.output\.dense\.weight"):
        BiEncoderModel.from_pretrained(copy, BiEncoderConfig())


def test_sharded_weights_are_read_with_their_heads(copy: Path, texts: list[str], tmp_path: Path) -> None:
    config = BiEncoderConfig(projection=(DenseLayer(in_features=32, out_features=8),))
    model = BiEncoderModel.from_pretrained(copy, config)
    model.save_pretrained(tmp_path / "whole")
    model.backbone.save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    (tmp_path / "whole" / "model.safetensors").unlink()
    for file in (tmp_path / "shards").glob("model*"):
        shutil.copy(file, tmp_path / "whole")
    assert len(list((tmp_path / "whole").glob("model-*.safetensors"))) > 1
    again = BiEncoderModel.from_pretrained(tmp_path / "whole")
    np.testing.assert_array_equal(again.encode_document(texts), model.encode_document(texts))


def test_a_plain_backbone_without_a_rule_is_told_of(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    BiEncoderModel.from_pretrained(copy)
    assert "is a plain backbone, whose files name no rule for scores: it gets BiEncoderConfig()" in caplog.text
