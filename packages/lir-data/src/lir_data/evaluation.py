"""Measures of runs, by ir-measures: over the whole run, with ties decided the same way everywhere.

MacAvaney et al. (2022), *Streamlining Evaluation with ir-measures*. https://arxiv.org/abs/2111.13466
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from lir_data.errors import UnknownMeasureError, did_you_mean
from lir_data.trec import read_qrels, read_run

logger = logging.getLogger("lir_data")


def parse_measures(measures: Sequence[Any]) -> list[Any]:
    """Turn the names of measures into measures of ir-measures, such as ``nDCG@10`` or ``AP(rel=2)``.

    Raises:
        UnknownMeasureError: If there is no such measure; the message names the nearest.
    """
    import ir_measures

    parsed: list[Any] = []
    for measure in measures:
        if not isinstance(measure, str):
            parsed.append(measure)
            continue
        try:
            parsed.append(ir_measures.parse_measure(measure))
        except (NameError, ValueError, TypeError, AttributeError, SyntaxError, AssertionError) as error:
            known = {str(found.NAME).lower(): str(found.NAME) for found in ir_measures.measures.registry.values()}
            name, parameters = _split(measure)
            if name in known.values():
                raise UnknownMeasureError(
                    f"The measure '{measure}' cannot be read: a cut-off follows an @, as in 'nDCG@10', and settings stand in parentheses, as in 'AP(rel=2)'."
                ) from error
            near = did_you_mean(name.lower(), known)
            for lower, proper in known.items():
                near = near.replace(f"'{lower}'", f"'{proper}{parameters}'")
            raise UnknownMeasureError(f"There is no measure '{measure}'.{near}") from error
    return parsed


def _as_trec_eval(scores: Mapping[str, float]) -> list[str]:
    return sorted(scores, key=lambda doc_id: (np.float32(scores[doc_id]), doc_id), reverse=True)


def _split(measure: str) -> tuple[str, str]:
    """Split a measure's name from its parameters."""
    for place, letter in enumerate(measure):
        if letter in "@(":
            return measure[:place], measure[place:]
    return measure, ""


@overload
def evaluate(
    run: Mapping[str, Mapping[str, float]] | str | Path,
    qrels: Mapping[str, Mapping[str, int]] | str | Path,
    measures: Sequence[Any],
    *,
    per_query: Literal[False] = False,
) -> dict[str, float]: ...
@overload
def evaluate(
    run: Mapping[str, Mapping[str, float]] | str | Path,
    qrels: Mapping[str, Mapping[str, int]] | str | Path,
    measures: Sequence[Any],
    *,
    per_query: Literal[True],
) -> dict[str, dict[str, float]]: ...
def evaluate(
    run: Mapping[str, Mapping[str, float]] | str | Path,
    qrels: Mapping[str, Mapping[str, int]] | str | Path,
    measures: Sequence[Any],
    *,
    per_query: bool = False,
) -> dict[str, float] | dict[str, dict[str, float]]:
    """Measure a run.

    Documents of equal score are ranked as trec_eval does, the larger id first, so that published figures come out
    the same. A judged query that the run lacks counts 0; a query of the run
    that has no judgement is left out of the mean and reported by a warning.

    Args:
        run: Scores by document by query, or a file or id (see `read_run`).
        qrels: Relevance by document by query, or a file or id (see `read_qrels`).
        measures: Names such as ``nDCG@10``, or measures of ir-measures.
        per_query: Whether each query's value is wanted, not the mean.

    Returns:
        The mean by measure; or, per query, values by query by measure.

    Raises:
        UnknownMeasureError: If there is no such measure.
    """
    import ir_measures

    parsed = parse_measures(measures)
    scores = read_run(run) if isinstance(run, str | Path) else run
    judged = read_qrels(qrels) if isinstance(qrels, str | Path) else qrels
    unjudged = [query_id for query_id in scores if query_id not in judged]
    if unjudged:
        logger.warning(
            "%d of the run's %d queries have no judgement, '%s' the first; they are not part of the mean.",
            len(unjudged),
            len(scores),
            unjudged[0],
        )
    # The rank, not the score, is handed over, so that ties are not decided anew by each provider's own rule.
    by_rank = {
        query_id: {doc_id: -float(rank) for rank, doc_id in enumerate(_as_trec_eval(docs))}
        for query_id, docs in scores.items()
        if query_id in judged
    }
    values: dict[str, dict[str, float]] = {str(measure): dict.fromkeys(judged, 0.0) for measure in parsed}
    if by_rank:
        for metric in ir_measures.iter_calc(parsed, judged, by_rank):
            values[str(metric.measure)][metric.query_id] = metric.value
    if per_query:
        return values
    return {name: sum(by_query.values()) / len(by_query) for name, by_query in values.items()}
