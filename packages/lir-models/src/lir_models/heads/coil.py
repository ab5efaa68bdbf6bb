"""COIL: a vector a token, compared where the tokens are the same; uniCOIL: a weight a token."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_models.embeddings import CoilEmbeddings
from lir_models.fields import Pooling, Side
from lir_models.heads.vocabulary import scatter_max
from lir_models.tokenization import TokenBatch


class CoilHead(nn.Module):
    """Two layers: one for the first token, which stands for the text, one for the others."""

    def __init__(self, hidden_size: int, *, token_dim: int, text_dim: int, bias: bool) -> None:
        super().__init__()
        self.dim = token_dim
        self.token_projection = nn.Linear(hidden_size, token_dim, bias=bias)
        self.cls_projection = nn.Linear(hidden_size, text_dim, bias=bias)

    def forward(self, hidden: Float[Tensor, "texts length hidden"], batch: TokenBatch, side: Side) -> CoilEmbeddings:
        """Embed texts, and all of their tokens but the first."""
        del side
        mask = batch.token_mask
        is_first = mask & (mask.cumsum(dim=1) == 1)
        others = mask & ~is_first
        return CoilEmbeddings(
            self.cls_projection(hidden[is_first].float()),
            self.token_projection(hidden[others].float()),
            batch.input_ids[others],
            others.sum(dim=1),
        )


class UniCoilHead(nn.Module):
    """One weight a token, given to the token's term.

    Args:
        hidden_size: Width of the backbone.
        vocab_size: Terms.
        bias: Whether the layer has a bias.
        pooling: How the weights of a token that occurs more than once become one, of each side: ``max``, ``sum``, or
            ``last``.
        masked_ids: Terms that get no weight, of each side.
    """

    def __init__(
        self,
        hidden_size: int,
        *,
        vocab_size: int,
        bias: bool,
        pooling: dict[Side, Pooling],
        masked_ids: dict[Side, tuple[int, ...]],
    ) -> None:
        super().__init__()
        self.dim = vocab_size
        self.token_projection = nn.Linear(hidden_size, 1, bias=bias)
        self._pooling = pooling
        self._masked_ids = masked_ids

    def forward(
        self, hidden: Float[Tensor, "texts length hidden"], batch: TokenBatch, side: Side
    ) -> Float[Tensor, "texts vocabulary"]:
        """Weigh the terms of each text."""
        weights = torch.relu(self.token_projection(hidden.float()).squeeze(-1))
        mask, pooling = batch.token_mask, self._pooling[side]
        if self._masked_ids[side]:
            mask = mask & ~torch.isin(batch.input_ids, torch.tensor(self._masked_ids[side], device=mask.device))
        if pooling == "max":
            return scatter_max(weights, batch.input_ids, mask, self.dim)
        if pooling == "last":
            mask = mask & ~_occurs_later(batch)
        return weights.new_zeros(len(mask), self.dim).scatter_add(1, batch.input_ids, weights * mask)


def _occurs_later(batch: TokenBatch) -> Tensor:
    """Say of each token whether the same one comes once more in its text."""
    same = batch.input_ids.unsqueeze(1) == batch.input_ids.unsqueeze(2)
    return (same & batch.token_mask.unsqueeze(1)).triu(diagonal=1).any(dim=2)
