"""The recipes run, on a tiny collection, and what YAML says of losses, optimizers and data is what is trained."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lir_cli.pipeline import Pipeline
from lir_cli.settings import apply_overrides, read_yaml
from lir_data import MixedDataset, TupleDataset
from lir_models import load_model
from lir_train import GuidedInBatchCrossEntropy, LightningIRTrainer, Matryoshka, RankNet

Lir = Callable[..., Any]
CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = (
    "--trainer.max_steps",
    3,
    "--trainer.precision",
    "32-true",
    "--data.num_workers",
    0,
    "--data.train_batch_size",
    4,
)
WORDS = ["red", "blue", "green", "black", "white"]


@pytest.fixture
def scored(collection: Path) -> str:
    """Tuples of ids, as a teacher scored them."""
    lines = [
        {"query_id": f"q{n}", "doc_ids": [f"d{n}", f"d{n + 1}", f"d{n + 2}"], "scores": [3, 1, 0]} for n in range(8)
    ]
    Path("scored.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return "{class_path: TupleDataset, init_args: {tuples_dataset: scored.jsonl, targets: score, docs: docs.tsv, queries: queries.tsv}}"


def trained(lir: Lir, name: str, model: Path, *arguments: object) -> Any:
    done = lir("train", "--config", CONFIGS / f"{name}.yaml", "--model", model, "--output", name, *SMALL, *arguments)
    assert done.code == 0, done.err
    return load_model(name)


SHORT_WARMUP = ("--lr_scheduler.num_warmup_steps", 1)


def test_a_dense_model_by_in_batch_negatives(lir: Lir, scored: str, backbone: Path) -> None:
    arguments = ("--data.train_dataset", scored, "--data.train_dataset.num_docs", 2, "--model.mini_batch_size", 2)
    model = trained(lir, "train-dense", backbone, *arguments, *SHORT_WARMUP)
    assert model.form == "dense"


def test_colbert_by_a_teachers_distribution(lir: Lir, scored: str, backbone: Path) -> None:
    model = trained(
        lir,
        "train-colbert",
        backbone,
        "--data.train_dataset",
        scored,
        *SHORT_WARMUP,
        "--model.config.embedding_dim",
        16,
    )
    assert (model.form, model.dim) == ("multi-vector", 16)


def test_splade_by_margins_and_flops(lir: Lir, scored: str, masked_lm: Path) -> None:
    model = trained(lir, "train-splade", masked_lm, "--data.train_dataset", scored, *SHORT_WARMUP)
    assert model.form == "sparse"


def test_a_cross_encoder_by_hard_negatives(lir: Lir, scored: str, backbone: Path) -> None:
    run = "[{class_path: RunDataset, init_args: {run_path_or_id: first.trec, docs: docs.tsv, queries: queries.tsv, qrels: qrels.txt}}]"
    trained(
        lir, "train-cross-encoder", backbone, "--data.train_dataset", scored, "--data.inference_datasets", run,
        "--trainer.val_check_interval", 2, *SHORT_WARMUP,
    )  # fmt: skip
    assert Path("train-cross-encoder-checkpoints/best.ckpt").is_file()


def pipeline(text: str, *overrides: str) -> Pipeline:
    """Read a configuration."""
    Path("c.yaml").write_text(text)
    return Pipeline(apply_overrides(read_yaml(["c.yaml"]), overrides), "fit")


BASE = """
trainer: {max_steps: 2, accelerator: cpu}
model:
  class_path: BiEncoderModule
  init_args:
    model_name_or_path: %s
    loss_functions: %s
data:
  train_dataset: %s
