"""Long documents as passages: windows of words, and the scores of passages as scores of their documents.

The passages of the document ``D`` have the ids ``D#0``, ``D#1`` and so on. A collection that is cut has its name:
``docs.tsv#passages=150,75`` is that of ``docs.tsv`` in windows of 150 words, one every 75.

Dai and Callan (2019), *Deeper Text Understanding for IR with Contextual Neural Language Modeling*: windows, and the scores
of the best (MaxP), the first (FirstP) or all passages (SumP). https://arxiv.org/abs/1905.09217
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from lir_data.arguments import check_choice
from lir_data.errors import ArgumentError, unknown_ids
from lir_data.samples import DocSample, RankSample
from lir_data.sources.document_stores import not_found
from lir_data.taken import GivenRun, take_ordered_run
from lir_data.trec import Run, in_order

if TYPE_CHECKING:
    from lir_data.documents import Documents

Aggregation = Literal["max", "first", "mean", "sum", "none"]

# What follows the name of a collection whose documents are cut.
_CUT = re.compile(r"(.+)#passages=([0-9]+),([0-9]+)", re.DOTALL)
_WORD = re.compile(r"\S+")
# The last # decides: a document's own id may have some.
_PASSAGE_ID = re.compile(r"(.+)#([0-9]+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Windows:
    """How documents are cut.

    Args:
        length: Words of a passage, at most.
        stride: Words from the start of a passage to that of the next.
    """

    length: int
    stride: int

    def split(self, text: str) -> list[str]:
        """Cut a text; see `split_passages`."""
        spans = [word.span() for word in _WORD.finditer(text)]
        if len(spans) <= self.length:
            return [text]
        # The window before the last leaves words over, so the last is not within it.
        starts = range(0, len(spans) - self.length + self.stride, self.stride)
        return [text[spans[start][0] : spans[min(start + self.length, len(spans)) - 1][1]] for start in starts]

    def passages(self, docs: Iterable[DocSample]) -> Iterator[DocSample]:
        """Yield the passages of documents, each under its own id."""
        for doc in docs:
            for number, passage in enumerate(self.split(doc.doc)):
                yield DocSample(f"{doc.doc_id}#{number}", passage)

    def cut(self, ranking: RankSample) -> RankSample:
        """Put in the place of each document its passages, with the document's target."""
        doc_ids: list[str] = []
        docs: list[str] = []
        targets: list[Any] = []
        for place, doc in enumerate(map(DocSample, ranking.doc_ids, ranking.docs)):
            for passage in self.passages([doc]):
                doc_ids.append(passage.doc_id)
                docs.append(passage.doc)
                if ranking.targets is not None:
                    targets.append(ranking.targets[place])
        return replace(
            ranking,
            doc_ids=tuple(doc_ids),
            docs=tuple(docs),
            targets=None if ranking.targets is None else tuple(targets),
        )


