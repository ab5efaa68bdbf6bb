"""Tiny random models, made anew for each session."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig, LlamaModel, PreTrainedTokenizerFast

from .tiny import save_tiny

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


# Words fall into letters where they are not known.
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = list(dict.fromkeys([*WORDS, *LETTERS, *(f"##{letter}" for letter in LETTERS), *"!,.?"]))


@pytest.fixture(scope="session")
def random_bert(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Callable[..., Path]) -> Callable[..., Path]:
    """What makes a random model; with the usual initializer range of 0.02, all texts would have nearly the same score."""

    def make(name: str, architecture: str, **options: object) -> Path:
        folder = tmp_path_factory.mktemp("models") / name
        return tiny_bert(folder, architecture, words=VOCABULARY, length=64, initializer_range=0.2, **options)

    return make


@pytest.fixture(scope="session")
def backbone(random_bert: Callable[..., Path]) -> Path:
    """A plain backbone."""
    return random_bert("backbone", "BertModel")


@pytest.fixture(scope="session")
def classifier(random_bert: Callable[..., Path]) -> Path:
    """A sequence classifier of one label."""
    return random_bert("classifier", "BertForSequenceClassification", num_labels=1, seed=1)


@pytest.fixture(scope="session")
def two_labels(random_bert: Callable[..., Path]) -> Path:
    """A sequence classifier of two labels, not relevant and relevant."""
    return random_bert("two-labels", "BertForSequenceClassification", num_labels=2, seed=2)


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
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """What makes a tiny random model of a kind of backbone, once."""
    root, made = tmp_path_factory.mktemp("tiny"), {}

    def make(kind: str, head: str = "Model", **options: object) -> Path:
        key = (kind, head, *sorted(options.items()))
        if key not in made:
            made[key] = save_tiny(root / str(len(made)), kind, head, VOCABULARY, **options)
        return made[key]

    return make


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
