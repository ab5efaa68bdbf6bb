"""Whatever the kind of backbone counts as its positions, a text of three times as many is encoded."""

from typing import Any

import pytest
import torch
from transformers import AutoModel, AutoModelForTextEncoding
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from lir_models import BiEncoderConfig, BiEncoderModel
from lir_models.positions import positions_of
from lir_models.tokenization import Tokenizer

from .conftest import VOCABULARY
from .tiny import tokenizer_of

POSITIONS = 24
_NAMES_OF_POSITIONS = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "max_seq_len",
    "max_encoder_position_embeddings",
    "max_decoder_position_embeddings",
)
_SMALL: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size"), 32),
    **dict.fromkeys(("n_layers", "num_layers", "num_hidden_layers", "n_layer", "encoder_layers", "decoder_layers"), 1),
    **dict.fromkeys(("num_attention_heads", "num_heads", "n_head", "n_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "d_ff", "hidden_dim", "ffn_dim", "dff", "n_inner"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 48),
    **dict.fromkeys(("num_local_experts", "num_experts", "n_routed_experts", "num_key_value_heads"), 2),
    "d_kv": 8,
    "head_dim": 8,
    "moe_intermediate_size": 16,
    "vocab_size": 100,
    "rotary_dim": 4,
    "bos_token_id": 0,
    "pad_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 0,
    "use_cache": False,
}
_OWN: dict[str, dict[str, Any]] = {
    "gpt_neo": {"attention_types": [[["global"], 1]]},
    "led": {"attention_window": 4},
    "xmod": {"languages": ["en_XX"], "default_language": "en_XX"},
}

#: Tokens that each kind takes, of `POSITIONS` in its settings.
KINDS = {
    **dict.fromkeys(("roberta", "xlm-roberta", "camembert", "mpnet", "longformer"), POSITIONS - 2),
    **dict.fromkeys(("roberta-prelayernorm", "data2vec-text", "xlm-roberta-xl", "xmod", "ibert", "esm"), POSITIONS - 2),
    **dict.fromkeys(("gpt2", "openai-gpt", "ctrl", "gpt_neo", "codegen", "mpt"), POSITIONS),
    **dict.fromkeys(
        ("bert", "albert", "electra", "distilbert", "nystromformer", "xlm", "canine", "layoutlm"), POSITIONS
    ),
    **dict.fromkeys(("bart", "mbart", "opt", "biogpt", "xglm", "modernbert", "llama", "led"), POSITIONS),
    **dict.fromkeys(("t5", "bloom", "mamba"), None),
}


def tiny(kind: str) -> Any:
    base: Any = CONFIG_MAPPING[kind]
    usual, own = base(), _OWN.get(kind, {})
    settable = {name for name in dir(usual) if not isinstance(getattr(base, name, None), property)}
    values = {name: value for name, value in _SMALL.items() if name in settable}
    values |= {name: POSITIONS for name in _NAMES_OF_POSITIONS if isinstance(getattr(usual, name, None), int)}
    has_encoder = modeling_auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES.get(kind, "").endswith("EncoderModel")
    auto = AutoModelForTextEncoding if has_encoder else AutoModel
    config = base(**{**values, **own})
    with torch.device("meta"):
        size = sum(weight.numel() for weight in auto.from_config(config).parameters())
    if size > 3_000_000:
        pytest.skip(f"{kind} is not made small by the usual settings")
    torch.manual_seed(0)
    return auto.from_config(config).eval()


def encode_long(backbone: Any) -> None:
    """Encode one text of three times the positions, with a tokenizer that knows no limit."""
    tokenizer = tokenizer_of("roberta", ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *VOCABULARY[:60]])
    tokenizer.model_max_length = int(1e30)
    config = BiEncoderConfig(query_length=None, doc_length=None, doc_pooling_strategy="mean")
    model = BiEncoderModel(backbone, Tokenizer(tokenizer), config)
    assert torch.isfinite(torch.as_tensor(model.encode_document(["berlin " * 3 * POSITIONS]))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_of_three_times_its_positions_is_encoded(kind: str) -> None:
    backbone = tiny(kind)
    assert positions_of(backbone) == KINDS[kind]
    encode_long(backbone)


def text_kinds() -> list[str]:
    """Every kind that transformers has for text, but for those above."""
    mappings = (
        modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
        modeling_auto.MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES,
    )
    return sorted(
        {kind for names in mappings for kind in names if kind in modeling_auto.MODEL_MAPPING_NAMES} - {*KINDS}
    )


@pytest.mark.long
@pytest.mark.parametrize("kind", text_kinds())
def test_whatever_kind_encodes_a_short_text_encodes_a_long_one(kind: str) -> None:
    ids = torch.tensor([[0, 9, 10, 11, 12, 2]])
    try:
        backbone = tiny(kind)
        with torch.no_grad():
            backbone(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state  # noqa: B018
    except Exception as error:  # noqa: BLE001
        pytest.skip(f"{kind} is not made small by the usual settings: {error}")
    encode_long(backbone)
