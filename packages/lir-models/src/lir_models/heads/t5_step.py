"""The first step of T5's decoder, in which there is one query a text: so no keys or values are made of the text's tokens."""

from typing import Any

import torch
from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from lir_models.untouched import is_untouched

Asking = Float[Tensor, "texts hidden"]
Encoded = Float[Tensor, "texts length hidden"]


def first_step(decoder: nn.Module, encoded: Encoded, mask: Num[Tensor, "texts length"], start_id: int) -> Asking:
    """Return the decoder's last hidden state of the start token, float32.

    At inference a layer looks at the texts by ``(q K) E'`` in place of ``q (E K')'``, and by ``(w E) V'`` in place of
    ``w (E V')``: the products are the same, and a token costs as much as there are heads, not as the model is wide. The
    token's attention to itself alone is its value.

    Args:
        decoder: Of T5, mT5 or UMT5.
        encoded: What the encoder returned.
        mask: 1 where there is a token.
        start_id: The token with which decoding starts.
    """
    model: Any = decoder
    start = torch.full((len(encoded), 1), start_id, device=encoded.device)
    if not _may_be_folded(model):
        decoded = model(
            input_ids=start, encoder_hidden_states=encoded, encoder_attention_mask=mask, use_cache=False
        ).last_hidden_state
        return decoded[:, 0].float()
    dtype = model.block[0].layer[1].EncDecAttention.k.weight.dtype
    with torch.autocast(encoded.device.type, dtype, enabled=dtype != torch.float32):
        hidden = model.embed_tokens(start[:, 0])
        for block in model.block:
            itself, text, feed_forward = block.layer
            attention = itself.SelfAttention
            hidden = hidden + attention.o(attention.v(itself.layer_norm(hidden)))
            hidden = hidden + _seen(text.EncDecAttention, text.layer_norm(hidden), encoded, mask.bool())
            hidden = feed_forward(hidden)
        return model.final_layer_norm(hidden).float()


def _seen(attention: Any, asking: Asking, encoded: Encoded, mask: Bool[Tensor, "texts length"]) -> Asking:
    """Return what a layer's attention to the texts adds; T5 scales no similarities, and places none of these."""
    heads = (attention.n_heads, attention.key_value_proj_dim)
    query = attention.q(asking).unflatten(-1, heads)
    folded = torch.einsum("thw,hwd->thd", query, attention.k.weight.unflatten(0, heads))
    similarities = (folded @ encoded.to(folded.dtype).transpose(1, 2)).float()
    weights = similarities.masked_fill(~mask.unsqueeze(1), torch.finfo(torch.float32).min).softmax(dim=-1)
    mixed = weights.to(folded.dtype) @ encoded.to(folded.dtype)
    return attention.o(torch.einsum("thd,hwd->thw", mixed, attention.v.weight.unflatten(0, heads)).flatten(-2))


def _may_be_folded(decoder: Any) -> bool:
    return (
        not torch.is_grad_enabled()
        and not decoder.training
        and not torch.compiler.is_compiling()
        and not decoder._forward_hooks  # noqa: SLF001
        and all(map(is_untouched, decoder.block))
        and all(
            type(part) is nn.Linear
            for block in decoder.block
            for attention in (block.layer[0].SelfAttention, block.layer[1].EncDecAttention)
            for part in (attention.q, attention.k, attention.v, attention.o)
        )
    )
