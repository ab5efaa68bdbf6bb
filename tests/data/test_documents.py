"""Documents of local files, in order and by id."""

import gzip
import json
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import DocDataset, DocSample, Documents, open_documents
from lir_data.errors import (
    ArgumentError,
    EmptySourceError,
    MalformedLineError,
    SourceNotFoundError,
    UnknownIdError,
    UnreadableSourceError,
)

JSONL = pytest.mark.parametrize("name", ["docs.jsonl", "docs.jsonl.gz"])


def text_of_d4(documents: Documents) -> str:
    return documents.get_many(["d4"])["d4"]


@JSONL
def test_a_title_comes_before_the_text(collection: Path, name: str) -> None:
    assert list(DocDataset(str(collection / name))) == [
        DocSample("d1", "Berlin the capital of Germany"),
        DocSample("d2", "a river"),
        DocSample("d 3", "ein Straßenfest"),
        DocSample("d4", "paris"),
    ]


def test_a_line_of_tsv_is_id_and_text(collection: Path) -> None:
    assert list(DocDataset(str(collection / "docs.tsv")))[:2] == [
        DocSample("d1", "the capital"),
        DocSample("d2", "a river"),
    ]


@pytest.mark.parametrize("keys", [("_id", "text"), ("id", "contents")])
def test_the_keys_of_other_tools_are_known(tmp_path: Path, keys: tuple[str, str]) -> None:
    (tmp_path / "docs.jsonl").write_text(json.dumps({keys[0]: 7, keys[1]: "a text"}))
    assert list(DocDataset(str(tmp_path / "docs.jsonl"))) == [DocSample("7", "a text")]


@pytest.mark.parametrize("name", ["docs.jsonl", "docs.tsv"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_byte_order_mark_and_other_line_ends_are_no_part_of_the_text(tmp_path: Path, name: str, end: str) -> None:
    lines = ['{"id": "1", "text": "a"}', '{"id": "2", "text": "b"}'] if name.endswith("jsonl") else ["1\ta", "2\tb"]
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + end.join(lines).encode())
    documents = open_documents(str(tmp_path / name))
    assert list(documents) == [DocSample("1", "a"), DocSample("2", "b")]
    assert documents.get_many(["1", "2"]) == {"1": "a", "2": "b"}


def test_fields_can_be_chosen(collection: Path) -> None:
    dataset = DocDataset(str(collection / "docs.jsonl"), num_docs=1, text_fields=["text", "title"])
    assert list(dataset) == [DocSample("d1", "the capital of Germany Berlin")]


def test_a_field_that_is_not_there_is_named(collection: Path) -> None:
    with pytest.raises(MalformedLineError, match=r"line 1: there is no field 'body' among the keys 'doc_id', 'title'"):
        DocDataset(str(collection / "docs.jsonl"), text_fields=["body"])


def test_tsv_has_no_fields(collection: Path) -> None:
    with pytest.raises(ArgumentError, match="no fields to choose"):
        DocDataset(str(collection / "docs.tsv"), text_fields=["text"])


def test_so_many_documents_are_read(collection: Path) -> None:
    dataset = DocDataset(str(collection / "docs.jsonl"), num_docs=2)
    assert ([doc.doc_id for doc in dataset], len(dataset)) == (["d1", "d2"], 2)


def test_minus_one_means_all_as_in_the_paper(collection: Path) -> None:
    assert len(DocDataset(str(collection / "docs.jsonl"), num_docs=-1)) == 4


def test_the_name_is_short_and_the_source_reopens(
    collection: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(collection)
    dataset = DocDataset("docs.jsonl.gz")
    monkeypatch.chdir("/")
    assert dataset.name == "docs"
    assert list(DocDataset(dataset.source)) == list(dataset)


def test_a_shard_is_read_and_measured_alone(collection: Path) -> None:
    shard = DocDataset(str(collection / "docs.jsonl")).shard(2, 1).skip(1)
    assert ([doc.doc_id for doc in shard], len(shard)) == (["d4"], 1)


@pytest.mark.parametrize("name", ["docs.jsonl", "docs.jsonl.gz", "docs.tsv"])
def test_documents_are_found_by_id_in_the_order_asked_for(collection: Path, name: str) -> None:
    found = open_documents(str(collection / name)).get_many(["d4", "d2", "d4"])
    assert list(found.items()) == [("d4", "paris"), ("d2", "a river")]


@given(st.dictionaries(st.text(min_size=1), st.tuples(st.text(), st.text()), min_size=1), st.booleans())
def test_a_document_is_the_same_by_id_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, docs: dict[str, tuple[str, str]], packed: bool
) -> None:
    path = tmp_path_factory.mktemp("docs") / ("docs.jsonl.gz" if packed else "docs.jsonl")
    lines = [json.dumps({"id": doc_id, "title": title, "text": text}) for doc_id, (title, text) in docs.items()]
    content = "\n".join(lines).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    documents = open_documents(str(path))
    assert documents.get_many(docs) == {doc.doc_id: doc.doc for doc in documents}


@JSONL
def test_documents_can_be_sent_to_another_process(collection: Path, name: str) -> None:
    documents = open_documents(str(collection / name))
    documents.get_many(["d1"])
    assert pickle.loads(pickle.dumps(documents)).get_many(["d 3"]) == {"d 3": "ein Straßenfest"}


@JSONL
def test_a_spawned_process_finds_documents(collection: Path, name: str) -> None:
    documents = open_documents(str(collection / name))
    documents.get_many(["d1"])
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        # A bound method: pytest gives its own names to test modules, and another process knows none of them.
        assert pool.submit(documents.get_many, ["d4"]).result() == {"d4": "paris"}


@JSONL
def test_threads_find_documents_at_once(collection: Path, name: str) -> None:
    documents = open_documents(str(collection / name))
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(text_of_d4, [documents] * 200)) == {"paris"}


