"""Files as other tools write them: headers, csv, arrays of JSON, topics, packings, fields of other names."""

import bz2
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from lir_data import (
    DocDataset,
    DocSample,
    QueryDataset,
    TupleDataset,
    open_documents,
    open_queries,
    read_qrels,
    read_run,
    read_run_metadata,
    write_run,
)
from lir_data.errors import ArgumentError, LirDataError, MalformedLineError, UnreadableSourceError

Write = Callable[..., str]

DOCS = [DocSample("d1", "a river"), DocSample("d2", "a town")]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """What writes a file into the working folder, and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, content: str | bytes) -> str:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        return name

    return write


def read_all(source: str) -> list[DocSample]:
    """The documents, once it is certain that they are the same by id."""
    dataset = DocDataset(source)
    docs = list(dataset)
    assert len(dataset) == len(docs)
    assert dataset.documents.get_many(doc.doc_id for doc in docs) == {doc.doc_id: doc.doc for doc in docs}
    return docs


@pytest.mark.parametrize("blank", ["", " ", "\t", " \t \r", "\u00a0"])
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("docs.tsv", ["d1\ta river", "d2\ta town"]),
        ("docs.jsonl", ['{"id": "d1", "text": "a river"}', '{"id": "d2", "text": "a town"}']),
        ("docs.csv", ["id,text", "d1,a river", "d2,a town"]),
    ],
)
def test_a_line_of_white_space_is_left_out(write: Write, name: str, lines: list[str], blank: str) -> None:
    assert read_all(write(name, f"\n{blank}\n".join(lines) + f"\n{blank}\n")) == DOCS


def test_a_blank_line_is_left_out_of_every_kind_of_file(write: Write) -> None:
    assert open_queries(write("q.tsv", "q\ta\n  \nr\tb\n")) == {"q": "a", "r": "b"}
    assert read_qrels(write("q.qrels", "q 0 d 1\n \t\nq 0 e 0\n")) == {"q": {"d": 1, "e": 0}}
    assert read_run(write("r.trec", "q Q0 d 1 2 x\n   \nq Q0 e 2 1 x\n")) == {"q": {"d": 2.0, "e": 1.0}}
    assert len(list(TupleDataset(write("t.tsv", "a\tb\n \t \na\tc\n")))) == 2


@pytest.mark.parametrize(("text", "relevance"), [("1.0", 1), ("2.", 2), ("-1.0", -1), ("3", 3)])
def test_a_relevance_may_be_written_as_a_whole_float(write: Write, text: str, relevance: int) -> None:
    assert read_qrels(write("qrels.txt", f"q 0 d {text}\n")) == {"q": {"d": relevance}}
    assert read_qrels(write("test.tsv", f"query-id\tcorpus-id\tscore\nq\td\t{text}\n")) == {"q": {"d": relevance}}


@pytest.mark.parametrize("text", ["1.5", "nan", "inf", "9" * 5000])
def test_a_relevance_that_is_no_whole_number_is_named(write: Write, text: str) -> None:
    with pytest.raises(
        MalformedLineError, match=r"qrels\.txt, line 1: the relevance '[^']{1,45}' is not a whole number"
    ) as e:
        read_qrels(write("qrels.txt", f"q 0 d {text}\n"))
    assert len(str(e.value)) < 200


@pytest.mark.parametrize("header", ["id\ttext", "docno\ttext", "doc_id\tcontents", "pid\tpassage", "ID\tText"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_header_of_known_names_is_no_document(write: Write, header: str, mark: str) -> None:
    assert read_all(write("docs.tsv", f"{mark}{header}\nd1\ta river\nd2\ta town\n")) == DOCS


@pytest.mark.parametrize("header", ["query_id\ttext", "qid\tquery", "id\ttext", "qid\tquestion"])
def test_a_header_of_known_names_is_no_query(write: Write, header: str) -> None:
    assert open_queries(write("queries.tsv", f"{header}\nq\ta\tb\n")) == {"q": "a\tb"}


def test_columns_below_a_header_may_be_more_and_in_any_order(write: Write) -> None:
    content = "text\turl\ttitle\tdocid\na river\thttp\t\td1\ntown\thttp\ta\td2\n"
    assert read_all(write("docs.tsv", content)) == DOCS


def test_a_header_may_come_again_where_files_were_joined(write: Write) -> None:
    assert read_all(write("docs.tsv", "id\ttext\nd1\ta river\nid\ttext\nd2\ta town\n")) == DOCS


def test_a_first_line_of_other_words_is_a_document(write: Write) -> None:
    assert read_all(write("docs.tsv", "id\tthe text\n1\ttext\n")) == [
        DocSample("id", "the text"),
        DocSample("1", "text"),
    ]


def test_a_line_with_fewer_columns_than_the_header_is_named(write: Write) -> None:
    with pytest.raises(
        MalformedLineError, match=r"docs\.tsv, line 3: there is 1 column, but the header names 2: id, text"
    ):
        list(DocDataset(write("docs.tsv", "id\ttext\nd1\ta\nd2\n")))


def test_training_tuples_may_have_a_header(write: Write) -> None:
    (sample,) = TupleDataset(write("t.tsv", "query\tpositive\tnegative\na\tb\tc\n"))
    assert (sample.query, sample.docs) == ("a", ("b", "c"))


def test_judgements_and_runs_may_have_a_header(write: Write) -> None:
    assert read_qrels(write("qrels.tsv", "query_id\tdoc_id\trelevance\nq\td\t1\n")) == {"q": {"d": 1}}
    assert read_run(write("run.tsv", "qid\tdocno\trank\tscore\nq\td\t1\t0.5\n")) == {"q": {"d": 0.5}}


def test_ranks_of_ms_marco_decide_the_order(write: Write) -> None:
    run = read_run(write("run.tsv", "q\tb\t2\nq\ta\t1\nr\tc\t1\n"))
    assert [(query, list(scores)) for query, scores in run.items()] == [("q", ["a", "b"]), ("r", ["c"])]
    assert read_run(write("run.jsonl", '{"qid": "q", "pid": "a", "rank": 3}\n')) == {"q": {"a": -3.0}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q a 1\nq b 1\n", "line 2: the rank 1 occurs twice for the query 'q'"),
        ("q a 1\nq b\n", "line 2: there are 2 columns, but there are 3 in the first line"),
        ("q a one\n", "line 1: the rank 'one' is not a whole number"),
        ("q a 1\nq a 2\n", "line 2: the document 'a' occurs twice"),
    ],
)
def test_three_columns_that_are_no_ranks_are_named(write: Write, text: str, message: str) -> None:
    with pytest.raises(MalformedLineError, match=message):
        read_run(write("run.tsv", text))


def test_csv_is_read_with_quotes_and_line_ends_in_them(write: Write) -> None:
    content = 'docno,title,text\r\nd1,,"a river"\r\nd2,"a ""big""","town,\r\nby the sea"\r\n'
    assert read_all(write("docs.csv", content)) == [DOCS[0], DocSample("d2", 'a "big" town,\r\nby the sea')]


