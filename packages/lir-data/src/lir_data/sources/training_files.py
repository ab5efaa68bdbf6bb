"""Local files of training tuples: a query, and documents of which the first is relevant."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lir_data.errors import ArgumentError
from lir_data.sources.lines import UnusableLineError, binary_lines
from lir_data.sources.tables import is_jsonl, json_object
from lir_data.writing import write_lines


class TrainingTuple(NamedTuple):
    """One tuple: texts, or ids, whichever the file holds."""

    query: str
    docs: tuple[str, ...]
    scores: tuple[float, ...] | None = None


def tuple_parser(path: Path, *, by_id: bool, with_scores: bool) -> Callable[[str], TrainingTuple]:
    """Return what turns a line of a tuples file into a tuple.

    Args:
        path: The file; its name decides between tsv and jsonl.
        by_id: Whether ids are wanted, not texts.
        with_scores: Whether every tuple must have scores.
    """
    return partial(_json_tuple, by_id=by_id, with_scores=with_scores) if is_jsonl(path) else _tab_separated


def write_tuples(
    path: str | Path, tuples: Iterable[TrainingTuple], *, by_id: bool = True, overwrite: bool = False
) -> None:
    """Write tuples as JSON lines, whole or not at all; gzipped if the name ends in .gz. `TupleDataset` reads them.

    Args:
        path: The file; folders on the way to it are made.
        tuples: A query, documents, and scores where there are any; written as they come, one in memory at a time. Scores
            are written with the digits that give the same float32 back.
        by_id: Whether they hold ids (``query_id``, ``doc_ids``), not texts (``query``, ``docs``).
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If a tuple has no document, or a score is not finite as float32.
        UnwritableOutputError: If the system refuses.
    """
    query_key, docs_key = _keys(by_id=by_id)

    def lines() -> Iterator[str]:
        for item in tuples:
            if not item.docs:
                raise ArgumentError(f"The tuple of the query '{item.query}' has no document.")
            values: dict[str, Any] = {query_key: item.query, docs_key: list(item.docs)}
            if item.scores is not None:
                values["scores"] = [_short(score, item.query) for score in item.scores]
            yield json.dumps(values, ensure_ascii=False)

    with np.errstate(over="ignore"):  # a score beyond float32 is infinite, and refused
        write_lines(Path(path), lines(), overwrite=overwrite)


def _short(score: float, query: str) -> float:
    single = np.float32(score)
    if not np.isfinite(single):
        raise ArgumentError(f"A score of the query '{query}' is {single}; a score of a tuple is finite.")
    return float(str(single))


def _keys(*, by_id: bool) -> tuple[str, str]:
    return ("query_id", "doc_ids") if by_id else ("query", "docs")


def looks_like_qrels(path: Path) -> bool:
    """Whether a file's first line is a judgement: query, anything, document, whole number."""
    if is_jsonl(path):
        return False
    first = next(binary_lines(path), b"").split()
    return len(first) == 4 and first[3].removeprefix(b"-").isdigit()


def _tab_separated(line: str) -> TrainingTuple:
    query, *docs = line.split("\t")
    if not docs:
        raise UnusableLineError(
            "there is no tab. A tuple is query, tab, relevant document, and others after more tabs."
        )
    return TrainingTuple(query, tuple(docs))


def _json_tuple(line: str, by_id: bool, with_scores: bool) -> TrainingTuple:
    values = json_object(line)
    query_key, docs_key = _keys(by_id=by_id)
    query, docs = values.get(query_key), values.get(docs_key)
    if not isinstance(query, str) or not isinstance(docs, list) or not docs or not _are(docs, str):
        advice = (
            "" if by_id or "doc_ids" not in values else " Ids need docs and queries, which say where the texts are."
        )
        raise UnusableLineError(f'a tuple is {{"{query_key}": "…", "{docs_key}": ["…", "…"]}}.{advice}')
    return TrainingTuple(query, tuple(docs), _scores(values, len(docs), needed=with_scores))


def _scores(values: Mapping[str, Any], count: int, *, needed: bool) -> tuple[float, ...] | None:
    scores = values.get("scores")
    if scores is None and not needed:
        return None
    if not isinstance(scores, list) or not _are(scores, int | float) or len(scores) != count:
        raise UnusableLineError(f"the scores must be a list of {count} numbers, one for each document.")
    return tuple(float(score) for score in scores)


def _are(items: list[Any], kind: Any) -> bool:
    return all(isinstance(item, kind) and not isinstance(item, bool) for item in items)
