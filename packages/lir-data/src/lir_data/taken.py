"""Runs and judgements as functions take them: sources, or what is in memory, checked."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lir_data.errors import ArgumentError
from lir_data.sources.given import Given
from lir_data.trec import Run, in_order, read_qrels, read_run, singles

#: Scores by document by query, or a source of them (see `read_run`).
GivenRun = Mapping[str, Mapping[str, float]] | Given
#: Relevance by document by query, or a source of them (see `read_qrels`).
GivenQrels = Mapping[str, Mapping[str, int]] | Given


def take_run(run: GivenRun, where: str = "") -> Mapping[str, Mapping[str, float]]:
    """Return scores by document by query; a query may have no documents.

    Args:
        run: The run.
        where: Which of several it is, for messages: `` in run 2``.

    Raises:
        LirDataError: If it is no run, an id can be none, or a score is NaN or no number.
    """
    if not isinstance(run, Mapping):
        return read_run(run)
    if not _has_ids(run):
        empty: Run = {str(query): {} for query, docs in run.items() if isinstance(docs, Mapping) and not docs}
        return empty | _read(run, read_run)
    for query, docs in run.items():
        if np.isnan(singles(docs.values())).any():
            doc = next(doc for doc, score in docs.items() if math.isnan(score))
            raise ArgumentError(f"The score of '{doc}' for the query '{query}'{where} is NaN, which has no rank.")
    return {query: _as(float, docs) for query, docs in run.items()}


def take_ordered_run(run: GivenRun) -> Run:
    """Return scores by document by query, best first; errors as of `take_run`."""
    if not isinstance(run, Mapping):
        return read_run(run)  # in order, also where a ranking of ir_datasets has no scores
    return {query: in_order(docs) for query, docs in take_run(run).items()}


def take_qrels(qrels: GivenQrels) -> Mapping[str, Mapping[str, int]]:
    """Return relevance by document by query, of the queries that have judgements.

    Raises:
        LirDataError: If these are no judgements, an id can be none, or a relevance is no whole number.
    """
    if not isinstance(qrels, Mapping):
        return read_qrels(qrels)
    if not _has_ids(qrels) or not all(_are_whole(docs) for docs in qrels.values()):
        return _read(qrels, read_qrels)
    return {query: _as(int, docs) for query, docs in qrels.items() if docs}


def _has_ids(values: Mapping[Any, Any]) -> bool:
    """Whether ids are texts and values numbers, as they mostly are: nothing has to be read then, and to see it is quick."""
    return all(
        type(query) is str
        and query != ""
        and isinstance(docs, Mapping)
        and set(map(type, docs)) <= {str}
        and "" not in docs
        and all(_is_number(kind) for kind in set(map(type, docs.values())))
        for query, docs in values.items()
    )


def _is_number(kind: type) -> bool:
    return issubclass(kind, int | float | np.floating | np.integer) and kind is not bool


def _are_whole(docs: Mapping[str, float]) -> bool:
    return all(value == value // 1 for value in docs.values())


def _as(kind: Callable[[Any], Any], docs: Mapping[str, Any]) -> Mapping[str, Any]:
    if set(map(type, docs.values())) <= {kind}:
        return docs
    return {doc_id: kind(value) for doc_id, value in docs.items()}


def _read(values: Mapping[Any, Any], read: Callable[[Any], Any]) -> Any:
    """Read what is in memory, if it has anything in it."""
    has_any = any(not isinstance(docs, Mapping) or docs for docs in values.values())
    return read(values) if has_any else {}
