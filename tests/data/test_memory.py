"""Documents, queries, judgements and runs that lie in memory."""

import json
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from lir_data import (
    DocDataset,
    DocSample,
    QueryDataset,
    QuerySample,
    RetrievalDataset,
    RunDataset,
    TupleDataset,
    open_documents,
    open_queries,
    read_qrels,
    read_run,
    read_subtopic_qrels,
    register_dataset,
)
from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError, UnknownIdError

PAIR = [DocSample("d1", "a river"), DocSample("d2", "Berlin a town")]

DOCS: dict[str, Any] = {
    "mappings": [{"id": "d1", "text": "a river"}, {"docno": "d2", "title": "Berlin", "body": "a town"}],
    "pairs": [("d1", "a river"), ["d2", "Berlin a town"]],
    "a mapping": {"d1": "a river", "d2": "Berlin a town"},
    "the corpus of beir": {"d1": {"title": "", "text": "a river"}, "d2": {"title": "Berlin", "text": "a town"}},
    "columns": {"doc_id": ["d1", "d2"], "text": ["a river", "Berlin a town"]},
    "samples": PAIR,
    "an iterator": None,
}


@pytest.mark.parametrize("form", DOCS)
def test_documents_in_memory_are_read_in_order_and_by_id(form: str) -> None:
    given = iter(PAIR) if form == "an iterator" else DOCS[form]
    dataset = DocDataset(given)
    assert list(dataset) == list(dataset) == PAIR
    assert (len(dataset), dataset.documents.get_many(["d2"])) == (2, {"d2": "Berlin a town"})
    assert dataset.documents.missing(["d3", "d1"]) == ["d3"]


def test_a_text_without_an_id_has_its_position() -> None:
    assert list(DocDataset(["text a", "text b", ""])) == [
        DocSample("0", "text a"),
        DocSample("1", "text b"),
        DocSample("2", ""),
    ]
    assert list(QueryDataset(("one", "two"))) == [QuerySample("0", "one"), QuerySample("1", "two")]
    assert list(DocDataset(np.array(["a b", "c d"]))) == [DocSample("0", "a b"), DocSample("1", "c d")]


def test_what_is_in_memory_has_a_name_and_no_source() -> None:
    dataset = DocDataset(["a text"])
    assert (dataset.name, dataset.source) == ("documents in memory", None)
    assert (QueryDataset({"q": "a"}).name, QueryDataset({"q": "a"}).source) == ("queries in memory", None)


def test_views_of_documents_in_memory_are_sent_to_other_processes() -> None:
    dataset = DocDataset({str(number): f"text {number}" for number in range(9)}, num_docs=8).shard(2, 1).skip(1)
    sent = pickle.loads(pickle.dumps(dataset))
    assert [doc.doc_id for doc in sent] == [doc.doc_id for doc in dataset] == ["3", "5", "7"]
    assert len(sent) == 3


def test_documents_in_memory_are_cut_into_passages() -> None:
    assert [doc.doc_id for doc in DocDataset({"d": "a b c"}, passage_length=2)] == ["d#0", "d#1"]


def test_fields_of_mappings_can_be_chosen() -> None:
    given = [{"id": 7, "lead": "a", "text": "b"}]
    assert list(DocDataset(given, text_fields=["text", "lead"])) == [DocSample("7", "b a")]


def test_whole_numbers_of_numpy_are_ids() -> None:
    assert list(DocDataset({np.int64(3): "a", 4: "b"})) == [DocSample("3", "a"), DocSample("4", "b")]


class Doc(NamedTuple):
    """A document as ir_datasets has them."""

    doc_id: str
    heading: str

    def default_text(self) -> str:
        return f"the {self.heading}"


def test_documents_of_ir_datasets_say_their_texts_themselves() -> None:
    assert list(DocDataset([Doc("d", "text")])) == [DocSample("d", "the text")]


