"""A tiny random model, a tiny collection, and the command run in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Callable[..., Path]) -> Path:
    """A plain backbone."""
    return tiny_bert(tmp_path_factory.mktemp("models") / "backbone", words=WORDS)


@pytest.fixture(scope="session")
def masked_lm(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Callable[..., Path]) -> Path:
    """A backbone with a masked-language-model head."""
    return tiny_bert(tmp_path_factory.mktemp("models") / "masked-lm", "BertForMaskedLM", words=WORDS)


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Callable[..., Path]) -> Path:
    """A cross-encoder."""
    folder = tmp_path_factory.mktemp("models") / "classifier"
    return tiny_bert(folder, "BertForSequenceClassification", words=WORDS, num_labels=1)


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
