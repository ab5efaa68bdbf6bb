"""Passages of MS MARCO in the order that BM25 ranks them in: what is re-ranked and embedded."""

from dataclasses import dataclass
from functools import cache

from benchmarks.fine_tuning_recipes import SHARED
from lir_data import DocDataset, QueryDataset, read_run

_FOLDER = SHARED / "data" / "msmarco-dl"
_YEAR = "dl20"


@dataclass(frozen=True)
class Ranking:
    """A query, and the documents that were found for it.

    Args:
        query: Its text.
        docs: The documents' texts, best first.
    """

    query: str
    docs: list[str]


@cache
def passages() -> dict[str, str]:
    """Read the collection: the text of each id."""
    return {doc.doc_id: doc.doc for doc in DocDataset(str(_FOLDER / "docs.jsonl.gz"))}


def rankings(num_queries: int, num_docs: int) -> list[Ranking]:
    """Read the first documents for the first queries of TREC Deep Learning 2020, by BM25."""
    docs = passages()
    queries = {query.query_id: query.query for query in QueryDataset(str(_FOLDER / f"queries.{_YEAR}.tsv"))}
    run = list(read_run(_FOLDER / "runs" / f"bm25.{_YEAR}.run").items())[:num_queries]
    assert len(run) == num_queries, f"There are {len(run)} queries, not {num_queries}."
    found = [
        Ranking(queries[query_id], [docs[doc_id] for doc_id in list(ranked)[:num_docs]]) for query_id, ranked in run
    ]
    assert all(len(each.docs) == num_docs for each in found), f"A query has fewer than {num_docs} documents."
    return found
