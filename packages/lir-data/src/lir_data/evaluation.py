"""Measures of runs, over the whole run, as ir-measures computes them."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, overload

import numpy as np

from lir_data import gdeval
from lir_data.errors import EmptySourceError
from lir_data.measures import parse_measures
from lir_data.selection import without_identical_ids
from lir_data.taken import GivenQrels, GivenRun, take_qrels, take_run
from lir_data.trec import singles

logger = logging.getLogger("lir_data")

# Measures with a cut-off look at the first documents alone. Where these are few, they are all that ir-measures is given:
# for RR@10 it sorts whatever it has, which of a thousand documents takes longer than all measures of trec_eval together.
_SHORT = 100
_WITH_CUTOFF = ("AP", "P", "R", "RR", "Success", "nDCG")


@overload
def evaluate(
    run: GivenRun,
    qrels: GivenQrels,
    measures: Sequence[Any],
    *,
    per_query: Literal[False] = False,
    ignore_identical_ids: bool = False,
) -> dict[str, float]: ...
@overload
def evaluate(
    run: GivenRun,
    qrels: GivenQrels,
    measures: Sequence[Any],
    *,
    per_query: Literal[True],
    ignore_identical_ids: bool = False,
) -> dict[str, dict[str, float]]: ...
def evaluate(
    run: GivenRun,
    qrels: GivenQrels,
    measures: Sequence[Any],
    *,
    per_query: bool = False,
    ignore_identical_ids: bool = False,
) -> dict[str, float] | dict[str, dict[str, float]]:
    """Measure a run.

    A judged query that the run lacks counts 0. A query of the run without judgements counts nothing. How many there are
    of either is logged as a warning. Documents of equal score are ranked as the tool ranks them that ir-measures has compute the
    measure: by trec_eval the larger id first, by the script of MS MARCO, which computes RR@k, the smaller.

    Args:
        run: Scores by document by query, or a source of them (see `read_run`).
        qrels: Relevance by document by query, or a source of them (see `read_qrels`).
        measures: Names such as ``nDCG@10``, or measures of ir-measures; one name alone will do.
        per_query: Whether each query's value is wanted, not one for all.
        ignore_identical_ids: Whether a document is left out that has the query's own id, where queries are documents
            (ArguAna, Quora), as in BEIR. Where it is not, and most queries find themselves first, a warning is logged.

    Returns:
        By the canonical name of each measure: its mean over the judged queries (for counts such as ``NumRet`` the
        sum), or with ``per_query`` the value of each judged query.

    Raises:
        UnknownMeasureError: If there is no such measure.
        EmptySourceError: If there are no judgements.
        LirDataError: If an id of a run or of judgements in memory can be none, or a score is NaN or no number.
    """
    parsed = parse_measures([measures] if isinstance(measures, str) else measures)
    scores, judged = take_run(run), take_qrels(qrels)
    if ignore_identical_ids:
        scores = without_identical_ids(scores)
    else:
        _warn_of_identical_ids(scores, judged)
    values = values_by_query(scores, judged, parsed)
    if per_query:
        return {str(measure): by_query for measure, by_query in values.items()}
    return {str(measure): _aggregate(measure, by_query.values()) for measure, by_query in values.items()}


def values_by_query(
    run: Mapping[str, Mapping[str, float]],
    qrels: Mapping[str, Mapping[str, int]],
    measures: Sequence[Any],
    name: str = "The run",
) -> dict[Any, dict[str, float]]:
    """Measure each judged query of a run, and report what it lacks and what has no judgements.

    Args:
        run: Scores by document by query.
        qrels: Relevance by document by query.
        measures: As `parse_measures` gives them; one given twice is computed once.
        name: Of the run, as a sentence begins.

    Returns:
        For each measure the value of each judged query, in the order of the judgements.

    Raises:
        EmptySourceError: If there are no judgements.
    """
    import ir_measures

    if not qrels:
        raise EmptySourceError("There are no judgements to measure with.")
    if unjudged := [query_id for query_id in run if query_id not in qrels]:
        logger.warning(
            "%s has %d queries, of which %d have no judgements, '%s' the first; they count nothing.",
            *(name, len(run), len(unjudged), unjudged[0]),
        )
    # An empty ranking is none to ir-measures' tools.
    ranked = {query_id: docs for query_id, docs in run.items() if query_id in qrels and docs}
    if lacking := [query_id for query_id in qrels if query_id not in ranked]:
        logger.warning(
            "%s has no documents for %d of the %d judged queries, '%s' the first; they count 0.",
            *(name, len(lacking), len(qrels), lacking[0]),
        )
    values: dict[Any, dict[str, float]] = {measure: {} for measure in measures}
    short = [measure for measure in values if _is_short(measure)]
    if len(short) < len(values):
        # trec_eval is given whole rankings anyway.
        short = [measure for measure in short if measure.NAME == "RR"]
    depth = max((measure["cutoff"] for measure in short), default=0)
    heads = {query_id: _head(docs, depth) for query_id, docs in ranked.items()} if short else {}
    by_gdeval = [measure for measure in values if gdeval.is_by_gdeval(measure)]
    whole = [measure for measure in values if measure not in (*short, *by_gdeval)]
    for some, docs_of in ((short, heads), (whole, ranked)):
        for metric in ir_measures.iter_calc(some, qrels, docs_of) if some else ():
            values[metric.measure][metric.query_id] = float(metric.value)
    if by_gdeval:
        for measure, query_id, value in gdeval.computed(by_gdeval, qrels, ranked):
            values[measure][query_id] = value
    return {measure: {query_id: by_query[query_id] for query_id in qrels} for measure, by_query in values.items()}


def _warn_of_identical_ids(run: Mapping[str, Mapping[str, float]], qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Warn where most queries find themselves: ids that are equal by chance are first by chance."""
    ranked = [query_id for query_id, docs in run.items() if query_id in qrels and docs]
    found = [
        query_id
        for query_id in ranked
        if query_id in run[query_id]
        and query_id not in qrels[query_id]
        and run[query_id][query_id] >= max(run[query_id].values())
    ]
    if len(found) * 2 > len(ranked):
        logger.warning(
            "%d of %d queries find first the document that has their own id, which is not judged, '%s' for instance; "
            "ignore_identical_ids leaves it out.",
            *(len(found), len(ranked), found[0]),
        )


def _is_short(measure: Any) -> bool:
    """Whether a measure looks at a few documents alone, the first ones."""
    # Other settings may count from the judged documents only.
    is_known = measure.NAME in _WITH_CUTOFF and measure.params.keys() <= {"cutoff", "rel"}
    return is_known and 0 < measure.params.get("cutoff", 0) <= _SHORT


def _head(scores: Mapping[str, float], depth: int) -> Mapping[str, float]:
    """Return the documents that may be among so many first ones, whoever ranks those of equal score."""
    if len(scores) <= depth:
        return scores
    rounded = singles(scores.values())  # as trec_eval rounds them
    if np.isnan(rounded).any():
        return scores
    kept = np.flatnonzero(rounded >= np.partition(rounded, -depth)[-depth])
    doc_ids = list(scores)
    return {doc_ids[place]: scores[doc_ids[place]] for place in kept.tolist()}


def _aggregate(measure: Any, values: Any) -> float:
    aggregator = measure.aggregator()
    for value in values:
        aggregator.add(value)
    return float(aggregator.result())
