"""From one embedding a token to one a text: functions on tensors.

The modes and their order when several are concatenated are those of sentence-transformers' Pooling module.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from lir_models.fields import Pooling, PoolingMode

Tokens = Float[Tensor, "texts length dim"]
Mask = Float[Tensor, "texts length"]
Pooled = Float[Tensor, "texts dim"]


def pool(
    tokens: Float[Tensor, "texts length dim"], mask: Num[Tensor, "texts length"], pooling: Pooling, *, skipped: int = 0
) -> Float[Tensor, "texts pooled"]:
    """Pool token embeddings to one vector a text.

    Args:
        tokens: Token embeddings.
        mask: 1 where there is a token that counts.
        pooling: One mode, or several whose results are concatenated.
        skipped: How many of each text's first tokens are left out; places are counted with them, as
            sentence-transformers counts them.

    Returns:
        The modes' results side by side, float32.
    """
    modes = pooling if isinstance(pooling, tuple) else (pooling,)
    tokens = tokens.float()  # half-precision sums over a long text lose digits
    places = mask.cumsum(dim=1)
    mask = (mask * (places > skipped)).to(tokens.dtype)
    weights = {"weighted_mean": mask * places}
    return torch.cat([_MODES[mode](tokens, weights.get(mode, mask)) for mode in modes if mode is not None], dim=-1)


def _at(tokens: Tokens, positions: Int[Tensor, " texts"]) -> Pooled:
    return tokens[torch.arange(len(tokens), device=tokens.device), positions]


def _first(tokens: Tokens, mask: Mask) -> Pooled:
    return _at(tokens, mask.argmax(dim=1))  # the first token that is no padding, on whichever side the padding is


def _last(tokens: Tokens, mask: Mask) -> Pooled:
    return _at(tokens, mask.shape[1] - 1 - mask.flip(1).argmax(dim=1))


def _sum(tokens: Tokens, mask: Mask) -> Pooled:
    return torch.einsum("bld,bl->bd", tokens, mask)


def _mean(tokens: Tokens, mask: Mask) -> Pooled:
    return _sum(tokens, mask) / mask.sum(dim=1, keepdim=True).clamp(min=1e-9)


def _mean_sqrt_len(tokens: Tokens, mask: Mask) -> Pooled:
    return _sum(tokens, mask) / mask.sum(dim=1, keepdim=True).clamp(min=1e-9).sqrt()


def _max(tokens: Tokens, mask: Mask) -> Pooled:
    return tokens.masked_fill(mask.unsqueeze(-1) == 0, -torch.inf).amax(dim=1)


_MODES: dict[PoolingMode, Callable[[Tokens, Mask], Pooled]] = {
    "first": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len": _mean_sqrt_len,
    # Muennighoff (2022), *SGPT*: the n-th token of a text weighs n. https://arxiv.org/abs/2202.08904
    "weighted_mean": _mean,
    "last": _last,
    "sum": _sum,
}
