"""Learning rates that rise, and then stay or fall."""

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from lir_train.schedules import Constant, Cosine, Linear


class ConstantLRSchedulerWithLinearWarmup(LambdaLR):
    """A learning rate that rises along a line, and stays.

    Args:
        optimizer: Whose learning rates are scheduled.
        num_warmup_steps: Steps until the learning rate is the optimizer's.
        num_delay_steps: Steps at 0 before that.
    """

    def __init__(self, optimizer: Optimizer, num_warmup_steps: int, num_delay_steps: int = 0) -> None:
        super().__init__(optimizer, Constant(num_warmup_steps, num_delay_steps).factor)


class _DecayingLRScheduler(LambdaLR):
    schedule: type[Linear] | type[Cosine]

    def __init__(
        self,
        optimizer: Optimizer,
        num_warmup_steps: int,
        num_training_steps: int,
        final_value: float = 0.0,
        num_delay_steps: int = 0,
    ) -> None:
        schedule = self.schedule(num_warmup_steps, num_training_steps, final_value, num_delay_steps)
        super().__init__(optimizer, schedule.factor)


class LinearLRSchedulerWithLinearWarmup(_DecayingLRScheduler):
    """A learning rate that rises along a line, and falls along one.

    Args:
        optimizer: Whose learning rates are scheduled.
        num_warmup_steps: Steps until the learning rate is the optimizer's.
        num_training_steps: Steps in all; ``lir train`` fills in the trainer's ``max_steps``.
        final_value: Share of the learning rate that is left at the end, and after it.
        num_delay_steps: Steps at 0 before the warm-up.
    """

    schedule = Linear


class CosineLRSchedulerWithLinearWarmup(_DecayingLRScheduler):
    """A learning rate that rises along a line, and falls along half a cosine; arguments as of the linear one."""

    schedule = Cosine
