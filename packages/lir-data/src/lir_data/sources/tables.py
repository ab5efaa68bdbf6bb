"""Local files of documents and queries: tsv (``id<TAB>text``) and jsonl, plain or gzipped."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lir_data.errors import ArgumentError
from lir_data.sources.lines import UnusableLineError
from lir_data.sources.names import shown

_DOC_ID = ("doc_id", "_id", "id")
_QUERY_ID = ("query_id", "_id", "id")
_DOC_TEXT = ("text", "contents")
_QUERY_TEXT = ("text", "query")


def is_jsonl(path: Path) -> bool:
    """Whether a file's name says jsonl; anything else is tsv."""
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    return bool(suffixes) and suffixes[-1] in (".jsonl", ".json", ".ndjson")


def doc_parser(path: Path, text_fields: Sequence[str] | None) -> Callable[[str], tuple[str, str]]:
    """Return what turns a line of a documents file into id and text.

    Args:
        path: The file; its name decides between tsv and jsonl.
        text_fields: Keys of the jsonl objects to join by spaces; None for the title, where there is one, and the text.

    Raises:
        ArgumentError: If a tsv file is asked for fields.
    """
    if is_jsonl(path):
        return partial(_json_doc, text_fields=None if text_fields is None else tuple(text_fields))
    if text_fields is not None:
        raise ArgumentError(
            f"'{shown(path)}' is a tsv file of ids and texts: it has no fields to choose by text_fields."
        )
    return _id_and_text


def query_parser(path: Path) -> Callable[[str], tuple[str, str]]:
    """Return what turns a line of a queries file into id and text."""
    return _json_query if is_jsonl(path) else _id_and_text


def json_object(line: str) -> dict[str, Any]:
    """Parse one line of a jsonl file."""
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise UnusableLineError(f"this is not JSON ({error.msg}, column {error.colno}).") from None
    if not isinstance(value, dict):
        raise UnusableLineError(f"this is JSON, but no object with keys and values: {line[:40]}")
    return value


def _id_and_text(line: str) -> tuple[str, str]:
    name, tab, text = line.partition("\t")
    if not tab:
        raise UnusableLineError("there is no tab. A line is an id, a tab and a text.")
    return _checked_id(name), text


def _json_query(line: str) -> tuple[str, str]:
    values = json_object(line)
    return _id_of(values, _QUERY_ID), _text_of(values, _first_key(values, _QUERY_TEXT))


def _json_doc(line: str, text_fields: Sequence[str] | None) -> tuple[str, str]:
    values = json_object(line)
    doc_id = _id_of(values, _DOC_ID)
    if text_fields is not None:
        return doc_id, " ".join(_text_of(values, field) for field in text_fields)
    text = _text_of(values, _first_key(values, _DOC_TEXT))
    # As ir_datasets does for collections with titles.
    title = _text_of(values, "title") if values.get("title") is not None else ""
    return doc_id, f"{title} {text}" if title and text else title or text


def _first_key(values: Mapping[str, Any], names: Sequence[str]) -> str:
    for name in names:
        if name in values:
            return name
    wanted = " or ".join(f"'{name}'" for name in names)
    raise UnusableLineError(f"there is no {wanted} among the keys {_keys(values)}.")


def _id_of(values: Mapping[str, Any], names: Sequence[str]) -> str:
    key = _first_key(values, names)
    value = values[key]
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise UnusableLineError(f"the {key} is {json.dumps(value)[:40]}; it must be a text or a whole number.")
    return _checked_id(str(value))


def _checked_id(name: str) -> str:
    if not name:
        raise UnusableLineError("the id is empty.")
    return name


def _text_of(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        raise UnusableLineError(f"there is no field '{key}' among the keys {_keys(values)}.")
    if not isinstance(values[key], str):
        raise UnusableLineError(f"the {key} is {json.dumps(values[key])[:40]}; it must be a text.")
    return values[key]


def _keys(values: Mapping[str, Any]) -> str:
    return ", ".join(f"'{key}'" for key in values) or "(none)"
