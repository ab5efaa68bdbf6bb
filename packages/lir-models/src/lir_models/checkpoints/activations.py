"""Activations, as checkpoints name them: dotted paths of torch's classes."""

from lir_models.errors import CheckpointError
from lir_models.fields import Activation

ACTIVATION_PATHS: dict[Activation, str] = {
    "identity": "torch.nn.modules.linear.Identity",
    "tanh": "torch.nn.modules.activation.Tanh",
    "relu": "torch.nn.modules.activation.ReLU",
    "gelu": "torch.nn.modules.activation.GELU",
    "silu": "torch.nn.modules.activation.SiLU",
    "sigmoid": "torch.nn.modules.activation.Sigmoid",
    "log_sigmoid": "torch.nn.modules.activation.LogSigmoid",
}


def activation_of(path: str) -> Activation:
    """Return our name of an activation given as a dotted path.

    Raises:
        CheckpointError: If it is none that lir knows; no code named by a checkpoint is run.
    """
    for name, known in ACTIVATION_PATHS.items():
        if path.rpartition(".")[2] == known.rpartition(".")[2]:
            return name
    known_names = ", ".join(known.rpartition(".")[2] for known in ACTIVATION_PATHS.values())
    raise CheckpointError(f"The checkpoint asks for the activation '{path}'; known are {known_names}.")
