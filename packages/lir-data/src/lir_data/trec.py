"""Runs and judgements: the files of TREC (query Q0 doc rank score tag; query 0 doc relevance), and the same as tables."""

import json
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from lir_data.errors import ArgumentError, EmptySourceError, MalformedLineError, MissingPartError
from lir_data.sources import catalogue
from lir_data.sources.given import Given, source_of
from lir_data.sources.local_files import is_jsonl, is_parquet
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import is_file_name, shown
from lir_data.sources.rankings import Judged, judged, scored
from lir_data.sources.rows import Table, find_tables, place
from lir_data.sources.run_blocks import Stretch
from lir_data.writing import check_output, check_parquet, write_lines, write_parquet

# Half of a surrogate pair has no UTF-8.
_COLUMN = re.compile(r"(?!\ufeff)[^\s\ud800-\udfff]+")

#: Scores by document id, by query id.
Run = dict[str, dict[str, float]]

#: Relevance by document id, by query id.
Qrels = dict[str, dict[str, int]]

#: Relevance by document id, by subtopic, by query id.
SubtopicQrels = dict[str, dict[str, dict[str, int]]]


def read_run(source: Given) -> Run:
    """Read a run.

    Args:
        source: A file: of TREC with its six columns, with comments of ir_metadata in front or without (see
            `read_run_metadata`); of MS MARCO with three, query, document and rank; or csv, jsonl, an array of JSON or parquet
            with ``query_id`` or ``qid``, ``doc_id``, ``docno`` or ``docid``, and ``score``, or else ``rank``; other fields are
            named as in ``run.csv?query_id=topic``. All but parquet may be packed. A dataset of Hugging Face with these
            columns; an id of ir_datasets that comes with a run. Or what is in memory: scores by document by query, or a list
            or table of rows as above. The scores decide the order; the ranks are looked at where there are no scores.

    Returns:
        For each query its documents' scores, best first, equal ones by ascending document id. Where ir_datasets has a
        ranking without scores (MS MARCO's top 1000), its order is kept. Of ranks alone, the scores are the negative ranks.

    Raises:
        SourceNotFoundError: If there is no such file or dataset.
        MissingPartError: If the dataset has no run.
        MalformedLineError: If a line has not six columns, a row lacks a value, a score is no number, or a document
            occurs twice for a query.
        EmptySourceError: If there is no line or row.
    """
    found = source_of(source, "run")
    if not isinstance(found, MemoryTable) and not is_file_name(found):
        return _catalogue_run(found)
    run: Run = {}
    for table in find_tables(found, "run"):
        for stretch in scored(table):
            scores = run.setdefault(stretch.query_id, {})
            known = len(scores)
            scores.update(zip(stretch.doc_ids, stretch.scores, strict=True))
            if len(scores) < known + len(stretch.doc_ids):
                raise _occurs_twice(table, stretch, set(islice(scores, known)))
    if not run:
        raise EmptySourceError(f"The run '{shown(found)}' is empty.")
    for query_id, scores in run.items():
        if not _is_in_order(singles(scores.values()), scores):
            run[query_id] = in_order(scores)
    return run


def write_run(
    path: str | Path, run: Mapping[str, Mapping[str, float]], *, tag: str = "lir", overwrite: bool = False
) -> None:
    """Write a run, whole or not at all.

    Args:
        path: The file; folders on the way to it are made. A name that ends in .jsonl is written as JSON lines, one a
            document; in .parquet as parquet, without the tag; any other as TREC. Lines are packed if .gz or .zst
            comes last.
        run: Scores by document by query. They are written with the digits that give the same float32 back.
        tag: The name of the system, the last column.
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If an id or the tag cannot stand in the file, or a score is NaN.
        UnwritableOutputError: If the system refuses, or parquet is asked for and pyarrow is not installed.
    """
    path = Path(path)
    if is_parquet(path):
        kinds = {"query_id": "string", "doc_id": "string", "rank": "int32", "score": "float32"}
        write_parquet(path, kinds, _ranked(run, _name), overwrite=overwrite)
    elif is_jsonl(path):
        # The digits are those of the float32. JSON has no infinity; Python's word for it is what Python reads.
        lines = (
            json.dumps({"query_id": query_id, "doc_id": doc_id, "rank": rank, "score": float(str(score)), "tag": tag})
            for query_id, doc_id, rank, score in _ranked(run, _name)
        )
        write_lines(path, lines, overwrite=overwrite)
    else:
        last = _word(tag)
        lines = (
            f"{query_id} Q0 {doc_id} {rank} {score!s} {last}" for query_id, doc_id, rank, score in _ranked(run, _word)
        )
        write_lines(path, lines, overwrite=overwrite)


