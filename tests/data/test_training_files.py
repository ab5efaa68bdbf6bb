"""The forms of training data: what each says, from files, tables and arrays."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import RankSample, TupleDataset
from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError
from lir_data.sampling import sample_tuple

FLAG = {"query": "q", "pos": ["p1", "p2"], "neg": ["n1", "n2", "n3"]}
FLAG_SCORED = FLAG | {"pos_scores": [9, 8], "neg_scores": [1, 2.5, 3]}
PASSAGE = {"docid": 7, "title": "Berlin", "text": "a city"}
TEVATRON = {
    "query_id": 5,
    "query": "capital",
    "positive_passages": [PASSAGE],
    "negative_passages": [{"docid": "8", "title": "", "text": "a river"}, {"docid": "9", "text": "a lake"}],
}


def written(folder: Path, *rows: object, name: str = "rows.jsonl") -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return str(folder / name)


def texts(folder: Path, names: list[str]) -> dict[str, str]:
    """Documents and queries whose texts are their ids in capitals."""
    for file in ("docs.tsv", "queries.tsv"):
        (folder / file).write_text("".join(f"{name}\t{name.upper()}\n" for name in names))
    return {"docs": str(folder / "docs.tsv"), "queries": str(folder / "queries.tsv")}


def first(source: str, **options: Any) -> RankSample:
    return next(iter(TupleDataset(source, **options)))


@pytest.mark.parametrize(
    ("row", "docs", "scores"),
    [
        ({"query": "q", "docs": ["a", "b"], "scores": [2, 1]}, ("a", "b"), (2.0, 1.0)),
        ({"anchor": "q", "positive": "a", "negative": "b", "score": 1.5}, ("a", "b"), (1.5, 0.0)),
        ({"anchor": "q", "positive": "a", "score": 1.5}, ("a",), (1.5,)),
        ({"query": "q", "positive": "a", "negative": "b", "label": [3, 1]}, ("a", "b"), (3.0, 1.0)),
        (
            {"question": "q", "answer": "a", "negative_10": "d", "negative_2": "c", "negative_1": "b", "scores": [4, 3, 2, 1]},
            ("a", "b", "c", "d"),
            (4.0, 3.0, 2.0, 1.0),
        ),
        ({"query": "q", "pos": ["a"], "neg": ["b"], "pos_scores": [2], "neg_scores": [1]}, ("a", "b"), (2.0, 1.0)),
        ({"query": "q", "pos": ["a"], "pos_scores": [2]}, ("a",), (2.0,)),
    ],
)  # fmt: skip
def test_rows_of_texts_are_read(tmp_path: Path, row: object, docs: tuple[str, ...], scores: tuple[float, ...]) -> None:
    source = written(tmp_path, row)
    order = tuple(float(place == 0) for place in range(len(docs)))
    assert first(source) == RankSample("q", "q", docs, docs, order)
    assert first(source, targets="score") == RankSample("q", "q", docs, docs, scores)


@pytest.mark.parametrize(
    ("row", "docs", "scores"),
    [
        ('{"query_id": 1, "doc_ids": [2, "3"], "scores": [0.5, 0.25]}', ("2", "3"), (0.5, 0.25)),
        ("[1, 2, 3]", ("2", "3"), None),
        ("[1, [2, 7.5], [3, -1]]", ("2", "3"), (7.5, -1.0)),
        ('{"query": 1, "positive": 2, "negative": 3}', ("2", "3"), None),
        ('{"query": "1", "pos": ["2"], "neg": ["3"]}', ("2", "3"), None),
        ('{"query_id": 1, "positive_document_ids": [2], "negative_document_ids": ["3"]}', ("2", "3"), None),
        ('{"qid": 1, "pos": [2], "neg": {"bm25": [3], "dense": [3, 2]}}', ("2", "3"), None),
        (
            '{"qid": 1, "pos": [{"pid": 2, "ce-score": 9}], "neg": {"bm25": [{"pid": 3, "ce-score": -2.5}]}}',
            ("2", "3"),
            (9.0, -2.5),
        ),
    ],
)
def test_rows_of_ids_lead_to_texts(
    tmp_path: Path, row: str, docs: tuple[str, ...], scores: tuple[float, ...] | None
) -> None:
    source, places = written(tmp_path, row), texts(tmp_path, ["1", "2", "3"])
    assert first(source, **places) == RankSample("1", "1", docs, ("2", "3"), (1.0, 0.0))
    if scores is not None:
        assert first(source, targets="score", **places).targets == scores
    else:
        with pytest.raises(
            MalformedLineError, match=r"line 1: there is no score of each document; use targets='order'"
        ):
            TupleDataset(source, targets="score", **places)


def test_passages_of_tevatron_have_ids_titles_and_texts(tmp_path: Path) -> None:
    assert first(written(tmp_path, TEVATRON)) == RankSample(
        "5", "capital", ("7", "8", "9"), ("Berlin a city", "a river", "a lake"), (1.0, 0.0, 0.0)
    )


def test_a_row_with_the_querys_text_needs_documents_alone(tmp_path: Path) -> None:
    row = {"query_id": "1", "query_text": "capital", "positive_document_ids": ["2"]}
    docs = texts(tmp_path, ["2"])["docs"]
    assert first(written(tmp_path, row), docs=docs) == RankSample("1", "capital", ("2",), ("2",), (1.0,))


def test_a_later_row_without_the_querys_text_is_named(tmp_path: Path) -> None:
    rows = [{"query_id": "1", "positive_document_ids": ["2"]} | extra for extra in ({"query_text": "capital"}, {})]
    dataset = TupleDataset(written(tmp_path, *rows), docs=texts(tmp_path, ["2"])["docs"])
    with pytest.raises(MalformedLineError, match="line 2: there is no text of the query '1'; queries must say where"):
        list(dataset)


def test_pairs_with_scores_are_told_by_two_numbers_where_scores_are_wanted(tmp_path: Path) -> None:
    source, places = (
        written(tmp_path, "9.5\t-1e1\t1\t2\t3", name="pairs.tsv"),
        texts(tmp_path, ["1", "2", "3", "9.5", "-1e1"]),
    )
    sample = first(source, targets="score", **places)
    assert (sample.query_id, sample.doc_ids, sample.targets) == ("1", ("2", "3"), (9.5, -10.0))
    assert first(source, **places).query_id == "9.5"


def test_rows_of_parquet_are_read_alike(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    parquet.write_table(pa.Table.from_pylist([FLAG_SCORED, FLAG_SCORED]), tmp_path / "rows.parquet")
    source = written(tmp_path, FLAG_SCORED, FLAG_SCORED)
    assert list(TupleDataset(str(tmp_path / "rows.parquet"), targets="score")) == list(
        TupleDataset(source, targets="score")
    )


def test_a_wrong_row_of_parquet_is_named(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    rows = [{"query": "q", "docs": ["a"]}, {"query": None, "docs": ["a"]}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    with pytest.raises(MalformedLineError, match=r"rows.parquet, row 2: the query is null; it must be a text"):
        list(TupleDataset(str(tmp_path / "rows.parquet")))


def test_relevant_and_other_documents_are_drawn_anew_each_epoch(tmp_path: Path) -> None:
    dataset = TupleDataset(written(tmp_path, FLAG_SCORED), targets="score", num_docs=3)
    scores = dict(zip(FLAG["pos"] + FLAG["neg"], [9.0, 8.0, 1.0, 2.5, 3.0], strict=True))
    seen = set()
    for epoch in range(40):
        dataset.set_epoch(epoch)
        (sample,) = dataset
        assert sample.targets == tuple(scores[doc] for doc in sample.docs)
        seen.add(sample.docs)
    pairs = [("n1", "n2"), ("n1", "n3"), ("n2", "n3")]
    assert seen == {(positive, *pair) for positive in ("p1", "p2") for pair in pairs}


def test_all_others_come_where_no_number_is_given(tmp_path: Path) -> None:
    assert first(written(tmp_path, FLAG)).docs[1:] == ("n1", "n2", "n3")


@pytest.mark.parametrize("change", [{"seed": 1}, {"seed": 0}])
def test_what_is_drawn_depends_on_the_seed(tmp_path: Path, change: dict[str, int]) -> None:
    source = written(tmp_path, *[FLAG | {"query": f"q{number}"} for number in range(20)])
    drawn = [[sample.docs for sample in TupleDataset(source, num_docs=2, **options)] for options in ({}, change)]
    assert (drawn[0] == drawn[1]) == (change["seed"] == 0)


@given(st.integers(1, 5), st.integers(0, 6), st.one_of(st.none(), st.integers(1, 9)), st.integers(0, 9))
def test_a_drawn_tuple_is_one_relevant_document_and_others(
    positives: int, others: int, size: int | None, seed: int
) -> None:
    places = sample_tuple(positives, positives + others, size, np.random.default_rng(seed))
    assert places[0] < positives
    assert places[1:] == sorted(set(places[1:]))
    assert all(positives <= place < positives + others for place in places[1:])
    assert len(places) == 1 + min(others, others if size is None else size - 1)


def test_every_relevant_document_is_as_likely() -> None:
    drawn = Counter(sample_tuple(4, 5, 2, np.random.default_rng(seed))[0] for seed in range(800))
    assert all(count == pytest.approx(200, abs=60) for count in drawn.values())


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (FLAG | {"pos": []}, "the pos is empty, but a tuple needs a relevant document"),
        (FLAG | {"pos": "p"}, 'the pos is "p"; it must be a list'),
        (FLAG_SCORED | {"neg_scores": [1]}, r"the neg_scores must be a list of 3 numbers, .* but they are \[1\]"),
        (FLAG_SCORED | {"neg_scores": [1, None, 2]}, r"the neg_scores must be a list of 3 numbers, .* \[1, null, 2\]"),
        (FLAG_SCORED | {"neg_scores": [1, "2", 3]}, "the neg_scores must be a list of 3 numbers"),
        (TEVATRON | {"positive_passages": []}, "the positive_passages is empty"),
        (TEVATRON | {"positive_passages": ["p"]}, r'the positive_passages are \["p"\]; they must be a list of passages'),
        (TEVATRON | {"positive_passages": [{"docid": 1}]}, "there is no 'text' among the keys 'docid'"),
        (TEVATRON | {"query": 5}, "the query is 5; it must be a text"),
        ({"query": True, "docs": ["a"]}, "the query is true; it must be a text or a whole number"),
        ({"positive": "a"}, "the keys 'positive' are no form of training data"),
        ({"anchor": "a", "positive": "a", "negative": "b", "score": "x"}, r'the scores must be .* \["x", 0.0\]'),
        ({"anchor": "a", "positive": "a", "negative_1": "b", "negative_2": "b", "score": 1}, "a list of 3 numbers"),
        ({"anchor": "a", "positive": "a", "negative": None}, "the negative is null"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_a_sentence(tmp_path: Path, row: object, message: str) -> None:
    with pytest.raises(MalformedLineError, match=f"rows.jsonl, line 1: .*{message}"):
        TupleDataset(written(tmp_path, row))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[1]", r"there is no document. A tuple is \[query, document, …\] or"),
        ("[1, [2, 3, 4]]", r"\[2, 3, 4\] is no pair of document and score"),
        ("[1, [2, null]]", r"the scores must be a list of 1 numbers, .* \[null\]"),
        ('{"qid": 1, "pos": [2], "neg": [3]}', "the neg is .3.; it must be an object of lists, one a system"),
        ('{"qid": 1, "pos": 2, "neg": {}}', "the pos is 2; it must be a list of documents"),
        ('{"qid": 1, "pos": [], "neg": {}}', "the pos is empty"),
    ],
)
def test_a_wrong_row_of_ids_is_a_sentence(tmp_path: Path, row: str, message: str) -> None:
    places = texts(tmp_path, ["1"])
    with pytest.raises(MalformedLineError, match=f"rows.jsonl, line 1: {message}"):
        TupleDataset(written(tmp_path, row), **places)


def test_a_wrong_line_behind_the_first_is_named(tmp_path: Path) -> None:
    with pytest.raises(MalformedLineError, match=r"rows\.jsonl, line 3: there is no 'query' among the keys 'docs'"):
        list(TupleDataset(written(tmp_path, FLAG | {"docs": ["a"]}, "", {"docs": ["a"]})))


@pytest.mark.parametrize("row", ["[1, 2]", '{"query_id": 1, "doc_ids": [2]}'])
def test_ids_need_texts(tmp_path: Path, row: str) -> None:
    with pytest.raises(ArgumentError, match="holds ids: docs and queries must say where the texts are"):
        TupleDataset(written(tmp_path, row))


def test_texts_need_no_other_place_of_texts(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"holds texts, as .*positive_passages.*; leave out docs and queries"):
        TupleDataset(written(tmp_path, TEVATRON), **texts(tmp_path, ["5"]))


def test_an_empty_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(EmptySourceError, match=r"rows.jsonl' holds no tuples"):
        TupleDataset(written(tmp_path, ""))


def test_judgements_none_of_which_is_above_zero_are_a_sentence(tmp_path: Path) -> None:
    dataset = TupleDataset(written(tmp_path, "1 0 2 0", name="qrels.txt"), **texts(tmp_path, ["1", "2"]))
    with pytest.raises(EmptySourceError, match=r"No judgement of '.*qrels.txt' is above 0, so it makes no tuples"):
        list(dataset)


def test_fields_of_documents_can_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "docs.jsonl").write_text('{"id": "2", "title": "Berlin", "text": "a city"}\n')
    places = texts(tmp_path, ["1"]) | {"docs": str(tmp_path / "docs.jsonl")}
    assert first(written(tmp_path, "[1, 2]"), **places, text_fields=["title"]).docs == ("Berlin",)


def test_texts_have_no_fields(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="holds texts, which have no fields to choose from"):
        TupleDataset(written(tmp_path, FLAG), text_fields=["title"])
