"""A tiny random model and a tiny collection to train it on."""

from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizerFast

WORDS = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A two-layer BERT of 32 dimensions that knows ten words."""
    folder = tmp_path_factory.mktemp("models") / "backbone"
    folder.mkdir()
    (folder / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=15,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """Ten documents of one word each; the query is that word; the run has every document in the worst order."""
    folder = tmp_path / "collection"
    folder.mkdir()
    (folder / "docs.tsv").write_text("".join(f"d{place}\t{word} {word}\n" for place, word in enumerate(WORDS)))
    (folder / "queries.tsv").write_text("".join(f"q{place}\t{word}\n" for place, word in enumerate(WORDS)))
    (folder / "qrels.txt").write_text("".join(f"q{place} 0 d{place} 1\n" for place in range(len(WORDS))))
    lines = [
        f"q{query} Q0 d{doc} 0 {0.0 if doc == query else 1.0 + doc} x\n"
        for query in range(len(WORDS))
        for doc in range(len(WORDS))
    ]
    (folder / "run.trec").write_text("".join(lines))
    return folder