@JSONL
def test_what_is_missing_is_told_apart(collection: Path, name: str) -> None:
    assert open_documents(str(collection / name)).missing(["x", "d1", "y", "x"]) == ["x", "y"]


@pytest.mark.parametrize(
    ("doc_ids", "message"),
    [
        (["d9"], r"There is no document 'd9' in '.*docs\.tsv'\."),
        (["d9", "d1", "d8"], r"There is no document 'd9', nor 'd8', in '.*docs\.tsv'\."),
        (["a", "b", "c", "d", "e"], r"There is no document 'a', nor 'b', 'c' and 2 more, in '.*docs\.tsv'\."),
    ],
)
def test_unknown_documents_are_named(collection: Path, doc_ids: list[str], message: str) -> None:
    with pytest.raises(UnknownIdError, match=message):
        open_documents(str(collection / "docs.tsv")).get_many(doc_ids)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(SourceNotFoundError, match=r"There is no file 'nowhere\.tsv'\."):
        DocDataset("nowhere.tsv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(
        SourceNotFoundError,
        match=r"is a folder, but no BEIR folder: there is neither a corpus\.jsonl nor a queries\.jsonl",
    ):
        DocDataset(str(tmp_path))


@pytest.mark.parametrize("name", ["docs.jsonl", "docs.tsv"])
def test_a_file_without_documents_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("\n")
    with pytest.raises(EmptySourceError, match=f"{name}' holds no documents"):
        DocDataset(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("docs.jsonl", '{"doc_id": "1", "text": "a"}\n{"doc_id"\n', r"docs\.jsonl, line 2: this is not JSON"),
        ("docs.jsonl", "[1]\n", r"line 1: this is JSON, but no object with keys and values: \[1\]"),
        ("docs.jsonl", '{"doc_id": "1"}\n', "line 1: there is no 'text', 'contents', .* among the keys 'doc_id'"),
        ("docs.jsonl", '{"text": "a"}\n', "line 1: there is no 'doc_id', 'docno', .* or 'id' among the keys 'text'"),
        ("docs.jsonl", '{"id": "", "text": "a"}\n', "line 1: the id is empty"),
        ("docs.jsonl", '{"id": 1.5, "text": "a"}\n', "line 1: the id is 1.5; it must be a text or a whole number"),
        ("docs.jsonl", '{"id": "1", "text": ["a"]}\n', r'line 1: the text is \["a"\]; it must be a text'),
        ("docs.tsv", "d1\ttext\n\nd2 text\n", "line 3: there is no tab. A line is an id, a tab and a text"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MalformedLineError, match=message):
        list(DocDataset(str(tmp_path / name)))


def test_a_file_of_another_format_shows_at_once(tmp_path: Path) -> None:
    (tmp_path / "docs.tsv").write_bytes(b"PAR1\xff\xfe")
    with pytest.raises(MalformedLineError, match="line 1: this is not UTF-8"):
        DocDataset(str(tmp_path / "docs.tsv"))


def test_a_document_that_occurs_twice_is_named(tmp_path: Path) -> None:
    (tmp_path / "docs.tsv").write_text("d1\ta\nd1\tb\n")
    with pytest.raises(MalformedLineError, match="line 2: the document 'd1' occurs twice"):
        open_documents(str(tmp_path / "docs.tsv")).get_many(["d1"])


@pytest.mark.parametrize("look_up", [list, lambda documents: documents.get_many(["d1"])])
def test_a_damaged_gzip_is_named(collection: Path, look_up) -> None:
    path = collection / "docs.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(UnreadableSourceError, match=r"docs\.jsonl\.gz' is no gzip file, or a damaged one"):
        look_up(open_documents(str(path)))


def test_a_number_of_documents_below_one_is_refused(collection: Path) -> None:
    with pytest.raises(ArgumentError, match="DocDataset: num_docs is 0; it must be at least 1, or None for all"):
        DocDataset(str(collection / "docs.tsv"), num_docs=0)


def test_a_message_names_a_file_as_seen_from_the_working_folder(
    collection: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(collection)
    with pytest.raises(UnknownIdError, match=r"^There is no document 'x' in 'docs\.tsv'\.$"):
        open_documents("docs.tsv").get_many(["x"])
