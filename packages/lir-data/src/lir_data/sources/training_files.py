"""The forms in which training data lies: what a line or a row says of a query and its documents.

A form is recognised by the first record of a file, and all others are read as that.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lir_data.errors import UnusableLineError
from lir_data.sources.fields import NO_FIELDS, POSITIVE_TEXTS, QUERY_TEXTS, are_columns, named_columns
from lir_data.sources.lines import first_line, parse_json
from lir_data.sources.local_files import LocalFile
from lir_data.sources.training_values import (
    first_key,
    name_of,
    names_of,
    number_in,
    scores_of,
    shortened,
    text_of,
    value_of,
    with_a_positive,
)

# The relevance of a judgement, which may be written as 1.0.
_RELEVANCE = re.compile(r"-?[0-9]+(\.0*)?")


@dataclass(frozen=True, slots=True)
class TrainingTuple:
    """What one record says.

    Args:
        query: The query's id, or its text where it has no id.
        docs: The documents' ids, or their texts.
        scores: A score of each document, larger is better; None where there is none.
        num_positives: So many documents, from the first, are relevant and the others are not, neither in any order;
            None where the documents are in order.
        query_text: The query's text, where it is not looked up by the id.
        doc_texts: The documents' texts, where they are not looked up by the ids.
    """

    query: str
    docs: tuple[str, ...]
    scores: tuple[float, ...] | None = None
    num_positives: int | None = None
    query_text: str | None = None
    doc_texts: tuple[str, ...] | None = None


#: The values of a row, or the columns of a line, or the items of a JSON array.
Record = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True, slots=True)
class Form:
    """A form of training data.

    Args:
        example: What a record looks like, for messages.
        fits: Whether a record is of this form, as far as its keys tell.
        parse: Makes a tuple of a record.
        holds: ``ids`` or ``texts``, where the form decides; None where the user does.
    """

    example: str
    fits: Callable[[Record], bool]
    parse: Callable[[Any], TrainingTuple]
    holds: Literal["ids", "texts"] | None


class JsonArray(list[Any]):
    """The items of a line of JSON, which are not the columns of a line of text."""


def recognise(record: Record, *, with_scores: bool = False) -> Form:
    """Return the form of a record.

    Args:
        record: The first of a file.
        with_scores: Whether scores are wanted. Then five columns of which two are numbers are a pair with its scores,
            and otherwise a query with four documents.

    Raises:
        UnusableLineError: If it is of none; the message names those that there are.
    """
    if with_scores and _is_tsv(record) and len(record) == 5 and None not in map(number_in, list(record)[:2]):
        return SCORED_PAIR
    for form in FORMS:
        if form.fits(record):
            return form
    keys = f"the keys {', '.join(map(repr, record)) or '(none)'}" if isinstance(record, Mapping) else shortened(record)
    known = "; ".join(form.example for form in FORMS)
    raise UnusableLineError(f"{keys} are no form of training data. The forms are: {known}.")


def split_line(line: str, *, is_json: bool) -> Record:
    """Return the columns of a tab-separated line, or the object or array of a line of JSON.

    Raises:
        UnusableLineError: If it is neither.
    """
    if not is_json:
        return line.split("\t")
    value = parse_json(line)
    if isinstance(value, list) and value:
        return JsonArray(value)
    if not isinstance(value, Mapping):
        raise UnusableLineError(f"this is JSON, but neither an object nor an array with items: {line[:40]}")
    return value


def looks_like_qrels(file: LocalFile) -> bool:
    """Whether a file's first line is a judgement (query, anything, document, whole number) or the header of some."""
    if file.layout != "lines":
        return False
    first = first_line(file.path, file.start)
    if are_columns(named_columns(first.split("\t"), "qrels", NO_FIELDS), "qrels", NO_FIELDS):
        return True
    columns = first.split()
    return len(columns) == 4 and _RELEVANCE.fullmatch(columns[3]) is not None


def _columns(values: Sequence[Any]) -> TrainingTuple:
    """Read ``query<TAB>relevant<TAB>other<TAB>…``."""
    query, *docs = values
    if not docs:
        raise UnusableLineError(
            "there is no tab. A tuple is query, tab, relevant document, and others after more tabs."
        )
    return TrainingTuple(query, tuple(docs))


def _scored_pair(values: Sequence[Any]) -> TrainingTuple:
    """Read ``score<TAB>score<TAB>query<TAB>relevant<TAB>other``.

    References:
        Hofstätter et al. (2020), *Improving Efficient Neural Ranking Models with Cross-Architecture Knowledge
        Distillation*. https://arxiv.org/abs/2010.02666
    """
    columns = values[0].split() if len(values) == 1 else values
    scores = [number_in(column) for column in columns[:2]]
    if len(columns) != 5 or None in scores:
        raise UnusableLineError(
            "a pair with scores has five columns: score of the relevant, score of the other, query, relevant, other."
        )
    query, *docs = columns[2:]
    return TrainingTuple(query, tuple(docs), tuple(score for score in scores if score is not None))


