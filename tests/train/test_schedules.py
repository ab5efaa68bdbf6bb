"""Learning rates and any other numbers change over a training as their formulas say."""

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.pytorch.callbacks import Callback

from lir_data import RunDataset
from lir_train import (
    BiEncoderModule,
    ConstantLRSchedulerWithLinearWarmup,
    CosineLRSchedulerWithLinearWarmup,
    GenericConstantSchedulerWithLinearWarmup,
    GenericConstantSchedulerWithQuadraticWarmup,
    GenericLinearSchedulerWithLinearWarmup,
    LightningIRDataModule,
    LightningIRTrainer,
    LinearLRSchedulerWithLinearWarmup,
    ParameterGroup,
    RankNet,
)
from lir_train.errors import LirTrainError
from lir_train.optimization import grouped


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)


def rates(scheduler: torch.optim.lr_scheduler.LRScheduler, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return found


STEPS = {"warmup": st.integers(0, 5), "delay": st.integers(0, 3), "decay": st.integers(1, 8)}


@given(**STEPS, final=st.sampled_from([0.0, 0.25, 1.0]))
def test_learning_rates_equal_their_formulas(warmup: int, delay: int, decay: int, final: float) -> None:
    total = delay + warmup + decay
    linear, cosine, constant = [], [], []
    for step in range(total + 3):
        if step < delay:
            expected = (0.0, 0.0, 0.0)
        elif step < delay + warmup:
            expected = ((step - delay) / warmup,) * 3
        else:
            share = min(1.0, (step - delay - warmup) / decay)
            expected = (1 - share * (1 - final), final + (1 - final) * (0.5 + 0.5 * math.cos(math.pi * share)), 1.0)
        linear.append(2 * expected[0])
        cosine.append(2 * expected[1])
        constant.append(2 * expected[2])
    assert rates(
        LinearLRSchedulerWithLinearWarmup(optimizer(), warmup, total, final, delay), total + 3
    ) == pytest.approx(linear)
    assert rates(
        CosineLRSchedulerWithLinearWarmup(optimizer(), warmup, total, final, delay), total + 3
    ) == pytest.approx(cosine)
    assert rates(ConstantLRSchedulerWithLinearWarmup(optimizer(), warmup, delay), total + 3) == pytest.approx(constant)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LinearLRSchedulerWithLinearWarmup(optimizer(), 5, 5), "num_training_steps is 5; it must be more than"),
        (lambda: CosineLRSchedulerWithLinearWarmup(optimizer(), -1, 5), "num_warmup_steps is -1; it must be 0 or more"),
        (lambda: LinearLRSchedulerWithLinearWarmup(optimizer(), 1, 5, 2.0), "final_value is 2.0; it is a share"),
        (lambda: GenericConstantSchedulerWithLinearWarmup([], 1), r"keys is \[\]; it is a list of one dotted key"),
        (lambda: GenericConstantSchedulerWithLinearWarmup("a.b", 1), "keys is 'a.b'; it is a list"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(make: object, message: str) -> None:
    with pytest.raises(LirTrainError, match=message):
        make()


def fit(module: BiEncoderModule, collection: Path, *callbacks: Callback) -> None:
    names = {"docs": "docs.tsv", "queries": "queries.tsv", "qrels": "qrels.txt"}
    data = RunDataset(
        str(collection / "run.trec"),
        **{name: str(collection / file) for name, file in names.items()},
        targets="relevance",
    )
    LightningIRTrainer(
        max_steps=5,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=list(callbacks),
    ).fit(module, LightningIRDataModule(train_dataset=data, train_batch_size=2))


class Watch(Callback):
    """Notes a loss's temperature and weight in every step."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.seen.append((pl_module.loss_functions[0].temperature, pl_module.loss_weights[0]))


def test_any_number_of_a_module_is_scheduled_and_set_back(backbone: Path, collection: Path) -> None:
    module = BiEncoderModule(str(backbone), loss_functions=[(RankNet(8.0), 2.0)])
    watch = Watch()
    schedules = [
        GenericConstantSchedulerWithQuadraticWarmup(["loss_functions.0.temperature"], 4),
        GenericLinearSchedulerWithLinearWarmup(["loss_weights.0"], 1, 5, num_delay_steps=2),
    ]
    fit(module, collection, *schedules, watch)
    assert watch.seen == [(0.5, 0.0), (2.0, 0.0), (4.5, 2.0), (8.0, 1.0), (8.0, 0.0)]
    assert (module.loss_functions[0].temperature, module.loss_weights[0]) == (8.0, 2.0)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("loss_functions.0.temprature", "a RankNet has no 'temprature'. Did you mean 'temperature'"),
        ("loss_functions.1.temperature", "'1' is no place in a list of 1"),
        ("loss_weights.x", "'x' is no place in a list of 1"),
        ("evaluation_metrics", r"'evaluation_metrics' is \[\]; a schedule changes a number"),
    ],
)
def test_a_key_that_names_nothing_is_refused_before_the_first_step(
    backbone: Path, collection: Path, key: str, message: str
) -> None:
    watch = Watch()
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    with pytest.raises(LirTrainError, match=message):
        fit(module, collection, GenericConstantSchedulerWithLinearWarmup([key], 2), watch)
    assert watch.seen == []


def test_parameters_are_grouped_by_the_first_pattern_that_fits(backbone: Path) -> None:
    module = BiEncoderModule(str(backbone))
    names = dict(module.named_parameters())
    rest, norms, layers = grouped(
        module, [ParameterGroup("bias$|LayerNorm", {"weight_decay": 0.0}), ParameterGroup(r"layer\.1\.", {"lr": 1.0})]
    )
    assert (norms["weight_decay"], layers["lr"]) == (0.0, 1.0)
    places = {id(part): place for place, group in enumerate((rest, norms, layers)) for part in group["params"]}
    for name, part in names.items():
        expected = 1 if name.endswith("bias") or "LayerNorm" in name else 2 if "layer.1." in name else 0
        assert places[id(part)] == expected, name


def test_groups_that_nothing_fits_are_refused(backbone: Path) -> None:
    module = BiEncoderModule(str(backbone))
    with pytest.raises(LirTrainError, match=r"fits 'no such layer'\. Names are such as model\.encoder\.backbone"):
        grouped(module, [ParameterGroup("no such layer", {})])
    with pytest.raises(LirTrainError, match=r"The pattern '\(' is no regular expression"):
        ParameterGroup("(", {})


def test_groups_and_options_reach_the_optimizer(backbone: Path) -> None:
    module = BiEncoderModule(str(backbone))
    module.set_optimizer(torch.optim.AdamW, groups=[ParameterGroup("embeddings", {"lr": 0.5})], lr=0.25)
    made = module.configure_optimizers()
    assert [group["lr"] for group in made.param_groups] == [0.25, 0.5]
