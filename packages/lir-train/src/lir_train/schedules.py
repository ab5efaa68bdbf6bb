"""How a value changes over a training: what it is multiplied by at each step.

Every schedule begins with ``num_delay_steps`` steps at 0 and rises to 1 over the next ``num_warmup_steps``.
"""

import math
from abc import ABC, abstractmethod

from lir_train.errors import ArgumentError


class Schedule(ABC):
    """A factor, 1 at most, by step.

    Args:
        num_warmup_steps: Steps until the factor is 1.
        num_delay_steps: Steps at 0 before that.
        exponent: What the rise is raised to: 1 for a line, 2 for a parabola.
    """

    def __init__(self, num_warmup_steps: int, num_delay_steps: int = 0, exponent: int = 1) -> None:
        for name, value in (("num_warmup_steps", num_warmup_steps), ("num_delay_steps", num_delay_steps)):
            if value < 0:
                raise ArgumentError(f"{name} is {value}; it must be 0 or more.")
        self.num_warmup_steps = num_warmup_steps
        self.num_delay_steps = num_delay_steps
        self.exponent = exponent

    def factor(self, step: int) -> float:
        """Return the factor at a step, counted from 0."""
        step -= self.num_delay_steps
        if step < 0:
            return 0.0
        if step < self.num_warmup_steps:
            return (step / self.num_warmup_steps) ** self.exponent
        return self.after_warmup(step - self.num_warmup_steps)

    @abstractmethod
    def after_warmup(self, step: int) -> float:
        """Return the factor so many steps after the warm-up."""


class Constant(Schedule):
    """1 after the warm-up."""

    def after_warmup(self, step: int) -> float:
        """Return 1."""
        del step
        return 1.0


class _Decay(Schedule):
    def __init__(
        self, num_warmup_steps: int, num_training_steps: int, final_value: float = 0.0, num_delay_steps: int = 0
    ) -> None:
        super().__init__(num_warmup_steps, num_delay_steps)
        if num_training_steps <= num_warmup_steps + num_delay_steps:
            raise ArgumentError(
                f"num_training_steps is {num_training_steps}; it must be more than the {num_delay_steps} steps of delay "
                f"and the {num_warmup_steps} of warm-up together."
            )
        if not 0 <= final_value <= 1:
            raise ArgumentError(f"final_value is {final_value}; it is a share of the start, from 0 to 1.")
        self.num_decay_steps = num_training_steps - num_warmup_steps - num_delay_steps
        self.final_value = final_value

    def after_warmup(self, step: int) -> float:
        """Return the factor, which falls from 1 to the final value."""
        return self.final_value + (1 - self.final_value) * self.remaining(min(1.0, step / self.num_decay_steps))

    @abstractmethod
    def remaining(self, progress: float) -> float:
        """Return what remains, from 1 to 0, after a share of the decay."""


class Linear(_Decay):
    """Falls along a line."""

    def remaining(self, progress: float) -> float:
        """Return 1 less the share."""
        return 1 - progress


class Cosine(_Decay):
    """Falls along half a cosine (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, without restarts)."""

    def remaining(self, progress: float) -> float:
        """Return how high the cosine is."""
        return (1 + math.cos(math.pi * progress)) / 2
