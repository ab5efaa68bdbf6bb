"""Queries of local files."""

from pathlib import Path

import pytest

from lir_data import QueryDataset, QuerySample, open_queries
from lir_data.errors import EmptySourceError, MalformedLineError, SourceNotFoundError


def test_queries_come_in_the_order_of_the_file(collection: Path) -> None:
    assert list(QueryDataset(str(collection / "queries.tsv"))) == [
        QuerySample("q1", "capital"),
        QuerySample("q2", "water"),
    ]


@pytest.mark.parametrize("line", ['{"query_id": "q", "text": "a b"}', '{"_id": "q", "query": "a b"}'])
def test_jsonl_holds_queries(tmp_path: Path, line: str) -> None:
    (tmp_path / "queries.jsonl").write_text(line)
    assert open_queries(str(tmp_path / "queries.jsonl")) == {"q": "a b"}


def test_so_many_queries_are_read(collection: Path) -> None:
    dataset = QueryDataset(str(collection / "queries.tsv"), num_queries=1)
    assert ([query.query_id for query in dataset], len(dataset)) == (["q1"], 1)


def test_a_shard_is_a_dataset(collection: Path) -> None:
    assert list(QueryDataset(str(collection / "queries.tsv")).shard(2, 1)) == [QuerySample("q2", "water")]


def test_the_judgements_that_are_named_are_read(collection: Path) -> None:
    dataset = QueryDataset(str(collection / "queries.tsv"), qrels=str(collection / "qrels.txt"))
    assert dataset.qrels == {"q1": {"d1": 2, "d2": -1}, "q2": {"d2": 1, "d4": 1}}


def test_queries_of_a_file_have_no_judgements_of_their_own(collection: Path) -> None:
    assert QueryDataset(str(collection / "queries.tsv")).qrels is None


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("q1\ta\nq1\tb\n", MalformedLineError, "line 2: the query 'q1' occurs twice"),
        ("q1 a\n", MalformedLineError, r"queries\.tsv, line 1: there is no tab"),
        ("", EmptySourceError, "holds no queries"),
    ],
)
def test_mistakes_of_a_file_show_at_once(tmp_path: Path, text: str, error: type[Exception], message: str) -> None:
    (tmp_path / "queries.tsv").write_text(text)
    with pytest.raises(error, match=message):
        QueryDataset(str(tmp_path / "queries.tsv"))


def test_judgements_that_are_not_there_show_at_once(collection: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"There is no file 'nowhere\.txt'"):
        QueryDataset(str(collection / "queries.tsv"), qrels="nowhere.txt")
