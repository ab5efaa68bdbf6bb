"""Several files, a folder or a pattern as one collection."""

import gzip
import json
import pickle
from pathlib import Path

import pytest

from lir_data import (
    DocDataset,
    QueryDataset,
    RunDataset,
    open_documents,
    open_queries,
    read_qrels,
    read_run,
    register_dataset,
)
from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError, SourceNotFoundError
from lir_data.sources.names import several


@pytest.fixture(autouse=True)
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with three parts of a collection, one packed and one without a document."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-0.jsonl").write_text('{"id": "a", "text": "one"}\n{"id": "b", "text": "two"}\n')
    (tmp_path / "parts" / "part-1.jsonl").write_text("")
    (tmp_path / "parts" / "part-2.jsonl.gz").write_bytes(gzip.compress(b'{"id": "c", "text": "three"}\n'))
    (tmp_path / "d.tsv").write_text("d\tfour\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


WAYS = {
    "a list": ["parts/part-0.jsonl", "parts/part-1.jsonl", Path("parts/part-2.jsonl.gz")],
    "a folder": "parts",
    "a folder with a slash": "parts/",
    "a pattern": "parts/part-*",
    "another pattern": "parts/part-?.jsonl*",
    "a list of patterns": ["parts/*[01].jsonl", "parts/*.gz"],
    "one name of several": json.dumps(["parts/part-0.jsonl", "parts/part-2.jsonl.gz"]),
}


@pytest.mark.parametrize("way", WAYS)
def test_several_files_are_one_collection(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = DocDataset(WAYS[way])
    assert ([(doc.doc_id, doc.doc) for doc in dataset], len(dataset)) == (
        [("a", "one"), ("b", "two"), ("c", "three")],
        3,
    )
    assert dataset.documents.get_many(["c", "a"]) == {"c": "three", "a": "one"}
    assert dataset.documents.missing(["x", "c"]) == ["x"]
    assert [doc.doc_id for doc in dataset.skip(1).shard(2, 1)] == ["c"]
    monkeypatch.chdir("/")
    for again in (DocDataset(dataset.source), pickle.loads(pickle.dumps(dataset))):
        assert list(again) == list(dataset)
        assert again.documents.get_many(["b"]) == {"b": "two"}


def test_files_of_several_formats_are_one_collection_if_they_are_named() -> None:
    assert [doc.doc_id for doc in DocDataset(["d.tsv", "parts/part-0.jsonl"])] == ["d", "a", "b"]
    assert DocDataset(["d.tsv", "parts/part-0.jsonl"]).name == "d+part-0"


def test_passages_of_several_files_are_opened_again() -> None:
    dataset = DocDataset(["d.tsv", "parts/part-0.jsonl"], passage_length=1)
    assert dataset.source.endswith("#passages=1,1")
    assert open_documents(dataset.source).get_many(["b#0"]) == {"b#0": "two"}


def test_the_fields_of_many_files_can_be_named(parts: Path) -> None:
    Path("x-1.jsonl").write_text('{"key": "e", "lead": "five"}')
    assert DocDataset("x-*.jsonl?id=key&text=lead").documents.get_many(["e"]) == {"e": "five"}
    source = DocDataset(["x-*.jsonl?id=key&text=lead", "d.tsv"]).source
    assert [doc.doc_id for doc in DocDataset(source)] == ["e", "d"]


def test_queries_judgements_and_runs_may_be_several_files() -> None:
    for number in (1, 2):
        Path(f"q{number}.tsv").write_text(f"q{number}\ttext\n")
        Path(f"j{number}.qrels").write_text(f"q{number} 0 a 1\n")
        Path(f"r{number}.trec").write_text(f"q{number} Q0 a 1 2 x\n")
    assert list(open_queries(["q1.tsv", "q2.tsv"])) == list(open_queries("q*.tsv")) == ["q1", "q2"]
    assert list(read_qrels("j*.qrels")) == list(read_run("r*.trec")) == ["q1", "q2"]
    assert len(QueryDataset("q*.tsv", qrels=["j1.qrels", "j2.qrels"]).qrels or ()) == 2
    run = RunDataset("r*.trec", docs="parts", queries=["q1.tsv", "q2.tsv"], qrels="j*.qrels", targets="relevance")
    assert [sample.targets for sample in run] == [(1.0,), (1.0,)]


def test_several_files_are_an_id() -> None:
    register_dataset("local/several", docs=["d.tsv", "parts/part-0.jsonl"])
    assert [doc.doc_id for doc in DocDataset("local/several")] == ["d", "a", "b"]


def test_a_document_of_two_files_is_named_with_the_second() -> None:
    Path("again.tsv").write_text("x\tnew\na\told\n")
    with pytest.raises(MalformedLineError, match=r"^again\.tsv, line 2: the document 'a' occurs twice\.$"):
        open_documents(["parts/part-0.jsonl", "again.tsv"]).get_many(["x"])


def test_a_query_of_two_files_is_named_with_the_second() -> None:
    Path("q1.tsv").write_text("q\ta\n")
    Path("q2.tsv").write_text("q\tb\n")
    with pytest.raises(MalformedLineError, match=r"q2\.tsv, line 1: the query 'q' occurs twice"):
        open_queries("q*.tsv")


def test_a_file_that_is_not_there_is_named_among_others() -> None:
    with pytest.raises(
        SourceNotFoundError, match=r"There is no file 'parts/part-9\.jsonl'\. Did you mean 'parts/part-"
    ):
        DocDataset(["d.tsv", "parts/part-9.jsonl"])


def test_a_pattern_that_nothing_fits_is_named() -> None:
    with pytest.raises(SourceNotFoundError, match=r"There is no file 'part-\*\.jsonl', and none that fits the pattern"):
        DocDataset("part-*.jsonl")


def test_a_folder_of_several_formats_names_the_way_out() -> None:
    Path("parts/q.tsv").write_text("q\ttext\n")
    with pytest.raises(
        ArgumentError, match=r"'parts' has files of several formats .*pattern such as 'parts/\*\.jsonl'"
    ):
        DocDataset("parts/")


def test_a_folder_without_data_is_named() -> None:
    Path("empty").mkdir()
    Path("empty/.hidden.tsv").write_text("d\ttext\n")
    Path("empty/picture.png").touch()
    with pytest.raises(
        SourceNotFoundError, match=r"'empty' is a folder, but no BEIR folder: .* nor is there any other file"
    ):
        DocDataset("empty/")


def test_files_that_are_all_empty_hold_no_documents() -> None:
    Path("e.jsonl").touch()
    with pytest.raises(EmptySourceError, match=r"'e\.jsonl \+ parts/part-1\.jsonl' holds no documents"):
        DocDataset(["e.jsonl", "parts/part-1.jsonl"])


def test_an_id_is_none_of_several() -> None:
    with pytest.raises(ArgumentError, match="'vaswani' is no file, and of several sources each must be one"):
        DocDataset(["d.tsv", "vaswani"])
    with pytest.raises(ArgumentError, match="'vaswani' is no file"):
        several(["vaswani", "cranfield"])
    assert several(["vaswani"]) == "vaswani"


def test_an_id_wins_over_a_folder_of_the_same_name_without_a_slash() -> None:
    Path("vaswani").mkdir()
    Path("vaswani/d.tsv").write_text("d\ttext\n")
    assert DocDataset("vaswani").source == "vaswani"
    assert [doc.doc_id for doc in DocDataset("vaswani/")] == ["d"]


def test_a_file_with_the_letters_of_a_pattern_in_its_name_is_that_file() -> None:
    Path("a[1]*.tsv").write_text("x\ttext\n")
    assert [doc.doc_id for doc in DocDataset("a[1]*.tsv")] == ["x"]


def test_the_way_to_the_working_folder_is_no_part_of_a_pattern(parts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (parts / "w[x]").mkdir()
    (parts / "w[x]" / "a-1.tsv").write_text("x\ttext\n")
    monkeypatch.chdir(parts / "w[x]")
    source = DocDataset("a-*.tsv").source
    monkeypatch.chdir("/")
    assert [doc.doc_id for doc in DocDataset(source)] == ["x"]
