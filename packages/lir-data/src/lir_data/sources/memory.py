"""Documents, queries, judgements and runs that lie in memory: lists, mappings, and tables of other libraries.

Neither pandas nor datasets is imported: their tables are known by what they can do.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from lir_data.errors import ArgumentError, UnusableLineError
from lir_data.sources.fields import KNOWN, QUERY_TEXTS, Purpose
from lir_data.sources.unicode import clean

_WORDS: dict[Purpose, str] = {
    "docs": "documents",
    "queries": "queries",
    "qrels": "judgements",
    "run": "rankings",
    "tuples": "tuples",
}

# What a list may hold, for messages.
_ITEMS: dict[Purpose, str] = {
    "docs": "a text, a pair (id, text) or a mapping such as {'id': …, 'text': …}",
    "queries": "a text, a pair (id, text) or a mapping such as {'id': …, 'text': …}",
    "qrels": "a triple (query, document, relevance) or a mapping such as {'query_id': …, 'doc_id': …, 'relevance': …}",
    "run": "a triple (query, document, score) or a mapping such as {'query_id': …, 'doc_id': …, 'score': …}",
    "tuples": "a sequence (query, relevant, other, …) or a mapping such as {'anchor': …, 'positive': …, 'negative': …}",
}

# Rows of a table of another library that are made at once.
_BATCH = 1024


class Items(Protocol):
    """What has a length and items by number."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...

    def __getitem__(self, place: int, /) -> Any: ...


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class MemoryTable:
    """Rows in memory; they can be sent to other processes as far as what holds them can.

    Args:
        purpose: What they are.
        items: What the rows are made of.
    """

    purpose: Purpose
    items: Items

    @property
    def name(self) -> str:
        """What messages and logs call them."""
        return f"{_WORDS[self.purpose]} in memory"

    def __str__(self) -> str:
        return self.name

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int, /) -> Any:
        """Return the row of an item; see `row_of`."""
        return row_of(self.purpose, place, self.items[place])


def in_memory(given: Any, purpose: Purpose) -> MemoryTable:
    """Make a table of what is in memory.

    Args:
        given: A list of texts, pairs or mappings; a mapping; a table of pandas, polars, pyarrow or datasets.
        purpose: What it is.

    Raises:
        ArgumentError: If it is nothing of that.
    """
    if isinstance(given, MemoryTable):
        return given
    if isinstance(given, bytes | AbstractSet) or not (hasattr(given, "__iter__") or hasattr(given, "__len__")):
        raise ArgumentError(
            f"A {type(given).__name__} names no {_WORDS[purpose]} and holds none; give a name, or a list or table of "
            f"{_ITEMS[purpose]}."
        )
    if isinstance(given, Mapping):
        return MemoryTable(purpose, _of_mapping(given, purpose))
    if (frame := _frame(given)) is not None:
        return MemoryTable(purpose, frame)
    if hasattr(given, "iloc"):  # a Series of pandas: its index has the ids
        return MemoryTable(purpose, list(given.items()))
    if hasattr(given, "with_format") and hasattr(given, "__getitem__"):  # a table of datasets, memory-mapped
        return MemoryTable(purpose, given.with_format(None))
    return MemoryTable(purpose, given if isinstance(given, list | tuple) else list(given))


def rows_of(purpose: Purpose, place: int, item: Any) -> Sequence[Any]:
    """Return the rows that an item is: of a query with its judgements or its ranking, one for each document.

    Raises:
        UnusableLineError: If it is of no kind that is known.
    """
    if purpose not in ("qrels", "run") or not isinstance(item, tuple) or len(item) != 2:
        return [row_of(purpose, place, item)]
    query_id, docs = item
    value = "relevance" if purpose == "qrels" else "score"
    if isinstance(docs, Mapping):
        return [{"query_id": query_id, "doc_id": doc_id, value: number} for doc_id, number in docs.items()]
    if (
        isinstance(docs, str | bytes)
        or not hasattr(docs, "__iter__")
        or (purpose == "run" and isinstance(docs, AbstractSet))
    ):
        raise _unusable(purpose, item)
    if purpose == "qrels":  # the relevant documents alone, as sentence-transformers' evaluator has them
        return [{"query_id": query_id, "doc_id": doc_id, "relevance": 1} for doc_id in docs]
    return [
        {"query_id": query_id, "doc_id": doc[0], "score": doc[1]}
        if isinstance(doc, list | tuple) and len(doc) == 2
        else {"query_id": query_id, "doc_id": doc, "rank": rank}
        for rank, doc in enumerate(docs, start=1)
    ]