def test_csv_may_have_semicolons(write: Write) -> None:
    assert read_all(write("docs.csv", "\n\nid;text\nd1;a river\nd2;a town\n")) == DOCS
    assert read_all(write("docs.csv", "\ufeffid;text\nd1;a river\nd2;a town\n")) == DOCS


def test_queries_judgements_runs_and_tuples_may_be_csv(write: Write) -> None:
    assert open_queries(write("q.csv", "qid,query\nq,a\n")) == {"q": "a"}
    assert read_qrels(write("j.csv", "qid,docno,label\nq,d,1\nq,e,0.0\n")) == {"q": {"d": 1, "e": 0}}
    assert read_run(write("r.csv", "qid,docno,rank,score\nq,d,1,0.5\n")) == {"q": {"d": 0.5}}
    (sample,) = TupleDataset(write("t.csv", "anchor,positive\na,b\n"))
    assert sample.docs == ("b",)


def test_a_long_field_of_csv_is_read(write: Write) -> None:
    assert len(read_all(write("docs.csv", f"id,text\nd,{'x' * 200_000}\n"))[0].doc) == 200_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'id,text\nd1,"a\nb"\nd2\n', "line 4: there is 1 column, but the header names 2: id, text"),
        (b'id,text\nd1,a\nd2,"b\nc\n', "line 3: unexpected end of data"),
        (b"id,text\nd1,a\nd2,\xff\n", "line 3: this is not UTF-8"),
        (b"d1,a\nd2,b\n", r"line 2: there is no 'doc_id', .* among the keys 'd1', 'a'"),
    ],
)
def test_a_row_of_csv_that_cannot_be_read_is_named(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(MalformedLineError, match=rf"docs\.csv, {message}"):
        list(DocDataset(write("docs.csv", content)))


@pytest.mark.parametrize("content", ['[{"id": "d1", "text": "a river"}, {"id": "d2", "text": "a town"}]', None])
@pytest.mark.parametrize("name", ["docs.json", "docs.jsonl", "docs.json.xz"])
def test_an_array_of_json_is_read(write: Write, content: str | None, name: str) -> None:
    if content is None:
        content = "\ufeff\n " + json.dumps([{"id": doc.doc_id, "text": doc.doc} for doc in DOCS], indent=2)
    data = content.encode()
    assert read_all(write(name, lzma.compress(data) if name.endswith("xz") else data)) == DOCS


def test_queries_judgements_and_runs_may_be_arrays_of_json(write: Write) -> None:
    assert open_queries(write("q.json", '[{"qid": 1, "query": "a"}]')) == {"1": "a"}
    assert read_qrels(write("j.json", '[{"qid": 1, "docno": "d", "label": 1}]')) == {"1": {"d": 1}}
    assert read_run(write("r.json", '[{"qid": 1, "docno": "d", "score": 1}]')) == {"1": {"d": 1.0}}


def test_lines_of_arrays_are_still_tuples_of_colbert(write: Write) -> None:
    assert [
        item.docs
        for item in TupleDataset(
            write("t.json", '["q", "a"]\n["q", "b"]\n'), docs={"a": "A", "b": "B"}, queries={"q": "Q"}
        )
    ] == [("A",), ("B",)]


TOPICS = """
<top>
<num> Number: 301
<title> International Organized &amp; Crime

<desc> Description:
Identify organizations.
</top>
<top>
<num> Number: 302 </num>
<title> Topic: Polio
and so on </title>
</top>
"""


@pytest.mark.parametrize("name", ["topics.trec", "topics.txt", "topics.xml", "topics.trec.bz2"])
def test_topics_of_trec_are_queries(write: Write, name: str) -> None:
    data = TOPICS.encode()
    dataset = QueryDataset(write(name, bz2.compress(data) if name.endswith("bz2") else data))
    assert {item.query_id: item.query for item in dataset} == {
        "301": "International Organized & Crime",
        "302": "Polio and so on",
    }


def test_another_field_of_a_topic_can_be_named(write: Write) -> None:
    content = TOPICS.partition("</top>")[0] + "</top>"
    assert open_queries(write("t.trec", content) + "?text=title+desc") == {
        "301": "International Organized & Crime Identify organizations."
    }


def test_topics_of_xml_are_queries(write: Write) -> None:
    content = '<topics task="x">\n<topic number="1">\n<query>coronavirus</query>\n<question>what?</question>\n</topic>\n</topics>'
    assert open_queries(write("topics.xml", content)) == {"1": "coronavirus"}
    assert open_queries("topics.xml?text=question") == {"1": "what?"}


@pytest.mark.parametrize("suffix", [".bz2", ".xz"])
def test_more_packings_are_read_and_written(write: Write, suffix: str) -> None:
    pack = {".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    assert read_all(write(f"docs.tsv{suffix}", pack(b"d1\ta river\nd2\ta town\n"))) == DOCS
    write_run(f"run.trec{suffix}", {"q": {"d": 0.5}})
    assert read_run(f"run.trec{suffix}") == {"q": {"d": 0.5}}


@pytest.mark.parametrize(("suffix", "kind"), [(".bz2", "bzip2"), (".xz", "xz")])
@pytest.mark.parametrize("content", ["whole", "torn"])
def test_what_is_not_packed_as_its_name_says_is_a_sentence(write: Write, suffix: str, kind: str, content: str) -> None:
    pack = {".bz2": bz2.compress, ".xz": lzma.compress}[suffix]
    data = pack(b"d1\ta river\n" * 99)[:-9] if content == "torn" else b"d1\ta river\n"
    with pytest.raises(UnreadableSourceError, match=rf"docs\.tsv\{suffix}' is no {kind} file, or a damaged one"):
        list(DocDataset(write(f"docs.tsv{suffix}", data)))


@pytest.mark.parametrize(
    "keys",
    [("docno", "text"), ("docid", "body"), ("pid", "passage"), ("_id", "contents"), ("id", "text"), ("doc_id", "body")],
)
def test_fields_of_other_tools_are_known_in_documents(write: Write, keys: tuple[str, str]) -> None:
    assert read_all(write("docs.jsonl", json.dumps({keys[0]: "d1", keys[1]: "a river"}))) == DOCS[:1]


@pytest.mark.parametrize("keys", [("qid", "query"), ("query_id", "question"), ("_id", "text"), ("id", "question")])
def test_fields_of_other_tools_are_known_in_queries(write: Write, keys: tuple[str, str]) -> None:
    assert open_queries(write("queries.jsonl", json.dumps({keys[0]: 1, keys[1]: "a"}))) == {"1": "a"}


ROW = {"key": "d1", "headline": "a", "lead": "river", "nothing": None, "text": "no", "a b": "x"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ("id=key&text=lead", "river"),
        ("id=key&text=headline+lead", "a river"),
        ("id=key&text=headline&text=lead", "a river"),
        ("id=key&text=nothing+lead", "river"),
        ("id=key&text=a%20b", "x"),
        ("id=key", "no"),
    ],
)
@pytest.mark.parametrize("name", ["docs.jsonl", "docs.json", "docs.csv"])
def test_a_field_of_any_name_can_be_named(write: Write, name: str, fields: str, text: str) -> None:
    if name.endswith("csv"):
        content = ",".join(ROW) + "\n" + ",".join(value or "" for value in ROW.values()) + "\n"
    else:
        content = json.dumps([ROW] if name.endswith("json") else ROW)
    assert read_all(f"{write(name, content)}?{fields}") == [DocSample("d1", text)]


def test_the_named_fields_stay_with_the_source(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = DocDataset(write("docs.jsonl", json.dumps(ROW)) + "?id=key&text=headline+a%20b")
    monkeypatch.chdir("/")
    assert dataset.name == "docs"
    assert dataset.source.endswith("docs.jsonl?id=key&text=headline+a%20b")
    assert list(DocDataset(dataset.source)) == list(dataset) == [DocSample("d1", "a x")]


def test_fields_of_a_tsv_with_a_header_can_be_named(write: Write) -> None:
    assert read_all(write("docs.tsv", "key\tlead\nd1\ta river\n") + "?id=key&text=lead") == DOCS[:1]


def test_fields_of_runs_and_judgements_can_be_named(write: Write) -> None:
    write("all.csv", "topic,paper,grade,points\nq,d,2,0.5\n")
    assert read_qrels("all.csv?query_id=topic&doc_id=paper&relevance=grade") == {"q": {"d": 2}}
    assert read_run("all.csv?query_id=topic&doc_id=paper&score=points") == {"q": {"d": 0.5}}
    assert read_run("all.csv?query_id=topic&doc_id=paper&rank=grade") == {"q": {"d": -2.0}}


def test_a_file_with_a_question_mark_in_its_name_is_that_file(write: Write) -> None:
    assert read_all(write("docs?id=x.tsv", "d1\ta river\n")) == DOCS[:1]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("id=docno", r"docs\.jsonl, line 1: there is no 'docno' among the keys 'key', 'headline'"),
        ("id=key&text=body", "line 1: there is no field 'body' among the keys 'key', 'headline'"),
        ("idd=key", "there is no field 'idd' to name; there are id, text, .*Did you mean 'id'"),
        ("relevance=key", "there is no field 'relevance' to name; there are id, text"),
        ("id=a+b", "2 fields are named for the id; it has one"),
        ("text=", "a name of the field for the text is empty"),
    ],
)
def test_a_field_that_cannot_be_is_a_sentence(write: Write, fields: str, message: str) -> None:
    with pytest.raises(LirDataError, match=message):
        DocDataset(write("docs.jsonl", json.dumps(ROW)) + f"?{fields}")