def check_run_output(path: str | Path, *, overwrite: bool = False) -> None:
    """Refuse a run that `write_run` could not write, whatever is in it, before the work that makes it.

    Args:
        path: As of `write_run`.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If the name asks for parquet that is packed once more.
        UnwritableOutputError: If the system would refuse, or parquet is asked for and pyarrow is not installed.
    """
    check_output(path, overwrite=overwrite)
    if is_parquet(Path(path)):
        check_parquet(Path(path))


def check_run_ids(path: str | Path, ids: Iterable[str]) -> None:
    """Refuse ids of queries or documents that cannot stand in a run, before the work that makes it.

    Args:
        path: As of `write_run`; its name says in which format the ids must fit.
        ids: The ids.

    Raises:
        ArgumentError: If an id is empty, or has white space and the run is to be one of TREC.
    """
    check = _id_check(Path(path))
    for name in ids:
        check(name)


def read_qrels(source: Given) -> Qrels:
    """Read judgements.

    Args:
        source: A file: of TREC with its four columns; or tsv with a header (``query-id``, ``corpus-id``, ``score`` of BEIR),
            csv, jsonl, an array of JSON or parquet with ``query_id`` or ``qid``, ``doc_id``, ``docno`` or ``docid``, and
            ``relevance`` or ``label``; other fields are named as in ``qrels.csv?relevance=grade``. All but parquet may be
            packed. Several files are given as to `open_documents`. A dataset of Hugging Face with these columns, a BEIR
            folder (``folder/split``, or ``folder`` where there is one split), or an id of ir_datasets. Or what is in memory:
            relevance by document by query, the relevant documents by query, or a list or table of rows as above.

    Returns:
        The relevance of each judged document, by query; of a pair that is judged more than once, for several subtopics
        for instance, the highest.

    Raises:
        SourceNotFoundError: If there is no such file or dataset.
        MissingPartError: If the dataset has no judgements.
        MalformedLineError: If a line has not four columns, a row lacks a value, or a relevance is no whole number.
        EmptySourceError: If there is no line or row.
    """
    qrels: Qrels = {}
    for judgement in judgements_of(source):
        judgements = qrels.setdefault(judgement.query_id, {})
        judgements[judgement.doc_id] = max(judgement.relevance, judgements.get(judgement.doc_id, judgement.relevance))
    return qrels


def read_subtopic_qrels(source: Given) -> SubtopicQrels:
    """Read judgements of the aspects of queries, as the diversity tasks of TREC's web track have them.

    Args:
        source: As of `read_qrels`. The subtopic is the second column of TREC, ``subtopic_id`` of a table or of
            ir_datasets, or else its ``iteration``. Judgements that are not about subtopics name one, mostly ``0``.

    Returns:
        The relevance by document by subtopic by query; of one that is judged twice, the highest.

    Raises:
        MissingPartError: If the judgements do not say of which subtopic they are.
        LirDataError: As `read_qrels` does.
    """
    qrels: SubtopicQrels = {}
    for query_id, subtopic, doc_id, relevance in judgements_of(source):
        if subtopic is None:
            raise MissingPartError(
                f"'{shown(source_of(source, 'qrels'))}': the judgement of '{doc_id}' for the query '{query_id}' does not say of which "
                "subtopic it is."
            )
        judgements = qrels.setdefault(query_id, {}).setdefault(subtopic, {})
        judgements[doc_id] = max(relevance, judgements.get(doc_id, relevance))
    return qrels


def write_qrels(path: str | Path, qrels: Mapping[str, Mapping[str, int]], *, overwrite: bool = False) -> None:
    """Write judgements, whole or not at all.

    Args:
        path: The file; folders on the way to it are made. A name that ends in .jsonl is written as JSON lines, in
            .parquet as parquet, any other as TREC. Lines are packed if .gz or .zst comes last.
        qrels: Relevance by document by query.
        overwrite: Whether an existing file is replaced.

    Raises:
        OutputExistsError: If the file exists and is not to be overwritten.
        ArgumentError: If an id cannot stand in the file.
        UnwritableOutputError: If the system refuses, or parquet is asked for and pyarrow is not installed.
    """
    path = Path(path)
    check = _id_check(path)
    rows = (
        (check(query_id), check(doc_id), int(relevance))
        for query_id, judgements in qrels.items()
        for doc_id, relevance in judgements.items()
    )
    kinds = {"query_id": "string", "doc_id": "string", "relevance": "int64"}
    if is_parquet(path):
        write_parquet(path, kinds, rows, overwrite=overwrite)
    elif is_jsonl(path):
        write_lines(path, (json.dumps(dict(zip(kinds, row, strict=True))) for row in rows), overwrite=overwrite)
    else:
        lines = (f"{query_id} 0 {doc_id} {relevance}" for query_id, doc_id, relevance in rows)
        write_lines(path, lines, overwrite=overwrite)


