"""A tiny random model and a tiny collection to train it on."""

from collections.abc import Callable
from pathlib import Path

import pytest

WORDS = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Callable[..., Path]) -> Path:
    """A plain backbone."""
    return tiny_bert(tmp_path_factory.mktemp("models") / "backbone", words=WORDS)


@pytest.fixture(scope="session")
def masked_lm(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Callable[..., Path]) -> Path:
    """A backbone with a masked-language-model head."""
    return tiny_bert(tmp_path_factory.mktemp("models") / "masked-lm", "BertForMaskedLM", words=WORDS)


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
