"""A training keeps its checkpoints, is interrupted, goes on, ends with its best model, and can be repeated."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from lir_models import load_model
from lir_train import BiEncoderModule, read_checkpoint

Lir = Callable[..., Any]

TRAIN = """
trainer: {max_steps: 6, accelerator: cpu}
model: {class_path: BiEncoderModule, init_args: {loss_functions: [{class_path: RankNet}]}}
data:
  train_batch_size: 5
  train_dataset: {class_path: TupleDataset, init_args: {tuples_dataset: triples.tsv}}
optimizer: {class_path: AdamW, init_args: {lr: 0.01}}
"""
VALIDATE = """
model: {class_path: BiEncoderModule, init_args: {evaluation_metrics: [RR, P@1]}}
data:
  inference_datasets:
  - class_path: RunDataset
    init_args: {run_path_or_id: first.trec, docs: docs.tsv, queries: queries.tsv, qrels: qrels.txt}
"""


@pytest.fixture
def train(lir: Lir, collection: Path, backbone: Path) -> Lir:
    """Train in a folder that has the configurations."""
    Path("train.yaml").write_text(TRAIN)
    Path("validate.yaml").write_text(VALIDATE)

    def run(*arguments: object) -> Any:
        return lir("train", "--config", "train.yaml", "--model", backbone, *arguments)

    return run


def weights(folder: str) -> str:
    return hashlib.sha256(Path(folder, "model.safetensors").read_bytes()).hexdigest()


def test_the_last_checkpoint_of_each_epoch_is_kept(train: Lir) -> None:
    done = train("--output", "out")
    assert done.code == 0, done.err
    assert sorted(path.name for path in Path("out-checkpoints").iterdir()) == ["last", "last.ckpt"]
    assert read_checkpoint("out-checkpoints/last.ckpt")["global_step"] == 6
    assert weights("out-checkpoints/last") == weights("out")


def test_a_training_that_ends_within_an_epoch_keeps_its_end(train: Lir) -> None:
    assert train("--output", "out", "--trainer.max_steps", 1).code == 0
    assert read_checkpoint("out-checkpoints/last.ckpt")["global_step"] == 1


def test_a_checkpoint_is_kept_every_so_many_steps(train: Lir, monkeypatch: pytest.MonkeyPatch) -> None:
    import lir_cli.checkpoints

    monkeypatch.setattr(lir_cli.checkpoints, "_STEPS_BETWEEN", 3)
    monkeypatch.setattr(BiEncoderModule, "training_step", _interrupted_at(4, BiEncoderModule.training_step))
    assert train("--output", "out", "--data.train_batch_size", 1).code == 130
    assert read_checkpoint("out-checkpoints/last.ckpt")["global_step"] == 3


def test_a_checkpoint_is_kept_every_few_minutes(train: Lir, monkeypatch: pytest.MonkeyPatch) -> None:
    import lir_cli.checkpoints

    assert timedelta(minutes=5) == lir_cli.checkpoints._TIME_BETWEEN
    monkeypatch.setattr(lir_cli.checkpoints, "_TIME_BETWEEN", timedelta(0))
    monkeypatch.setattr(BiEncoderModule, "training_step", _interrupted_at(2, BiEncoderModule.training_step))
    assert train("--output", "out", "--data.train_batch_size", 1).code == 130
    assert read_checkpoint("out-checkpoints/last.ckpt")["global_step"] == 2


def _interrupted_at(step: int, training_step: Callable[..., Any]) -> Callable[..., Any]:
    def run(self: Any, batch: Any, batch_idx: int) -> Any:
        if self.global_step == step:
            raise KeyboardInterrupt
        return training_step(self, batch, batch_idx)

    return run


def test_an_interrupted_training_goes_on_to_the_same_model(train: Lir) -> None:
    assert train("--output", "whole").code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BiEncoderModule, "training_step", _interrupted_at(5, BiEncoderModule.training_step))
        stopped = train("--output", "out")
    assert stopped.code == 130
    assert stopped.err.endswith(
        "Error: The training was interrupted at step 5.\nhint: the same command with --resume goes on from step 4\n"
    )
    assert load_model("out-checkpoints/last") is not None
    assert not Path("out").exists()
    again = train("--output", "out")
    assert again.code == 2
    assert (
        "'out-checkpoints' exists already: a training with this output was begun.\nhint: --resume goes on" in again.err
    )
    done = train("--output", "out", "--resume")
    assert done.code == 0, done.err
    assert weights("out") == weights("whole")


def test_an_interruption_before_the_first_checkpoint_says_so(train: Lir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BiEncoderModule, "training_step", _interrupted_at(1, BiEncoderModule.training_step))
    stopped = train("--output", "out")
    assert "interrupted at step 1. There is no checkpoint yet, so nothing of it is left.\n" in stopped.err


@pytest.mark.parametrize("steps", [2, 3])  # an epoch, and one and a half
def test_a_finished_training_goes_on_for_longer(train: Lir, steps: int) -> None:
    assert train("--output", "whole").code == 0
    assert train("--output", "out", "--trainer.max_steps", steps).code == 0
    done = train("--output", "out", "--resume", "--overwrite")
    assert done.code == 0, done.err
    assert weights("out") == weights("whole")


def test_there_must_be_a_checkpoint_to_go_on_from(train: Lir) -> None:
    result = train("--output", "out", "--resume")
    assert result.code == 2
    assert result.err.startswith(
        "Error: There is no checkpoint 'out-checkpoints/last.ckpt' to go on from.\nhint: without --resume"
    )


def test_overwrite_begins_anew(train: Lir) -> None:
    Path("out-checkpoints").mkdir()
    Path("out-checkpoints/best.ckpt").write_text("of another training")
    assert train("--output", "out", "--overwrite", "--trainer.max_steps", 1).code == 0
    assert sorted(path.name for path in Path("out-checkpoints").iterdir()) == ["last", "last.ckpt"]


@pytest.mark.parametrize("place", ["out/thesis.txt", "out-checkpoints/thesis.txt", "out-checkpoints/last/thesis.txt"])
def test_overwrite_removes_nothing_of_others(train: Lir, place: str) -> None:
    assert train("--output", "out", "--trainer.max_steps", 1).code == 0
    Path(place).write_text("x")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    result = train("--output", "out", "--overwrite")
    assert result.code == 1
    assert "for instance 'thesis.txt'" in result.err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_a_training_that_ended_before_its_first_checkpoint_is_repeated(train: Lir) -> None:
    Path("out-checkpoints").mkdir()
    assert train("--output", "out", "--trainer.max_steps", 1).code == 0


def test_a_checkpoint_without_a_last_one_is_not_gone_on_from(train: Lir) -> None:
    Path("out-checkpoints").mkdir()
    Path("out-checkpoints/best.ckpt").write_text("of another training")
    result = train("--output", "out")
    assert result.code == 2
    assert "has no last checkpoint to go on from.\nhint: --overwrite begins anew\n" in result.err


def test_a_damaged_checkpoint_is_one_sentence(train: Lir) -> None:
    Path("out-checkpoints").mkdir()
    Path("out-checkpoints/last.ckpt").write_bytes(b"PK")
    result = train("--output", "out", "--resume")
    assert result.code == 1
    assert "Error: 'out-checkpoints/last.ckpt' is damaged" in result.err


@pytest.mark.parametrize("values", [[0.5, 0.9, 0.7], [0.5, 0.6, 0.8]])
def test_the_best_model_is_the_output(train: Lir, monkeypatch: pytest.MonkeyPatch, values: list[float]) -> None:
    measured = iter(values)
    monkeypatch.setattr(BiEncoderModule, "evaluate_runs", lambda self, runs, datasets: {"first/RR": next(measured)})
    done = train("--config", "validate.yaml", "--output", "out")
    assert done.code == 0, done.err
    step = 2 * (1 + values.index(max(values)))
    assert f"The best model is that of step {step}: first/RR {max(values):.4f}\nThe model is in out" in done.err
    assert read_checkpoint("out-checkpoints/best.ckpt")["global_step"] == step
    assert weights("out") == weights("out-checkpoints/best")
    assert (weights("out") == weights("out-checkpoints/last")) == (step == 6)


@pytest.mark.parametrize(("last", "step"), [(0.9, 5), (0.2, 4)])
def test_an_end_between_validations_is_measured(
    train: Lir, monkeypatch: pytest.MonkeyPatch, last: float, step: int
) -> None:
    measured = iter([0.3, 0.5, last])
    monkeypatch.setattr(BiEncoderModule, "evaluate_runs", lambda self, runs, datasets: {"first/RR": next(measured)})
    done = train("--config", "validate.yaml", "--output", "out", "--trainer.max_steps", 5)
    assert f"The best model is that of step {step}: first/RR {max(0.5, last):.4f}\n" in done.err
    assert (weights("out") == weights("out-checkpoints/last")) == (step == 5)


def test_real_measures_choose_the_best(train: Lir) -> None:
    done = train("--config", "validate.yaml", "--output", "out")
    best = read_checkpoint("out-checkpoints/best.ckpt")
    assert f"The best model is that of step {best['global_step']}: first/RR" in done.err


def test_a_training_is_repeated_by_its_own_configuration(train: Lir, lir: Lir, backbone: Path) -> None:
    first = train(
        "--output", "out", "--trainer.max_steps", 3, "--optimizer.lr", 0.02, "--model.config",
        "{class_path: ColConfig, init_args: {embedding_dim: 8}}", "--model.loss_functions.0.weight", 0.5,
    )  # fmt: skip
    assert first.code == 0, first.err
    settings = yaml.safe_load(Path("out/train.yaml").read_text())
    assert settings["trainer"] == {"max_steps": 3, "accelerator": "cpu"}
    assert settings["optimizer"]["init_args"] == {"lr": 0.02}
    assert settings["model"]["init_args"]["model_name_or_path"] == str(backbone)
    assert settings["model"]["init_args"]["loss_functions"] == [{"class_path": "RankNet", "weight": 0.5}]
    torch.manual_seed(1)
    again = lir("train", "--config", "out/train.yaml", "--output", "other")
    assert again.code == 0, again.err
    assert weights("other") == weights("out")
    assert Path("other/train.yaml").read_text() == Path("out/train.yaml").read_text()


def test_another_seed_gives_another_model(train: Lir) -> None:
    for seed in (1, 2):
        assert train("--output", seed, "--seed_everything", seed, "--trainer.max_steps", 1).code == 0
    assert weights("1") != weights("2")


def test_a_checkpoint_of_ones_own_takes_the_place_of_the_default(train: Lir) -> None:
    own = "[{class_path: LightningIRModelCheckpoint, init_args: {dirpath: mine, filename: '{step}', save_last: true}}]"
    assert train("--trainer.callbacks", own, "--output", "out").code == 0
    assert sorted(path.name for path in Path("mine").iterdir()) == ["last", "last.ckpt", "step=6", "step=6.ckpt"]
    assert not Path("out-checkpoints").exists()
    assert train("--trainer.callbacks", own, "--output", "more", "--resume", "--trainer.max_steps", 8).code == 0
    assert read_checkpoint("mine/last.ckpt")["global_step"] == 8


def test_no_checkpoints_are_kept_where_none_are_wanted(train: Lir) -> None:
    assert train("--output", "out", "--trainer.enable_checkpointing", "false").code == 0
    assert not Path("out-checkpoints").exists()