def test_lines_without_a_header_have_no_fields_to_name(write: Write) -> None:
    with pytest.raises(ArgumentError, match=r"'docs\.tsv' has no fields to name by '\?id=key'"):
        DocDataset(write("docs.tsv", "d1\ta\n") + "?id=key")


@pytest.mark.parametrize("form", ["array", "lines"])
@pytest.mark.parametrize(
    ("value", "message"), [("[" * 100_000, "brackets in brackets"), ("9" * 5_000, "a number that cannot be read")]
)
def test_json_beyond_what_can_be_read_is_named_with_its_line(write: Write, form: str, value: str, message: str) -> None:
    row = f'{{"id": "d", "query_id": "q", "doc_id": "d", "relevance": 1, "score": 1, "text": "a", "more": {value}}}'
    content = f"[{row}]" if form == "array" else f'{{"id": "c", "text": "a"}}\n{row}\n'
    with pytest.raises(MalformedLineError, match=rf"docs\.jsonl, line {1 if form == 'array' else 2}: .*{message}"):
        list(DocDataset(write("docs.jsonl", content)))
    for read in (open_queries, read_qrels, read_run, TupleDataset):
        with pytest.raises(MalformedLineError, match=rf"x\.jsonl, line 1: .*{message}"):
            read(write("x.jsonl", row))


