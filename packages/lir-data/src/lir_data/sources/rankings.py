"""What a line or a row of a run or of judgements means."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from numbers import Real
from typing import Any, NamedTuple

from lir_data.errors import MalformedLineError, UnusableLineError
from lir_data.sources.delimited import TextRow
from lir_data.sources.fields import Key, key_of
from lir_data.sources.lines import first_line, parse_line, records
from lir_data.sources.local_files import LocalFile
from lir_data.sources.memory import MemoryTable
from lir_data.sources.rows import Table, fields_of, has_columns, parsed, place
from lir_data.sources.run_blocks import Stretch, blocks, stretches
from lir_data.sources.tables import id_field

_SUBTOPIC = ("subtopic_id", "subtopic", "iteration")

_SIX = "A run has six columns: query Q0 doc rank score tag."
_THREE = "A run of MS MARCO has three columns: query doc rank."


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

    Of a run with ranks and without scores, the score is the negative rank, so that the best is the highest.

    Raises:
        MalformedLineError: If a record cannot be read, or a score is NaN; the message begins with its place.
    """
    if isinstance(table, LocalFile) and not has_columns(table):
        yield from _ranked_lines(table) if _has_three_columns(table) else _scored_lines(table)
        return
    if isinstance(table, MemoryTable):
        yield from _scored_in_memory(table)
        return
    yield from _scored_rows(table)


def _scored_rows(table: Table) -> Iterator[Stretch]:
    for number, (query_id, doc_id, score) in parsed(table, _run_line, _run_row(table)):
        yield Stretch(number, query_id, [doc_id], [score])


def _scored_in_memory(table: MemoryTable) -> Iterator[Stretch]:
    """Yield the rankings of a mapping whole, and anything else by rows."""
    if not all(isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], Mapping) for item in table.items):
        yield from _scored_rows(table)
        return
    parse = _run_row(table)
    for number, (query_id, scores) in enumerate(table.items, start=1):
        try:
            rows = [parse({"query_id": query_id, "doc_id": doc_id, "score": score}) for doc_id, score in scores.items()]
        except UnusableLineError as error:
            raise MalformedLineError(f"{place(table, number)}, the query {query_id!r}: {error}") from None
        if rows:
            yield Stretch(number, rows[0][0], [doc_id for _, doc_id, _ in rows], [score for _, _, score in rows])


def _has_three_columns(file: LocalFile) -> bool:
    return len(first_line(file.path, file.start).split()) == 3


def _ranked_lines(file: LocalFile) -> Iterator[Stretch]:
    """Yield the lines of a run of MS MARCO; a rank that a query has twice is none, but a relevance or a score."""
    known: dict[str, set[int]] = {}

    def parse(line: str) -> Scored:
        columns = line.split()
        if len(columns) != 3:
            raise UnusableLineError(f"{_counted(len(columns))}, but there are 3 in the first line. {_THREE}")
        query_id, doc_id, text = columns
        rank = _whole_number("rank", text, _THREE)
        ranks = known.setdefault(query_id, set())
        if rank in ranks or rank < 0:
            raise UnusableLineError(
                f"the rank {rank} occurs twice for the query '{query_id}'. {_THREE} {_SIX}"
                if rank in ranks
                else f"the rank {rank} is below 0. {_THREE}"
            )
        ranks.add(rank)
        return query_id, doc_id, float(-rank)

    for number, (query_id, doc_id, score) in records(file.path, parse, file.start):
        yield Stretch(number, query_id, [doc_id], [score])


def _scored_lines(file: LocalFile) -> Iterator[Stretch]:
    number = file.start + 1
    for block in blocks(file.path, file.start):
        found = stretches(block, number)
        if found is not None:
            yield from found
        else:
            for line_number, line in enumerate(BytesIO(block), start=number):
                if (record := parse_line(file.path, line_number, line, _run_line)) is not None:
                    query_id, doc_id, score = record
                    yield Stretch(line_number, query_id, [doc_id], [score])
        number += block.count(b"\n")


