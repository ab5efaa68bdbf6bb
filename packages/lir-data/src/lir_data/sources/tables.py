"""Documents and queries of tables: lines of tsv (``id<TAB>text``), or rows."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any

from lir_data.errors import ArgumentError, UnusableLineError
from lir_data.sources.fields import Key, key_of, listed
from lir_data.sources.local_files import LocalFile
from lir_data.sources.rows import Table, fields_of, has_columns, line_parser, parsed
from lir_data.sources.unicode import clean, is_unicode

Pair = tuple[str, str]


def documents(table: Table, text_fields: Sequence[str] | None) -> Iterator[tuple[int, Pair]]:
    """Yield the number of each document, for `place`, and its id and text; see `doc_parser`."""
    return parsed(table, _id_and_text, row_parser(table, text_fields))


def queries(table: Table) -> Iterator[tuple[int, Pair]]:
    """Yield the number of each query, for `place`, and its id and text."""
    fields = fields_of(table)
    return parsed(
        table,
        _id_and_text,
        partial(_query, name=key_of("queries", "id", fields), text=key_of("queries", "text", fields)),
    )


def check_text_fields(table: Table, text_fields: Sequence[str] | None) -> None:
    """Refuse to choose fields of what has none.

    Raises:
        ArgumentError: If a tsv file without a header is asked for fields, or its name gives them.
    """
    if text_fields is not None and not has_columns(table):
        raise ArgumentError(f"'{table}' is a tsv file of ids and texts: it has no fields to choose by text_fields.")
    if text_fields is not None and fields_of(table).of("text"):
        raise ArgumentError(f"'{table}' names the fields of the text; leave out text_fields.")


def doc_parser(file: LocalFile, text_fields: Sequence[str] | None) -> Callable[[str], Pair | None]:
    """Return what turns a line of a documents file into id and text.

    Args:
        file: A file that has one document in each line.
        text_fields: Fields to join by spaces; None for the title, where there is one, and the text.
    """
    return line_parser(file, _id_and_text, row_parser(file, text_fields))


def row_parser(table: Table, text_fields: Sequence[str] | None) -> Callable[[Mapping[str, Any]], Pair]:
    """Return what turns a row of a documents table into id and text; see `doc_parser`."""
    fields = fields_of(table)
    return partial(
        _doc,
        name=key_of("docs", "id", fields),
        text=key_of("docs", "text", fields),
        text_fields=None if text_fields is None else tuple(text_fields),
    )


def text_field(values: Mapping[str, Any], key: str) -> str:
    """Return a text of a row, or say that it is missing or none."""
    if key not in values:
        raise UnusableLineError(f"there is no field '{key}' among the keys {listed(values)}.")
    if not isinstance(values[key], str):
        raise UnusableLineError(f"the {key} is {_short(values[key])}; it must be a text.")
    return clean(values[key])


def id_field(values: Mapping[str, Any], key: str) -> str:
    """Return an id of a row."""
    value = values[key]
    if isinstance(value, str):
        return checked_id(value)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise UnusableLineError(f"the {key} is {_short(value)}; it must be a text or a whole number.")
    return str(value)


def checked_id(name: str) -> str:
    """Return an id, or say that it is none."""
    if not name:
        raise UnusableLineError("the id is empty.")
    if not is_unicode(name):
        raise UnusableLineError(f"the id {name!a} has half of a pair of surrogates, which no file can hold.")
    return name


def _id_and_text(line: str) -> Pair:
    name, tab, text = line.partition("\t")
    if not tab:
        raise UnusableLineError("there is no tab. A line is an id, a tab and a text.")
    return checked_id(name), text


def _query(values: Mapping[str, Any], name: Key, text: Key) -> Pair:
    return id_field(values, name.of(values)), _text(values, text)


def _doc(values: Mapping[str, Any], name: Key, text: Key, text_fields: Sequence[str] | None) -> Pair:
    doc_id = id_field(values, name.of(values))
    if text_fields is not None:
        return doc_id, " ".join([text_field(values, field) for field in text_fields])
    if not text.is_known or values.get("title") is None:
        return doc_id, _text(values, text)
    # As ir_datasets does for collections with titles.
    return doc_id, _joined([text_field(values, "title"), _text(values, text)])


def _text(values: Mapping[str, Any], key: Key) -> str:
    """Return the text of a row: of the fields that are named for it, or of the first that is known."""
    if key.is_known or len(key.names) == 1:
        return text_field(values, key.of(values) if key.is_known else key.names[0])
    # Of several a row need not have all.
    return _joined([text_field(values, name) for name in key.names if values.get(name, "") is not None])


def _joined(texts: Sequence[str]) -> str:
    return " ".join(filter(None, texts))


def _short(value: Any) -> str:
    return json.dumps(value, default=str)[:40]
