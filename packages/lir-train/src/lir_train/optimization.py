"""How a module's optimizer is made: which parameters, and how each is treated."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lir_train.errors import ArgumentError

#: From parameters, or groups of them, to an optimizer.
OptimizerFactory = Callable[..., Optimizer]

#: From an optimizer to a scheduler of its learning rate, stepped once a training step.
SchedulerFactory = Callable[[Optimizer], LRScheduler]


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that are treated otherwise than the rest.

    Args:
        pattern: A regular expression; the parameters are those in whose name it is found.
        options: What is different of them: ``{"lr": 1e-3}``, ``{"weight_decay": 0.0}``.
    """

    pattern: str
    options: dict[str, Any]

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ArgumentError(f"The pattern '{self.pattern}' is no regular expression: {error}.") from None


def grouped(module: nn.Module, groups: Sequence[ParameterGroup]) -> Iterable[Any]:
    """Divide what is trained of a module into groups; a parameter goes into the first that it fits, if it fits any.

    Returns:
        Parameters where there are no groups, otherwise what torch's optimizers take for groups.

    Raises:
        ArgumentError: If nothing fits a group.
    """
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    if not groups:
        return list(trained.values())
    taken: list[dict[str, Any]] = []
    for group in groups:
        fitting = [name for name in trained if re.search(group.pattern, name)]
        if not fitting:
            names = list(trained)[:: max(1, len(trained) // 3)][:3]
            raise ArgumentError(
                f"No parameter that is trained, and in no group before, fits '{group.pattern}'. "
                f"Names are such as {', '.join(names) or '(none)'}."
            )
        taken.append({"params": [trained.pop(name) for name in fitting], **group.options})
    return [{"params": list(trained.values())}, *taken] if trained else taken


def default_optimizer(parameters: Iterable[Any]) -> Optimizer:
    """Return AdamW at 2e-5, whose step is one kernel for all parameters."""
    return AdamW(parameters, lr=2e-5, fused=True)


def checkpoint_layers(backbones: Iterable[Any]) -> None:
    """Have the activations of each layer made again in the backward pass, in place of being kept.

    Raises:
        ArgumentError: If a backbone cannot.
    """
    for backbone in backbones:
        if not getattr(backbone, "supports_gradient_checkpointing", False):
            raise ArgumentError(f"gradient_checkpointing is set, and a {type(backbone).__name__} has none.")
        # transformers 5 has renamed it in one of its minor versions.
        enable = getattr(backbone, "activation_checkpointing_enable", None) or backbone.gradient_checkpointing_enable
        enable({"use_reentrant": False})
