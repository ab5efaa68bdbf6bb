"""What comes after the backbone: dense layers."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_models.config import Activation, BiEncoderConfig, DenseLayer

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "identity": lambda values: values,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
    "sigmoid": torch.sigmoid,
}


class Dense(nn.Module):
    """One dense layer; its weights have the names that sentence-transformers gives them."""

    def __init__(self, layer: DenseLayer) -> None:
        super().__init__()
        self.layer = layer
        self.linear = nn.Linear(layer.in_features, layer.out_features, bias=layer.bias)
        self.residual = None
        if layer.residual and layer.in_features != layer.out_features:
            self.residual = nn.Linear(layer.in_features, layer.out_features, bias=False)

    def forward(self, values: Float[Tensor, "*batch in_features"]) -> Float[Tensor, "*batch out_features"]:
        """Return ``activation(W x + b)``, plus the residual where the layer has one; any leading axes."""
        result = ACTIVATIONS[self.layer.activation](self.linear(values))
        if not self.layer.residual:
            return result
        return result + (values if self.residual is None else self.residual(values))


def dense_layers(config: BiEncoderConfig, hidden_size: int) -> tuple[DenseLayer, ...]:
    """Return the layers that ``config.projection`` means on a backbone of this width."""
    if isinstance(config.projection, tuple):
        return config.projection
    if config.projection is None or config.embedding_dim is None:
        return ()
    pooling = config.doc_pooling_strategy
    width = hidden_size * (len(pooling) if isinstance(pooling, tuple) else 1)
    return (DenseLayer(in_features=width, out_features=config.embedding_dim, bias=config.projection == "linear"),)
