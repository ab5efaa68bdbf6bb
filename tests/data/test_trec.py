"""Runs and judgements: read, and written whole or not at all."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_data import read_qrels, read_run, read_subtopic_qrels, write_qrels, write_run
from lir_data.errors import (
    ArgumentError,
    EmptySourceError,
    LirDataError,
    MalformedLineError,
    MissingPartError,
    OutputExistsError,
    SourceNotFoundError,
    UnwritableOutputError,
)
from lir_data.trec import check_run_ids, check_run_output
from lir_data.writing import write_lines

IDS = st.text(min_size=1, max_size=6).filter(lambda text: text.split() == [text] and not text.startswith("\ufeff"))
SCORES = st.floats(width=32, allow_nan=False)
RUNS = st.dictionaries(IDS, st.dictionaries(IDS, SCORES, min_size=1, max_size=5), min_size=1, max_size=4)


@settings(deadline=None)  # the first import of pyarrow takes seconds
@given(RUNS, st.sampled_from(["r.trec", "r.trec.gz", "r.trec.zst", "r.jsonl", "r.jsonl.gz", "r.parquet"]))
def test_a_run_that_is_written_reads_the_same(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]], name: str
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    path = tmp_path_factory.mktemp("runs") / name
    write_run(path, run)
    again = {query: {doc: np.float32(score) for doc, score in docs.items()} for query, docs in read_run(path).items()}
    assert again == run


@given(RUNS)
def test_a_run_is_read_best_first_with_ties_by_document_id(
    tmp_path_factory: pytest.TempPathFactory, run: dict[str, dict[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("runs") / "run.trec"
    path.write_text("".join(f"{q} Q0 {d} 1 {s} x\n" for q, docs in run.items() for d, s in docs.items()), "utf-8")
    for scores in read_run(path).values():
        assert list(scores) == sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))


def test_scores_that_differ_as_float64_alone_are_ties(tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text("q Q0 b 1 1.00000000002 x\nq Q0 a 2 1.00000000001 x\n")
    assert list(read_run(tmp_path / "run.trec")["q"]) == ["a", "b"]


def test_a_line_has_six_columns_and_ranks_begin_at_one(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", {"q": {"b": 0.25, "a": 0.5, "c": 0.1}}, tag="mine")
    assert (tmp_path / "run.trec").read_text() == "q Q0 a 1 0.5 mine\nq Q0 b 2 0.25 mine\nq Q0 c 3 0.1 mine\n"


def test_the_same_run_gives_the_same_gzip_file(tmp_path: Path) -> None:
    for name in ("a.run.gz", "b.run.gz"):
        write_run(tmp_path / name, {"q": {"a": 1.0}})
    assert (tmp_path / "a.run.gz").read_bytes() == (tmp_path / "b.run.gz").read_bytes()


def test_a_score_beyond_float32_is_infinite(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", {"q": {"a": 1e300}})
    assert read_run(tmp_path / "run.trec") == {"q": {"a": float("inf")}}


def test_folders_on_the_way_are_made(tmp_path: Path) -> None:
    write_run(tmp_path / "runs" / "mine" / "run.trec", {"q": {"a": 1.0}})
    assert (tmp_path / "runs" / "mine" / "run.trec").exists()


JUDGED = st.dictionaries(IDS, st.integers(-(2**62), 2**62), min_size=1, max_size=5)


@settings(deadline=None)
@given(
    st.dictionaries(IDS, JUDGED, min_size=1, max_size=4),
    st.sampled_from(["qrels.txt", "qrels.txt.gz", "qrels.txt.zst", "qrels.jsonl", "qrels.parquet"]),
)
def test_judgements_that_are_written_read_the_same(
    tmp_path_factory: pytest.TempPathFactory, qrels: dict[str, dict[str, int]], name: str
) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    path = tmp_path_factory.mktemp("qrels") / name
    write_qrels(path, qrels)
    assert read_qrels(path) == qrels


def test_a_row_of_json_names_its_values(tmp_path: Path) -> None:
    write_run(tmp_path / "run.jsonl", {"q": {"b c": 0.1, "ä": 0.5}}, tag="mine")
    write_qrels(tmp_path / "qrels.jsonl", {"q": {"b c": 1}})
    assert [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()] == [
        {"query_id": "q", "doc_id": "ä", "rank": 1, "score": 0.5, "tag": "mine"},
        {"query_id": "q", "doc_id": "b c", "rank": 2, "score": 0.1, "tag": "mine"},
    ]
    assert (tmp_path / "qrels.jsonl").read_text() == '{"query_id": "q", "doc_id": "b c", "relevance": 1}\n'


def test_a_run_of_parquet_has_typed_columns(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is an extra")
    write_run(tmp_path / "run.parquet", {"q": {"b": 0.25, "a": 0.5}})
    table = parquet.read_table(tmp_path / "run.parquet")
    assert {field.name: str(field.type) for field in table.schema} == {
        "query_id": "string",
        "doc_id": "string",
        "rank": "int32",
        "score": "float",
    }
    assert table.to_pylist()[1] == {"query_id": "q", "doc_id": "b", "rank": 2, "score": 0.25}


@pytest.mark.parametrize("name", ["run.jsonl.zst", "run.parquet"])
def test_the_same_run_gives_the_same_table(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    for prefix in ("a", "b"):
        write_run(tmp_path / f"{prefix}-{name}", {"q": {"a": 1.0}})
    assert (tmp_path / f"a-{name}").read_bytes() == (tmp_path / f"b-{name}").read_bytes()


def test_rows_of_other_tools_are_a_run(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text('{"query-id": 1, "corpus-id": 2, "score": 3}\n')
    assert read_run(tmp_path / "run.jsonl") == {"1": {"2": 3.0}}


def test_the_relevance_of_a_table_may_be_a_whole_float(tmp_path: Path) -> None:
    (tmp_path / "qrels.jsonl").write_text('{"query-id": "q", "corpus-id": "d", "score": 2.0}\n')
    assert read_qrels(tmp_path / "qrels.jsonl") == {"q": {"d": 2}}


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_the_header_of_beir_is_known(tmp_path: Path, suffix: str) -> None:
    lines = ["query-id\tcorpus-id\tscore", "q 1\td 1\t2", "q 1\td 2\t0"]
    write_lines(tmp_path / f"test.tsv{suffix}", lines, overwrite=False)
    assert read_qrels(tmp_path / f"test.tsv{suffix}") == {"q 1": {"d 1": 2, "d 2": 0}}


def test_a_pair_that_is_judged_more_than_once_is_as_relevant_as_its_best(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("q 1 d 0\nq 2 d 3\nq 3 d 1\n")
    assert read_qrels(tmp_path / "qrels.txt") == {"q": {"d": 3}}


def test_judgements_of_subtopics_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("q 1 d 0\nq 2 d 3\nq 2 e 1\nq 2 d 1\nr 0 d 1\n")
    assert read_subtopic_qrels(tmp_path / "qrels.txt") == {
        "q": {"1": {"d": 0}, "2": {"d": 3, "e": 1}},
        "r": {"0": {"d": 1}},
    }


def test_rows_name_subtopics(tmp_path: Path) -> None:
    (tmp_path / "qrels.jsonl").write_text('{"query_id": "q", "subtopic_id": 2, "doc_id": "d", "relevance": 1}\n')
    assert read_subtopic_qrels(tmp_path / "qrels.jsonl") == {"q": {"2": {"d": 1}}}


def test_judgements_without_subtopics_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "qrels.jsonl").write_text('{"query_id": "q", "doc_id": "d", "relevance": 1}\n')
    with pytest.raises(
        MissingPartError, match=r"qrels\.jsonl': the judgement of 'd' for the query 'q' does not say of"
    ):
        read_subtopic_qrels(tmp_path / "qrels.jsonl")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"query_id": "q", "doc_id": "d", "score": "n/a"}', r'line 2: the score "n/a" is not a number'),
        ('{"query_id": "q", "doc_id": "d", "score": true}', r"line 2: the score true is not a number"),
        ('{"query_id": "q", "doc_id": "d", "score": NaN}', "line 2: the score is NaN, which has no rank"),
        (
            '{"query_id": "q", "score": 1}',
            "line 2: there is no 'doc_id', 'docno', .* or 'pid' among the keys 'query_id', 'score'",
        ),
        ('{"query_id": "q", "doc_id": "a", "score": 1}', "line 2: the document 'a' occurs twice for the query 'q'"),
    ],
)
def test_a_row_that_is_no_line_of_a_run_is_named(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "run.jsonl").write_text(f'{{"query_id": "q", "doc_id": "a", "score": 1}}\n{row}\n')
    with pytest.raises(MalformedLineError, match=rf"run\.jsonl, {message}"):
        read_run(tmp_path / "run.jsonl")


@pytest.mark.parametrize("relevance", ["0.5", "true", '"1"', "null"])
def test_a_row_whose_relevance_is_no_whole_number_is_named(tmp_path: Path, relevance: str) -> None:
    (tmp_path / "qrels.jsonl").write_text(f'{{"query_id": "q", "doc_id": "d", "relevance": {relevance}}}\n')
    with pytest.raises(MalformedLineError, match=rf"line 1: the relevance {relevance} is not a whole number"):
        read_qrels(tmp_path / "qrels.jsonl")


def test_an_empty_id_cannot_stand_in_a_table(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="An id is empty; a row of a run or of judgements names a query and a doc"):
        write_run(tmp_path / "run.jsonl", {"q": {"": 1.0}})
    assert list(tmp_path.iterdir()) == []


def test_what_parquet_cannot_hold_is_a_sentence(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    with pytest.raises(ArgumentError, match=r"'\\ud800' cannot stand in a parquet file: it is not Unicode"):
        write_run(tmp_path / "run.parquet", {"q": {"\ud800": 1.0}})
    with pytest.raises(ArgumentError, match=r"run\.parquet\.gz' would be packed twice"):
        write_run(tmp_path / "run.parquet.gz", {"q": {"d": 1.0}})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "", "a\u00a0b", "\ufeffa", "\ud800"])
def test_nothing_is_left_of_a_run_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ArgumentError, match="cannot stand in a TREC file: a column is not empty and has no white space"
    ):
        write_run(tmp_path / "run.trec", {"q": {"ok": 1.0, name: 0.5}})
    assert list(tmp_path.iterdir()) == []


def test_a_score_that_is_nan_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="The score of 'a' for the query 'q' is NaN, which has no rank"):
        write_run(tmp_path / "run.trec", {"q": {"a": float("nan")}})


def test_a_run_is_not_overwritten_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "run.trec"
    write_run(path, {"q": {"a": 1.0}})
    with pytest.raises(OutputExistsError, match=r"run\.trec' exists already, and is not overwritten unless asked for"):
        write_run(path, {"q": {"b": 1.0}})
    write_run(path, {"q": {"b": 1.0}}, overwrite=True)
    assert read_run(path) == {"q": {"b": 1.0}}


def test_a_folder_that_is_a_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(UnwritableOutputError, match=r"run\.trec' cannot be written: "):
        write_run(tmp_path / "runs" / "run.trec", {"q": {"a": 1.0}})


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (
            "q Q0 d 1 n/a t\n",
            MalformedLineError,
            r"run\.trec, line 1: the score 'n/a' is not a number\. A run has six columns: query Q0 doc rank score tag\.",
        ),
        ("q Q0 d 1 1 t\n\nq Q0 d 2\n", MalformedLineError, r"line 3: there are 4 columns\. A run has six columns"),
        ("q\n", MalformedLineError, "line 1: there is 1 column"),
        ("q Q0 d 1 nan t\n", MalformedLineError, "line 1: the score is NaN, which has no rank"),
        ("q Q0 d 1 1 t\nq Q0 d 2 0 t\n", MalformedLineError, "line 2: the document 'd' occurs twice for the query 'q'"),
        ("", EmptySourceError, r"The run '.*run\.trec' is empty\."),
    ],
)
def test_a_run_that_cannot_be_read_is_a_sentence(
    tmp_path: Path, text: str, error: type[LirDataError], message: str
) -> None:
    (tmp_path / "run.trec").write_text(text)
    with pytest.raises(error, match=message):
        read_run(tmp_path / "run.trec")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("q 0 d yes\n", MalformedLineError, "line 1: the relevance 'yes' is not a whole number"),
        ("q\td\t1\n", MalformedLineError, "line 1: there are 3 columns. Judgements have four columns"),
        ("query-id\tcorpus-id\tscore\n", EmptySourceError, r"The judgements '.*qrels\.txt' are empty\."),
        (
            "query-id\tcorpus-id\tscore\nq\td\n",
            MalformedLineError,
            "line 2: there are 2 columns, but the header names 3: query-id, corpus-id, score",
        ),
        ("query-id\tcorpus-id\tscore\nq\t\t1\n", MalformedLineError, "line 2: the id is empty"),
        ("query-id\tcorpus-id\tscore\nq\td\t0.5\n", MalformedLineError, r"line 2: the relevance '0\.5' is not a whole"),
        ("", EmptySourceError, r"The judgements '.*qrels\.txt' are empty\."),
    ],
)
def test_judgements_that_cannot_be_read_are_a_sentence(
    tmp_path: Path, text: str, error: type[LirDataError], message: str
) -> None:
    (tmp_path / "qrels.txt").write_text(text)
    with pytest.raises(error, match=message):
        read_qrels(tmp_path / "qrels.txt")


def test_a_gzipped_run_is_read(tmp_path: Path) -> None:
    (tmp_path / "run.gz").write_bytes(gzip.compress(b"q Q0 d 1 0.5 t\n"))
    assert read_run(tmp_path / "run.gz") == {"q": {"d": 0.5}}


def test_a_run_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"There is no file '.*run\.trec'"):
        read_run(tmp_path / "run.trec")


def test_what_cannot_be_written_is_known_before(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path, error, message in (
        (tmp_path / "file", OutputExistsError, "exists already"),
        (tmp_path, UnwritableOutputError, "is a folder"),
        (tmp_path / "file" / "run.trec", UnwritableOutputError, "Not a directory"),
        (tmp_path / "run.parquet.gz", ArgumentError, "packed twice"),
    ):
        with pytest.raises(error, match=message):
            check_run_output(path, overwrite=path == tmp_path)
    check_run_output(tmp_path / "file", overwrite=True)
    check_run_output(tmp_path / "new" / "folder" / "run.jsonl.zst")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_that_is_not_writable_is_known_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(**where: Path) -> None:
        raise PermissionError(13, "Permission denied", str(where["dir"]))

    monkeypatch.setattr("tempfile.TemporaryFile", refused)
    with pytest.raises(UnwritableOutputError, match="Permission denied"):
        check_run_output(tmp_path / "new" / "run.trec")


@pytest.mark.parametrize("name", ["a b", "", "a\tb", "a\n", "\u00a0", "\ufeffa", "\ud800"])
def test_ids_that_do_not_fit_are_known_before(name: str) -> None:
    with pytest.raises(ArgumentError):
        check_run_ids("run.trec.gz", ["a", name])
    if name:
        check_run_ids("run.jsonl", ["a", name])
        check_run_ids("run.parquet", ["a", name])
