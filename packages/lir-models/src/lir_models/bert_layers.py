"""The layers of BERT and its kin at inference: fewer calls, values changed in place, and of the last layer what is looked at.

transformers' own layers are written to be trained, watched and changed. Where nobody does, the same numbers come from a few
operations a layer: of a single query half of the time is what stands around them.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

#: Kinds of backbones whose layers are of one build, by the names of their parts.
KINDS = ("bert", "roberta", "xlm-roberta", "camembert", "electra")

_first_token_only = ContextVar("first_token_only", default=False)

Hidden = Float[Tensor, "texts length hidden"]


def use_fast_layers(backbone: nn.Module) -> None:
    """Have a backbone of one of the `KINDS` run its layers in this way wherever it may; of others nothing changes."""
    base: Any = getattr(backbone, "base_model", backbone)
    encoder = getattr(base, "encoder", None)
    if base.config.model_type in KINDS and isinstance(encoder, nn.Module) and not base.config.is_decoder:
        encoder.forward = partial(_forward, encoder)


@contextmanager
def first_token_only(is_so: bool = True) -> Generator[None]:
    """Say whether, of what backbones return, the first token of each text alone is looked at.

    The last layer's other tokens may then be 0: all that they cost there is keys and values.
    """
    token = _first_token_only.set(is_so)
    try:
        yield
    finally:
        _first_token_only.reset(token)


def _forward(encoder: Any, hidden_states: Hidden, attention_mask: Tensor | None = None, **options: Any) -> Any:
    """Run the layers as the encoder's class does."""
    if not _may_be_fast(encoder, hidden_states, options):
        return type(encoder).forward(encoder, hidden_states, attention_mask, **options)
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

    *others, last = encoder.layer
    for layer in others:
        hidden_states = _layer(layer, hidden_states, attention_mask, hidden_states)
    if _first_token_only.get():
        mask = None if attention_mask is None else attention_mask[:, :, :1]
        first = _layer(last, hidden_states, mask, hidden_states[:, :1])
        hidden_states = torch.zeros_like(hidden_states)
        hidden_states[:, :1] = first
    else:
        hidden_states = _layer(last, hidden_states, attention_mask, hidden_states)
    return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=hidden_states)  # pyright: ignore[reportArgumentType]


def _layer(layer: Any, hidden: Hidden, mask: Tensor | None, asking: Hidden) -> Hidden:
    """Return what becomes of the tokens that ask, which look at all tokens."""
    attention = layer.attention.self
    heads = (attention.num_attention_heads, attention.attention_head_size)
    query, key, value = (
        _linear(part, tokens).unflatten(-1, heads).transpose(1, 2)
        for part, tokens in ((attention.query, asking), (attention.key, hidden), (attention.value, hidden))
    )
    mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    mixed = mixed.transpose(1, 2).flatten(-2)
    seen = _added_and_normed(layer.attention.output, mixed, asking)
    inner = layer.intermediate.intermediate_act_fn(_linear(layer.intermediate.dense, seen))
    return _added_and_normed(layer.output, inner, seen)


def _added_and_normed(part: Any, values: Tensor, residual: Hidden) -> Hidden:
    norm = part.LayerNorm
    total = _linear(part.dense, values).add_(residual)
    return functional.layer_norm(total, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _linear(part: nn.Linear, values: Tensor) -> Tensor:
    return functional.linear(values, part.weight, part.bias)


def _may_be_fast(encoder: Any, hidden: Tensor, options: dict[str, Any]) -> bool:
    """Whether nothing is trained, asked for, watched or changed that only transformers' own layers know of."""
    return (
        not torch.is_grad_enabled()
        and not encoder.training
        and encoder.config._attn_implementation == "sdpa"  # noqa: SLF001
        and all(name == "position_ids" or value is None or value is False for name, value in options.items())
        and not torch.is_autocast_enabled(hidden.device.type)
        and not torch.compiler.is_compiling()
        and all(_is_plain(layer) for layer in encoder.layer)
    )


def _is_plain(layer: Any) -> bool:
    """Whether a layer has the parts that it was made of, without hooks, adapters, quantization or shards."""
    modules = list(_modules(layer))
    return (
        type(layer).__module__.startswith("transformers.models.")
        and not any(
            module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)  # noqa: SLF001
            for module in modules
        )
        and sum(type(module) is nn.Linear for module in modules) == _NUM_LINEAR
        and sum(type(module) is nn.LayerNorm for module in modules) == _NUM_NORMS
    )


def _modules(layer: nn.Module) -> Generator[Any]:
    """All modules of a layer: ``nn.Module.modules`` would take longer than an operation of the layer."""
    waiting = [layer]
    while waiting:
        module = waiting.pop()
        yield module
        waiting += filter(None, module._modules.values())  # noqa: SLF001


# Queries, keys, values, output of the attention, and two of the feed-forward network.
_NUM_LINEAR = 6
_NUM_NORMS = 2
