"""Tiny random models, made anew for each session."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizerFast,
    LlamaConfig,
    LlamaModel,
    PreTrainedTokenizerFast,
)

WORDS = [
    "the",
    "a",
    "of",
    "is",
    "capital",
    "city",
    "berlin",
    "paris",
    "germany",
    "france",
    "what",
    "how",
    "long",
    "river",
    "lake",
    "deep",
    "blue",
    "red",
    "one",
    "two",
    "three",
]


def save_tokenizer(folder: Path) -> int:
    """Save a word-piece tokenizer of a few words; return the size of its vocabulary."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *WORDS,
        *"abcdefghijklmnopqrstuvwxyz",
        *(f"##{c}" for c in "abcdefghijklmnopqrstuvwxyz"),
    ]
    (folder / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    return len(vocabulary)


def tiny_config(vocabulary: int, **options: object) -> BertConfig:
    """Return the config of a two-layer BERT of 32 dimensions."""
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.2,  # with the usual 0.02, all texts have nearly the same score
        **options,
    )


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain backbone."""
    folder = tmp_path_factory.mktemp("models") / "backbone"
    torch.manual_seed(0)
    BertModel(tiny_config(save_tokenizer(folder))).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence classifier of one label."""
    folder = tmp_path_factory.mktemp("models") / "classifier"
    torch.manual_seed(1)
    BertForSequenceClassification(tiny_config(save_tokenizer(folder), num_labels=1)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def two_labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sequence classifier of two labels, not relevant and relevant."""
    folder = tmp_path_factory.mktemp("models") / "two-labels"
    torch.manual_seed(2)
    BertForSequenceClassification(tiny_config(save_tokenizer(folder), num_labels=2)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder, padded on the left, without a padding token of its own."""
    folder = tmp_path_factory.mktemp("models") / "decoder"
    words = {word: place for place, word in enumerate(["<unk>", "</s>", *WORDS])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", eos_token="</s>", padding_side="left"
    ).save_pretrained(folder)
    torch.manual_seed(4)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    LlamaModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def texts() -> list[str]:
    """Texts of very different lengths, an empty one and a repeated one among them."""
    return [
        "berlin is the capital of germany",
        "",
        "paris",
        "the river is long " * 30,
        "how deep is the blue lake",
        "paris",
        "one two three",
    ]
