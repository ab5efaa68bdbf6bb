"""Long documents: indexed, searched and re-ranked as passages, and measured as documents."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from lir_cli.commands.rerank import command as rerank
from lir_cli.commands.search import command as search
from lir_data import evaluate, read_run, split_passages
from lir_data.passages import Aggregation
from lir_models import BiEncoderModel

Lir = Callable[..., Any]
CUT = ("--passage-length", 3, "--passage-stride", 2)
DOCS = {
    "a": "red blue green black white",
    "b": "one two",
    "c": "three four five one two red",
    "d": "white white white white five",
}


@pytest.fixture
def long_docs(collection: Path) -> Path:
    """Four documents of one to three passages, and a run of them all."""
    Path("long.tsv").write_text("".join(f"{doc_id}\t{text}\n" for doc_id, text in DOCS.items()))
    Path("two.tsv").write_text("q0\tred\nq1\tfive\n")
    Path("two.txt").write_text("q0 0 a 1\nq1 0 d 1\n")
    Path("all.trec").write_text("".join(f"{q} Q0 {doc_id} 1 1 x\n" for q in ("q0", "q1") for doc_id in DOCS))
    return collection


def best_passages(backbone: Path, query: str) -> dict[str, float]:
    model = BiEncoderModel.from_pretrained(backbone)
    return {
        doc_id: max(model.score(query, split_passages(text, 3, 2)).scores.tolist()) for doc_id, text in DOCS.items()
    }


def test_an_index_of_passages_gives_a_run_of_documents(lir: Lir, long_docs: Path, backbone: Path) -> None:
    indexed = lir("index", "--model", backbone, "--docs", "long.tsv", "--index", "idx", *CUT)
    assert indexed.code == 0, indexed.err
    assert "index: 8 passages in" in indexed.err
    searched = lir(
        "search", "--index", "idx", "--queries", "two.tsv", "--qrels", "two.txt", "-m", "RR", "-k", 3, "--run", "run.trec"
    )  # fmt: skip
    assert searched.code == 0, searched.err
    run = read_run("run.trec")
    for query_id, query in (("q0", "red"), ("q1", "five")):
        expected = best_passages(backbone, query)
        top = sorted(expected, key=lambda doc_id: (-expected[doc_id], doc_id))[:3]
        assert run[query_id] == pytest.approx({doc_id: expected[doc_id] for doc_id in top}, rel=1e-4)
    assert searched.out.splitlines()[1] == f"two/RR\t{evaluate(run, 'two.txt', 'RR')['RR']:.4f}"


def test_an_index_of_passages_answers_with_documents_and_their_best_passages(
    lir: Lir, long_docs: Path, backbone: Path
) -> None:
    lir("index", "--model", backbone, "--docs", "long.tsv", "--index", "idx", *CUT)
    texts = {
        f"{doc_id}#{n}": part for doc_id, text in DOCS.items() for n, part in enumerate(split_passages(text, 3, 2))
    }
    answered = lir("search", "--index", "idx", "red", "-k", 3)
    header, *rows = [line.split("\t") for line in answered.out.splitlines()]
    assert header == ["rank", "score", "document", "passage", "text"]
    expected = best_passages(backbone, "red")
    top = sorted(expected, key=lambda doc_id: (-expected[doc_id], doc_id))[:3]
    assert [row[2] for row in rows] == top
    for _, score, doc_id, passage, text in rows:
        assert float(score) == pytest.approx(expected[doc_id], abs=1e-3)
        assert passage.startswith(f"{doc_id}#")
        assert text == texts[passage]
    header, *rows = [
        line.split("\t")
        for line in lir("search", "--index", "idx", "red", "-k", 8, "--passages", "none").out.splitlines()
    ]
    assert header == ["rank", "score", "passage", "text"]
    assert {row[2]: row[3] for row in rows} == texts
    passages = lir(
        "search", "--index", "idx", "--queries", "two.tsv", "-k", 8, "--passages", "none", "--run", "passages.trec"
    )
    assert passages.code == 0, passages.err
    assert read_run("passages.trec")["q0"].keys() == texts.keys()


@pytest.mark.parametrize("how", ["max", "none"])
def test_a_query_that_is_a_document_does_not_find_itself(lir: Lir, long_docs: Path, backbone: Path, how: str) -> None:
    lir("index", "--model", backbone, "--docs", "long.tsv", "--index", "idx", *CUT)
    Path("own.tsv").write_text("".join(f"{doc_id}\t{text}\n" for doc_id, text in DOCS.items()))
    words = ("search", "--index", "idx", "--queries", "own.tsv", "-k", 3, "--passages", how, "--run")
    done = lir(*words, "run.trec", "--ignore-identical-ids")
    assert done.code == 0, done.err
    for query_id, found in read_run("run.trec").items():
        assert len(found) == 3
        assert not any(name.startswith(query_id) for name in found)


def test_an_interrupted_index_does_not_go_on_with_other_passages(
    lir: Lir, long_docs: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lir_index.parts import PartWriter

    append = PartWriter.append
    calls: list[int] = []

    def failing(self: PartWriter, *arguments: Any) -> None:
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        append(self, *arguments)

    command = ("index", "--model", backbone, "--docs", "long.tsv", "--index", "idx", "--batch-size", 2)
    with monkeypatch.context() as patch:
        patch.setattr(PartWriter, "append", failing)
        assert lir(*command, *CUT).code != 0
    with monkeypatch.context() as patch:
        calls.clear()
        patch.setattr(PartWriter, "append", failing)
        other = lir(*command, "--passage-length", 4)
    assert "The documents are not those that were encoded before. All documents are encoded anew." in other.err
    done = lir(*command, *CUT)
    assert "The documents are not those that were encoded before. All documents are encoded anew." in done.err
    assert "index: 8 passages in" in done.err


@pytest.mark.parametrize("flags", [(), ("--passages", "max")])
def test_a_run_is_re_ranked_by_passages(lir: Lir, long_docs: Path, backbone: Path, flags: tuple[str, ...]) -> None:
    done = lir(
        "rerank", "--model", backbone, "--run", "all.trec", "--queries", "two.tsv", "--docs", "long.tsv",
        *CUT, *flags, "--output", "out.trec",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert read_run("out.trec")["q0"] == pytest.approx(best_passages(backbone, "red"), rel=1e-4)


def test_the_aggregations_are_those_of_lir_data() -> None:
    for command in (rerank, search):
        option = next(item for item in command.params if item.name == "passages")
        assert isinstance(option.type, click.Choice)
        assert tuple(option.type.choices) == get_args(Aggregation)


@pytest.mark.usefixtures("long_docs")
@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["index", "--model", "./nowhere", "--docs", "long.tsv", "--index", "i", "--passage-length", "3",
             "--passage-stride", "4"],
            1,
            "DocDataset: passage_stride is 4; it must be between 1 and the passage_length, 3, so that no word is left out.",
        ),
        (
            ["index", "--model", "./nowhere", "--docs", "long.tsv", "--index", "i", "--passage-stride", "4"],
            1,
            "DocDataset: passage_stride is 4, but there is no passage_length.",
        ),
        (["index", "--index", "i", "--passage-length", "4"], 2, "--passage-length is of documents that are named by"),
        (["rerank", "--passage-length", "4"], 2, "--passage-length needs --run."),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_sentence(lir: Lir, words: list[str], code: int, message: str) -> None:
    result = lir(*words)
    assert message in result.err
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("Error: ")
