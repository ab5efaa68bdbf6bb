"""``lir mine`` and ``lir score --tuples``: training data made of runs, indexes and teachers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from lir_cli.commands.mine import command
from lir_data import TupleDataset, mine_negatives, read_qrels, read_run, write_tuples
from lir_data.mining import Strategy
from lir_models import BiEncoderModel, load_model

WORDS = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]

Lir = Callable[..., Any]
RUN = ("--run", "first.trec", "--qrels", "qrels.txt", "--output", "mined.jsonl")
TEXTS = ("--queries", "queries.tsv", "--docs", "docs.tsv")
DOCS = {f"d{place}": f"{word} {word}" for place, word in enumerate(WORDS)}


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


@pytest.mark.usefixtures("collection")
@pytest.mark.parametrize(
    ("flags", "options"),
    [
        ((), {}),
        (
            ("--num-negatives", 2, "--range-min", 1, "--range-max", 5, "--max-score", 7, "--min-score", 4),
            {"num_negatives": 2, "range_min": 1, "range_max": 5, "max_score": 7, "min_score": 4},
        ),
        (("--absolute-margin", 1), {"absolute_margin": 1}),
        (("--relative-margin", 0.25), {"relative_margin": 0.25}),
        (("--sampling-strategy", "random", "--seed", 3), {"sampling_strategy": "random", "seed": 3}),
        (
            ("--teacher-run", "teacher.trec", "--relative-margin", 0.25),
            {"teacher": "teacher.trec", "relative_margin": 0.25},
        ),
    ],
)
def test_the_file_holds_what_lir_data_mines(lir: Lir, flags: tuple[Any, ...], options: dict[str, Any]) -> None:
    Path("teacher.trec").write_text("".join(f"q{q} Q0 d{d} 1 {9 - d} x\n" for q in range(10) for d in range(10)))
    done = lir("mine", *RUN, *flags)
    assert (done.code, done.out) == (0, ""), done.err
    assert done.err.endswith("The tuples are in mined.jsonl\n")
    expected = mine_negatives("first.trec", "qrels.txt", **options)
    write_tuples("expected.jsonl", expected)
    assert lines("mined.jsonl") == lines("expected.jsonl")
    assert len(lines("mined.jsonl")) == 10


def test_an_index_is_searched_for_candidates(lir: Lir, collection: Path, backbone: Path) -> None:
    assert lir("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx").code == 0
    done = lir(
        "mine", "--index", "idx", "--queries", "queries.tsv", "--qrels", "qrels.txt", "--output", "mined.jsonl",
        "--num-negatives", 2,
    )  # fmt: skip
    assert done.code == 0, done.err
    model = BiEncoderModel.from_pretrained(backbone)
    scores = dict(zip(DOCS, model.score("green", list(DOCS.values())).scores.tolist(), strict=True))
    others = sorted((doc_id for doc_id in DOCS if doc_id != "d2"), key=lambda doc_id: -scores[doc_id])
    assert lines("mined.jsonl")[2] == {"query_id": "q2", "doc_ids": ["d2", *others[:2]]}


def test_a_teacher_scores_the_candidates_and_the_tuples_train(lir: Lir, collection: Path, classifier: Path) -> None:
    done = lir("mine", *RUN, *TEXTS, "--teacher", classifier, "--range-max", 6)
    assert done.code == 0, done.err
    assert "score: 70 docs in" in done.err
    teacher = load_model(classifier)
    (*_, last) = TupleDataset("mined.jsonl", targets="score", docs="docs.tsv", queries="queries.tsv")
    assert last.targets == pytest.approx(teacher.score(last.query, last.docs).scores.tolist(), abs=1e-5)
    top = list(read_run("first.trec")["q9"])[1:7]
    scores = dict(zip(top, teacher.score("five", [DOCS[doc_id] for doc_id in top]).scores.tolist(), strict=True))
    assert last.doc_ids == ("d9", *sorted(top, key=lambda doc_id: -scores[doc_id])[:3])


def test_a_teacher_scores_tuples_of_ids(lir: Lir, collection: Path, classifier: Path) -> None:
    write_tuples("mined.jsonl", mine_negatives("first.trec", read_qrels("qrels.txt")))
    done = lir("score", "--model", classifier, "--tuples", "mined.jsonl", *TEXTS, "--output", "scored.jsonl")
    assert (done.code, done.out) == (0, ""), done.err
    teacher = load_model(classifier)
    for before, after in zip(lines("mined.jsonl"), lines("scored.jsonl"), strict=True):
        assert (after["query_id"], after["doc_ids"]) == (before["query_id"], before["doc_ids"])
        word = WORDS[int(after["query_id"][1:])]
        expected = teacher.score(word, [DOCS[doc_id] for doc_id in after["doc_ids"]]).scores.tolist()
        assert after["scores"] == pytest.approx(expected, abs=1e-5)


def test_a_teacher_scores_tuples_of_texts(lir: Lir, collection: Path, classifier: Path) -> None:
    done = lir("score", "--model", classifier, "--tuples", "triples.tsv", "--output", "scored.jsonl")
    assert done.code == 0, done.err
    first = lines("scored.jsonl")[0]
    assert (first["query"], first["docs"]) == ("red", ["red red", "five"])
    assert first["scores"] == pytest.approx(
        load_model(classifier).score("red", first["docs"]).scores.tolist(), abs=1e-5
    )
    assert [sample.targets is not None for sample in TupleDataset("scored.jsonl", targets="score")] == [True] * 10


def test_the_strategies_are_those_of_lir_data() -> None:
    option = next(item for item in command.params if item.name == "sampling_strategy")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == get_args(Strategy)


# Nothing of this is there: were it opened before the mistake is found, that would be what is complained about.
NOWHERE = ("mine", "--run", "nowhere.trec", "--qrels", "nowhere.txt", "--output", "mined.jsonl")
INDEX = ("mine", "--index", "nowhere", "--qrels", "qrels.txt", "--output", "mined.jsonl")
TUPLES = ("score", "--model", "./nowhere", "--tuples", "triples.tsv")
MISTAKES: dict[str, tuple[tuple[Any, ...], int, str]] = {
    "no candidates": (("mine", "--qrels", "q", "--output", "o"), 2, "Candidates come from --run or from --index"),
    "two kinds of candidates": ((*NOWHERE, "--index", "i"), 2, "Candidates come from --run or from --index"),
    "model of a run": ((*NOWHERE, "--model", "m"), 2, "--model searches an --index; a --run needs none."),
    "index without queries": (INDEX, 2, "--index needs --queries to be searched with."),
    "no index": ((*INDEX, "--queries", "queries.tsv"), 1, "There is no index in 'nowhere'"),
    "two teachers": ((*NOWHERE, "--teacher", "m", "--teacher-run", "r"), 2, "--teacher and --teacher-run exclude"),
    "teacher without texts": ((*NOWHERE, "--teacher", "m"), 2, "--teacher reads texts: --queries must say where"),
    "no such teacher": (("mine", *RUN, *TEXTS, "--teacher", "./nowhere"), 1, "There is no folder './nowhere'."),
    "impossible range": (
        (*NOWHERE, "--range-min", 9, "--range-max", 10),
        1,
        "which leaves 1 candidates for 3 negatives.",
    ),
    "output exists": ((*NOWHERE[:-1], "first.trec"), 2, "'first.trec' exists already."),
    "missing run": ((*NOWHERE[:4], "qrels.txt", *NOWHERE[5:]), 1, "There is no file 'nowhere.trec'."),
    "query and tuples": ((*TUPLES, "red"), 2, "The query 'red' and --tuples exclude each other."),
    "no output of tuples": (TUPLES, 2, "--output is missing, and without it the scores would be lost."),
    "tuples exist": ((*TUPLES, "--output", "first.trec"), 2, "'first.trec' exists already."),
    "no such model": ((*TUPLES, "--output", "o.jsonl"), 1, "There is no folder './nowhere'."),
    "documents of no tuples": (
        ("score", "--model", "m", "--docs", "d", "red"),
        2,
        "--docs needs --tuples.",
    ),
    "documents for no teacher": ((*NOWHERE, "--docs", "d"), 2, "--docs needs --teacher, which reads the documents"),
    "queries for nothing": ((*NOWHERE, "--queries", "q"), 2, "--queries needs --index, which is searched with them"),
    "a seed for nothing": ((*NOWHERE, "--seed", "1"), 2, "--seed needs --sampling-strategy random"),
    "a name of another format": ((*NOWHERE[:-1], "mined.parquet"), 1, "its name must end in .jsonl"),
    "nothing to score": (("score", "--model", "m"), 2, "There is no query to score documents for, and no --tuples."),
}


@pytest.mark.usefixtures("collection")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_sentence(lir: Lir, mistake: str) -> None:
    words, code, message = MISTAKES[mistake]
    result = lir(*words)
    assert message in result.err
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("Error: ")
    assert not Path("mined.jsonl").exists()


@pytest.mark.usefixtures("collection")
def test_a_query_is_no_negative_of_itself(lir: Lir) -> None:
    Path("own.trec").write_text("".join(f"d0 Q0 d{place} 1 {10 - place} x\n" for place in range(10)))
    Path("own.txt").write_text("d0 0 d1 1\n")
    words = ("mine", "--run", "own.trec", "--qrels", "own.txt", "--output")
    assert lir(*words, "with.jsonl").code == 0
    assert lines("with.jsonl")[0]["doc_ids"] == ["d1", "d0", "d2", "d3"]
    assert lir(*words, "without.jsonl", "--ignore-identical-ids").code == 0
    assert lines("without.jsonl")[0]["doc_ids"] == ["d1", "d2", "d3", "d4"]
