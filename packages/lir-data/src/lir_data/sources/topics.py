"""Queries as TREC publishes them: topics between ``<top>`` and ``</top>``, or the XML of later tracks."""

import html
import re
from collections.abc import Iterator
from pathlib import Path

from lir_data.sources.lines import binary_lines, decoded

_TOPIC = re.compile(r"<top(?:ic)?\b([^>]*)>(.*?)</top(?:ic)?\s*>", re.DOTALL | re.IGNORECASE)
# Of the older ones no field is closed: it ends where the next begins.
_FIELD = re.compile(r"<([A-Za-z][\w-]*)[^>]*>([^<]*)")
_NUMBER = re.compile(r"""\b(?:num|number|id)\s*=\s*["']([^"']+)["']""", re.IGNORECASE)
_LABEL = re.compile(r"\s*(?:number|topic|title|description|narrative)\s*:", re.IGNORECASE)

_BEGIN = re.compile(r"\s*<(?:top|topic|topics|\?xml)\b", re.IGNORECASE)


def are_topics(line: str) -> bool:
    """Whether a file whose first line is this has topics."""
    return _BEGIN.match(line) is not None


def topics(path: Path) -> Iterator[dict[str, str]]:
    """Yield the fields of each topic by their tags, and as ``query_id`` and ``text`` its number and title (or query).

    Raises:
        MalformedLineError: If a line is not UTF-8.
    """
    text = "".join(decoded(path, number, line) for number, line in enumerate(binary_lines(path), start=1))
    for attributes, content in _TOPIC.findall(text):
        fields = {
            tag.lower(): " ".join(html.unescape(_LABEL.sub("", value, count=1)).split())
            for tag, value in _FIELD.findall(content)
        }
        if (number := _NUMBER.search(attributes)) is not None:
            fields.setdefault("num", number[1])
        known = {
            "query_id": fields.get("num") or fields.get("number"),
            "text": fields.get("title") or fields.get("query"),
        }
        yield {name: value for name, value in known.items() if value is not None} | fields
