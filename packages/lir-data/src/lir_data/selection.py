"""A part of a run: the top of each ranking, some queries, some documents."""

from collections.abc import Collection, Mapping
from itertools import islice

from lir_data.arguments import check_count
from lir_data.errors import ArgumentError
from lir_data.taken import GivenQrels, GivenRun, take_ordered_run, take_qrels
from lir_data.trec import Run


def cut_run(run: GivenRun, depth: int) -> Run:
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
    return {query_id: dict(islice(scores.items(), top)) for query_id, scores in take_ordered_run(run).items()}


def filter_run(
    run: GivenRun,
    *,
    queries: Collection[str] | None = None,
    docs: Collection[str] | None = None,
    without_docs: Collection[str] | None = None,
    min_score: float | None = None,
    judged: GivenQrels | None = None,
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
    qrels = None if judged is None else take_qrels(judged)

    def is_kept(query_id: str, doc_id: str, score: float) -> bool:
        return (
            (inside is None or doc_id in inside)
            and doc_id not in outside
            and (min_score is None or score >= min_score)
            and (qrels is None or doc_id in qrels.get(query_id, {}))
        )

    return {
        query_id: {doc_id: score for doc_id, score in scores.items() if is_kept(query_id, doc_id, score)}
        for query_id, scores in take_ordered_run(run).items()
        if wanted is None or query_id in wanted
    }


def without_identical_ids(run: Mapping[str, Mapping[str, float]]) -> Run:
    """Leave out of each ranking the document that has the query's own id, as BEIR does where queries are documents."""
    return {
        query_id: {doc_id: score for doc_id, score in docs.items() if doc_id != query_id}
        for query_id, docs in run.items()
    }
