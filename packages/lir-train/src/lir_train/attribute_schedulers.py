"""Callbacks that change any number of a module during its training: a loss's weight, a temperature."""

from collections.abc import Sequence
from typing import Any

from lightning import Callback, LightningModule, Trainer

from lir_train.errors import ArgumentError, did_you_mean
from lir_train.named_arguments import NamedArguments
from lir_train.schedules import Constant, Linear, Schedule


class GenericScheduler(Callback, NamedArguments):
    """Multiplies numbers of the module by a schedule's factor, before each step; after the training they are as before.

    The first step, which sees a factor above 0 where there is no delay, is counted as 1.

    Args:
        keys: Where the numbers are, from the module on: ``loss_functions.1.query_weight``, ``loss_weights.0``.
        schedule: The factors.
    """

    def __init__(self, keys: Sequence[str], schedule: Schedule) -> None:
        if isinstance(keys, str) or not keys:
            raise ArgumentError(f"{type(self).__name__}: keys is {keys!r}; it is a list of one dotted key at least.")
        self.keys = list(keys)
        self.schedule = schedule
        self._values: dict[str, float] = {}

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the numbers, so that what a key does not name shows before the first step."""
        del trainer
        self._values = {key: _number(pl_module, key) for key in self.keys}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Set the numbers."""
        del batch, batch_idx
        factor = self.schedule.factor(trainer.global_step + 1)
        for key, value in self._values.items():
            _set(pl_module, key, value * factor)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the numbers back."""
        del trainer
        for key, value in self._values.items():
            _set(pl_module, key, value)


class GenericConstantSchedulerWithLinearWarmup(GenericScheduler):
    """Numbers that rise along a line, and stay.

    Args:
        keys: Where the numbers are, from the module on: ``loss_functions.1.query_weight``.
        num_warmup_steps: Steps until a number is what it was.
        num_delay_steps: Steps at 0 before that.
    """

    def __init__(self, keys: Sequence[str], num_warmup_steps: int, num_delay_steps: int = 0) -> None:
        super().__init__(keys, Constant(num_warmup_steps, num_delay_steps))


class GenericConstantSchedulerWithQuadraticWarmup(GenericScheduler):
    """Numbers that rise along a parabola, and stay: SPLADE's weights of regularization.

    Args:
        keys: Where the numbers are, from the module on: ``loss_functions.1.query_weight``.
        num_warmup_steps: Steps until a number is what it was.
        num_delay_steps: Steps at 0 before that.

    References:
        Formal et al. (2021), *SPLADE v2*, section 4. https://arxiv.org/abs/2109.10086
    """

    def __init__(self, keys: Sequence[str], num_warmup_steps: int, num_delay_steps: int = 0) -> None:
        super().__init__(keys, Constant(num_warmup_steps, num_delay_steps, exponent=2))


class GenericLinearSchedulerWithLinearWarmup(GenericScheduler):
    """Numbers that rise along a line, and fall along one.

    Args:
        keys: Where the numbers are, from the module on: ``loss_functions.1.query_weight``.
        num_warmup_steps: Steps until a number is what it was.
        num_training_steps: Steps in all; ``lir train`` fills in the trainer's ``max_steps``.
        final_value: Share that is left at the end.
        num_delay_steps: Steps at 0 before the warm-up.
    """

    def __init__(
        self,
        keys: Sequence[str],
        num_warmup_steps: int,
        num_training_steps: int,
        final_value: float = 0.0,
        num_delay_steps: int = 0,
    ) -> None:
        super().__init__(keys, Linear(num_warmup_steps, num_training_steps, final_value, num_delay_steps))


def _number(module: Any, key: str) -> float:
    owner, name = _owner(module, key)
    value = owner[int(name)] if isinstance(owner, list) else getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentError(f"'{key}' is {value!r}; a schedule changes a number.")
    return float(value)


def _set(module: Any, key: str, value: float) -> None:
    owner, name = _owner(module, key)
    if isinstance(owner, list):
        owner[int(name)] = value
    else:
        setattr(owner, name, value)


def _owner(module: Any, key: str) -> tuple[Any, str]:
    """Return what a key's last part belongs to, and that part."""
    *way, last = key.split(".")
    owner = module
    for name in way:
        owner = (
            owner[int(_checked(owner, name, key))]
            if isinstance(owner, list)
            else getattr(owner, _checked(owner, name, key))
        )
    return owner, _checked(owner, last, key)


def _checked(owner: Any, name: str, key: str) -> str:
    if isinstance(owner, list):
        if not name.isdigit() or int(name) >= len(owner):
            raise ArgumentError(f"'{key}': '{name}' is no place in a list of {len(owner)}.")
    elif not hasattr(owner, name):
        near = did_you_mean(name, [other for other in vars(owner) if not other.startswith("_")])
        raise ArgumentError(f"'{key}': a {type(owner).__name__} has no '{name}'.{near}")
    return name
