"""From Python too, a wrong name of an argument is a sentence with the nearest right one."""

import inspect

import pytest

import lir_data
import lir_models
import lir_train
from lir_train import (
    BiEncoderModule,
    InfoNCE,
    LightningIRDataModule,
    LightningIRTrainer,
    MeanSquaredError,
    ReRankCallback,
)
from lir_train.errors import ArgumentError

MISTAKES = [
    (InfoNCE, "temprature", "InfoNCE has no argument 'temprature'. Did you mean 'temperature'?"),
    (MeanSquaredError, "scale", "MeanSquaredError has no argument 'scale'."),
    (
        BiEncoderModule,
        "loss_function",
        "BiEncoderModule has no argument 'loss_function'. Did you mean 'loss_functions'?",
    ),
    (BiEncoderModule, "adapter_config", "BiEncoderModule has no argument 'adapter_config'. Did you mean 'adapter'?"),
    (LightningIRDataModule, "batch_size", "LightningIRDataModule has no argument 'batch_size'."),
    (LightningIRTrainer, "max_stepz", "LightningIRTrainer has no argument 'max_stepz'. Did you mean 'max_steps'?"),
    (ReRankCallback, "save_dir", "ReRankCallback has no argument 'save_dir'. Did you mean 'run_path'?"),
]


@pytest.mark.parametrize(("found", "name", "sentence"), MISTAKES)
def test_a_wrong_name_is_told_with_the_nearest(found: type, name: str, sentence: str) -> None:
    with pytest.raises(ArgumentError) as told:
        found(**{name: 1})
    assert str(told.value).startswith(sentence)


@pytest.mark.parametrize("package", [lir_models, lir_data, lir_train])
def test_what_a_class_takes_can_still_be_asked(package: object) -> None:
    public = [getattr(package, name) for name in package.__all__]  # type: ignore[attr-defined]
    named = [
        made
        for made in public
        if isinstance(made, type) and hasattr(made, "elsewhere") and not inspect.isabstract(made)
    ]
    open_ended = [
        made.__name__
        for made in named
        if any(one.kind is one.VAR_KEYWORD for one in inspect.signature(made).parameters.values())
    ]
    assert len(named) > 3
    assert open_ended == []


def test_a_class_of_ones_own_is_as_helpful() -> None:
    class Own(InfoNCE):
        def __init__(self, sharpness: float = 1.0) -> None:
            super().__init__(sharpness)

    with pytest.raises(ArgumentError, match=r"Own has no argument 'sharpnes'\. Did you mean 'sharpness'\?"):
        Own(sharpnes=1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
