"""A model is saved whole or not at all, and replaces nothing but a model that lir saved."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lir_models import BiEncoderModel, ColConfig, CrossEncoderModel, DprConfig, MonoConfig, SpladeConfig
from lir_models.checkpoints import ownership
from lir_models.errors import ForeignFolderError, OutputExistsError, UnwritableOutputError

WORDS = ["red", "blue"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Callable[..., Path]) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("backbones")
    kinds: dict[str, dict[str, Any]] = {
        "BertModel": {},
        "BertForMaskedLM": {},
        "BertForSequenceClassification": {"num_labels": 1},
    }
    return {kind: tiny_bert(root / kind, kind, words=WORDS, **options) for kind, options in kinds.items()}


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(folders["BertModel"])


MODELS: dict[str, Callable[[dict[str, Path]], Any]] = {
    "dense": lambda folders: BiEncoderModel.from_pretrained(folders["BertModel"], DprConfig()),
    "two encoders": lambda folders: BiEncoderModel.from_pretrained(
        folders["BertModel"], DprConfig(shared_encoder=False)
    ),
    "sparse": lambda folders: BiEncoderModel.from_pretrained(folders["BertForMaskedLM"], SpladeConfig()),
    "late": lambda folders: BiEncoderModel.from_pretrained(folders["BertModel"], ColConfig(embedding_dim=8)),
    "cross": lambda folders: CrossEncoderModel.from_pretrained(folders["BertForSequenceClassification"], MonoConfig()),
}


@pytest.mark.parametrize("kind", MODELS)
def test_what_lir_saved_it_replaces(folders: dict[str, Path], tmp_path: Path, kind: str) -> None:
    model = MODELS[kind](folders)
    model.save_pretrained(tmp_path / "mine")
    (tmp_path / "mine" / "train.yaml").write_text("of the training")
    with pytest.raises(OutputExistsError, match="exists already"):
        model.save_pretrained(tmp_path / "mine")
    model.save_pretrained(tmp_path / "mine", overwrite=True)
    assert not (tmp_path / "mine" / "train.yaml").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def add(name: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")

    return run


FOREIGN: dict[str, tuple[Callable[[Path], None], str]] = {
    "a file": (add("thesis.txt"), "for instance 'thesis.txt'"),
    "a folder": (add("query_encoder/thesis.txt"), "for instance 'query_encoder/thesis.txt'"),
    "a folder called as ours are": (add("1_Pooling/notes.md"), "for instance '1_Pooling/notes.md'"),
    "a link": (lambda folder: (folder / "vocab.txt").symlink_to("config.json"), "for instance 'vocab.txt'"),
    "no mark": (lambda folder: (folder / "lir.json").unlink(), r"holds no model that lir saved \(it has no lir.json\)"),
    "a mark of others": (lambda folder: (folder / "lir.json").write_text("[]"), "holds no model that lir saved"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_others_put_there_stays(model: BiEncoderModel, tmp_path: Path, kind: str) -> None:
    change, message = FOREIGN[kind]
    folder = tmp_path / "mine"
    model.save_pretrained(folder)
    change(folder)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ForeignFolderError, match=message):
        model.save_pretrained(folder, overwrite=True)
    with pytest.raises(ForeignFolderError, match=message):
        ownership.remove_model(folder)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_is_not_followed(model: BiEncoderModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "real")
    (tmp_path / "mine").symlink_to("real")
    with pytest.raises(ForeignFolderError, match="mine' is a link"):
        model.save_pretrained(tmp_path / "mine", overwrite=True)
    ownership.remove_model(tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["real"]


@contextmanager
def files_of_at_most(size: int) -> Generator[None]:
    """Let larger files fail as on a full disk: Python ignores the signal, so that writing raises."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [100, 20_000])
def test_a_full_disk_leaves_what_was_there(model: BiEncoderModel, tmp_path: Path, size: int) -> None:
    model.save_pretrained(tmp_path / "mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name in ("mine", "new"):
        with (
            files_of_at_most(size),
            pytest.raises(UnwritableOutputError, match=rf"{name}' cannot be written: File too large\."),
        ):
            model.save_pretrained(tmp_path / name, overwrite=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    model.save_pretrained(tmp_path / "new")


@pytest.mark.parametrize("exchanges", [True, False])
def test_a_model_is_replaced_at_once(
    model: BiEncoderModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    if not exchanges:
        monkeypatch.setattr(ownership, "_exchanged", lambda *_: False)
    model.save_pretrained(tmp_path / "mine")
    (tmp_path / "mine" / "train.yaml").write_text("old")
    model.save_pretrained(tmp_path / "mine", overwrite=True)
    assert not (tmp_path / "mine" / "train.yaml").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def ended_process() -> int:
    """Return the number of a process that was."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_process_left_is_removed(model: BiEncoderModel, tmp_path: Path) -> None:
    number = ended_process()
    ours = tmp_path / f".mine.{number}.abcd_123"
    (ours / "mine").mkdir(parents=True)
    (ours / "written-by-lir").touch()
    (tmp_path / f".mine.{number}.abcd_124").mkdir()
    theirs = [tmp_path / f".mine.{number}.abcd_125" / "thesis.txt", tmp_path / ".mine.notes" / "thesis.txt"]
    running = tmp_path / f".mine.{os.getppid()}.abcd_126" / "written-by-lir"
    for path in (*theirs, running):
        path.parent.mkdir()
        path.write_text("x")
    model.save_pretrained(tmp_path / "mine")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"mine", running.parent.name, *(path.parent.name for path in theirs)}


def test_a_kill_between_two_renames_is_mended(tmp_path: Path) -> None:
    left = tmp_path / f".mine.{ended_process()}.abcd_123"
    for name in ("mine", "previous"):
        (left / name).mkdir(parents=True)
    (left / "previous" / "lir.json").write_text("old")
    (left / "written-by-lir").touch()
    ownership.sweep(tmp_path)
    assert (tmp_path / "mine" / "lir.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_error_of_something_else_stays_what_it_is(
    model: BiEncoderModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ConnectionError("the hub is away")

    monkeypatch.setattr(type(model.encoder.tokenizer), "save", fail)
    with pytest.raises(ConnectionError, match="the hub is away"):
        model.save_pretrained(tmp_path / "mine")
    monkeypatch.setattr(type(model.encoder.tokenizer), "save", lambda *_: os.close(-1))
    with pytest.raises(UnwritableOutputError, match=os.strerror(errno.EBADF)):
        model.save_pretrained(tmp_path / "mine")
    assert not list(tmp_path.iterdir())
