"""The files of TREC: runs (query Q0 doc rank score tag) and qrels (query 0 doc relevance)."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError
from lir_data.sources import catalogue
from lir_data.sources.lines import UnusableLineError, records
from lir_data.sources.names import existing, is_file_name, shown
from lir_data.writing import write_lines

#: Scores by document id, by query id.
Run = dict[str, dict[str, float]]

#: Relevance by document id, by query id.
Qrels = dict[str, dict[str, int]]


def read_run(source: str | Path) -> Run:
    """Read a run.

    Args:
        source: A TREC file of six columns, plain or .gz, or an id of ir_datasets that comes with a run. The scores
            decide the order; the column of ranks is not looked at.

    Returns:
        For each query its documents' scores, best first, equal ones by ascending document id. Where ir_datasets has a
        ranking without scores (MS MARCO's top 1000), its order is kept.

    Raises:
        SourceNotFoundError: If there is no such file or dataset.
        MissingPartError: If the dataset has no run.
        MalformedLineError: If a line has not six columns, its score is no number, or a document occurs twice for a query.
        EmptySourceError: If there is no line.
    """
    if not is_file_name(str(source)):
        return _catalogue_run(str(source))
    path = existing(str(source))
    run: Run = {}
    for number, (query_id, doc_id, score) in records(path, _run_line):
        scores = run.setdefault(query_id, {})
        if doc_id in scores:
            raise MalformedLineError(
                f"{shown(path)}, line {number}: the document '{doc_id}' occurs twice for the query '{query_id}'."
            )
        scores[doc_id] = score
    if not run:
        raise EmptySourceError(f"The run '{shown(path)}' is empty.")
    return {query_id: in_order(scores) for query_id, scores in run.items()}


def write_run(
    path: str | Path, run: Mapping[str, Mapping[str, float]], *, tag: str = "lir", overwrite: bool = False
) -> None:
    """Write a run as TREC, whole or not at all; gzipped if the name ends in .gz.

    Args:
        path: The file; folders on the way to it are made.
        run: Scores by document by query. They are written with the digits that give the same float32 back.
        tag: The name of the system, the last column.
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If an id or the tag cannot stand in a column, or a score is NaN.
        UnwritableOutputError: If the system refuses.
    """

    def lines() -> Iterator[str]:
        for query_id, scores in run.items():
            for rank, (doc_id, score) in enumerate(in_order(scores).items(), start=1):
                if math.isnan(score):
                    raise ArgumentError(
                        f"The score of '{doc_id}' for the query '{query_id}' is NaN, which has no rank."
                    )
                yield f"{_word(query_id)} Q0 {_word(doc_id)} {rank} {np.float32(score)!s} {_word(tag)}"

    with np.errstate(over="ignore"):  # a score beyond float32 is infinite
        write_lines(Path(path), lines(), overwrite=overwrite)


def read_qrels(source: str | Path) -> Qrels:
    """Read judgements.

    Args:
        source: A TREC file of four columns, plain or .gz, or an id of ir_datasets.

    Returns:
        The relevance of each judged document, by query; of a pair that is judged twice, the later.

    Raises:
        SourceNotFoundError: If there is no such file or dataset.
        MissingPartError: If the dataset has no judgements.
        MalformedLineError: If a line has not four columns, or its relevance is no whole number.
        EmptySourceError: If there is no line.
    """
    qrels: Qrels = {}
    if not is_file_name(str(source)):
        dataset = catalogue.load_with(str(source), "qrels")
        with catalogue.reading(str(source)):
            for judgement in dataset.qrels_iter():
                qrels.setdefault(judgement.query_id, {})[judgement.doc_id] = judgement.relevance
        return qrels
    path = existing(str(source))
    for _, (query_id, doc_id, relevance) in records(path, _qrels_line):
        qrels.setdefault(query_id, {})[doc_id] = relevance
    if not qrels:
        raise EmptySourceError(f"The judgements '{shown(path)}' are empty.")
    return qrels


def write_qrels(path: str | Path, qrels: Mapping[str, Mapping[str, int]], *, overwrite: bool = False) -> None:
    """Write judgements as TREC, whole or not at all; gzipped if the name ends in .gz.

    Args:
        path: The file; folders on the way to it are made.
        qrels: Relevance by document by query.
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If an id cannot stand in a column.
        UnwritableOutputError: If the system refuses.
    """
    lines = (
        f"{_word(query_id)} 0 {_word(doc_id)} {int(relevance)}"
        for query_id, judgements in qrels.items()
        for doc_id, relevance in judgements.items()
    )
    write_lines(Path(path), lines, overwrite=overwrite)


def in_order(scores: Mapping[str, float]) -> dict[str, float]:
    """Order documents by score, best first, equal ones by ascending id.

    Scores are equal if they are so as float32, the type of models' scores and of what `write_run` writes.
    """
    with np.errstate(over="ignore"):  # what is beyond float32 is infinite
        singles = np.fromiter(scores.values(), np.float64).astype(np.float32)
    order = sorted(zip((-singles).tolist(), scores, strict=True))
    return {doc_id: scores[doc_id] for _, doc_id in order}


def _catalogue_run(dataset_id: str) -> Run:
    dataset = catalogue.load_with(dataset_id, "scoreddocs")
    run: Run = {}
    with catalogue.reading(dataset_id):
        for scored in dataset.scoreddocs_iter():
            run.setdefault(scored.query_id, {})[scored.doc_id] = scored.score
    return {query_id: in_order(scores) if len(set(scores.values())) > 1 else scores for query_id, scores in run.items()}


def _run_line(line: str) -> tuple[str, str, float]:
    columns = line.split()
    advice = "A run has six columns: query Q0 doc rank score tag."
    if len(columns) != 6:
        raise UnusableLineError(f"{_columns(len(columns))}. {advice}")
    query_id, _, doc_id, _, score, _ = columns
    try:
        value = float(score)
    except ValueError:
        raise UnusableLineError(f"the score '{score}' is not a number. {advice}") from None
    if math.isnan(value):
        raise UnusableLineError("the score is NaN, which has no rank.")
    return query_id, doc_id, value


def _qrels_line(line: str) -> tuple[str, str, int]:
    columns = line.split()
    advice = "Judgements have four columns: query 0 doc relevance."
    if len(columns) != 4:
        raise UnusableLineError(f"{_columns(len(columns))}. {advice}")
    query_id, _, doc_id, relevance = columns
    try:
        return query_id, doc_id, int(relevance)
    except ValueError:
        raise UnusableLineError(f"the relevance '{relevance}' is not a whole number. {advice}") from None


def _columns(count: int) -> str:
    return "there is 1 column" if count == 1 else f"there are {count} columns"


def _word(text: str) -> str:
    """Return a text that can be a column: not empty, without white space, UTF-8, no byte order mark in front."""
    can_be_encoded = not any("\ud800" <= letter <= "\udfff" for letter in text)
    if text.split() != [text] or text.startswith("\ufeff") or not can_be_encoded:
        raise ArgumentError(f"{text!r} cannot stand in a TREC file: a column is not empty and has no white space.")
    return text