def _array(values: Sequence[Any]) -> TrainingTuple:
    """Read ``[query, doc, doc, …]`` or ``[query, [doc, score], …]``, as of ColBERT."""
    query, *docs = values
    if not docs:
        raise UnusableLineError(
            "there is no document. A tuple is [query, document, …] or [query, [document, score], …]."
        )
    if not all(isinstance(doc, list) for doc in docs):
        return TrainingTuple(name_of("query", query), tuple(name_of("document", doc) for doc in docs))
    if wrong := [doc for doc in docs if len(doc) != 2]:
        raise UnusableLineError(f"{shortened(wrong[0])} is no pair of document and score.")
    names = tuple(name_of("document", doc) for doc, _ in docs)
    return TrainingTuple(name_of("query", query), names, scores_of([score for _, score in docs], len(docs)))


def _own(values: Mapping[str, Any], query: str, docs: str) -> TrainingTuple:
    """Read lir's own rows: the query, the documents in order, their scores."""
    names = names_of(docs, values[docs])
    if not names:
        raise UnusableLineError(f"there is no document in the {docs}.")
    scores = values.get("scores")
    return TrainingTuple(
        name_of(query, value_of(values, query)), names, None if scores is None else scores_of(scores, len(names))
    )


def _own_texts(values: Mapping[str, Any]) -> TrainingTuple:
    return _own(values, "query", "docs")


def _own_ids(values: Mapping[str, Any]) -> TrainingTuple:
    return _own(values, "query_id", "doc_ids")


_SCORE_KEYS = ("scores", "score", "label")


def _sentence_transformers(values: Mapping[str, Any]) -> TrainingTuple:
    """Read ``anchor``, ``positive`` and negatives in columns of their own, with a list of scores or a margin."""
    query = first_key(values, QUERY_TEXTS)
    negatives = [key for key in values if key == "negative" or _numbered_negative(key) is not None]
    negatives.sort(key=lambda key: _numbered_negative(key) or 0)
    keys = [first_key(values, POSITIVE_TEXTS), *negatives]
    docs = tuple(name_of(key, values[key]) for key in keys)
    score = next((values[key] for key in _SCORE_KEYS if values.get(key) is not None), None)
    if not isinstance(score, list | tuple | None) and len(docs) <= 2:
        # Of two documents it is by how much the first is better; that the other has 0 changes no difference.
        score = [score, 0.0][: len(docs)]
    return TrainingTuple(name_of(query, values[query]), docs, None if score is None else scores_of(score, len(docs)))


def _numbered_negative(key: str) -> int | None:
    number = key.removeprefix("negative_")
    return int(number) if number != key and number.isdecimal() else None


def _flag_embedding(values: Mapping[str, Any]) -> TrainingTuple:
    """Read the lists ``pos`` and ``neg``, with ``pos_scores`` and ``neg_scores`` where there are any."""
    positives, negatives = names_of("pos", values["pos"]), names_of("neg", values.get("neg") or [])
    scores = [values.get(f"{key}_scores") for key in ("pos", "neg")]
    # Without negatives there is nothing to score of them.
    has_scores = scores[0] is not None and (scores[1] is not None or not negatives)
    return TrainingTuple(
        name_of("query", value_of(values, "query")),
        with_a_positive(positives, "pos") + negatives,
        scores_of(scores[0], len(positives), "pos_scores") + scores_of(scores[1] or [], len(negatives), "neg_scores")
        if has_scores
        else None,
        len(positives),
    )


def _tevatron(values: Mapping[str, Any]) -> TrainingTuple:
    """Read ``positive_passages`` and ``negative_passages``, each a list of ids with titles and texts."""
    positives = _passages("positive_passages", values["positive_passages"])
    negatives = _passages("negative_passages", values.get("negative_passages") or [])
    ids, texts = zip(*with_a_positive(positives, "positive_passages"), *negatives, strict=True)
    return TrainingTuple(
        name_of("query_id", value_of(values, "query_id")),
        ids,
        None,
        len(positives),
        text_of("query", value_of(values, "query")),
        texts,
    )


