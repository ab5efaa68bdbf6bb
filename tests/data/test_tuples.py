"""Training tuples of judgements and of local files."""

import gc
import gzip
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest

from lir_data import RankSample, TupleDataset
from lir_data.errors import ArgumentError, MalformedLineError, UnknownIdError


def by_id(collection: Path, name: str, **options: object) -> TupleDataset:
    return TupleDataset(
        str(collection / name),
        docs=str(collection / "docs.jsonl"),
        queries=str(collection / "queries.tsv"),
        **options,
    )


def test_each_judgement_above_zero_makes_a_tuple(collection: Path) -> None:
    assert [(sample.query_id, sample.doc_ids, sample.targets) for sample in by_id(collection, "qrels.txt")] == [
        ("q1", ("d1",), (1.0,)),
        ("q2", ("d2",), (1.0,)),
        ("q2", ("d4",), (1.0,)),
    ]


def test_texts_are_their_own_ids(tmp_path: Path) -> None:
    (tmp_path / "triples.tsv").write_text("capital\tberlin\ta river\n")
    docs = ("berlin", "a river")
    assert list(TupleDataset(str(tmp_path / "triples.tsv"))) == [
        RankSample("capital", "capital", docs, docs, (1.0, 0.0))
    ]


def test_ids_of_tsv_lead_to_texts(collection: Path) -> None:
    (collection / "triples.tsv").write_text("q2\td2\td1\n")
    assert list(by_id(collection, "triples.tsv")) == [
        RankSample("q2", "water", ("d2", "d1"), ("a river", "Berlin the capital of Germany"), (1.0, 0.0))
    ]


def test_ids_of_jsonl_lead_to_texts(collection: Path) -> None:
    (collection / "tuples.jsonl").write_text('{"query_id": "q2", "doc_ids": ["d2", "d4"], "scores": [0.5, 0.25]}\n')
    assert list(by_id(collection, "tuples.jsonl", targets="score")) == [
        RankSample("q2", "water", ("d2", "d4"), ("a river", "paris"), (0.5, 0.25))
    ]


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "triples.tsv.gz", "wt") as file:
        file.write("q\ta\tb\n")
    assert next(iter(TupleDataset(str(tmp_path / "triples.tsv.gz")))).docs == ("a", "b")


def test_documents_of_a_tuple_are_capped_with_their_scores(tmp_path: Path) -> None:
    (tmp_path / "tuples.jsonl").write_text('{"query": "capital", "docs": ["a", "b", "c"], "scores": [3, 2, 1]}\n')
    sample = next(iter(TupleDataset(str(tmp_path / "tuples.jsonl"), targets="score", num_docs=2)))
    assert (sample.docs, sample.targets) == (("a", "b"), (3.0, 2.0))


def test_tuples_are_capped(collection: Path) -> None:
    assert len(list(by_id(collection, "qrels.txt", num_tuples=2))) == 2


def test_shards_hold_every_tuple_once(collection: Path) -> None:
    whole = by_id(collection, "qrels.txt")
    assert {sample.doc_ids for index in range(2) for sample in whole.shard(2, index)} == {("d1",), ("d2",), ("d4",)}


def peak_memory(dataset: TupleDataset) -> int:
    """Return the bytes that reading needs at most."""
    gc.collect()
    tracemalloc.start()
    for _ in dataset:
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize(("holds_ids", "shuffled"), [(False, False), (False, True), (True, False)])
def test_a_larger_file_needs_no_more_memory(tmp_path: Path, holds_ids: bool, shuffled: bool) -> None:
    long = "x" * 50_000  # so that few lines are more than what any reader buffers
    (tmp_path / "docs.tsv").write_text("".join(f"{long}{number}\ttext\n" for number in range(9)))
    (tmp_path / "queries.tsv").write_text("q\tquery\n")
    places = {"docs": str(tmp_path / "docs.tsv"), "queries": str(tmp_path / "queries.tsv")} if holds_ids else {}
    peaks = []
    for count in (12, 240):
        lines = "".join(f"q\t{long}{number % 9}\t{long}{number % 7}\n" for number in range(count))
        (tmp_path / "triples.tsv").write_text(lines)
        dataset = TupleDataset(str(tmp_path / "triples.tsv"), **places)
        dataset.together = min(dataset.together, 5)
        next(iter(dataset))  # the places of the documents are found once
        peaks.append(peak_memory(dataset.shuffle(buffer_size=5) if shuffled else dataset))
    assert peaks[1] < 1.5 * peaks[0]


