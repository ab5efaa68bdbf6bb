"""Attention between the documents of a query, for encoders that score them as a set.

Registered with transformers as an attention implementation, so that models of many kinds have it without a change.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_models.errors import ConfigError

NAME = "lir_set"

#: Kinds of backbones whose attention hands on what it is called with.
KINDS = ("bert", "electra", "roberta", "xlm-roberta", "camembert", "xlm-roberta-xl")

# Attention weights held at once, at inference: so the memory does not grow with the square of the documents.
_WEIGHTS_AT_ONCE = 2**26

Heads = Float[Tensor, "docs heads length dim"]


def use_set_attention(backbone: nn.Module) -> None:
    """Have a backbone's documents attend to each other, where it is called with ``set_sizes``.

    Raises:
        ConfigError: If the backbone's kind is not one of `KINDS`.
    """
    model: Any = backbone
    if model.config.model_type not in KINDS:
        raise ConfigError(
            f"SetEncoderConfig needs a backbone of one of the kinds {', '.join(KINDS)}; this one is "
            f"'{model.config.model_type}'."
        )
    register()
    model.set_attn_implementation(NAME)


def register() -> None:
    """Let transformers know of this attention, which each process must do by itself."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, set_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def set_attention(
    module: nn.Module,
    query: Heads,
    key: Heads,
    value: Heads,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    set_sizes: Sequence[int] = (),
    set_token: int = 0,
    **unused: Any,
) -> tuple[Float[Tensor, "docs length heads dim"], None]:
    """Let each document's tokens attend to their own, and to one token of every other document of its query.

    Args:
        module: The layer.
        query: Queries of all documents.
        key: Keys.
        value: Values.
        attention_mask: True where a document's own token may be looked at; None for everywhere.
        scaling: What similarities are multiplied by.
        dropout: Share of attention weights that are dropped.
        set_sizes: Documents of each query, which lie behind each other.
        set_token: The place of the token that other documents look at.
        **unused: What transformers hands to any attention.

    References:
        Schlatt et al. (2025), *Set-Encoder: Permutation-Invariant Inter-Passage Attention for Listwise Passage
        Re-Ranking with Cross-Encoders*. https://arxiv.org/abs/2404.06912
    """
    del unused
    outputs: list[Tensor] = []
    start = 0
    for size in set_sizes or [len(query)]:
        members = slice(start, start + size)
        other_keys, other_values = key[members, :, set_token], value[members, :, set_token]
        _, heads, length, _ = query.shape
        step = max(1, _WEIGHTS_AT_ONCE // (heads * length * (length + size)))
        for first in range(start, start + size, step):
            docs = slice(first, min(first + step, start + size))
            own = torch.einsum("nhqd,nhkd->nhqk", query[docs], key[docs]) * scaling
            if attention_mask is not None:
                own = own.masked_fill(~attention_mask[docs], -torch.inf)
            others = torch.einsum("nhqd,mhd->nhqm", query[docs], other_keys) * scaling
            is_self = torch.arange(docs.start, docs.stop, device=query.device).unsqueeze(1) == torch.arange(
                start, start + size, device=query.device
            )
            others = others.masked_fill(is_self[:, None, None, :], -torch.inf)
            weights = torch.cat([own, others], dim=-1).softmax(dim=-1, dtype=torch.float32).to(query.dtype)
            weights = nn.functional.dropout(weights, dropout, training=module.training)
            mixed = torch.einsum("nhqk,nhkd->nqhd", weights[..., :length], value[docs])
            outputs.append(mixed + torch.einsum("nhqm,mhd->nqhd", weights[..., length:], other_values))
        start += size
    return torch.cat(outputs), None