@pytest.mark.parametrize("table", ["pandas", "datasets", "pyarrow"])
def test_tables_of_other_libraries_are_taken(table: str) -> None:
    library = pytest.importorskip(table, reason="it is an extra")
    rows = [{"docno": "d1", "text": "a river", "title": None}, {"docno": "d2", "text": "a town", "title": "Berlin"}]
    make = {"pandas": lambda: library.DataFrame(rows), "datasets": lambda: library.Dataset.from_list(rows)}
    given = make[table]() if table in make else library.Table.from_pylist(rows)
    dataset = DocDataset(given)
    assert list(dataset) == PAIR
    assert pickle.loads(pickle.dumps(dataset)).documents.get_many(["d2"]) == {"d2": "Berlin a town"}
    assert len(dataset) == 2


def test_a_run_of_pyterrier_is_a_run() -> None:
    pandas = pytest.importorskip("pandas", reason="it comes with an extra")
    frame = pandas.DataFrame({"qid": [1, 1, 2], "docno": ["a", "b", "a"], "rank": [0, 1, 0], "score": [0.5, 2.0, 1.0]})
    assert read_run(frame) == {"1": {"b": 2.0, "a": 0.5}, "2": {"a": 1.0}}
    assert list(read_run(frame)["1"]) == ["b", "a"]
    labels = pandas.DataFrame({"qid": ["1"], "docno": ["a"], "label": [2]})
    assert read_qrels(labels) == {"1": {"a": 2}}
    assert open_queries(pandas.DataFrame({"qid": [1], "query": ["a b"]})) == {"1": "a b"}


@pytest.mark.parametrize(
    "given",
    [
        {"q": {"a": 0.5, "b": np.float32(2)}},
        [("q", "a", 0.5), ("q", "b", 2)],
        [{"query_id": "q", "doc_id": "a", "score": 0.5}, {"qid": "q", "docid": "b", "score": 2}],
        {"q": [("a", 0.5), ("b", 2.0)]},
    ],
)
def test_a_run_in_memory_is_read_best_first(given: Any) -> None:
    assert list(read_run(given)["q"].items()) == [("b", 2.0), ("a", 0.5)]


def test_a_ranking_without_scores_keeps_its_order() -> None:
    assert list(read_run({"q": ["b", "a"]})["q"].items()) == [("b", -1.0), ("a", -2.0)]


@pytest.mark.parametrize(
    "given",
    [
        {"q": {"a": 1, "b": 0}},
        [("q", "a", 1), ("q", "b", 0)],
        [("q", "0", "a", 1), ("q", "0", "b", 0.0)],
        [{"qid": "q", "docno": "a", "label": 1}, {"query_id": "q", "doc_id": "b", "relevance": 0}],
    ],
)
def test_judgements_in_memory_are_read(given: Any) -> None:
    assert read_qrels(given) == {"q": {"a": 1, "b": 0}}


def test_relevant_documents_alone_are_judgements() -> None:
    assert read_qrels({"q": {"a", "b"}, 2: ["c"]}) == {"q": {"a": 1, "b": 1}, "2": {"c": 1}}


def test_subtopics_in_memory_are_told_apart() -> None:
    assert read_subtopic_qrels([("q", "1", "a", 1), ("q", "2", "a", 0)]) == {"q": {"1": {"a": 1}, "2": {"a": 0}}}


def test_a_whole_collection_in_memory_is_ranked_and_learnt_from() -> None:
    docs, queries, qrels = {"a": "text a", "b": "text b"}, {"q": "a query"}, {"q": {"a": 1}}
    run = RunDataset({"q": {"a": 1.0, "b": 2.0}}, docs=docs, queries=queries, qrels=qrels, targets="relevance")
    assert (run[0].docs, run[0].targets, run.name, run.source) == (
        ("text b", "text a"),
        (0.0, 1.0),
        "rankings in memory",
        None,
    )
    run.check_documents()
    assert QueryDataset(queries, qrels=qrels).qrels == qrels
    assert RetrievalDataset(queries, docs, qrels=qrels).docs.documents.get_many(["a"]) == {"a": "text a"}
    (sample,) = TupleDataset([{"query_id": "q", "doc_ids": ["a", "b"]}], docs=docs, queries=queries)
    assert (sample.query, sample.docs) == ("a query", ("text a", "text b"))