def row_of(purpose: Purpose, place: int, item: Any) -> Any:
    """Return the row that an item is, with its values by name; of training tuples a sequence will do.

    Args:
        purpose: What the item is one of.
        place: Which it is, from 0: the id of a text that has none.
        item: The item.

    Raises:
        UnusableLineError: If it is of no kind that is known.
    """
    match item:
        case Mapping():
            return item
        case str() if purpose in ("docs", "queries"):
            return {"id": str(place), "text": item}
        case _ if hasattr(item, "default_text"):  # of ir_datasets
            return {"id": item[0], "text": item.default_text()}
        case _ if hasattr(item, "_asdict"):
            return item._asdict()
        case _ if dataclasses.is_dataclass(item):
            return {field.name: getattr(item, field.name) for field in dataclasses.fields(item)}
        case list() | tuple():
            return _named(purpose, item)
        case _:
            raise _unusable(purpose, item)


def _named(purpose: Purpose, values: Sequence[Any]) -> Any:
    """Name the values of a pair, a triple or a line of TREC's judgements."""
    match purpose, values:
        case "tuples", _:
            return values
        case (("docs" | "queries"), (name, Mapping() as fields)):
            # Above what the fields may say themselves.
            return {**fields, KNOWN[purpose, "id"][0]: name}
        case (("docs" | "queries"), (name, text)):
            return {"id": name, "text": text}
        case "run", (query_id, doc_id, score):
            return {"query_id": query_id, "doc_id": doc_id, "score": score}
        case "qrels", (query_id, doc_id, relevance):
            return {"query_id": query_id, "doc_id": doc_id, "relevance": relevance}
        case "qrels", (query_id, subtopic, doc_id, relevance):
            return {"query_id": query_id, "iteration": subtopic, "doc_id": doc_id, "relevance": relevance}
        case _:
            raise _unusable(purpose, values)


def _unusable(purpose: Purpose, item: Any) -> UnusableLineError:
    return UnusableLineError(
        f"{clean(repr(item))[:60]} is none of the {_WORDS[purpose]}; each must be {_ITEMS[purpose]}."
    )


def _of_mapping(given: Mapping[Any, Any], purpose: Purpose) -> list[Any]:
    """Return the items of a mapping: by id, or one list for each column."""
    values = list(given.values())
    if values and all(hasattr(value, "column_names") for value in values):
        splits = ", ".join(f"'{name}'" for name in given)
        raise ArgumentError(f"The {_WORDS[purpose]} have the splits {splits}; give one of them.")
    if values and all(_is_list(value) for value in values) and any(key in _keys(purpose) for key in given):
        lengths = {key: len(value) for key, value in given.items()}
        if len(set(lengths.values())) > 1:
            raise ArgumentError(f"The columns of the {_WORDS[purpose]} have different lengths: {lengths}.")
        return [dict(zip(given, row, strict=True)) for row in zip(*values, strict=True)]
    return list(given.items())


def _keys(purpose: Purpose) -> tuple[str, ...]:
    if purpose == "tuples":
        return *QUERY_TEXTS, "query_id", "qid"
    return tuple(name for (table, _), names in KNOWN.items() if table == purpose for name in names)


def _is_list(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | bytes | Mapping)


class _Frame:
    """A table of columns, whose rows are made a batch at a time."""

    def __init__(self, frame: Any, rows: Callable[[Any, int, int], list[dict[str, Any]]]) -> None:
        self._frame = frame
        self._rows = rows

    def __len__(self) -> int:
        return len(self._frame)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for start in range(0, len(self), _BATCH):
            yield from self._rows(self._frame, start, start + _BATCH)

    def __getitem__(self, place: int) -> dict[str, Any]:
        return self._rows(self._frame, place, place + 1)[0]


def _frame(given: Any) -> _Frame | None:
    """Return a table of pandas, polars or pyarrow; None of anything else."""
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        return _Frame(given, _pandas_rows)
    if hasattr(given, "iter_rows") and hasattr(given, "to_dicts"):
        return _Frame(given, _polars_rows)
    if hasattr(given, "to_pylist") and hasattr(given, "column_names"):
        return _Frame(given, _arrow_rows)
    return None


def _pandas_rows(frame: Any, start: int, stop: int) -> list[dict[str, Any]]:
    rows = frame.iloc[start:stop].to_dict("records")
    # What a table of pandas lacks is a float, a date or an object of its own that equals nothing, itself included.
    return [{str(key): None if _is_missing(value) else value for key, value in row.items()} for row in rows]


def _is_missing(value: Any) -> bool:
    return type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value)


def _polars_rows(frame: Any, start: int, stop: int) -> list[dict[str, Any]]:
    return frame[start:stop].to_dicts()


def _arrow_rows(table: Any, start: int, stop: int) -> list[dict[str, Any]]:
    return table.slice(start, stop - start).to_pylist()
