"""The layers of BERT and its kin at inference: fewer calls, values changed in place, and of the last layer what is looked at.

transformers' own layers are written to be trained, watched and changed. Where nobody does, the same numbers come from a few
operations a layer: of a single query half of the time is what stands around them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from lir_models.untouched import is_untouched

#: Kinds of backbones whose layers are of one build, by the names of their parts.
KINDS = ("bert", "roberta", "xlm-roberta", "camembert", "electra")


_FIRST_TOKEN_ONLY = ContextVar("first_token_only", default=False)

Hidden = Float[Tensor, "texts length hidden"]


def use_fast_layers(backbone: nn.Module) -> None:
    """Have a backbone of one of the `KINDS` run its layers in this way wherever it may; of others nothing changes."""
    base: Any = getattr(backbone, "base_model", backbone)
    encoder = getattr(base, "encoder", None)
    if base.config.model_type in KINDS and isinstance(encoder, nn.Module) and not base.config.is_decoder:
        encoder.forward = partial(_forward, encoder)


@contextmanager
def looked_at(*, first_token_only: bool) -> Generator[None]:
    """Say what is looked at of the output of backbones, which may then leave out the rest.

    Args:
        first_token_only: Whether, of the last hidden states, those of the first token alone are: others may be 0. All
            that they cost in the last layer is keys and values.
    """
    token = _FIRST_TOKEN_ONLY.set(first_token_only)
    try:
        yield
    finally:
        _FIRST_TOKEN_ONLY.reset(token)


def _forward(encoder: Any, hidden_states: Hidden, attention_mask: Tensor | None = None, **options: Any) -> Any:
    """Run the layers as the encoder's class does."""
    if not _may_be_fast(encoder, hidden_states, options):
        return type(encoder).forward(encoder, hidden_states, attention_mask, **options)
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

    *others, last = encoder.layer
    for layer in others:
        hidden_states = _layer(layer, hidden_states, attention_mask)
    if _FIRST_TOKEN_ONLY.get():
        mask = None if attention_mask is None else attention_mask[:, :, :1]
        first = _layer(last, hidden_states, mask, 1)
        hidden_states = torch.zeros_like(hidden_states)
        hidden_states[:, :1] = first
    else:
        hidden_states = _layer(last, hidden_states, attention_mask)
    return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden_states)  # pyright: ignore[reportArgumentType]


def _layer(layer: Any, hidden: Hidden, mask: Tensor | None, count: int | None = None) -> Hidden:
    """Return what becomes of so many first tokens, or of all; they look at all."""
    attention = layer.attention.self
    heads = (attention.num_attention_heads, attention.attention_head_size)
    # Linear layers may be of half precision; sums and norms are not.
    inputs = hidden.to(attention.query.weight.dtype)
    query, key, value = (
        _linear(part, tokens).unflatten(-1, heads).transpose(1, 2)
        for part, tokens in ((attention.query, inputs[:, :count]), (attention.key, inputs), (attention.value, inputs))
    )
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    mixed = mixed.transpose(1, 2).flatten(-2)
    seen = _added_and_normed(layer.attention.output, mixed, hidden[:, :count])
    inner = layer.intermediate.intermediate_act_fn(_linear(layer.intermediate.dense, seen))
    return _added_and_normed(layer.output, inner, seen)


def _added_and_normed(part: Any, values: Tensor, residual: Hidden) -> Hidden:
    norm = part.LayerNorm
    total = _linear(part.dense, values)
    total = total.add_(residual) if total.dtype == residual.dtype else residual + total
    return functional.layer_norm(total, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _linear(part: nn.Linear, values: Tensor) -> Tensor:
    weight, bias = part.weight, cast("Tensor | None", part.bias)
    if values.dtype != weight.dtype:
        values = values.to(weight.dtype)
    num_rows = values.numel() // weight.shape[1]
    is_few = num_rows <= _FEW_ROWS and weight.numel() >= _MANY_WEIGHTS
    if is_few and bias is not None and values.device.type == "cpu" and values.dtype == torch.float32:
        # Of a query the rows are few, and those of the weights are many.
        rows = values.flatten(end_dim=-2)
        missing = -num_rows % _ROWS_AT_ONCE if num_rows > _UNPADDED_ROWS else 0
        if missing:
            rows = functional.pad(rows, (0, 0, 0, missing))
        product = torch.addmm(bias.unsqueeze(1), weight, rows.t()).t()
        if missing:
            product = product[:-missing]
        return product.contiguous().unflatten(0, values.shape[:-1])
    return functional.linear(values, weight, bias)


def _may_be_fast(encoder: Any, hidden: Tensor, options: dict[str, Any]) -> bool:
    """Whether nothing is trained, asked for, watched or changed that only transformers' own layers know of."""
    return (
        not torch.is_grad_enabled()
        and not encoder.training
        and encoder.config._attn_implementation == "sdpa"  # noqa: SLF001
        and all(name == "position_ids" or value is None or value is False for name, value in options.items())
        and _casts_nothing(encoder, hidden.device.type)
        and not torch.compiler.is_compiling()
        and all(is_untouched(layer, Linear=_NUM_LINEAR, LayerNorm=_NUM_NORMS) for layer in encoder.layer)
    )


def _casts_nothing(encoder: Any, device_type: str) -> bool:
    dtype = encoder.layer[0].attention.self.query.weight.dtype
    return not torch.is_autocast_enabled(device_type) or torch.get_autocast_dtype(device_type) == dtype


# Up to so many rows `weight @ rows.T` takes less time than `rows @ weight.T` if the weights are many; beyond a handful the rows must
# be a multiple of eight. As measured in float32 on AVX2 (MKL): 10 to 15 % of most queries, nothing of those of 17 to 20 tokens.
_FEW_ROWS, _MANY_WEIGHTS, _UNPADDED_ROWS, _ROWS_AT_ONCE = 64, 2**16, 10, 8
# Queries, keys, values, output of the attention, and two of the feed-forward network.
_NUM_LINEAR = 6
_NUM_NORMS = 2
