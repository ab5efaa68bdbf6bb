"""What an index finds: the hits of one query, printed, and passages as their documents."""

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lir_data import Run
    from lir_data.passages import Aggregation

# Passages that are searched for per document: enough of them for most rankings to have k documents.
PASSAGES_PER_DOC = 10


def usual_aggregation(index: Any) -> "Aggregation":
    """Return how passages are made into documents if nothing is said: the best of each, where lir cut them."""
    return "max" if has_passages(index) else "none"


def has_passages(index: Any) -> bool:
    """Whether an index holds passages that lir has cut."""
    from lir_data.passages import parse_source

    documents = index.metadata["documents"]
    return documents is not None and parse_source(documents)[1] is not None


def of_documents(how: "Aggregation", k: int, *, ignore_identical_ids: bool = False) -> "Callable[[Run], Run]":
    """Return what makes a run of documents of a run of passages.

    Args:
        how: The score of a document.
        k: Documents per query.
        ignore_identical_ids: Whether the document that has the query's own id is left out, with its passages.
    """
    return partial(_of_documents, how=how, k=k, ignores=ignore_identical_ids)


def _of_documents(run: "Run", how: "Aggregation", k: int, *, ignores: bool) -> "Run":
    from lir_data import aggregate_passages, cut_run
    from lir_data.passages import passage_of

    if ignores:
        run = {
            query_id: {name: score for name, score in scores.items() if passage_of(name)[0] != query_id}
            for query_id, scores in run.items()
        }
    return cut_run(aggregate_passages(run, how), k)


def answer(index: Any, asked: Any, k: int, docs: str | None = None, passages: "Aggregation | None" = None) -> None:
    r"""Print the hits of one query, with their texts where they can be found.

    Args:
        index: The index.
        asked: The query as the index is searched with: its embedding or, of an index of texts, itself, in a list.
        k: Documents; of passages that stay passages, so many of them.
        docs: Where their texts are; None for what the index says.
        passages: How passages' scores become their documents', which are shown with the text of their best passage; None
            for the usual way of the index.
    """
    from lir_cli.output import print_table
    from lir_data import open_documents

    source = docs or index.metadata["documents"]
    documents = None if source is None else open_documents(source)
    how = passages or usual_aggregation(index)
    found = index.search(asked, k if how == "none" else PASSAGES_PER_DOC * k).to_run(["the query"])["the query"]
    best = {name: name for name in found}
    scores = found
    if how != "none":
        best = _best_passages(found)
        scores = of_documents(how, k)({"the query": found})["the query"]
    texts = {} if documents is None else documents.get_many(best[name] for name in scores)
    rows = [
        (
            rank,
            float(score),
            name,
            *([best[name]] if how != "none" else []),
            " ".join(texts.get(best[name], "").split()),
        )
        for rank, (name, score) in enumerate(scores.items(), start=1)
    ]
    columns = ("document", "passage") if how != "none" else ("passage",) if has_passages(index) else ("document",)
    print_table(("rank", "score", *columns, "text"), rows)


def _best_passages(found: "dict[str, float]") -> dict[str, str]:
    """Return the best passage of each document."""
    from lir_data.passages import passage_of

    best: dict[str, str] = {}
    for name in found:  # best first
        best.setdefault(passage_of(name)[0], name)
    return best
