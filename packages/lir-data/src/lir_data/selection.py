"""A part of a run: the top of each ranking, some queries, some documents."""

from collections.abc import Collection, Mapping
from itertools import islice
from pathlib import Path

from lir_data.arguments import check_count
from lir_data.errors import ArgumentError
from lir_data.trec import Run, in_order, read_qrels, read_run

_Run = Mapping[str, Mapping[str, float]] | str | Path
_Qrels = Mapping[str, Mapping[str, int]] | str | Path


def cut_run(run: _Run, depth: int) -> Run:
    """Keep the top of each ranking.

    Args:
        run: Scores by document by query, or a source of them (see `read_run`).
        depth: Documents kept of each query.

    Returns:
        For each query its documents' scores, best first, equal ones by ascending document id.

    Raises:
        ArgumentError: If depth is less than 1.
    """
    top = check_count("cut_run", "depth", depth)
    return {query_id: dict(islice(scores.items(), top)) for query_id, scores in _ordered(run).items()}


def filter_run(
    run: _Run,
    *,
    queries: Collection[str] | None = None,
    docs: Collection[str] | None = None,
    without_docs: Collection[str] | None = None,
    min_score: float | None = None,
    judged: _Qrels | None = None,
) -> Run:
    """Keep what fulfils every condition that is given.

    Args:
        run: Scores by document by query, or a source of them (see `read_run`).
        queries: Ids of the queries that are kept; judgements by query will do, and keep the judged queries.
        docs: Ids of the documents that are kept.
        without_docs: Ids of documents that are left out.
        min_score: The lowest score that is kept.
        judged: Judgements, or a source of them (see `read_qrels`): for each query only the documents that are judged,
            whether relevant or not, are kept. What is left is the condensed list of Sakai (2007).

    Returns:
        For each query its documents' scores, best first, equal ones by ascending document id. A query whose documents are
        all left out stays, with none, so that it is not lost unnoticed.

    Raises:
        ArgumentError: If ids are given as one text, not as a collection.

    References:
        Sakai (2007), *Alternatives to Bpref*. https://doi.org/10.1145/1277741.1277756
    """
    for argument, ids in (("queries", queries), ("docs", docs), ("without_docs", without_docs)):
        if isinstance(ids, str):
            raise ArgumentError(
                f"filter_run: {argument} is the text {ids!r}; it must be a collection of ids, [{ids!r}]."
            )
    wanted = None if queries is None else set(queries)
    inside = None if docs is None else set(docs)
    outside = set(without_docs or ())
    qrels = read_qrels(judged) if isinstance(judged, str | Path) else judged

    def is_kept(query_id: str, doc_id: str, score: float) -> bool:
        return (
            (inside is None or doc_id in inside)
            and doc_id not in outside
            and (min_score is None or score >= min_score)
            and (qrels is None or doc_id in qrels.get(query_id, {}))
        )

    return {
        query_id: {doc_id: score for doc_id, score in scores.items() if is_kept(query_id, doc_id, score)}
        for query_id, scores in _ordered(run).items()
        if wanted is None or query_id in wanted
    }


def _ordered(run: _Run) -> Run:
    if isinstance(run, str | Path):
        return read_run(run)  # in order, also where a ranking of ir_datasets has no scores
    return {query_id: in_order(scores) for query_id, scores in run.items()}
