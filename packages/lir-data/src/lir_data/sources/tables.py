"""Documents and queries of local files and datasets of Hugging Face: lines of tsv (``id<TAB>text``), or rows."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lir_data.errors import ArgumentError
from lir_data.sources.lines import UnusableLineError
from lir_data.sources.names import shown
from lir_data.sources.rows import Table, has_columns, json_object, parsed

_DOC_ID = ("doc_id", "_id", "id")
_QUERY_ID = ("query_id", "_id", "id")
_DOC_TEXT = ("text", "contents")
_QUERY_TEXT = ("text", "query")


def documents(table: Table, text_fields: Sequence[str] | None) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the number of each document, for `place`, and its id and text; see `doc_parser`."""
    return parsed(table, _id_and_text, row_parser(text_fields))


def queries(table: Table) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the number of each query, for `place`, and its id and text."""
    return parsed(table, _id_and_text, _query)


def check_text_fields(table: Table, text_fields: Sequence[str] | None) -> None:
    """Refuse to choose fields of what has none.

    Raises:
        ArgumentError: If a tsv file is asked for fields.
    """
    if text_fields is not None and not has_columns(table):
        raise ArgumentError(
            f"'{shown(table)}' is a tsv file of ids and texts: it has no fields to choose by text_fields."
        )


def doc_parser(path: Path, text_fields: Sequence[str] | None) -> Callable[[str], tuple[str, str]]:
    """Return what turns a line of a documents file into id and text.

    Args:
        path: The file; its name decides between tsv and jsonl.
        text_fields: Keys of the jsonl objects to join by spaces; None for the title, where there is one, and the text.
    """
    return partial(_json_line, row_parser(text_fields)) if has_columns(path) else _id_and_text


def row_parser(text_fields: Sequence[str] | None) -> Callable[[Mapping[str, Any]], tuple[str, str]]:
    """Return what turns a row of a documents table into id and text; see `doc_parser`."""
    return partial(_doc, text_fields=None if text_fields is None else tuple(text_fields))


def text_field(values: Mapping[str, Any], key: str) -> str:
    """Return a text of a row, or say that it is missing or none."""
    if key not in values:
        raise UnusableLineError(f"there is no field '{key}' among the keys {_keys(values)}.")
    if not isinstance(values[key], str):
        raise UnusableLineError(f"the {key} is {_short(values[key])}; it must be a text.")
    return values[key]


def id_field(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the id of a row, by the first of the names that it has."""
    key = first_key(values, names)
    value = values[key]
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise UnusableLineError(f"the {key} is {_short(value)}; it must be a text or a whole number.")
    return _checked_id(str(value))


def first_key(values: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return the first of the names that a row has."""
    for name in names:
        if name in values:
            return name
    wanted = " or ".join(f"'{name}'" for name in names)
    raise UnusableLineError(f"there is no {wanted} among the keys {_keys(values)}.")


def _json_line(parse: Callable[[Mapping[str, Any]], tuple[str, str]], line: str) -> tuple[str, str]:
    return parse(json_object(line))


def _id_and_text(line: str) -> tuple[str, str]:
    name, tab, text = line.partition("\t")
    if not tab:
        raise UnusableLineError("there is no tab. A line is an id, a tab and a text.")
    return _checked_id(name), text


def _query(values: Mapping[str, Any]) -> tuple[str, str]:
    return id_field(values, _QUERY_ID), text_field(values, first_key(values, _QUERY_TEXT))


def _doc(values: Mapping[str, Any], text_fields: Sequence[str] | None) -> tuple[str, str]:
    doc_id = id_field(values, _DOC_ID)
    if text_fields is not None:
        return doc_id, " ".join(text_field(values, field) for field in text_fields)
    text = text_field(values, first_key(values, _DOC_TEXT))
    # As ir_datasets does for collections with titles.
    title = text_field(values, "title") if values.get("title") is not None else ""
    return doc_id, f"{title} {text}" if title and text else title or text


def _checked_id(name: str) -> str:
    if not name:
        raise UnusableLineError("the id is empty.")
    return name


def _short(value: Any) -> str:
    return json.dumps(value, default=str)[:40]


def _keys(values: Mapping[str, Any]) -> str:
    return ", ".join(f"'{key}'" for key in values) or "(none)"
