"""Measures that TREC's gdeval computes: ERR, and nDCG with exponential gains.

Its script reads the number of a topic from behind the last hyphen of a query's id, and knows relevance up to 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lir_data.errors import ArgumentError

_HIGHEST = 4


def is_by_gdeval(measure: Any) -> bool:
    """Whether gdeval is what ir-measures has compute a measure."""
    import ir_measures

    able = (provider.NAME for provider in ir_measures.DefaultPipeline.providers if provider.supports(measure))
    return next(able, None) == "gdeval"


def computed(
    measures: Sequence[Any], qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[Any, str, float]]:
    """Yield measure, query and value, with ids of any kind.

    Args:
        measures: That gdeval computes.
        qrels: Relevance by document by query.
        run: Scores by document by query.

    Raises:
        ArgumentError: If a relevance is above 4.
    """
    import ir_measures

    for query_id, judgements in qrels.items():
        for doc_id, relevance in judgements.items():
            if relevance > _HIGHEST:
                raise ArgumentError(
                    f"{measures[0]} is for relevance up to {_HIGHEST}; that of '{doc_id}' for the query '{query_id}' is "
                    f"{relevance}."
                )
    numbers = {query_id: str(number) for number, query_id in enumerate(qrels, start=1)}
    by_number = {number: query_id for query_id, number in numbers.items()}
    names = {query_id: _names({**qrels[query_id], **run.get(query_id, {})}) for query_id in qrels}
    judged = {numbers[query]: _renamed(docs, names[query]) for query, docs in qrels.items()}
    ranked = {numbers[query]: _renamed(docs, names[query]) for query, docs in run.items()}
    for metric in ir_measures.iter_calc(measures, judged, ranked):
        yield metric.measure, by_number[metric.query_id], float(metric.value)


def _names(doc_ids: Mapping[str, float]) -> dict[str, str]:
    """Return names without white space, in the same order: documents of equal score are ranked by it."""
    return {doc_id: f"{place:010}" for place, doc_id in enumerate(sorted(doc_ids))}


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names[doc_id]: value for doc_id, value in values.items()}
