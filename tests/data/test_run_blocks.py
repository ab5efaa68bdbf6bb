"""Runs that are read block by block: the same as line by line, whatever stands in them."""

import gzip
import re
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import read_run
from lir_data.errors import MalformedLineError
from lir_data.sources import run_blocks
from lir_data.sources.run_blocks import stretches

IDS = st.text("aé0.-", min_size=1, max_size=3)
SCORES = st.from_regex(r"-?[0-9]{0,6}(\.[0-9]{0,9})?", fullmatch=True) | st.floats(allow_nan=False).map(str)
LINES = st.lists(st.tuples(IDS, IDS, SCORES), min_size=1, max_size=8)
# Whatever could part columns, or only looks as if it did.
PARTS = st.sampled_from(
    [" ", "\t", "  ", "\r", "\n", "\0", "\x1c", "\x85", "\u3000", "\ufeff", "q", "Q0", "1.5", "nan"]
)


def block_of(lines: list[tuple[str, str, str]], between: str = " ") -> bytes:
    rows = (between.join([query_id, "Q0", doc_id, "1", score, "tag"]) for query_id, doc_id, score in lines)
    return "".join(f"{row}\n" for row in rows).encode()


def line_by_line(block: bytes) -> list[tuple[str, str, float]] | None:
    """Read it as simply as can be; None where a line is no line of a run."""
    found = []
    for line in block.decode().split("\n")[:-1]:
        columns = line.split()
        try:
            query_id, _, doc_id, _, score, _ = columns
            found.append((query_id, doc_id, float(score)))
        except ValueError:
            return None
    return found


def one_by_one(block: bytes) -> list[tuple[str, str, float]] | None:
    found = stretches(block, 1)
    if found is None:
        return None
    return [
        (query_id, doc_id, score)
        for _, query_id, doc_ids, scores in found
        for doc_id, score in zip(doc_ids, scores, strict=True)
    ]


def is_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(LINES.filter(lambda lines: all(is_a_number(score) for _, _, score in lines)), st.sampled_from(" \t"))
def test_plain_lines_are_read_and_every_float_is_that_of_python(
    lines: list[tuple[str, str, str]], between: str
) -> None:
    found = one_by_one(block_of(lines, between))
    expected = [(query_id, doc_id, float(score)) for query_id, doc_id, score in lines]
    infinite = {score for _, _, score in expected if score in (float("inf"), -float("inf"))}
    assert repr(found) == repr(expected) or (found is None and len(infinite) == 2)


@given(LINES)
def test_a_score_that_is_no_number_is_left_to_others(lines: list[tuple[str, str, str]]) -> None:
    if not all(is_a_number(score) for _, _, score in lines):
        assert one_by_one(block_of(lines)) is None


@given(st.lists(PARTS, max_size=20), LINES)
def test_what_is_read_is_what_is_read_line_by_line(parts: list[str], lines: list[tuple[str, str, str]]) -> None:
    block = "".join([*parts, "\n"]).encode() + block_of(lines)
    found = one_by_one(block)
    assert found is None or repr(found) == repr(line_by_line(block))


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3"])
def test_what_is_not_utf_8_is_left_to_others(bad: bytes) -> None:
    assert stretches(b"q Q0 d 1 1.5 t" + bad + b"\n", 1) is None


def test_a_stretch_is_of_one_query_and_begins_at_its_line() -> None:
    found = stretches(block_of([("q", "a", "3"), ("q", "b", "2"), ("r", "a", "1")]), 7)
    assert found == [(7, "q", ["a", "b"], [3.0, 2.0]), (9, "r", ["a"], [1.0])]


@pytest.fixture
def lines() -> list[str]:
    """More than one block of them."""
    rows = [f"q{query} Q0 d{doc} {doc} {100 - doc / 64} tag\n" for query in range(200) for doc in range(50)]
    assert len("".join(rows)) > 2 * run_blocks._BLOCK
    return rows


@pytest.mark.parametrize("packed", [False, True])
def test_a_run_of_many_blocks_is_read_whole(tmp_path: Path, lines: list[str], packed: bool) -> None:
    content = b"\xef\xbb\xbf" + "".join(lines).rstrip("\n").encode()
    path = tmp_path / ("run.gz" if packed else "run.trec")
    path.write_bytes(gzip.compress(content) if packed else content)
    rows = [line.split() for line in lines]
    expected = {
        query_id: {doc_id: float(score) for _, _, doc_id, _, score, _ in of_query}
        for query_id, of_query in groupby(rows, key=lambda row: row[0])
    }
    assert read_run(path) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("q Q0 d 1 one t\n", "line 9001: the score 'one' is not a number"),
        ("q Q0 d 1 1\n", "line 9001: there are 5 columns"),
        ("q179 Q0 d1 1 1 t\n", "line 9001: the document 'd1' occurs twice for the query 'q179'"),
        ("q3 Q0 d1 1 1 t\n", "line 9001: the document 'd1' occurs twice for the query 'q3'"),
    ],
)
def test_a_bad_line_is_named_in_whichever_block_it_stands(
    tmp_path: Path, lines: list[str], line: str, message: str
) -> None:
    (tmp_path / "run.trec").write_text("".join([*lines[:9000], line, *lines[9000:]]))
    with pytest.raises(MalformedLineError, match=re.escape(message)):
        read_run(tmp_path / "run.trec")
