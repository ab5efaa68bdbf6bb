"""What a line or a row of a run or of judgements means."""

import json
import math
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from lir_data.sources.lines import UnusableLineError, binary_lines, parse_line
from lir_data.sources.rows import Table, has_columns, parsed
from lir_data.sources.run_blocks import Stretch, blocks, stretches
from lir_data.sources.tables import first_key, id_field

# Those of lir and ir_datasets, and of BEIR.
_QUERY_ID = ("query_id", "query-id")
_DOC_ID = ("doc_id", "corpus-id")
_RELEVANCE = ("relevance", "score")
_SUBTOPIC = ("subtopic_id", "subtopic", "iteration")

_BEIR_HEADER = ["query-id", "corpus-id", "score"]


#: A query, a document in its ranking, and the document's score.
Scored = tuple[str, str, float]


class Judged(NamedTuple):
    """A judgement; the subtopic is None where there is no column for it."""

    query_id: str
    subtopic: str | None
    doc_id: str
    relevance: int


def scored(table: Table) -> Iterator[Stretch]:
    """Yield the records of a run, those that follow each other and are of the same query together where that is faster.

    Raises:
        MalformedLineError: If a record cannot be read, or a score is NaN; the message begins with its place.
    """
    if isinstance(table, Path) and not has_columns(table):
        yield from _scored_lines(table)
        return
    for number, (query_id, doc_id, score) in parsed(table, _run_line, _run_row):
        yield Stretch(number, query_id, [doc_id], [score])


def _scored_lines(path: Path) -> Iterator[Stretch]:
    number = 1
    for block in blocks(path):
        found = stretches(block, number)
        if found is not None:
            yield from found
        else:
            for place, line in enumerate(BytesIO(block), start=number):
                if (record := parse_line(path, place, line, _run_line)) is not None:
                    query_id, doc_id, score = record
                    yield Stretch(place, query_id, [doc_id], [score])
        number += block.count(b"\n")


def judged(table: Table) -> Iterator[tuple[int, Judged]]:
    """Yield the number of each judgement, for `place`, and what it says.

    Lines are those of TREC or, below the header of BEIR, ``query<TAB>doc<TAB>relevance``.

    Raises:
        MalformedLineError: If a record cannot be read; the message begins with its place.
    """
    of_line = _beir_line if isinstance(table, Path) and has_beir_header(table) else _trec_line
    for number, judgement in parsed(table, of_line, _qrels_row):
        if judgement is not None:
            yield number, judgement


def has_beir_header(path: Path) -> bool:
    """Whether a file's first line names the columns as BEIR does."""
    if has_columns(path):
        return False
    return _is_beir_header(next(binary_lines(path), b"").decode("utf-8-sig", "replace"))


def _run_line(line: str) -> Scored:
    columns = line.split()
    advice = "A run has six columns: query Q0 doc rank score tag."
    if len(columns) != 6:
        raise UnusableLineError(f"{_counted(len(columns))}. {advice}")
    query_id, _, doc_id, _, score, _ = columns
    try:
        value = float(score)
    except ValueError:
        raise UnusableLineError(f"the score '{score}' is not a number. {advice}") from None
    return query_id, doc_id, _with_rank(value)


def _run_row(values: Mapping[str, Any]) -> Scored:
    score = values[first_key(values, ("score",))]
    if not isinstance(score, int | float) or isinstance(score, bool):
        raise UnusableLineError(f"the score {json.dumps(score, default=str)[:40]} is not a number.")
    return id_field(values, _QUERY_ID), id_field(values, _DOC_ID), _with_rank(float(score))


def _with_rank(score: float) -> float:
    if math.isnan(score):
        raise UnusableLineError("the score is NaN, which has no rank.")
    return score


def _trec_line(line: str) -> Judged | None:
    columns = line.split()
    advice = "Judgements have four columns: query 0 doc relevance."
    if len(columns) != 4:
        raise UnusableLineError(f"{_counted(len(columns))}. {advice}")
    query_id, subtopic, doc_id, relevance = columns
    return Judged(query_id, subtopic, doc_id, _whole_number(relevance, advice))


def _beir_line(line: str) -> Judged | None:
    if _is_beir_header(line):
        return None
    columns = line.split("\t")
    advice = "Below the header of BEIR a line is query, tab, document, tab, relevance."
    if len(columns) != 3:
        raise UnusableLineError(f"{_counted(len(columns))}. {advice}")
    query_id, doc_id, relevance = columns
    if not query_id or not doc_id:
        raise UnusableLineError(f"an id is empty. {advice}")
    return Judged(query_id, None, doc_id, _whole_number(relevance, advice))


def _qrels_row(values: Mapping[str, Any]) -> Judged | None:
    relevance = values[first_key(values, _RELEVANCE)]
    # Tables of the hub hold relevances of BEIR as 1.0.
    if not isinstance(relevance, int | float) or isinstance(relevance, bool) or not float(relevance).is_integer():
        raise UnusableLineError(f"the relevance {json.dumps(relevance, default=str)[:40]} is not a whole number.")
    subtopic = next((values[name] for name in _SUBTOPIC if values.get(name) is not None), None)
    return Judged(
        id_field(values, _QUERY_ID),
        None if subtopic is None else str(subtopic),
        id_field(values, _DOC_ID),
        int(relevance),
    )


def _is_beir_header(line: str) -> bool:
    return [column.strip().lower().replace("_", "-") for column in line.split("\t")] == _BEIR_HEADER


def _whole_number(text: str, advice: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UnusableLineError(f"the relevance '{text}' is not a whole number. {advice}") from None


def _counted(columns: int) -> str:
    return "there is 1 column" if columns == 1 else f"there are {columns} columns"
