"""A checkpoint has its model beside it, which everyone loads; and is loaded without running code."""

import os
import pickle
import resource
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

import lir_train.checkpoint_files
from lir_data import TupleDataset
from lir_models import ColConfig, MonoConfig, load_model
from lir_models.errors import ForeignFolderError
from lir_train import (
    BiEncoderModule,
    CrossEncoderModule,
    LightningIRDataModule,
    LightningIRModelCheckpoint,
    LightningIRModule,
    LightningIRTrainer,
    RankNet,
    read_checkpoint,
)
from lir_train.checkpoint_files import WholeCheckpointIO, check_checkpoints, remove_checkpoints
from lir_train.errors import CheckpointError, ForeignFileError

TEXTS = ("red", ["red red", "blue"])


def fit(module: LightningIRModule, collection: Path, *callbacks: Callback, **options: Any) -> LightningIRTrainer:
    """Train for six steps, two an epoch."""
    triples = collection / "triples.tsv"
    triples.write_text("red\tred red\tblue\nblue\tblue blue\tred\n")
    module.set_optimizer(torch.optim.AdamW, lr=1e-2)
    data = LightningIRDataModule(train_dataset=TupleDataset(str(triples)), train_batch_size=1)
    trainer = LightningIRTrainer(
        max_epochs=3,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=list(callbacks),
    )
    trainer.fit(module, data, **options)
    return trainer


def scores(model: Any) -> list[float]:
    return model.score(*TEXTS).scores.tolist()


MODULES: dict[str, Any] = {
    "bi-encoder": lambda name: BiEncoderModule(name, loss_functions=[RankNet()]),
    "late interaction": lambda name: BiEncoderModule(name, ColConfig(embedding_dim=8), loss_functions=[RankNet()]),
    "cross-encoder": lambda name: CrossEncoderModule(name, MonoConfig(), loss_functions=[RankNet()]),
    "adapter": lambda name: BiEncoderModule(
        name, loss_functions=[RankNet()], adapter={"r": 2, "target_modules": ["query", "value"]}
    ),
}


@pytest.mark.parametrize("kind", MODULES)
def test_the_folder_of_a_checkpoint_is_its_model(backbone: Path, collection: Path, tmp_path: Path, kind: str) -> None:
    if kind == "adapter":
        pytest.importorskip("peft")
    module = MODULES[kind](str(backbone))
    callback = LightningIRModelCheckpoint(tmp_path / "kept", filename="{step}", every_n_train_steps=2, save_top_k=-1)
    fit(module, collection, callback)
    found = []
    for step in (2, 4, 6):
        path = tmp_path / "kept" / f"step={step}.ckpt"
        module.load_state_dict(read_checkpoint(path)["state_dict"])
        found.append(scores(module))
        assert scores(load_model(path.with_suffix(""))) == pytest.approx(found[-1], abs=1e-5)
    assert found[0] != found[1] != found[2]


def test_sentence_transformers_loads_a_checkpoint(backbone: Path, collection: Path, tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    fit(module, collection, LightningIRModelCheckpoint(tmp_path / "kept", filename="end"))
    model = sentence_transformers.SentenceTransformer(str(tmp_path / "kept" / "end"), device="cpu")
    query, docs = model.encode_query([TEXTS[0]]), model.encode_document(TEXTS[1])
    assert (query @ docs.T)[0].tolist() == pytest.approx(scores(module), rel=1e-4)


def test_the_folder_goes_when_its_checkpoint_goes(backbone: Path, collection: Path, tmp_path: Path) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    callback = LightningIRModelCheckpoint(
        tmp_path / "kept", filename="{step}", monitor="loss", save_top_k=2, mode="max", every_n_train_steps=1,
        save_last=True, save_on_train_epoch_end=True,
    )  # fmt: skip
    fit(module, collection, callback)
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())
    checkpoints = [name.removesuffix(".ckpt") for name in names if name.endswith(".ckpt")]
    assert len(checkpoints) == 3
    assert "last" in checkpoints
    assert names == sorted([*checkpoints, *(f"{name}.ckpt" for name in checkpoints)])
    assert scores(load_model(tmp_path / "kept" / "last")) == pytest.approx(scores(module), abs=1e-5)


def test_a_linked_checkpoint_has_a_linked_folder(backbone: Path, collection: Path, tmp_path: Path) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    fit(module, collection, LightningIRModelCheckpoint(tmp_path / "kept", filename="{epoch}", save_last="link"))
    assert (tmp_path / "kept" / "last").is_symlink()
    assert (tmp_path / "kept" / "last").resolve().name == "epoch=2"
    assert scores(load_model(tmp_path / "kept" / "last")) == pytest.approx(scores(module), abs=1e-5)


