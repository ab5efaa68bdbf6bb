"""Dense embeddings: one vector a text, or one a token."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lir_models.config import BiEncoderConfig
from lir_models.embeddings import BatchEmbeddings, Packed, as_packed
from lir_models.errors import ConfigError
from lir_models.fields import Activation, DenseLayer, Layer, NormLayer, Pooling, Side
from lir_models.heads.sparsify import sparsify
from lir_models.pooling import pool
from lir_models.tokenization import TokenBatch

ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "identity": lambda values: values,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
    "silu": nn.functional.silu,
    "sigmoid": torch.sigmoid,
    "log_sigmoid": nn.functional.logsigmoid,
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


class Norm(nn.Module):
    """One step that scales; its weights, if any, have the names that sentence-transformers gives them."""

    def __init__(self, layer: NormLayer) -> None:
        super().__init__()
        self.layer = layer
        self.norm = nn.LayerNorm(layer.features) if layer.norm == "layer" else None

    def forward(self, values: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch features"]:
        """Return the values at length 1, or normalised over the features."""
        return nn.functional.normalize(values, dim=-1, eps=1e-12) if self.norm is None else self.norm(values)


class DenseHead(nn.Module):
    """Pooling and projection, in this order where there is pooling.

    Args:
        config: The rule.
        layers: The layers of its projection, spelled out.
        unpooled: Tokens at the start of a text, of each side, that are left out of pooling.
        masked_ids: Tokens, of each side, whose vectors take no part in scoring.
    """

    def __init__(
        self,
        config: BiEncoderConfig,
        layers: tuple[Layer, ...],
        unpooled: dict[Side, int],
        masked_ids: dict[Side, tuple[int, ...]],
    ) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Dense(layer) if isinstance(layer, DenseLayer) else Norm(layer) for layer in layers)
        self._unpooled = unpooled
        self._pooling: dict[Side, Pooling] = {
            "query": config.query_pooling_strategy,
            "doc": config.doc_pooling_strategy,
        }
        self._masked: dict[Side, Tensor | None] = {
            side: torch.tensor(ids) if ids else None for side, ids in masked_ids.items()
        }

    def forward(self, hidden: Float[Tensor, "texts length hidden"], batch: TokenBatch, side: Side) -> BatchEmbeddings:
        """Embed a batch: one vector a text, or packed vectors of its tokens."""
        pooling = self._pooling[side]
        if pooling is None:
            mask = self.scored_tokens(batch, side)
            return Packed(self.project(hidden[mask]), mask.sum(dim=1))
        vectors = self.project(pool(hidden, batch.attention_mask, pooling, skipped=self._unpooled[side]))
        return as_packed(vectors) if self.config.form == "multi-vector" else vectors

    def takes_first_token(self, side: Side) -> bool:
        """Whether of a text's tokens the first alone is looked at."""
        return self._pooling[side] == "first" and not self._unpooled[side]

    def scored_tokens(self, batch: TokenBatch, side: Side) -> Bool[Tensor, "texts length"]:
        """Say which tokens' vectors take part in scoring; a text of none but masked ones keeps its first."""
        mask = batch.token_mask
        masked = self._masked[side]
        if masked is None:
            return mask
        kept = mask & ~torch.isin(batch.input_ids, masked.to(mask.device))
        return kept | (mask & (mask.cumsum(dim=1) == 1) & ~kept.any(dim=1, keepdim=True))

    def project(self, values: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows dim"]:
        """Apply the layers, sparsify, scale and truncate."""
        values = values.float()  # heads are float32 whatever the backbone's type
        for layer in self.layers:
            values = layer(values)
        values = sparsify(values.float(), self.config.sparsification_strategy)
        if self.config.normalization_strategy == "l2":
            values = nn.functional.normalize(values, dim=-1, eps=1e-12)
        return values if self.config.truncate_dim is None else values[:, : self.config.truncate_dim]


def dense_layers(config: BiEncoderConfig, hidden_size: int) -> tuple[Layer, ...]:
    """Return the layers that ``config.projection`` means on a backbone of this width.

    Raises:
        ConfigError: If a new layer would make more dimensions than it is given, or layers do not fit each other.
    """
    poolings = (config.doc_pooling_strategy, config.query_pooling_strategy)
    widths = [hidden_size * (len(pooling) if isinstance(pooling, tuple) else 1) for pooling in poolings]
    width = widths[0]
    if isinstance(config.projection, tuple):
        for layer in config.projection:
            if layer.in_features not in widths:
                raise ConfigError(
                    f"A layer of the projection takes {layer.in_features} dimensions, and is given {widths[0]}."
                )
            widths = [layer.out_features]
        return config.projection
    if config.projection is None or config.embedding_dim is None:
        return ()
    if config.embedding_dim > width:
        raise ConfigError(
            f"embedding_dim is {config.embedding_dim}, but the backbone makes {width} dimensions; choose at most {width}."
        )
    return (DenseLayer(in_features=width, out_features=config.embedding_dim, bias=config.projection == "linear"),)
