"""What callers hand over: lists, and whatever can be gone through just once, as lists; anything else is refused."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from lir_models.errors import InputError

Item = TypeVar("Item")


def listed(items: Iterable[Item], what: str = "texts") -> list[Item]:
    """Return a list of what may be an iterator, which can be gone through once and has no length.

    Args:
        items: A list, a generator, a column of a table, ….
        what: What the items are, for errors.

    Raises:
        InputError: If it is one string, a mapping, or nothing that can be gone through.
    """
    check_iterable(items, what)
    return list(items)


def check_iterable(items: object, what: str) -> None:
    """Refuse what has no items, or others than are meant; nothing is gone through.

    Raises:
        InputError: The message names the form.
    """
    if isinstance(items, str | bytes):
        raise InputError(f"The {what} are one string, {items[:40]!r}; give a list of strings.")
    if isinstance(items, Mapping):
        names = ", ".join(repr(name) for name in list(items)[:3])
        raise InputError(
            f"The {what} are a mapping, with the keys {names or '(none)'}; give a list, list(….values()) for instance."
        )
    if not isinstance(items, Iterable):
        raise InputError(f"The {what} are {items!r:.40}, of type {type(items).__name__}; give a list of strings.")


def as_pairs(pairs: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Return pairs of a query and a document as a list.

    Raises:
        InputError: If they are one pair that is not in a list, or an item is no pair; the message gives its position.
    """
    pairs = listed(pairs, "pairs")
    found: list[tuple[Any, Any]] = []
    for position, pair in enumerate(pairs):
        if isinstance(pair, str):
            one = f" One pair in a list is [{tuple(pairs)!r:.60}]." if len(pairs) == 2 else ""
            raise InputError(
                f"Pair {position} of {len(pairs)} is one string, {pair[:40]!r}; give (query, document).{one}"
            )
        if isinstance(pair, Mapping):
            names = ", ".join(repr(name) for name in pair)
            raise InputError(
                f"Pair {position} of {len(pairs)} is a mapping, with the keys {names}; give (query, document)."
            )
        if not isinstance(pair, Iterable) or len(items := list(pair)) != 2:
            raise InputError(f"Pair {position} of {len(pairs)} is {pair!r:.60}; give (query, document).")
        found.append((items[0], items[1]))
    return found


def check_top_k(top_k: object) -> int | None:
    """Return how many documents of a ranking are wanted; None for all.

    Raises:
        InputError: If it is no number, or below 1.
    """
    if top_k is None:
        return None
    try:
        number = operator.index(top_k)  # pyright: ignore[reportArgumentType]
    except TypeError:
        number = 0
    if number < 1 or isinstance(top_k, bool):
        raise InputError(f"top_k is {top_k!r}; it must be a whole number from 1 on, or None for all documents.")
    return number


def as_lists(
    query: str | Iterable[str], docs: Iterable[str] | Iterable[Iterable[str]]
) -> tuple[list[str], list[list[str]]]:
    """Return queries and, for each, its documents, from either of the two forms that ``score`` takes.

    Raises:
        InputError: If there are not as many lists of documents as queries.
    """
    lists: list[Any] = listed(docs, "documents")
    if isinstance(query, str):
        return [query], [lists]
    queries = listed(query, "queries")
    if any(isinstance(item, str) for item in lists):
        raise InputError(
            "There are several queries, but the documents are not lists: give one list of documents per query."
        )
    if len(queries) != len(lists):
        raise InputError(
            f"There are {len(queries)} queries but {len(lists)} lists of documents; give one list per query."
        )
    return queries, [listed(item, f"documents of query {number}") for number, item in enumerate(lists)]


def one_query(query: Any) -> str:
    """Refuse anything but one query.

    Raises:
        InputError: If it is not a string.
    """
    if not isinstance(query, str):
        raise InputError(f"The query is {query!r:.60}, of type {type(query).__name__}; give one string.")
    return query
