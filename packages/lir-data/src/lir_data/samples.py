"""The words that the rest of lir speaks: a query, a document, a ranking."""

from dataclasses import dataclass

#: Of each document, one number, or one for each subtopic.
RankTargets = tuple[float, ...] | tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class QuerySample:
    """One query.

    Args:
        query_id: Its id.
        query: Its text.
    """

    query_id: str
    query: str


@dataclass(frozen=True, slots=True)
class DocSample:
    """One document.

    Args:
        doc_id: Its id.
        doc: Its text.
    """

    doc_id: str
    doc: str


@dataclass(frozen=True, slots=True, repr=False)
class RankSample:
    """One query with documents, in the order of a ranking or of a training tuple.

    Args:
        query_id: The query's id.
        query: The query's text.
        doc_ids: The documents' ids.
        docs: The documents' texts.
        targets: What a model should learn of each document, larger is better, or one for each subtopic of the query;
            None where nothing is known.
    """

    query_id: str
    query: str
    doc_ids: tuple[str, ...]
    docs: tuple[str, ...]
    targets: RankTargets | None = None

    def __repr__(self) -> str:
        targets = "" if self.targets is None else f", targets={self.targets!r}"
        return (
            f"RankSample(query_id={self.query_id!r}, query={self.query!r}, doc_ids={self.doc_ids!r}, "
            f"docs={self.docs!r}{targets})"
        )