def test_documents_are_looked_up_a_window_at_a_time(collection: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (collection / "triples.tsv").write_text("q2\td2\td1\n" * 1100)
    dataset = by_id(collection, "triples.tsv")
    asked: list[int] = []
    look_up = dataset._documents.get_many

    def counted(doc_ids: Iterable[str]) -> dict[str, str]:
        doc_ids = list(doc_ids)
        asked.append(len(doc_ids))
        return look_up(doc_ids)

    monkeypatch.setattr(dataset._documents, "get_many", counted)
    samples = iter(dataset)
    next(samples)
    assert asked == [2 * 512]
    list(samples)
    assert asked == [2 * 512, 2 * 512, 2 * 76]
    asked.clear()
    list(dataset.windows(100, start=10, step=20))
    assert asked == [2 * 100]


def test_a_dataset_can_be_read_again(collection: Path) -> None:
    dataset = by_id(collection, "qrels.txt")
    assert list(dataset) == list(dataset)


def test_an_unknown_query_is_named(collection: Path) -> None:
    (collection / "triples.tsv").write_text("q9\td2\td1\n")
    with pytest.raises(UnknownIdError, match=r"no query 'q9' in '.*queries\.tsv', but the dataset 'triples' names it"):
        list(by_id(collection, "triples.tsv"))


def test_an_unknown_document_is_named(collection: Path) -> None:
    (collection / "triples.tsv").write_text("q1\td2\td9\n")
    with pytest.raises(UnknownIdError, match="no document 'd9'"):
        list(by_id(collection, "triples.tsv"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.tsv", "query\n", r"t\.tsv, line 1: there is no tab. A tuple is query, tab, relevant document"),
        (
            "t.jsonl",
            '{"query": "a"}\n',
            r"line 1: the keys 'query' are no form of training data. The forms are: \{\"query_id\": …, \"doc_ids\".*<TAB>",
        ),
        ("t.jsonl", '{"query": "a", "docs": []}\n', "line 1: there is no document in the docs"),
        ("t.jsonl", '{"query": "a", "docs": "b"}\n', 'line 1: the docs is "b"; it must be a list'),
        (
            "t.jsonl",
            '{"query": null, "docs": ["b"]}\n',
            "line 1: the query is null; it must be a text or a whole number",
        ),
        ("t.jsonl", '{"query": "a", "docs": [1.5]}\n', "line 1: the item of docs is 1.5; it must be a text or a whole"),
        ("t.jsonl", "3\n", "line 1: this is JSON, but neither an object nor an array with items: 3"),
        ("t.jsonl", "[]\n", "line 1: this is JSON, but neither an object nor an array with items"),
        ("t.jsonl", "{\n", "line 1: this is not JSON"),
        ("t.jsonl", '{"query": "a", "docs": ["b"], "scores": [1, 2]}\n', "must be a list of 1 numbers"),
    ],
)
def test_a_malformed_first_line_shows_at_once(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MalformedLineError, match=message):
        TupleDataset(str(tmp_path / name))


def test_scores_that_are_asked_for_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"query": "a", "docs": ["b", "c"]}\n')
    with pytest.raises(MalformedLineError, match="line 1: there is no score of each document; use targets='order'"):
        TupleDataset(str(tmp_path / "t.jsonl"), targets="score")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("qrels.txt", {}, "holds ids: docs and queries must say where the texts are"),
        ("qrels.txt", {"docs": "docs.tsv"}, "give docs and queries .* or neither"),
        ("qrels.txt", {"targets": "score"}, "'qrels.txt' has no scores; use 'order'"),
        (
            "qrels.txt",
            {"targets": "scores"},
            "targets is 'scores'; it must be one of 'order', 'score'. Did you mean 'score'",
        ),
        ("qrels.txt", {"num_docs": 0}, "num_docs is 0; it must be at least 1"),
        ("qrels.txt", {"seed": -1}, "seed is -1; it must be 0 or more"),
    ],
)
def test_a_wrong_argument_is_a_sentence(
    collection: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: dict[str, object], message: str
) -> None:
    monkeypatch.chdir(collection)
    with pytest.raises(ArgumentError, match=message):
        TupleDataset(name, **options)