BLOCK = "# ir_metadata.start\n# tag: bm25\n#\n# platform:\n#   software: lir\n# ir_metadata.end\n"


@pytest.mark.parametrize("suffix", ["", ".bz2"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_metadata_of_a_run_is_kept_and_left_out(write: Write, suffix: str, mark: str) -> None:
    data = f"{mark}{BLOCK}q Q0 a 1 2 x\nq Q0 b 2 1 x\n".encode()
    name = write(f"run.trec{suffix}", bz2.compress(data) if suffix else data)
    assert read_run(name) == {"q": {"a": 2.0, "b": 1.0}}
    assert read_run_metadata(name) == "tag: bm25\n\nplatform:\n  software: lir\n"


def test_the_metadata_of_judgements_and_ranks_is_left_out(write: Write) -> None:
    assert read_qrels(write("qrels.txt", f"{BLOCK}q 0 a 1\n")) == {"q": {"a": 1}}
    assert read_run(write("run.tsv", f"{BLOCK}q a 1\n")) == {"q": {"a": -1.0}}
    assert read_run_metadata(write("plain.trec", "q Q0 a 1 2 x\n")) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{BLOCK}q Q0 a 1 n/a x\n", "line 7: the score 'n/a' is not a number"),
        (f"{BLOCK}q Q0 a 1 1 x\nq Q0 a 1 1 x\n", "line 8: the document 'a' occurs twice"),
        ("# ir_metadata.start\n# tag: x\n", "line 1: the comments of ir_metadata have no end"),
        ("# ir_metadata.start\nq Q0 a 1 1 x\n# ir_metadata.end\n", "line 2: the comments of ir_metadata that begin in"),
        ("# another comment\nq Q0 a 1 1 x\n", "line 1: the rank 'comment' is not a whole number|line 1: there are 3"),
    ],
)
def test_what_is_wrong_around_metadata_is_named_with_its_line(write: Write, content: str, message: str) -> None:
    with pytest.raises(MalformedLineError, match=rf"run\.trec, ({message})"):
        read_run(write("run.trec", content))