def test_saving_changes_nothing_of_the_training(backbone: Path, collection: Path, tmp_path: Path) -> None:
    weights = []
    for kind in (ModelCheckpoint, LightningIRModelCheckpoint):
        torch.manual_seed(0)
        module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
        fit(module, collection, kind(tmp_path / kind.__name__, every_n_train_steps=1))
        weights.append(module.state_dict())
    assert all(torch.equal(weights[1][name], weight) for name, weight in weights[0].items())


def test_a_folder_that_is_no_model_is_not_replaced(backbone: Path, collection: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("one")
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    callback = LightningIRModelCheckpoint(tmp_path, filename="thesis")
    with (
        pytest.warns(UserWarning, match="exists and is not empty"),
        pytest.raises(ForeignFolderError, match="thesis' holds no model that lir saved"),
    ):
        fit(module, collection, callback)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "one"


def test_the_name_of_a_measure_makes_no_folder(backbone: Path, collection: Path, tmp_path: Path) -> None:
    class Measures(Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *_: Any) -> None:
            pl_module.log("run/nDCG@10", trainer.global_step / 8)

    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    for number, options in enumerate(({}, {"auto_insert_metric_name": False})):
        callback = LightningIRModelCheckpoint(
            tmp_path / str(number), filename="{step}-{run/nDCG@10:.3f}", monitor="run/nDCG@10", mode="max", **options
        )
        fit(module, collection, Measures(), callback)
    assert [path.name for path in sorted((tmp_path / "0").iterdir())] == [
        "step=6-run-nDCG@10=0.750", "step=6-run-nDCG@10=0.750.ckpt"
    ]  # fmt: skip
    assert [path.name for path in sorted((tmp_path / "1").iterdir())] == ["6-0.750", "6-0.750.ckpt"]


@contextmanager
def files_of_at_most(size: int) -> Generator[None]:
    """Let larger files fail as on a full disk: Python ignores the signal, so that writing raises."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpointIO().save_checkpoint({"state_dict": {"weight": torch.ones(4)}}, path)
    for size in (0, 100, 1_000, 100_000):
        with (
            files_of_at_most(size),
            pytest.raises(CheckpointError, match=r"last.ckpt' cannot be written: File too large\."),
        ):
            WholeCheckpointIO().save_checkpoint({"state_dict": {"weight": torch.ones(100_000)}}, path)
        assert torch.equal(read_checkpoint(path)["state_dict"]["weight"], torch.ones(4))
    assert list(tmp_path.iterdir()) == [path]


def test_a_training_on_a_full_disk_names_the_file(backbone: Path, collection: Path, tmp_path: Path) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    with (
        files_of_at_most(50_000),
        pytest.raises(CheckpointError, match=r"last.ckpt' cannot be written: File too large"),
    ):
        fit(module, collection, LightningIRModelCheckpoint(tmp_path / "kept", filename="last"))
    assert not list((tmp_path / "kept").iterdir())


def test_a_checkpoint_is_written_beside_its_place_alone(
    backbone: Path, collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "temporary"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    seen: list[str] = []
    replace_file = lir_train.checkpoint_files.replace_file

    def look(written: Path, path: Path) -> None:
        seen.extend(each.name for each in sorted(path.parent.iterdir()))
        assert not list(elsewhere.iterdir())
        replace_file(written, path)

    monkeypatch.setattr(lir_train.checkpoint_files, "replace_file", look)
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    fit(module, collection, LightningIRModelCheckpoint(tmp_path / "kept", filename="last", every_n_epochs=3))
    assert seen == [f".last.ckpt.{os.getpid()}.part"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    for name, content in ((f".last.ckpt.{process.pid}.part", b"PK\x03"), (f".step=1.ckpt.{process.pid}.part", b"")):
        (tmp_path / name).write_bytes(content)
    others = [f".last.ckpt.{os.getppid()}.part", f".x.ckpt.{process.pid}.part", ".last.ckpt.notes.part"]
    for name in others:
        (tmp_path / name).write_bytes(b"thesis")
    WholeCheckpointIO().save_checkpoint({"state_dict": {}}, tmp_path / "last.ckpt")
    assert {path.name for path in tmp_path.iterdir()} == {"last.ckpt", *others}


def test_checkpoints_alone_are_removed(backbone: Path, tmp_path: Path) -> None:
    BiEncoderModule(str(backbone)).save_pretrained(tmp_path / "last")
    for name in ("last.ckpt", "best-v1.ckpt"):
        (tmp_path / name).write_bytes(b"PK")
    remove_checkpoints(tmp_path, ("last", "best"))
    assert not list(tmp_path.iterdir())
    remove_checkpoints(tmp_path / "missing", ("last", "best"))


@pytest.mark.parametrize("name", ["thesis.txt", "last.txt", "lastwill.ckpt", "last/thesis.txt", "last.ckpt/thesis.txt"])
def test_among_checkpoints_what_others_put_there_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / "best.ckpt").write_bytes(b"PK")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("x")
    for function in (check_checkpoints, remove_checkpoints):
        with pytest.raises((ForeignFileError, ForeignFolderError)):
            function(tmp_path, ("last", "best"))
    assert (tmp_path / name).read_text() == "x"
    assert (tmp_path / "best.ckpt").exists()


class Code:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("ran"),))


def test_code_in_a_checkpoint_is_not_run(
    backbone: Path, collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "code": Code()}, "foreign.ckpt")
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    with pytest.raises(
        CheckpointError, match=r"'foreign.ckpt' is damaged, or holds more than tensors and plain values"
    ):
        fit(module, collection, ckpt_path="foreign.ckpt")
    assert not Path("ran").exists()
    pickle.loads(pickle.dumps(Code()))  # it would have
    assert Path("ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"There is no checkpoint 'x.ckpt'\."),
        (b"PK\x03\x04", "'x.ckpt' is damaged"),
        ({"weights": 1}, r"'x.ckpt' is no checkpoint of a training: it has no state_dict\."),
    ],
)
def test_what_is_no_checkpoint_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: Any, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if isinstance(content, bytes):
        Path("x.ckpt").write_bytes(content)
    elif content is not None:
        torch.save(content, "x.ckpt")
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint("x.ckpt")


@pytest.mark.parametrize("kind", MODULES)
@pytest.mark.parametrize("has_folder", [True, False])
def test_a_module_is_loaded_from_a_checkpoint(
    backbone: Path, collection: Path, tmp_path: Path, kind: str, has_folder: bool
) -> None:
    if kind == "adapter":
        pytest.importorskip("peft")
    module = MODULES[kind](str(backbone))
    callback = LightningIRModelCheckpoint if has_folder else ModelCheckpoint
    fit(module, collection, callback(tmp_path / "kept", filename="end"))
    path = tmp_path / "kept" / "end.ckpt"
    if kind == "adapter" and not has_folder:
        with pytest.raises(CheckpointError, match=r"is of a model with an adapter, whose settings lie in .*kept/end'"):
            type(module).load_from_checkpoint(path)
        return
    loaded = type(module).load_from_checkpoint(path, loss_functions=[RankNet()])
    assert loaded.model.config == module.model.config
    assert scores(loaded) == pytest.approx(scores(module), abs=1e-6)
    assert all(torch.equal(loaded.state_dict()[name], weight) for name, weight in module.state_dict().items())


def test_a_checkpoint_of_another_kind_is_refused(backbone: Path, collection: Path, tmp_path: Path) -> None:
    fit(MODULES["bi-encoder"](str(backbone)), collection, ModelCheckpoint(tmp_path / "kept", filename="end"))
    with pytest.raises(CheckpointError, match="is of a bi-encoder, which a CrossEncoderModule does not load"):
        CrossEncoderModule.load_from_checkpoint(tmp_path / "kept" / "end.ckpt")


def test_a_checkpoint_that_names_no_model_needs_one(backbone: Path, tmp_path: Path) -> None:
    module = BiEncoderModule(str(backbone))
    torch.save({"state_dict": module.state_dict()}, tmp_path / "old.ckpt")
    with pytest.raises(CheckpointError, match=r"does not say of which model it is, and the folder .*old'") as told:
        BiEncoderModule.load_from_checkpoint(tmp_path / "old.ckpt")
    assert "model_name_or_path" in told.value.hint
    loaded = BiEncoderModule.load_from_checkpoint(tmp_path / "old.ckpt", model_name_or_path=str(backbone))
    assert scores(loaded) == scores(module)
    torch.save({"state_dict": {"weight": torch.ones(1)}}, tmp_path / "old.ckpt")
    with pytest.raises(CheckpointError, match=r"old.ckpt' holds other weights than"):
        BiEncoderModule.load_from_checkpoint(tmp_path / "old.ckpt", model_name_or_path=str(backbone))
