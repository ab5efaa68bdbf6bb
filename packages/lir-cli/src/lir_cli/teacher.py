"""A model as a teacher: its scores of many queries' documents, one window in memory at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from lir_cli.finite import check_scores
from lir_cli.output import Progress

Item = TypeVar("Item")

# Documents that are tokenized, sorted by length and scored together.
_WINDOW = 1024


def teach(
    name: str, items: Iterable[Item], texts: Callable[[Item], tuple[str, Sequence[str]]]
) -> Iterator[tuple[Item, list[float]]]:
    """Yield each item with a model's scores of its documents, and show how far it is.

    Args:
        name: The model, loaded when the first item is asked for.
        items: What has a query and documents.
        texts: The texts of an item's query and documents.
    """
    from lir_models import load_model

    model = load_model(name)
    progress = Progress("score", None, "docs")
    for window in _windows(items, texts):
        output = model.score(
            [query for _, query, _ in window], [list(docs) for _, _, docs in window], progress=progress.advance
        )
        scored = [scores.tolist() for scores in output.per_query()]
        for (_, query, docs), scores in zip(window, scored, strict=True):
            check_scores(name, query, docs, scores)
        yield from zip((item for item, _, _ in window), scored, strict=True)
    progress.close()


def _windows(
    items: Iterable[Item], texts: Callable[[Item], tuple[str, Sequence[str]]]
) -> Iterator[list[tuple[Item, str, Sequence[str]]]]:
    window: list[tuple[Any, str, Sequence[str]]] = []
    num_docs = 0
    for item in items:
        query, docs = texts(item)
        window.append((item, query, docs))
        num_docs += len(docs)
        if num_docs >= _WINDOW:
            yield window
            window, num_docs = [], 0
    if window:
        yield window