def test_half_of_a_pair_of_surrogates_is_replaced_in_a_text(write: Write) -> None:
    row = '{"id": "d", "title": "t\\ude00", "text": "a\\ud800b \\ud83d\\ude00"}'
    assert read_all(write("docs.jsonl", row)) == [DocSample("d", "t\ufffd a\ufffdb \U0001f600")]
    assert open_queries(write("q.jsonl", '{"id": "q", "query": "\\ud800"}')) == {"q": "\ufffd"}
    assert list(DocDataset(["\ud800 text"])) == [DocSample("0", "\ufffd text")]
    (sample,) = TupleDataset(write("t.jsonl", '{"anchor": "\\ud800", "positive": "\\ud800b"}'))
    assert (sample.query, sample.docs) == ("\ufffd", ("\ufffdb",))


@pytest.mark.parametrize("read", [open_documents, open_queries, read_qrels, read_run])
def test_half_of_a_pair_of_surrogates_is_refused_in_an_id(write: Write, read: Callable[[str], object]) -> None:
    keys = ("id", "doc_id", "query_id")
    row = "{" + ", ".join(f'"{key}": "x\\ud800"' for key in keys) + ', "text": "a", "relevance": 1, "score": 1}'
    with pytest.raises(MalformedLineError, match=r"x\.jsonl, line 1: the id 'x\\ud800' has half of a pair") as error:
        read(write("x.jsonl", row))
    assert str(error.value).isascii()


def test_nul_is_read_as_any_other_character(write: Write) -> None:
    assert read_all(write("docs.tsv", "d1\ta\0b\n")) == read_all(write("d.jsonl", '{"id": "d1", "text": "a\\u0000b"}'))