def in_order(scores: Mapping[str, float]) -> dict[str, float]:
    """Order documents by score, best first, equal ones by ascending id.

    Scores are equal if they are so as float32, the type of models' scores and of what `write_run` writes.
    """
    rounded = singles(scores.values())
    if _is_in_order(rounded, scores):
        return dict(scores)
    order = sorted(zip((-rounded).tolist(), scores, strict=True))
    return {doc_id: scores[doc_id] for _, doc_id in order}


def singles(scores: Collection[float]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return scores as float32; what is beyond is infinite."""
    with np.errstate(over="ignore"):
        return np.fromiter(scores, np.float64, len(scores)).astype(np.float32)


def judgements_of(source: Given) -> Iterator[Judged]:
    """Yield the judgements of a source, one after the other; see `read_qrels`."""
    found = source_of(source, "qrels")
    if not isinstance(found, MemoryTable) and not is_file_name(found):
        yield from _catalogue_judgements(found)
        return
    empty = True
    for table in find_tables(found, "qrels"):
        for _, item in judged(table):
            empty = False
            yield item
    if empty:
        raise EmptySourceError(f"The judgements '{shown(found)}' are empty.")


def _occurs_twice(table: Table, stretch: Stretch, known: set[str]) -> MalformedLineError:
    """Return the error about the first document of a stretch that is known, or occurs again in it."""
    number, doc_id = next(
        (number, doc_id)
        for number, doc_id in enumerate(stretch.doc_ids, start=stretch.number)
        if doc_id in known or known.add(doc_id)
    )
    return MalformedLineError(
        f"{place(table, number)}: the document '{doc_id}' occurs twice for the query '{stretch.query_id}'."
    )


def _catalogue_run(dataset_id: str) -> Run:
    dataset = catalogue.load_with(dataset_id, "scoreddocs")
    run: Run = {}
    with catalogue.reading(dataset_id):
        for item in dataset.scoreddocs_iter():
            run.setdefault(item.query_id, {})[item.doc_id] = item.score
    return {query_id: in_order(scores) if len(set(scores.values())) > 1 else scores for query_id, scores in run.items()}


def _ranked(
    run: Mapping[str, Mapping[str, float]], check: Callable[[str], str]
) -> Iterator[tuple[str, str, int, np.float32]]:
    """Yield query, document, rank and score, best first.

    Args:
        run: Scores by document by query.
        check: Returns an id, or refuses it.
    """
    for query_id, scores in run.items():
        ordered = in_order(scores)
        name = check(query_id) if ordered else query_id
        for rank, (doc_id, score) in enumerate(zip(ordered, singles(ordered.values()), strict=True), start=1):
            if math.isnan(score):
                raise ArgumentError(f"The score of '{doc_id}' for the query '{query_id}' is NaN, which has no rank.")
            yield name, check(doc_id), rank, score


def _is_in_order(scores: np.ndarray[Any, np.dtype[np.float32]], doc_ids: Iterable[str]) -> bool:
    """Whether scores fall, and the ids of equal ones rise. Most runs' do: to see it takes a tenth of the time of sorting."""
    if not (scores[1:] <= scores[:-1]).all():
        return False
    equal = np.flatnonzero(scores[1:] == scores[:-1]).tolist()
    if not equal:
        return True
    ordered = list(doc_ids)
    return all(ordered[place] < ordered[place + 1] for place in equal)


def _catalogue_judgements(dataset_id: str) -> Iterator[Judged]:
    dataset = catalogue.load_with(dataset_id, "qrels")
    with catalogue.reading(dataset_id):
        for item in dataset.qrels_iter():
            subtopic = getattr(item, "subtopic_id", None) or getattr(item, "iteration", None)
            yield Judged(item.query_id, subtopic, item.doc_id, item.relevance)


def _id_check(path: Path) -> Callable[[str], str]:
    """Return what refuses ids that cannot stand in a file of this name."""
    return _name if is_parquet(path) or is_jsonl(path) else _word


def _name(text: str) -> str:
    """Return a text that can be an id in a table: not empty."""
    if not text:
        raise ArgumentError("An id is empty; a row of a run or of judgements names a query and a document.")
    return text


def _word(text: str) -> str:
    """Return a text that can be a column: not empty, without white space, UTF-8, no byte order mark in front."""
    if not _COLUMN.fullmatch(text):
        raise ArgumentError(
            f"{text!r} cannot stand in a TREC file: a column is not empty and has no white space.",
            hint="a file whose name ends in .jsonl or .parquet holds any id",
        )
    return text
