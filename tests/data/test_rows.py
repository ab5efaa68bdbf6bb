"""The rows of any table: JSON lines, plain and packed, parquet, datasets of Hugging Face."""

import builtins
import gzip
import json
import pickle
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_data import DocDataset, DocSample, QueryDataset, QuerySample, open_documents, open_queries
from lir_data.errors import (
    ArgumentError,
    EmptySourceError,
    MalformedLineError,
    MissingPartError,
    SourceNotFoundError,
    UnknownIdError,
    UnreadableSourceError,
)
from lir_data.sources.hugging_face import HuggingFaceName
from lir_data.sources.local_files import LocalFile
from lir_data.sources.names import full_name, short_name
from lir_data.sources.rows import find_table, rows
from lir_data.writing import write_lines

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DOCS = [{"doc_id": f"d{number}", "title": None, "text": f"text {number}\n"} for number in range(3)]
PACK = {".gz": gzip.compress, ".zst": zstd.compress}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset of Hugging Face with two splits of JSON lines."""
    pytest.importorskip("datasets", reason="datasets is an extra")
    (tmp_path / "hub").mkdir()
    for split, docs in (("train", DOCS), ("test", DOCS[:1])):
        (tmp_path / "hub" / f"{split}.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in docs))
    return tmp_path / "hub"


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_json_lines_are_rows_with_their_lines(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"docs.jsonl{suffix}"
    path.write_bytes(PACK.get(suffix, bytes)(b'{"a": 1}\n\n{"b": [2]}\n'))
    assert list(rows(find_table(str(path), "docs"))) == [(f"{path}, line 1", {"a": 1}), (f"{path}, line 3", {"b": [2]})]


def test_parquet_is_rows_with_their_numbers(tmp_path: Path, write_parquet, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "docs.parquet", DOCS, row_group_size=2)
    monkeypatch.chdir(tmp_path)
    assert list(rows(find_table("docs.parquet", "docs"))) == [
        (f"docs.parquet, row {number}", doc) for number, doc in enumerate(DOCS, start=1)
    ]


def test_a_dataset_of_hugging_face_is_rows_with_their_numbers(folder: Path) -> None:
    source = f"hf:{folder}?split=train"
    assert list(rows(find_table(source, "docs"))) == [
        (f"{source}, row {number}", doc) for number, doc in enumerate(DOCS, start=1)
    ]


@settings(deadline=None)  # the first import of pyarrow takes seconds
@given(
    st.lists(
        st.fixed_dictionaries({"doc_id": st.text(min_size=1), "title": st.none() | st.text(), "text": st.text()}),
        min_size=1,
        unique_by=lambda doc: doc["doc_id"],
    )
)
def test_the_same_documents_come_from_every_format(
    tmp_path_factory: pytest.TempPathFactory, write_parquet, docs: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("docs")
    lines = "".join(json.dumps(doc) + "\n" for doc in docs).encode()
    (folder / "docs.jsonl").write_bytes(lines)
    for suffix, pack in PACK.items():
        (folder / f"docs.jsonl{suffix}").write_bytes(pack(lines))
    write_parquet(folder / "docs.parquet", docs, row_group_size=2)
    plain, *others = (
        open_documents(str(folder / name)) for name in ("docs.jsonl", "docs.jsonl.gz", "docs.jsonl.zst", "docs.parquet")
    )
    expected = {doc.doc_id: doc.doc for doc in plain}
    for documents in (plain, *others):
        assert (list(documents), len(documents)) == (list(plain), len(docs))
        assert documents.get_many(expected) == expected
        assert documents.missing([*expected, "a" * 100]) == ["a" * 100]


def test_documents_of_hugging_face_are_found_by_id(folder: Path) -> None:
    documents = open_documents(f"hf:{folder}?split=train")
    assert (list(documents)[1], len(documents)) == (DocSample("d1", "text 1\n"), 3)
    assert documents.get_many(["d2", "d0"]) == {"d2": "text 2\n", "d0": "text 0\n"}
    assert documents.missing(["d0", "x"]) == ["x"]


def test_a_document_of_hugging_face_that_occurs_twice_is_named(folder: Path) -> None:
    (folder / "test.jsonl").write_text('{"doc_id": "d", "text": "a"}\n{"doc_id": "d", "text": "b"}\n')
    documents = open_documents(f"hf:{folder}?split=test")
    with pytest.raises(MalformedLineError, match=r"split=test, row 2: the document 'd' occurs twice"):
        documents.get_many(["d"])


def test_documents_of_hugging_face_can_be_sent_to_another_process(folder: Path) -> None:
    documents = open_documents(f"hf:{folder}?split=train")
    documents.get_many(["d1"])
    assert pickle.loads(pickle.dumps(documents)).get_many(["d2"]) == {"d2": "text 2\n"}


@pytest.mark.parametrize("name", ["docs.jsonl.zst", "docs.parquet"])
def test_documents_of_a_copy_can_be_sent_to_another_process(tmp_path: Path, write_parquet, name: str) -> None:
    if name.endswith("parquet"):
        write_parquet(tmp_path / name, DOCS)
    else:
        write_lines(tmp_path / name, map(json.dumps, DOCS), overwrite=False)
    documents = open_documents(str(tmp_path / name))
    documents.get_many(["d1"])
    assert pickle.loads(pickle.dumps(documents)).get_many(["d2"]) == {"d2": "text 2\n"}
    with pytest.raises(UnknownIdError, match=rf"There is no document 'x' in '.*{name}'"):
        documents.get_many(["x"])


@pytest.mark.parametrize("name", ["docs.jsonl.zst", "docs.parquet"])
def test_a_document_that_occurs_twice_is_named_by_its_place(tmp_path: Path, write_parquet, name: str) -> None:
    if name.endswith("parquet"):
        write_parquet(tmp_path / name, DOCS[:1] * 2)
    else:
        write_lines(tmp_path / name, map(json.dumps, DOCS[:1] * 2), overwrite=False)
    with pytest.raises(MalformedLineError, match=rf"{name}, (row|line) 2: the document 'd0' occurs twice"):
        open_documents(str(tmp_path / name)).get_many(["d0"])


def test_fields_of_a_table_can_be_chosen(tmp_path: Path, write_parquet) -> None:
    write_parquet(tmp_path / "docs.parquet", [{"doc_id": "d", "body": "b", "head": "h"}])
    dataset = DocDataset(str(tmp_path / "docs.parquet"), text_fields=["head", "body"])
    assert list(dataset) == [DocSample("d", "h b")]
    assert dataset.documents.get_many(["d"]) == {"d": "h b"}


def test_a_dataset_in_the_layout_of_mteb_is_a_collection(tmp_path: Path) -> None:
    pytest.importorskip("datasets", reason="datasets is an extra")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n"
        "- {config_name: corpus, data_files: [{split: corpus, path: corpus.jsonl}]}\n"
        "- {config_name: queries, data_files: [{split: queries, path: queries.jsonl}]}\n"
        "- {config_name: default, data_files: [{split: train, path: qrels/train.jsonl}, {split: test, path: qrels/test.jsonl}]}\n"
        "---\n"
    )
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "title": "A", "text": "b"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "c"}\n')
    (tmp_path / "qrels").mkdir()
    for split, score in (("train", 0.0), ("test", 1.0)):
        row = json.dumps({"query-id": "q", "corpus-id": "d", "score": score})
        (tmp_path / "qrels" / f"{split}.jsonl").write_text(f"{row}\n")
    source = f"hf:{tmp_path}"
    assert list(DocDataset(f"{source}?config=corpus&split=corpus")) == [DocSample("d", "A b")]
    queries = QueryDataset(f"{source}?config=queries", qrels=f"{source}?split=test")
    assert (list(queries), queries.qrels) == ([QuerySample("q", "c")], {"q": {"d": 1}})


def test_queries_are_read_of_parquet(tmp_path: Path, write_parquet) -> None:
    write_parquet(tmp_path / "queries.parquet", [{"_id": 7, "text": "seven"}])
    assert open_queries(str(tmp_path / "queries.parquet")) == {"7": "seven"}


def test_a_query_that_occurs_twice_is_named_by_its_row(tmp_path: Path, write_parquet) -> None:
    write_parquet(tmp_path / "queries.parquet", [{"_id": "q", "text": "a"}] * 2)
    with pytest.raises(MalformedLineError, match=r"queries\.parquet, row 2: the query 'q' occurs twice"):
        open_queries(str(tmp_path / "queries.parquet"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"doc_id": "d", "lead": "x"}, "row 1: there is no 'text', 'contents', .* among the keys 'doc_id', 'lead'"),
        ({"doc_id": 0.5, "text": "x"}, r"row 1: the doc_id is 0\.5; it must be a text or a whole number"),
        ({"doc_id": "d", "text": None}, r"row 1: the text is null; it must be a text"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, write_parquet, row: dict, message: str) -> None:
    write_parquet(tmp_path / "docs.parquet", [row])
    with pytest.raises(MalformedLineError, match=rf"docs\.parquet, {message}"):
        open_documents(str(tmp_path / "docs.parquet"))


def test_a_parquet_file_without_rows_is_named(tmp_path: Path, write_parquet) -> None:
    write_parquet(tmp_path / "docs.parquet", [])
    with pytest.raises(EmptySourceError, match=r"docs\.parquet' holds no documents"):
        open_documents(str(tmp_path / "docs.parquet"))


def test_what_is_no_parquet_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    (tmp_path / "docs.parquet").write_text("d1\ttext\n")
    with pytest.raises(UnreadableSourceError, match=r"docs\.parquet' is no parquet file, or a damaged one: "):
        open_documents(str(tmp_path / "docs.parquet"))


def test_parquet_is_not_packed_again(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    (tmp_path / "docs.parquet.gz").write_bytes(b"")
    with pytest.raises(UnreadableSourceError, match=r"docs\.parquet\.gz' is packed twice: parquet packs by itself"):
        open_documents(str(tmp_path / "docs.parquet.gz"))


@pytest.mark.parametrize(
    ("content", "reason"), [(b"d1\ttext\n", "no Zstandard"), (zstd.compress(b"d1\ttext\n")[:-3], "a damaged one")]
)
def test_a_damaged_zst_is_a_sentence(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "docs.tsv.zst").write_bytes(content)
    with pytest.raises(
        UnreadableSourceError, match=r"docs\.tsv\.zst' is no Zstandard file, or a damaged one: "
    ) as error:
        list(DocDataset(str(tmp_path / "docs.tsv.zst")))
    assert reason in str(error.value)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1)))
def test_packed_lines_are_written_the_same_each_time_and_read_back(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    for suffix in ("", ".gz", ".zst"):
        for name in ("a", "b"):
            write_lines(folder / f"{name}{suffix}", lines, overwrite=False)
        assert (folder / f"a{suffix}").read_bytes() == (folder / f"b{suffix}").read_bytes()
    plain = (folder / "a").read_bytes()
    assert zstd.decompress((folder / "a.zst").read_bytes()) == plain
    assert gzip.decompress((folder / "a.gz").read_bytes()) == plain


@pytest.mark.parametrize(
    ("source", "parsed"),
    [
        ("hf:mteb/scifact", HuggingFaceName("mteb/scifact")),
        ("hf:mteb/scifact?config=corpus&split=test", HuggingFaceName("mteb/scifact", "corpus", "test")),
        ("hf:/data/set?split=a+b", HuggingFaceName("/data/set", split="a b")),
    ],
)
def test_a_name_of_hugging_face_is_read_and_shown(source: str, parsed: HuggingFaceName) -> None:
    assert HuggingFaceName.parse(source) == parsed
    assert str(parsed) == source


def test_a_folder_of_hugging_face_is_opened_from_anywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    source = full_name("hf:./hub?split=test")
    assert (source, short_name(source)) == (f"hf:{folder}?split=test", "hub")
    assert full_name("hf:hub?split=test") == source


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("hf:", "'hf:' names no dataset; write hf:NAME"),
        (
            "hf:x?splt=test",
            r"there is no option 'splt'; there are config and split, and fields: .*\. Did you mean 'split'",
        ),
        ("hf:x?split=", "the split is empty"),
        ("hf:x?&", "after the question mark come config=NAME and split=NAME"),
    ],
)
def test_a_name_of_hugging_face_that_means_nothing_is_a_sentence(source: str, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        open_documents(source)


def test_a_split_has_to_be_chosen_of_several(folder: Path) -> None:
    with pytest.raises(ArgumentError, match=r"has the splits 'train', 'test'; choose one by split=NAME"):
        open_documents(f"hf:{folder}")


def test_an_unknown_split_names_the_nearest(folder: Path) -> None:
    with pytest.raises(MissingPartError, match=r"has no split 'tst'; it has 'train', 'test'\. Did you mean 'test'\?"):
        open_documents(f"hf:{folder}?split=tst")


def test_a_folder_of_hugging_face_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"there is no folder '/nowhere'"):
        open_documents("hf:/nowhere")


def test_what_datasets_cannot_read_is_a_sentence(folder: Path) -> None:
    with pytest.raises(
        UnreadableSourceError, match=r"datasets could not read 'hf:.*config=x&split=train': ValueError: .*'x' not found"
    ):
        open_documents(f"hf:{folder}?config=x&split=train")


@pytest.mark.parametrize(
    ("library", "source", "advice"),
    [
        ("pyarrow", "docs.parquet", r"docs\.parquet' needs pyarrow: pip install lir-data\[parquet\]"),
        ("datasets", "hf:x/y", r"'hf:x/y' needs datasets: pip install lir-data\[hugging-face\]"),
    ],
)
def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, source: str, advice: str
) -> None:
    (tmp_path / "docs.parquet").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    original = builtins.__import__

    def without(name: str, *rest, **options):
        if name.partition(".")[0] == library:
            raise ModuleNotFoundError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnreadableSourceError, match=advice):
        open_documents(source)


@pytest.mark.parametrize("name", ["docs.tsv", "docs.jsonl.gz", "docs.jsonl.zst", "docs.parquet"])
def test_ten_times_as_many_documents_need_no_more_memory(tmp_path: Path, write_parquet, name: str) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}-{name}"
        docs = [{"doc_id": str(number), "text": f"{number} " * 50} for number in range(count)]
        if name.endswith("parquet"):
            write_parquet(path, docs, row_group_size=500)
        elif name.endswith("tsv"):
            write_lines(path, (f"{doc['doc_id']}\t{doc['text']}" for doc in docs), overwrite=False)
        else:
            write_lines(path, map(json.dumps, docs), overwrite=False)
        dataset = DocDataset(str(path))
        del docs
        tracemalloc.start()
        try:
            assert sum(1 for _ in dataset) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(20_000) < 1.5 * peak(2_000) + 100_000


def test_a_table_is_a_file_or_a_dataset_of_hugging_face(tmp_path: Path) -> None:
    (tmp_path / "docs.tsv").write_text("d\tx\n")
    assert find_table(str(tmp_path / "docs.tsv"), "docs") == LocalFile(tmp_path / "docs.tsv", "docs", "lines")
    assert find_table("hf:a/b", "docs") == HuggingFaceName("a/b")