def find_windows(owner: str, length: int | None, stride: int | None) -> Windows | None:
    """Return how documents are to be cut; None if they are not.

    Args:
        owner: Who asks, for errors.
        length: Words of a passage; None for whole documents.
        stride: Words from one start to the next; None for half the length.

    Raises:
        ArgumentError: If the length is below 1, the stride is not between 1 and the length, or stands alone.
    """
    if length is None:
        if stride is not None:
            raise ArgumentError(f"{owner}: passage_stride is {stride}, but there is no passage_length.")
        return None
    return _checked(owner, "passage_", length, max(1, length // 2) if stride is None else stride)


def cut_source(source: str, windows: Windows | None) -> str:
    """Return the name that opens a collection as passages, ``docs.tsv#passages=150,75``; without windows, the name."""
    return source if windows is None else f"{source}#passages={windows.length},{windows.stride}"


def parse_source(source: str) -> tuple[str, Windows | None]:
    """Return the name of a collection, and how its documents are to be cut if the name says so.

    Raises:
        ArgumentError: If they cannot be cut like that.
    """
    match = _CUT.fullmatch(source)
    if match is None:
        return source, None
    return match[1], _checked(f"'{source}'", "", int(match[2]), int(match[3]))


class PassageDocuments:
    """The passages of a collection, by their ids.

    Args:
        documents: The collection, whole.
        windows: How its documents are cut.
        source: Its name, for errors.
    """

    def __init__(self, documents: "Documents", windows: Windows, source: str) -> None:
        self._documents = documents
        self._windows = windows
        self._source = source

    def __len__(self) -> int:
        raise TypeError(f"The number of passages of '{self._source}' is not known before they are cut.")

    def __iter__(self) -> Iterator[DocSample]:
        return self._windows.passages(self._documents)

    def get_many(self, doc_ids: Iterable[str]) -> dict[str, str]:
        """Return the texts of passages, by id, in the order asked for."""
        wanted = list(dict.fromkeys(doc_ids))
        found = self._look_up(wanted)
        if unknown := [passage_id for passage_id in wanted if passage_id not in found]:
            raise unknown_ids("passage", unknown, self._source)
        return {passage_id: found[passage_id] for passage_id in wanted}

    def missing(self, doc_ids: Iterable[str]) -> list[str]:
        """Return those of the ids that no passage has, each once."""
        return not_found(doc_ids, self._look_up)

    def _look_up(self, passage_ids: Sequence[str]) -> dict[str, str]:
        parents = list(dict.fromkeys(passage_of(passage_id)[0] for passage_id in passage_ids))
        absent = set(self._documents.missing(parents))
        texts = self._documents.get_many(doc_id for doc_id in parents if doc_id not in absent)
        whole = (DocSample(*item) for item in texts.items())
        return {passage.doc_id: passage.doc for passage in self._windows.passages(whole)}


def split_passages(text: str, length: int = 150, stride: int = 75) -> list[str]:
    """Cut a text into windows of words, which overlap where the stride is below the length.

    Args:
        text: The text. Words are what white space separates.
        length: Words of a passage; the last may have fewer.
        stride: Words from the start of a passage to that of the next, at most ``length``, so that no word is left out.

    Returns:
        The passages, slices of the text from the first to the last of their words; a text of at most ``length`` words is
        one passage, as it is. The last passage ends with the last word, and has a word that is not in the one before.

    Raises:
        ArgumentError: If the length is below 1, or the stride is not between 1 and the length.
    """
    return _checked("split_passages", "", length, stride).split(text)


def _checked(owner: str, prefix: str, length: int, stride: int) -> Windows:
    if length < 1:
        raise ArgumentError(f"{owner}: {prefix}length is {length}; a passage has at least 1 word.")
    if not 1 <= stride <= length:
        raise ArgumentError(
            f"{owner}: {prefix}stride is {stride}; it must be between 1 and the {prefix}length, {length}, "
            "so that no word is left out."
        )
    return Windows(length, stride)


def aggregate_passages(run: GivenRun, how: Aggregation = "max") -> Run:
    """Make a run of documents of a run of passages.

    Args:
        run: Scores by passage by query, or a source of them (see `read_run`). A passage's id is that of its document, #
            and a number; of several # the last counts. An id without is a document's.
        how: The score of a document: ``max``, that of its best passage (MaxP); ``first``, that of the first of its
            passages which the run has (FirstP, if it has all); ``mean``, the mean of them (AvgP); ``sum``, their sum
            (SumP); ``none``, passages stay as they are.

    Returns:
        For each query its documents' scores, best first, equal ones by ascending document id.

    Raises:
        ArgumentError: If there is no such aggregation; the message names the nearest.
    """
    check_choice("aggregate_passages", "how", how, get_args(Aggregation))
    passages = take_ordered_run(run)
    if how == "none":
        return passages
    aggregated: Run = {}
    for query_id, scores in passages.items():
        by_document: dict[str, list[tuple[int, float]]] = {}
        for passage_id, score in scores.items():
            doc_id, number = passage_of(passage_id)
            by_document.setdefault(doc_id, []).append((number, score))
        documents = {
            doc_id: _AGGREGATE[how]([score for _, score in sorted(numbered)])
            for doc_id, numbered in by_document.items()
        }
        aggregated[query_id] = in_order(documents)
    return aggregated


def passage_of(passage_id: str) -> tuple[str, int]:
    """Return the document of a passage, and which of its passages it is; an id without a number is the first."""
    match = _PASSAGE_ID.fullmatch(passage_id)
    return (passage_id, 0) if match is None else (match[1], int(match[2]))


def _first(scores: Sequence[float]) -> float:
    return scores[0]


def _mean(scores: Sequence[float]) -> float:
    return math.fsum(scores) / len(scores)


# fsum rounds once, so that the order of the passages changes nothing.
_AGGREGATE: dict[str, Callable[[Sequence[float]], float]] = {
    "max": max,
    "first": _first,
    "mean": _mean,
    "sum": math.fsum,
}
