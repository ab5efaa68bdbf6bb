"""Tiny random models of every kind of backbone that is tested, each with a tokenizer of its kind."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

_SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
_ROBERTA = {"max_position_embeddings": 66, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
_T5 = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "decoder_start_token_id": 0}
_MODERNBERT = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
_DECODER = {"num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3}

#: Kind of backbone: name of the config class, of its models, and settings.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", {}),
    "distilbert": ("DistilBert", {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48}),
    "roberta": ("Roberta", _ROBERTA),
    "xlm-roberta": ("XLMRoberta", _ROBERTA),
    "camembert": ("Camembert", _ROBERTA),
    "electra": ("Electra", {"embedding_size": 16}),
    "mpnet": ("MPNet", {"max_position_embeddings": 66, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}),
    "deberta-v2": ("DebertaV2", {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8}),
    "albert": ("Albert", {"embedding_size": 16}),
    "modernbert": ("ModernBert", _MODERNBERT),
    "t5": ("T5", _T5),
    "mt5": ("MT5", {**_T5, "tie_word_embeddings": False}),
    "llama": ("Llama", _DECODER),
    "qwen2": ("Qwen2", _DECODER),
}
#: Those with a head for masked language modelling whose output layer is a layer of its own.
MASKED_LM = (
    "bert",
    "distilbert",
    "roberta",
    "xlm-roberta",
    "camembert",
    "electra",
    "mpnet",
    "deberta-v2",
    "albert",
    "modernbert",
)

_SPECIAL = {
    "bert": ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    "roberta": ("<s>", "<pad>", "</s>", "<unk>", "<mask>"),
    "t5": ("<pad>", "</s>", "<unk>"),
    "llama": ("<pad>", "<unk>", "<s>", "</s>"),
}
_TOKENIZER_OF = {
    "xlm-roberta": "roberta",
    "camembert": "roberta",
    "mpnet": "roberta",
    "roberta": "roberta",
    "t5": "t5",
    "mt5": "t5",
    "llama": "llama",
}


def save_tiny(folder: Path, kind: str, head: str, words: list[str], *, seed: int = 0, **options: Any) -> Path:
    """Save a random model and its tokenizer.

    Args:
        folder: Where.
        kind: Which of `KINDS`.
        head: What follows the kind in the class's name: ``Model``, ``ForMaskedLM``, ….
        words: The vocabulary, special tokens aside.
        seed: Of the weights.
        **options: Settings that differ from the usual.
    """
    style = "llama" if kind == "qwen2" else _TOKENIZER_OF.get(kind, "bert")
    vocabulary = [*_SPECIAL[style], *words]
    tokenizer_of(style, vocabulary).save_pretrained(folder)
    name, settings = KINDS[kind]
    config_class = getattr(transformers, f"{name}Config")
    values = {"vocab_size": len(vocabulary), "initializer_range": 0.2, "max_position_embeddings": 64, **_SIZE}
    if kind in ("t5", "mt5"):
        values.pop("max_position_embeddings")
        values["initializer_factor"] = 1.5
    config = config_class(**{**values, **settings, **options})
    torch.manual_seed(seed)
    getattr(transformers, f"{name}{head}")(config).save_pretrained(folder)
    return folder


def tokenizer_of(style: str, vocabulary: list[str]) -> PreTrainedTokenizerFast:
    """Make the tokenizer of a style: ``bert``, ``roberta``, ``t5`` or ``llama``."""
    ids = {token: place for place, token in enumerate(vocabulary)}
    unknown = "[UNK]" if style == "bert" else "<unk>"
    tokenizer = Tokenizer(WordLevel(ids, unk_token=unknown))
    tokenizer.pre_tokenizer = Whitespace()
    if style == "bert":
        names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]", "pad_token": "[PAD]"}
        template, pair = "[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"
    elif style == "roberta":
        names = {"bos_token": "<s>", "eos_token": "</s>", "cls_token": "<s>", "sep_token": "</s>"}
        names |= {"mask_token": "<mask>", "pad_token": "<pad>"}
        template, pair = "<s> $A </s>", "<s> $A </s> </s> $B </s>"
    elif style == "t5":
        names, template, pair = {"eos_token": "</s>", "pad_token": "<pad>"}, "$A </s>", "$A </s> $B </s>"
    else:
        names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "padding_side": "left"}
        template, pair = "<s> $A", "<s> $A $B"
    special = [(token, ids[token]) for token in _SPECIAL[style] if token in template]
    tokenizer.post_processor = TemplateProcessing(single=template, pair=pair, special_tokens=special)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=unknown, model_max_length=64, **names)
