"""A tiny random model, a tiny collection, and the command run in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, BertModel, BertTokenizerFast

from lir_cli.main import main

WORDS = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]


@dataclass(frozen=True)
class Result:
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def lir(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Run ``lir`` with arguments."""

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as leaving:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(int(leaving.value.code or 0), captured.out, captured.err)

    return run


def _model(folder: Path, architecture: type) -> Path:
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
        num_labels=1,
    )
    architecture(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plain backbone."""
    return _model(tmp_path_factory.mktemp("models") / "backbone", BertModel)


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder."""
    return _model(tmp_path_factory.mktemp("models") / "classifier", BertForSequenceClassification)


@pytest.fixture
def collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten documents of one word, in the working folder; the query is the word."""
    monkeypatch.chdir(tmp_path)
    Path("docs.tsv").write_text("".join(f"d{place}\t{word} {word}\n" for place, word in enumerate(WORDS)))
    Path("queries.tsv").write_text("".join(f"q{place}\t{word}\n" for place, word in enumerate(WORDS)))
    Path("qrels.txt").write_text("".join(f"q{place} 0 d{place} 1\n" for place in range(len(WORDS))))
    Path("triples.tsv").write_text(
        "".join(f"{word}\t{word} {word}\t{WORDS[place - 1]}\n" for place, word in enumerate(WORDS))
    )
    Path("first.trec").write_text("".join(f"q{q} Q0 d{d} 1 {d} x\n" for q in range(10) for d in range(10)))
    return tmp_path
