"""Measures of runs, over the whole run, as ir-measures computes them."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

from lir_data.errors import EmptySourceError
from lir_data.measures import parse_measures
from lir_data.trec import read_qrels, read_run

logger = logging.getLogger("lir_data")

_Run = Mapping[str, Mapping[str, float]] | str | Path
_Qrels = Mapping[str, Mapping[str, int]] | str | Path


@overload
def evaluate(
    run: _Run, qrels: _Qrels, measures: Sequence[Any], *, per_query: Literal[False] = False
) -> dict[str, float]: ...
@overload
def evaluate(
    run: _Run, qrels: _Qrels, measures: Sequence[Any], *, per_query: Literal[True]
) -> dict[str, dict[str, float]]: ...
def evaluate(
    run: _Run, qrels: _Qrels, measures: Sequence[Any], *, per_query: bool = False
) -> dict[str, float] | dict[str, dict[str, float]]:
    """Measure a run.

    A judged query that the run lacks counts 0. A query of the run without judgements counts nothing; how many there are
    is logged as a warning. Documents of equal score are ranked as the tool ranks them that ir-measures has compute the
    measure: by trec_eval the larger id first, by the script of MS MARCO, which computes RR@k, the smaller.

    Args:
        run: Scores by document by query, or a source of them (see `read_run`).
        qrels: Relevance by document by query, or a source of them (see `read_qrels`).
        measures: Names such as ``nDCG@10``, or measures of ir-measures; one name alone will do.
        per_query: Whether each query's value is wanted, not one for all.

    Returns:
        By the canonical name of each measure: its mean over the judged queries (for counts such as ``NumRet`` the
        sum), or with ``per_query`` the value of each judged query.

    Raises:
        UnknownMeasureError: If there is no such measure.
        EmptySourceError: If there are no judgements.
    """
    import ir_measures

    parsed = parse_measures([measures] if isinstance(measures, str) else measures)
    scores = read_run(run) if isinstance(run, str | Path) else run
    judged = read_qrels(qrels) if isinstance(qrels, str | Path) else qrels
    if not judged:
        raise EmptySourceError("There are no judgements to measure with.")
    _report_unjudged(scores, judged)
    # An empty ranking is none to ir-measures' tools.
    ranked = {query_id: docs for query_id, docs in scores.items() if query_id in judged and docs}
    # A measure given twice is computed once.
    values: dict[Any, dict[str, float]] = {measure: {} for measure in parsed}
    for metric in ir_measures.iter_calc(list(values), judged, ranked):
        values[metric.measure][metric.query_id] = float(metric.value)
    if per_query:
        return {str(measure): {query: by_query[query] for query in judged} for measure, by_query in values.items()}
    return {str(measure): _aggregate(measure, by_query.values()) for measure, by_query in values.items()}


def _report_unjudged(run: Mapping[str, Any], qrels: Mapping[str, Any]) -> None:
    unjudged = [query_id for query_id in run if query_id not in qrels]
    if unjudged:
        logger.warning(
            "%d of the run's %d queries have no judgements, '%s' the first; they count nothing.",
            len(unjudged),
            len(run),
            unjudged[0],
        )


def _aggregate(measure: Any, values: Any) -> float:
    aggregator = measure.aggregator()
    for value in values:
        aggregator.add(value)
    return float(aggregator.result())
