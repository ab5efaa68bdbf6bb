"""From a model's name to its folder; the hub is a cache made by hand."""

import shutil
import sys
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest

from lir_models import BiEncoderModel, detect
from lir_models.errors import CheckpointError, ModelNotFoundError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: Path) -> Path:
    """A hub's cache that holds one model, as huggingface_hub lays it out."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    model = tmp_path / "hub" / "models--some-org--some-model"
    shutil.copytree(backbone, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    return model


def test_a_model_of_the_hub_is_found_in_the_cache(hub: Path, backbone: Path, texts: list[str]) -> None:
    model = BiEncoderModel.from_pretrained("some-org/some-model")
    expected = BiEncoderModel.from_pretrained(backbone).encode_document(texts)
    np.testing.assert_array_equal(model.encode_document(texts), expected)
    assert model.name == "some-org/some-model"


def test_what_a_model_of_the_hub_is_needs_no_weights(hub: Path) -> None:
    (hub / "snapshots" / COMMIT / "model.safetensors").unlink()
    assert detect("some-org/some-model") == "backbone"


def test_a_model_that_the_cache_lacks_is_named(hub: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="There is no folder 'some-org/other', and the Hugging Face hub"):
        detect("some-org/other")


def test_a_package_with_a_model_inside_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: Path
) -> None:
    (tmp_path / "a_model_in_a_package").mkdir()
    (tmp_path / "a_model_in_a_package" / "__init__.py").write_text("raise RuntimeError('this must not be run')")
    shutil.copytree(backbone, tmp_path / "a_model_in_a_package" / "files" / "model")
    monkeypatch.syspath_prepend(tmp_path)
    assert BiEncoderModel.from_pretrained("package:a_model_in_a_package").dim == 32
    assert "a_model_in_a_package" not in sys.modules


def test_a_package_that_is_not_there_is_nothing_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: Path
) -> None:
    (tmp_path / "a_model_in_a_package").mkdir()
    shutil.copytree(backbone, tmp_path / "a_model_in_a_package" / "model")
    (tmp_path / "a_model_in_a_packet").mkdir()  # nearer, without a model
    for name in ("a_model_in_a_package", "a_model_in_a_packet"):
        (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelNotFoundError, match="Did you mean 'package:a_model_in_a_package'") as caught:
        detect("package:a-model-in-a-packag")
    assert caught.value.hint is None
    with pytest.raises(ModelNotFoundError) as caught:
        detect("package:nope")
    assert "no package that is installed here has the name 'nope'." in str(caught.value)
    assert "install" not in (caught.value.hint or "")


def test_a_local_folder_comes_before_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backbone: Path, hub: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(backbone, tmp_path / "some-org" / "some-model")
    (tmp_path / "some-org" / "some-model" / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config.json' is damaged"):
        detect("some-org/some-model")


def test_a_model_of_a_folder_is_named_by_the_way_to_it_from_anywhere(
    backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(backbone.parent)
    assert BiEncoderModel.from_pretrained(backbone.name).name == str(backbone.resolve())


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text("")
    with pytest.raises(ModelNotFoundError, match=r"is a file; a model is a folder with a config.json"):
        detect(tmp_path / "model.bin")


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"holds no model: it has neither lir.json, nor modules.json, nor config.json"
    ):
        detect(tmp_path)