def judged(table: Table) -> Iterator[tuple[int, Judged]]:
    """Yield the number of each judgement, for `place`, and what it says.

    Raises:
        MalformedLineError: If a record cannot be read; the message begins with its place.
    """
    return parsed(table, _trec_line, _qrels_row(table))


def _run_line(line: str) -> Scored:
    columns = line.split()
    if len(columns) != 6:
        raise UnusableLineError(f"{_counted(len(columns))}. {_SIX}")
    query_id, _, doc_id, _, score, _ = columns
    try:
        value = float(score)
    except ValueError:
        raise UnusableLineError(f"the score '{_cut(score)}' is not a number. {_SIX}") from None
    return query_id, doc_id, _with_rank(value)


def _run_row(table: Table) -> Callable[[Mapping[str, Any]], Scored]:
    """Return what makes a record of a row of a run."""
    fields = fields_of(table)
    query_id, doc_id = key_of("run", "query_id", fields), key_of("run", "doc_id", fields)
    score, rank = key_of("run", "score", fields), key_of("run", "rank", fields)

    def parse(values: Mapping[str, Any]) -> Scored:
        ids = id_field(values, query_id.of(values)), id_field(values, doc_id.of(values))
        # A row of other tools may have a rank without a score.
        if not rank.is_known or (score.is_known and "score" not in values and "rank" in values):
            return *ids, -_number(values, rank, float)
        return *ids, _with_rank(_number(values, score, float))

    return parse


def _with_rank(score: float) -> float:
    if math.isnan(score):
        raise UnusableLineError("the score is NaN, which has no rank.")
    return score


def _trec_line(line: str) -> Judged:
    columns = line.split()
    advice = "Judgements have four columns: query 0 doc relevance."
    if len(columns) != 4:
        raise UnusableLineError(f"{_counted(len(columns))}. {advice}")
    query_id, subtopic, doc_id, relevance = columns
    return Judged(query_id, subtopic, doc_id, _whole_number("relevance", relevance, advice))


def _qrels_row(table: Table) -> Callable[[Mapping[str, Any]], Judged]:
    """Return what makes a judgement of a row."""
    fields = fields_of(table)
    query_id, doc_id = key_of("qrels", "query_id", fields), key_of("qrels", "doc_id", fields)
    relevance = key_of("qrels", "relevance", fields)

    def parse(values: Mapping[str, Any]) -> Judged:
        subtopic = next((values[name] for name in _SUBTOPIC if values.get(name) is not None), None)
        return Judged(
            id_field(values, query_id.of(values)),
            None if subtopic is None else str(subtopic),
            id_field(values, doc_id.of(values)),
            _number(values, relevance, _whole),  # tables of the hub hold relevances of BEIR as 1.0
        )

    return parse


def _number(values: Mapping[str, Any], key: Key, convert: Callable[[Any], Any]) -> Any:
    """Return a number of a row; of csv and the like it is still a text."""
    value = values[key.of(values)]
    try:
        if isinstance(value, bool) or not isinstance(value, str if isinstance(values, TextRow) else Real):
            raise ValueError
        return convert(value)
    except (ValueError, OverflowError):
        wanted = "a whole number" if convert is _whole else "a number"
        seen = f"'{_cut(str(value))}'" if isinstance(values, TextRow) else json.dumps(value, default=str)[:40]
        raise UnusableLineError(f"the {key.role} {seen} is not {wanted}.") from None


def _whole(value: Any) -> int:
    """Return a whole number, which may be written as 1.0.

    Raises:
        ValueError: If it is none.
    """
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            value = float(value)
    if not float(value).is_integer():
        raise ValueError
    return int(value)


def _whole_number(name: str, text: str, advice: str) -> int:
    try:
        return _whole(text)
    except ValueError:
        raise UnusableLineError(f"the {name} '{_cut(text)}' is not a whole number. {advice}") from None


def _counted(columns: int) -> str:
    return "there is 1 column" if columns == 1 else f"there are {columns} columns"


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]} …"
