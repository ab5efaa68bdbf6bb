"""A run whose texts nobody names has them itself, or is named after its dataset: as Lightning IR has its runs."""

import json
from pathlib import Path

import pytest

from lir_data import RunDataset, read_run, register_dataset
from lir_data.errors import ArgumentError

ROWS = [
    {"query_id": "q1", "query": "capital", "doc_id": "d2", "text": "a river", "rank": 2, "score": 0.25, "relevance": 0},
    {
        "query_id": "q1",
        "query": "capital",
        "doc_id": "d1",
        "text": "the capital",
        "rank": 1,
        "score": 0.5,
        "relevance": 1,
    },
    {"query_id": "q2", "query": "water", "doc_id": "d2", "text": "a river", "rank": 1, "score": 3.0, "relevance": 2},
]


def jsonl(path: Path, rows: list[dict[str, object]]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return str(path)


@pytest.mark.parametrize("names", [{}, {"query_id": "qid", "doc_id": "docno"}])
def test_texts_in_the_run_are_read(tmp_path: Path, names: dict[str, str]) -> None:
    rows = [{names.get(key, key): value for key, value in row.items()} for row in ROWS]
    dataset = RunDataset(jsonl(tmp_path / "run.jsonl", rows), targets="relevance")
    first, second = list(dataset)
    assert (first.query, first.doc_ids, first.docs) == ("capital", ("d1", "d2"), ("the capital", "a river"))
    assert (first.targets, second.targets) == ((1.0, 0.0), (2.0,))


def test_what_is_named_wins_over_what_is_in_the_run(tmp_path: Path, collection: Path) -> None:
    run = jsonl(tmp_path / "run.jsonl", ROWS)
    dataset = RunDataset(run, queries=str(collection / "queries.tsv"), docs=str(collection / "docs.jsonl"))
    assert dataset[0].docs[0] == "Berlin the capital of Germany"


def test_texts_of_queries_alone_are_taken_where_documents_are_named(tmp_path: Path, collection: Path) -> None:
    rows = [{key: value for key, value in row.items() if key != "text"} for row in ROWS]
    dataset = RunDataset(jsonl(tmp_path / "run.jsonl", rows), docs=str(collection / "docs.tsv"))
    assert (dataset[0].query, dataset[0].docs) == ("capital", ("the capital", "a river"))


def test_a_file_that_is_named_after_a_dataset_is_of_that(collection: Path) -> None:
    parts = (("docs", "docs.tsv"), ("queries", "queries.tsv"), ("qrels", "qrels.txt"))
    register_dataset("named-after/test", **{part: str(collection / name) for part, name in parts})
    for stem in ("named-after-test", "bm25__named-after-test"):
        for suffix in (".run", ".trec", ".x.run"):
            file = collection / f"{stem}{suffix}"
            file.write_text((collection / "run.trec").read_text())
            dataset = RunDataset(str(file))
            assert dataset[0].docs == ("a river", "the capital")
            assert dataset.qrels is not None


def test_a_run_of_ids_that_is_named_after_nothing_needs_texts(collection: Path) -> None:
    with pytest.raises(ArgumentError, match="holds ids; queries must say where the texts are"):
        RunDataset(str(collection / "run.trec"))


def test_a_run_of_lightning_ir_is_measured_as_any(tmp_path: Path) -> None:
    lines = "q1\t0\td2\t2\t0.25\tDprModel\nq1\t0\td1\t1\t0.5\tDprModel\n"
    (tmp_path / "beir-x.run").write_text(lines)
    assert read_run(tmp_path / "beir-x.run") == {"q1": {"d1": 0.5, "d2": 0.25}}
