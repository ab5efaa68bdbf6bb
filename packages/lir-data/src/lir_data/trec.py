"""The files of TREC: runs (query Q0 doc rank score tag) and qrels (query 0 doc relevance)."""

import gzip
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from lir_data.errors import ArgumentError, EmptyRunError, MalformedLineError, OutputExistsError
from lir_data.sources import catalogue
from lir_data.sources.names import is_file_name
from lir_data.sources.tables import existing, numbered_lines

#: Scores by document id, by query id.
Run = dict[str, dict[str, float]]

#: Relevance by document id, by query id.
Qrels = dict[str, dict[str, int]]

_COLUMNS = "A run has six columns: query Q0 doc rank score tag."


def ranked(scores: Mapping[str, float]) -> dict[str, float]:
    """Order documents by score, best first, equal ones by id; scores are compared as float32, as models make them."""
    return dict(sorted(scores.items(), key=lambda item: (-np.float32(item[1]), item[0])))


def read_run(source: str | Path) -> Run:
    """Read a run.

    Args:
        source: A TREC file of six columns, plain or .gz, or an id of ir_datasets that comes with a run. The order is
            that of the scores; the rank column is not looked at.

    Returns:
        For each query its documents' scores, best first, equal ones by document id.

    Raises:
        MalformedLineError: If a line has not six columns, its score is no number, or a document occurs twice.
        EmptyRunError: If there is no line.
    """
    run: Run = {}
    if not is_file_name(str(source)):
        for scored in catalogue.load_with(str(source), "scoreddocs").scoreddocs_iter():
            run.setdefault(scored.query_id, {})[scored.doc_id] = scored.score
        return {query_id: ranked(scores) for query_id, scores in run.items()}
    path = existing(str(source))
    for number, line in numbered_lines(path):
        columns = line.split()
        if len(columns) != 6:
            raise MalformedLineError(f"{path}, line {number}: there are {len(columns)} columns. {_COLUMNS}")
        query_id, _, doc_id, _, score, _ = columns
        try:
            value = float(score)
        except ValueError:
            raise MalformedLineError(
                f"{path}, line {number}: the score '{score}' is not a number. {_COLUMNS}"
            ) from None
        if value != value:
            raise MalformedLineError(f"{path}, line {number}: the score is NaN, which has no rank.")
        docs = run.setdefault(query_id, {})
        if doc_id in docs:
            raise MalformedLineError(
                f"{path}, line {number}: the document '{doc_id}' occurs twice for query '{query_id}'."
            )
        docs[doc_id] = value
    if not run:
        raise EmptyRunError(f"The run '{path}' is empty.")
    return {query_id: ranked(scores) for query_id, scores in run.items()}


def write_run(
    path: str | Path, run: Mapping[str, Mapping[str, float]], *, tag: str = "lir", overwrite: bool = False
) -> None:
    """Write a run as TREC, whole or not at all; .gz where the name says so.

    Scores have the digits that give the same float32 back. Ranks begin at 1; ties are in the order of document ids.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If an id or the tag is empty or has white space, which the format cannot hold.
    """

    def lines() -> Iterable[str]:
        for query_id, scores in run.items():
            for rank, (doc_id, score) in enumerate(ranked(scores).items(), start=1):
                yield " ".join((_word(query_id), "Q0", _word(doc_id), str(rank), str(np.float32(score)), _word(tag)))

    _write_lines(Path(path), lines(), overwrite=overwrite)


def read_qrels(source: str | Path) -> Qrels:
    """Read judgements: a TREC file of four columns (plain or .gz), or an id of ir_datasets.

    Raises:
        MalformedLineError: If a line has not four columns, or its relevance is no whole number.
        MissingPartError: If the dataset has no judgements.
    """
    qrels: Qrels = {}
    if not is_file_name(str(source)):
        for judgement in catalogue.load_with(str(source), "qrels").qrels_iter():
            qrels.setdefault(judgement.query_id, {})[judgement.doc_id] = judgement.relevance
        return qrels
    path = existing(str(source))
    for number, line in numbered_lines(path):
        columns = line.split()
        if len(columns) != 4:
            raise MalformedLineError(
                f"{path}, line {number}: there are {len(columns)} columns. Qrels have four columns: query 0 doc relevance."
            )
        query_id, _, doc_id, relevance = columns
        try:
            qrels.setdefault(query_id, {})[doc_id] = int(relevance)
        except ValueError:
            raise MalformedLineError(
                f"{path}, line {number}: the relevance '{relevance}' is not a whole number."
            ) from None
    if not qrels:
        raise MalformedLineError(f"{path}: there is no judgement in it.")
    return qrels


def write_qrels(path: str | Path, qrels: Mapping[str, Mapping[str, int]], *, overwrite: bool = False) -> None:
    """Write judgements as TREC, whole or not at all; .gz where the name says so."""
    lines = (
        f"{_word(query_id)} 0 {_word(doc_id)} {relevance}"
        for query_id, judgements in qrels.items()
        for doc_id, relevance in judgements.items()
    )
    _write_lines(Path(path), lines, overwrite=overwrite)


def _word(text: str) -> str:
    if len(text.split()) != 1 or text != text.strip():
        raise ArgumentError(f"{text!r} cannot stand in a TREC file: a column is not empty and has no white space.")
    return text


def _write_lines(path: Path, lines: Iterable[str], *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise OutputExistsError(f"'{path}' exists already, and is not overwritten unless asked for.")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        with gzip.open(temporary, "wb") if path.suffix == ".gz" else temporary.open("wb") as file:
            file.writelines(f"{line}\n".encode() for line in lines)
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
