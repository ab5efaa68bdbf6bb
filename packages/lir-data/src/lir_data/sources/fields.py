"""Which fields of a row hold what: names that are known, and names that a source gives by itself.

``docs.jsonl?id=docno&text=title+body`` is ``docs.jsonl``, where ``docno`` holds the id, and the text is ``title`` and
``body``, joined by a space.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, unquote

from lir_data.errors import ArgumentError, UnusableLineError, did_you_mean
from lir_data.sources.unicode import clean

#: What a row says.
Role = Literal["id", "text", "query_id", "doc_id", "relevance", "score", "rank"]

#: What a table is read as.
Purpose = Literal["docs", "queries", "qrels", "run", "tuples"]

_ROLES_OF: dict[Purpose, tuple[Role, ...]] = {
    "docs": ("id", "text"),
    "queries": ("id", "text"),
    "qrels": ("query_id", "doc_id", "relevance"),
    "run": ("query_id", "doc_id", "score", "rank"),
    "tuples": (),
}
#: All that a name can say where to find.
ROLES = tuple(dict.fromkeys(role for roles in _ROLES_OF.values() for role in roles))

_QUERY_ID = ("query_id", "qid", "query-id")
_DOC_ID = ("doc_id", "docno", "docid", "corpus-id", "corpus_id", "pid")

#: The names that are known, the first wins: those of lir and ir_datasets, PyTerrier, BEIR, MS MARCO, Pyserini.
KNOWN: dict[tuple[Purpose, Role], tuple[str, ...]] = {
    ("docs", "id"): (*_DOC_ID, "_id", "id"),
    ("docs", "text"): ("text", "contents", "body", "passage", "content", "doc"),
    ("queries", "id"): (*_QUERY_ID, "_id", "id"),
    ("queries", "text"): ("text", "query", "question"),
    ("qrels", "query_id"): _QUERY_ID,
    ("qrels", "doc_id"): _DOC_ID,
    ("qrels", "relevance"): ("relevance", "label", "score"),
    ("run", "query_id"): _QUERY_ID,
    ("run", "doc_id"): _DOC_ID,
    ("run", "score"): ("score",),
    ("run", "rank"): ("rank",),
}


#: The texts of a training tuple by the names of sentence-transformers, which have columns of their own.
QUERY_TEXTS = ("anchor", "query", "question")
POSITIVE_TEXTS = ("positive", "answer")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that a source names, by what they hold; none where the known names will do."""

    named: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __str__(self) -> str:
        return "&".join(f"{role}={'+'.join(quote(name, safe='') for name in names)}" for role, names in self.named)

    def of(self, role: Role) -> tuple[str, ...]:
        """Return the names that are given for a role; none if none are."""
        return dict(self.named).get(role, ())

    def check(self, source: str, purpose: Purpose) -> None:
        """Refuse names for what the rows of such a table do not have.

        Raises:
            ArgumentError: The message lists what can be named.
        """
        allowed = _ROLES_OF[purpose]
        for role, _ in self.named:
            if role not in allowed:
                there = f"there are {', '.join(allowed)}" if allowed else "none can be named here"
                raise ArgumentError(f"'{source}': there is no field '{role}' to name; {there}.")


NO_FIELDS = Fields()


def parse_fields(pairs: Sequence[tuple[str, str]], source: str) -> Fields:
    """Read ``id=docno`` and ``text=title+body`` of a source's name.

    Raises:
        ArgumentError: If there is no such role, a name is empty, or an id is named twice.
    """
    named: dict[str, tuple[str, ...]] = {}
    for key, value in pairs:
        if key not in ROLES:
            raise ArgumentError(
                f"'{source}': there is no field '{key}' to name; there are {', '.join(ROLES)}."
                f"{did_you_mean(key, ROLES)}"
            )
        names = tuple(unquote(name) for name in value.split("+"))
        if "" in names:
            raise ArgumentError(f"'{source}': a name of the field for the {key} is empty.")
        named[key] = (*named.get(key, ()), *names)
        if key != "text" and len(named[key]) > 1:
            raise ArgumentError(f"'{source}': {len(named[key])} fields are named for the {key}; it has one.")
    return Fields(tuple(named.items()))


class Key(NamedTuple):
    """How the field of a row is found that holds something.

    Args:
        role: What it holds.
        names: Its names; the first that a row has is meant.
        is_known: Whether the names are those that are known, and the source gives none.
    """

    role: Role
    names: tuple[str, ...]
    is_known: bool

    def of(self, values: Mapping[str, Any]) -> str:
        """Return the name that a row has.

        Raises:
            UnusableLineError: If it has none; the message lists the row's fields.
        """
        for name in self.names:
            if name in values:
                return name
        *others, last = (f"'{name}'" for name in self.names)
        wanted = f"{', '.join(others)} or {last}" if others else last
        advice = f" Any other field can be named: FILE?{self.role}=FIELD." if self.is_known else ""
        raise UnusableLineError(f"there is no {wanted} among the keys {listed(values)}.{advice}")


def key_of(purpose: Purpose, role: Role, fields: Fields) -> Key:
    """Return how a field is found: by the names that are given, or by those that are known."""
    given = fields.of(role)
    return Key(role, given or KNOWN[purpose, role], not given)


def named_columns(names: Sequence[str], purpose: Purpose, fields: Fields) -> tuple[str, ...]:
    """Return the columns that a header names; capitals do not count in a name that is known."""
    known = {name for (table, _), some in KNOWN.items() if table == purpose for name in some}
    chosen = {name for _, some in fields.named for name in some}
    return tuple(
        name.lower() if name not in chosen and name.lower() in known else name for name in map(str.strip, names)
    )


def are_columns(names: Sequence[str], purpose: Purpose, fields: Fields) -> bool:
    """Whether the columns of a line are names of columns: there is one for each thing that a row must say."""
    if not all(_IDENTIFIER.fullmatch(name) for name in names):
        return False
    if purpose == "tuples":
        needed: list[tuple[str, ...]] = [QUERY_TEXTS, POSITIVE_TEXTS]
    else:
        needed = [
            fields.of(role) or KNOWN[purpose, role] for role in _ROLES_OF[purpose] if role not in ("score", "rank")
        ]
    if purpose == "run":
        needed.append((*(fields.of("score") or KNOWN["run", "score"]), *(fields.of("rank") or KNOWN["run", "rank"])))
    return all(any(name in names for name in some) for some in needed)


def listed(values: Mapping[str, Any]) -> str:
    """Return the fields of a row for messages."""
    return clean(", ".join(f"'{key}'" for key in values) or "(none)")