optimizer: {class_path: AdamW, init_args: {lr: 0.01}}
"""
TUPLES = "{class_path: TupleDataset, init_args: {tuples_dataset: triples.tsv}}"


@pytest.mark.parametrize(
    "weighted", ["[{class_path: InBatchCrossEntropy}, 0.1]", "{class_path: InBatchCrossEntropy, weight: 0.1}"]
)
def test_a_loss_has_a_weight(collection: Path, backbone: Path, weighted: str) -> None:
    made = pipeline(BASE % (backbone, f"[{{class_path: RankNet}}, {weighted}]", TUPLES))
    _, module = made.run()
    assert module.loss_names == ["RankNet", "InBatchCrossEntropy"]
    assert module.loss_weights == [1.0, 0.1]


def test_losses_are_inside_of_losses(collection: Path, backbone: Path) -> None:
    losses = "[{class_path: Matryoshka, init_args: {dims: [32, 8], loss: {class_path: RankNet, init_args: {temperature: 2}}}}]"
    _, module = pipeline(BASE % (backbone, losses, TUPLES)).run()
    loss = module.loss_functions[0]
    assert isinstance(loss, Matryoshka)
    assert isinstance(loss.loss, RankNet)
    assert loss.loss.temperature == 2


def test_a_guide_is_named(collection: Path, backbone: Path) -> None:
    losses = f"[{{class_path: GuidedInBatchCrossEntropy, init_args: {{guide: {backbone}}}}}]"
    _, module = pipeline(BASE % (backbone, losses, TUPLES)).run()
    assert isinstance(module.loss_functions[0], GuidedInBatchCrossEntropy)


def test_datasets_are_mixed(collection: Path, backbone: Path) -> None:
    mixed = f"{{class_path: MixedDataset, init_args: {{datasets: [{TUPLES}, {TUPLES}], weights: [3, 1]}}}}"
    made = pipeline(BASE % (backbone, "[{class_path: RankNet}]", mixed))
    dataset = made.data.train_dataset
    assert isinstance(dataset, MixedDataset)
    assert [type(part) for part in dataset.datasets] == [TupleDataset, TupleDataset]
    assert dataset.weights == [3, 1]
    made.run()


GROUPS = "--optimizer.groups"
NORM = "{pattern: LayerNorm, options: {lr: 1e-3, weight_decay: 0}}"


def test_groups_of_parameters_have_options_of_their_own(collection: Path, backbone: Path) -> None:
    text = BASE % (backbone, "[{class_path: RankNet}]", TUPLES)
    made = pipeline(text, GROUPS, f"[{NORM}]", "--optimizer.groups.0.options.weight_decay", "0.5")
    _, module = made.run()
    (optimizer,) = made.trainer.optimizers
    rest, norm = optimizer.param_groups
    assert (rest["lr"], norm["lr"], norm["weight_decay"]) == (0.01, 0.001, 0.5)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    assert all("LayerNorm" in names[id(parameter)] for parameter in norm["params"])
    assert not any("LayerNorm" in names[id(parameter)] for parameter in rest["params"])


SCHEDULERS = ["LinearLRSchedulerWithLinearWarmup", "CosineLRSchedulerWithLinearWarmup"]


@pytest.mark.parametrize("name", SCHEDULERS)
@pytest.mark.parametrize(("given", "steps"), [("", 10), (", num_training_steps: 4", 4)])
def test_schedulers_fall_until_the_trainer_stops(
    collection: Path, backbone: Path, name: str, given: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LightningIRTrainer, "fit", lambda self, module, data: module.configure_optimizers())
    text = BASE % (backbone, "[{class_path: RankNet}]", TUPLES)
    scheduler = f"{{class_path: {name}, init_args: {{num_warmup_steps: 2{given}}}}}"
    made, _ = pipeline(text, "--lr_scheduler", scheduler, "--trainer.max_steps", "10").run()
    rates = [made["lr_scheduler"]["scheduler"].lr_lambdas[0](step) for step in range(12)]
    assert rates.index(0.0, 1) == steps
    assert torch.tensor(rates[:steps]).argmax() == 2


def test_a_generic_scheduler_falls_until_the_trainer_stops(collection: Path, backbone: Path) -> None:
    callback = "[{class_path: GenericLinearSchedulerWithLinearWarmup, init_args: {keys: [loss_weights.0], num_warmup_steps: 1}}]"
    text = BASE % (backbone, "[{class_path: RankNet}]", TUPLES)
    made = pipeline(text, "--trainer.max_steps", "10", "--trainer.callbacks", callback)
    schedule = next(item.schedule for item in made.callbacks if hasattr(item, "schedule"))
    assert (schedule.factor(9) > 0, schedule.factor(10)) == (True, 0)


LINEAR = "{class_path: LinearLRSchedulerWithLinearWarmup, init_args: {num_warmup_steps: 1}}"
MISTAKES = {
    "no end of a scheduler": (
        ["--trainer", "{max_epochs: 1}", "--trainer.max_steps", "null", "--lr_scheduler", LINEAR],
        "lr_scheduler.init_args: LinearLRSchedulerWithLinearWarmup needs num_training_steps, which is the trainer's max_steps",
    ),
    "an option that no optimizer has": (
        [GROUPS, "[{pattern: a, options: {learning_rat: 1}}]"],
        "optimizer.groups.0.options: AdamW has no argument 'learning_rat'.",
    ),
    "an option of a wrong type": (
        [GROUPS, "[{pattern: a, options: {lr: fast}}]"],
        "optimizer.groups.0.options: lr is 'fast'; it must be a number",
    ),
    "an unknown key of a group": (
        [GROUPS, "[{patern: a, options: {lr: 1}}]"],
        "optimizer.groups.0: there is no key 'patern'. Did you mean 'pattern'?",
    ),
    "a group without options": ([GROUPS, "[{pattern: a}]"], "optimizer.groups.0: options is None; it must say what"),
    "groups that are no list": ([GROUPS, "3"], "optimizer.groups is 3; it must be a list of pattern and options."),
    "a pattern that is none": ([GROUPS, "[{pattern: '(', options: {lr: 1}}]"], "The pattern '(' is no regular expression"),
    "an unknown key of the optimizer": (
        ["--optimizer", "{class_path: AdamW, group: []}"],
        "optimizer: there is no key 'group' beside class_path. Did you mean 'groups'?",
    ),
    "a weight that is none": (
        ["--model.loss_functions.0.weight", "heavy"],
        "model.init_args.loss_functions.0: weight is 'heavy'; it must be a number.",
    ),
    "a weight where none can be": (
        ["--data.train_dataset", "{class_path: TupleDataset, weight: 1}"],
        "data.init_args.train_dataset: there is no key 'weight' beside class_path.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_before_the_model_loads(lir: Lir, collection: Path, mistake: str) -> None:
    Path("c.yaml").write_text(BASE % ("./nowhere", "[{class_path: RankNet}]", TUPLES))
    arguments, message = MISTAKES[mistake]
    result = lir("train", "--config", "c.yaml", "--output", "out", *arguments)
    assert result.code in (1, 2)
    assert message in result.err
    assert "nowhere" not in result.err