@pytest.mark.parametrize(
    "rows",
    [[{"anchor": "a", "positive": "b", "negative": "c"}], [("a", "b", "c")], {"anchor": ["a"], "positive": ["b"]}],
)
def test_training_data_in_memory_makes_tuples(rows: Any) -> None:
    (sample,) = TupleDataset(rows)
    assert (sample.query, sample.docs[0]) == ("a", "b")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (
            [3],
            MalformedLineError,
            r"documents in memory, index 0: 3 is none of the documents; each must be a text, a pair",
        ),
        ([("a", "b", "c")], MalformedLineError, "index 0: .* is none of the documents"),
        (["text", None], MalformedLineError, "index 1: None is none of the documents"),
        ([{"id": "d"}], MalformedLineError, "index 0: there is no 'text', .* among the keys 'id'"),
        ([{"text": "d"}], MalformedLineError, "index 0: there is no 'doc_id', .* among the keys 'text'"),
        ({"d": None}, MalformedLineError, "index 0: the text is null; it must be a text"),
        ({1.5: "text"}, MalformedLineError, r"index 0: the id is 1\.5"),
        ([], EmptySourceError, "'documents in memory' holds no documents"),
        ({"id": ["a", "b"], "text": ["c"]}, ArgumentError, "columns of the documents have different lengths"),
        (3, ArgumentError, "A int names no documents and holds none"),
        (b"bytes", ArgumentError, "A bytes names no documents"),
        ({"a text", "b text"}, ArgumentError, "A set names no documents"),
    ],
)
def test_what_is_no_document_is_named(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list(DocDataset(given))


def test_a_document_in_memory_that_occurs_twice_is_named() -> None:
    with pytest.raises(MalformedLineError, match="documents in memory, index 1: the document 'd' occurs twice"):
        open_documents([("d", "a"), ("d", "b")]).get_many(["d"])


def test_an_unknown_document_in_memory_is_named() -> None:
    with pytest.raises(UnknownIdError, match="There is no document 'x' in 'documents in memory'"):
        open_documents({"d": "a"}).get_many(["x"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"q": {"a": float("nan")}}, "the score is NaN"),
        ({"q": {"a": "1"}}, 'the score "1" is not a number'),
        ([("q", "a")], "is none of the rankings"),
        ({"q": "a"}, "is none of the rankings; each must be a triple"),
        ({"q": {"": 1.0}}, "the id is empty"),
    ],
)
def test_what_is_no_run_is_named(given: Any, message: str) -> None:
    with pytest.raises(MalformedLineError, match=f"rankings in memory, index 0.*{message}"):
        read_run(given)


def test_one_split_of_several_has_to_be_given() -> None:
    datasets = pytest.importorskip("datasets", reason="datasets is an extra")
    table = datasets.Dataset.from_list([{"id": "d", "text": "a"}])
    with pytest.raises(ArgumentError, match="have the splits 'train', 'test'; give one of them"):
        DocDataset(datasets.DatasetDict({"train": table, "test": table}))


def test_an_id_stands_for_files_alone() -> None:
    with pytest.raises(ArgumentError, match="register_dataset: docs is documents in memory"):
        register_dataset("local/memory", docs=["a text"])


def test_texts_are_told_from_names_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.jsonl").write_text(json.dumps({"id": "a", "text": "of a file"}))
    Path("data").mkdir()
    assert list(DocDataset(["a.jsonl"])) == [DocSample("a", "of a file")]
    assert list(DocDataset(["see a.jsonl", "data", "/", "..."]))[1] == DocSample("1", "data")
