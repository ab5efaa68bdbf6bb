"""The folded first step of T5's decoder gives the numbers of transformers' decoder, which runs wherever it must."""

from typing import Any

import pytest
import torch
import transformers

from lir_models.heads.t5_step import first_step

MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 1, 1, 1]])


def decoder(kind: str = "T5", feed_forward: str = "relu") -> Any:
    torch.manual_seed(1)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=30,
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=3,
        num_heads=3,
        feed_forward_proj=feed_forward,
        initializer_factor=2.0,
    )
    return getattr(transformers, f"{kind}ForConditionalGeneration")(config).eval().decoder


@pytest.mark.parametrize("feed_forward", ["relu", "gated-gelu"])
@pytest.mark.parametrize("kind", ["T5", "MT5", "UMT5"])
def test_it_is_the_decoder_s_step(kind: str, feed_forward: str) -> None:
    part, encoded = decoder(kind, feed_forward), torch.randn(3, 5, 32)
    called: list[None] = []
    with torch.no_grad():
        expected = part(
            input_ids=torch.full((3, 1), 4), encoder_hidden_states=encoded, encoder_attention_mask=MASK
        ).last_hidden_state[:, 0]
        part.forward = lambda **_: called.append(None)
        found = first_step(part, encoded, MASK, 4)
    assert not called
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_with_gradients_or_hooks_the_decoder_itself_runs() -> None:
    part, encoded = decoder(), torch.randn(3, 5, 32)
    assert first_step(part, encoded, MASK, 4).requires_grad
    seen: list[torch.Size] = []
    hook = (
        part.block[1]
        .layer[1]
        .EncDecAttention.k.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    )
    with torch.no_grad():
        first_step(part, encoded, MASK, 4)
        assert seen == [torch.Size([3, 5, 24])]
        hook.remove()
        first_step(part, encoded, MASK, 4)
        assert len(seen) == 1
        part.block[1].register_forward_hook(lambda module, inputs, output: seen.append(torch.Size([0])))
        first_step(part, encoded, MASK, 4)
    assert len(seen) == 2


def test_in_training_mode_the_decoder_drops_out() -> None:
    part, encoded = decoder().train(), torch.randn(3, 5, 32)
    with torch.no_grad():
        assert not torch.equal(first_step(part, encoded, MASK, 4), first_step(part, encoded, MASK, 4))