def _passages(key: str, passages: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(passages, Sequence) or not all(isinstance(passage, Mapping) for passage in passages):
        raise UnusableLineError(f"the {key} are {shortened(passages)}; they must be a list of passages.")
    return tuple(_passage(passage) for passage in passages)


def _passage(passage: Mapping[str, Any]) -> tuple[str, str]:
    title, text = passage.get("title") or "", text_of("text of a passage", value_of(passage, "text"))
    joined = f"{text_of('title of a passage', title)} {text}" if title and text else title or text
    return name_of("docid", value_of(passage, "docid")), joined


def _tevatron_ids(values: Mapping[str, Any]) -> TrainingTuple:
    """Read ``positive_document_ids`` and ``negative_document_ids``."""
    positives = names_of("positive_document_ids", values["positive_document_ids"])
    negatives = names_of("negative_document_ids", values.get("negative_document_ids") or [])
    text = values.get("query_text")
    return TrainingTuple(
        name_of("query_id", value_of(values, "query_id")),
        with_a_positive(positives, "positive_document_ids") + negatives,
        None,
        len(positives),
        None if text is None else text_of("query_text", text),
    )


def mined(values: Mapping[str, Any], systems: Sequence[str] | None = None) -> TrainingTuple:
    """Read ``{"qid": …, "pos": […], "neg": {system: […]}}``: negatives of several systems, each once.

    Args:
        values: The row. A document is an id, or ``{"pid": …, "ce-score": …}``.
        systems: Those whose negatives are taken; None for all.
    """
    positives, found = _documents("pos", values["pos"]), values["neg"]
    if not isinstance(found, Mapping):
        raise UnusableLineError(f"the neg is {shortened(found)}; it must be an object of lists, one a system.")
    negatives: dict[str, float | None] = {}
    for system in found if systems is None else [system for system in systems if system in found]:
        # Tables hold null for a system that found nothing for this query.
        negatives |= _documents(f"neg of {system}", found[system] or [])
    docs = positives | {name: score for name, score in negatives.items() if name not in positives}
    scores = tuple(score for score in docs.values() if score is not None)
    with_a_positive(tuple(positives), "pos")
    return TrainingTuple(
        name_of("qid", value_of(values, "qid")),
        tuple(docs),
        scores if len(scores) == len(docs) else None,
        len(positives),
    )


def _documents(key: str, docs: Any) -> dict[str, float | None]:
    """Return ids with their scores; None where there is none."""
    if not isinstance(docs, list):
        raise UnusableLineError(f"the {key} is {shortened(docs)}; it must be a list of documents.")
    scores: dict[str, float | None] = {}
    for doc in docs:
        if isinstance(doc, Mapping):
            score = doc.get("ce-score")
            scores[name_of("pid", value_of(doc, "pid"))] = None if score is None else scores_of([score], 1)[0]
        else:
            scores[name_of(key, doc)] = None
    return scores


def _has(*keys: str | tuple[str, ...]) -> Callable[[Record], bool]:
    """Return what tells whether a row has all the keys, or of several that mean the same, one."""

    def fits(record: Record) -> bool:
        return isinstance(record, Mapping) and all(
            any(name in record for name in ([key] if isinstance(key, str) else key)) for key in keys
        )

    return fits


def _is_array(record: Record) -> bool:
    return isinstance(record, JsonArray)


def _is_tsv(record: Record) -> bool:
    return not isinstance(record, Mapping | JsonArray)


SCORED_PAIR = Form("score<TAB>score<TAB>query<TAB>relevant<TAB>other", _is_tsv, _scored_pair, None)
ARRAY = Form("[query, document, …] or [query, [document, score], …]", _is_array, _array, "ids")
MINED = Form('{"qid": …, "pos": […], "neg": {"bm25": […]}}', _has("qid", "pos", "neg"), mined, "ids")

#: Of several that fit, the first is meant.
FORMS = (
    Form('{"query_id": …, "doc_ids": […], "scores": […]}', _has("doc_ids"), _own_ids, "ids"),
    Form('{"query": …, "docs": […], "scores": […]}', _has("docs"), _own_texts, "texts"),
    Form(
        '{"query_id": …, "query": …, "positive_passages": [{"docid": …, "title": …, "text": …}], "negative_passages": […]}',
        _has("positive_passages"),
        _tevatron,
        "texts",
    ),
    Form(
        '{"query_id": …, "positive_document_ids": […], "negative_document_ids": […]}',
        _has("positive_document_ids"),
        _tevatron_ids,
        "ids",
    ),
    MINED,
    Form(
        '{"query": …, "pos": […], "neg": […], "pos_scores": […], "neg_scores": […]}', _has("pos"), _flag_embedding, None
    ),
    Form(
        '{"anchor": …, "positive": …, "negative": …, "score": …}',
        _has(QUERY_TEXTS, POSITIVE_TEXTS),
        _sentence_transformers,
        None,
    ),
    ARRAY,
    Form("query<TAB>relevant<TAB>other<TAB>…", _is_tsv, _columns, None),
)
