"""A checkpoint has its model beside it, which everyone loads; and is loaded without running code."""

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Callback
from lightning.pytorch.callbacks import ModelCheckpoint

from lir_data import TupleDataset
from lir_models import ColConfig, MonoConfig, load_model
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
from lir_train.errors import CheckpointError, LirTrainError

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
        pytest.raises(LirTrainError, match="thesis' exists and is no model of lir"),
    ):
        fit(module, collection, callback)
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "one"


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
