"""BM25 over the texts themselves: the baseline that needs no encoder, by bm25s."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np

from lir_index.array_checks import check_range
from lir_index.bm25_files import check_scores, load_scores
from lir_index.config import IndexConfig, SearchConfig, Similarity
from lir_index.documents import Documents
from lir_index.embeddings import Batch, Form
from lir_index.errors import ArgumentError, MissingExtraError, did_you_mean
from lir_index.fields import Fields
from lir_index.segment import Segment, Space
from lir_index.storage import ArrayWriter, map_array
from lir_index.threads import in_threads
from lir_index.top_k import Found, Mask, best

Method = Literal["robertson", "lucene", "atire", "bm25l", "bm25+"]

_TEXT, _LENGTHS = "texts.npy", "texts.lengths.npy"


@dataclass(frozen=True)
class Bm25IndexConfig(IndexConfig):
    """BM25 by bm25s, whose scores and rankings these are; the extra ``bm25``.

    Documents and queries are texts. A document that shares no term with the query is not found, so that a query may
    find fewer than k.

    BM25 weighs a term by how many documents of the collection have it. So an addition rewrites the whole index, as if
    it had been built at once; deleted documents are found no more, but count among the collection until then, or until
    the index is compacted.

    Args:
        k1: How slowly more occurrences of a term add less. Anserini's default is 0.9.
        b: How much long documents are held back, from 0 to 1. Anserini's default is 0.4.
        delta: What an occurrence adds at least, in the methods bm25l and bm25+.
        method: The variant: ``robertson`` (the first), ``lucene``, ``atire``, ``bm25l`` or ``bm25+``.
        idf_method: The variant that the rareness of a term is taken from; None for ``method``.
        stemmer: A language, or another algorithm of PyStemmer's, ``porter`` for instance; None for words as they are.
        stopwords: Words left out: those of a language, as bm25s has them, or a list; None for none.
        similarity: A BM25 score is a sum of products: dot.

    References:
        Kamphuis, de Vries, Boytsov and Lin (2020), *Which BM25 Do You Mean?*, for the variants.
        Lù (2024), *BM25S: Orders of magnitude faster lexical search via eager sparse scoring*.
        https://arxiv.org/abs/2407.03618
    """

    kind: ClassVar[str] = "bm25"
    k1: float = 1.5
    b: float = 0.75
    delta: float = 0.5
    method: Method = "lucene"
    idf_method: Method | None = None
    stemmer: str | None = "english"
    stopwords: str | list[str] | None = "english"
    similarity: Similarity | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("k1", "delta"):
            _check_number(name, getattr(self, name), np.inf)
        _check_number("b", self.b, 1)
        for method in (self.method, self.idf_method or self.method):
            known = get_args(Method)
            if method not in known:
                raise ArgumentError(
                    f"There is no BM25 of the method '{method}', only {', '.join(known)}.{did_you_mean(method, known)}"
                )


@dataclass(frozen=True)
class Bm25SearchConfig(SearchConfig):
    """How to search an index of the kind bm25.

    Args:
        k: Number of documents for each query.
        num_threads: Queries that are searched at a time; None for as many as there are processors.
    """

    k: int = 10
    num_threads: int | None = None


class Bm25Segment(Segment):
    """A segment of the kind bm25: what bm25s saves, and the texts, so that it can be rewritten."""

    kind = "bm25"
    forms: ClassVar[tuple[Form, ...]] = ("text",)
    similarities: ClassVar[tuple[Similarity, ...]] = ("dot",)
    config_class = Bm25IndexConfig
    search_config_class = Bm25SearchConfig
    scores_by_collection = True

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self._tokenizer = Tokenizer(self.details.text_or_none("stemmer"), _stopwords(self.details))
        self._lengths = map_array(folder / _LENGTHS, np.int64, (num_docs,))
        check_range(folder / _LENGTHS, self._lengths, 2**40)
        self._text = map_array(folder / _TEXT, np.uint8, (int(self._lengths.sum()),))
        self._scores = load_scores(_load_bm25s(), folder, num_docs)

    def check(self) -> None:
        """See :meth:`Segment.check`."""
        super().check()
        check_scores(self.folder, self._scores)

    @classmethod
    def check_config(cls, config: IndexConfig) -> None:
        """See :meth:`Segment.check_config`."""
        _load_bm25s()
        config = cast("Bm25IndexConfig", config)
        Tokenizer(config.stemmer, config.stopwords)

    @classmethod
    def write(
        cls,
        folder: Path,
        documents: Documents,
        config: IndexConfig,
        space: Space,  # noqa: ARG003 - of texts there is only one
        like: Segment | None,  # noqa: ARG003 - all documents are in one segment
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        config = cast("Bm25IndexConfig", config)
        tokenizer = Tokenizer(config.stemmer, config.stopwords)
        numbers: dict[str, int] = {}
        tokenized: list[list[int]] = []
        with (
            ArrayWriter(folder / _TEXT, dtype=np.uint8) as text,
            ArrayWriter(folder / _LENGTHS, dtype=np.int64) as lengths,
        ):
            for _, batch in documents:
                text.append(batch.arrays["text"])
                lengths.append(batch.arrays["lengths"])
                tokenized += [
                    [numbers.setdefault(word, len(numbers)) for word in words]
                    for words in tokenizer.words(batch.texts())
                ]
        scores = _load_bm25s().BM25(config.k1, config.b, config.delta, config.method, config.idf_method)
        # Where no document has a word, the average length is 0, and nothing is divided by it.
        with np.errstate(invalid="ignore"):
            scores.index((tokenized, numbers), create_empty_token=False, show_progress=False)
        scores.save(folder, allow_pickle=False)
        return {"stemmer": config.stemmer, "stopwords": config.stopwords}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        num_threads = cast("Bm25SearchConfig", self.search_config).num_threads
        words = self._tokenizer.words(queries.texts())
        return in_threads(lambda query: self._search_one(query, k, allowed), words, num_threads)

    def _search_one(self, words: list[str], k: int, allowed: Mask | None) -> Any:
        terms = self._scores.get_tokens_ids(words)
        if not terms:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        scores = self._scores.get_scores_from_ids(terms)
        # BM25+ and BM25L give every document something for each term; less than that is nothing in common.
        elsewhere = self._scores.nonoccurrence_array
        found = np.flatnonzero(scores > (0 if elsewhere is None else elsewhere[terms].sum()))
        found = found if allowed is None else found[allowed[found]]
        order = best(scores[found], self.doc_ids.ranks[found], k)
        return found[order], scores[found[order]]

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        ends, step = np.cumsum(self._lengths), 65536
        for start in range(0, self.num_docs, step):
            lengths = self._lengths[start : start + step]
            first = int(ends[start] - lengths[0])
            yield Batch("text", {"text": self._text[first : first + int(lengths.sum())], "lengths": lengths}, 0)


class Tokenizer:
    """From texts to the words that are counted: two letters or more, in lower case, without stopwords, stemmed.

    Args:
        stemmer: An algorithm of PyStemmer's; None for none.
        stopwords: A language, or the words; None for none.

    Raises:
        MissingExtraError: If bm25s or PyStemmer is not installed.
        ArgumentError: If there is no such stemmer, or no such language.
    """

    def __init__(self, stemmer: str | None, stopwords: str | list[str] | None) -> None:
        self._tokenize = _load_bm25s().tokenize
        self._stemmer = None if stemmer is None else _make_stemmer(stemmer)
        # Texts are in lower case when stopwords are left out of them.
        self._stopwords = [word.lower() for word in stopwords] if isinstance(stopwords, list) else stopwords
        try:
            self.words([""])
        except ValueError:
            raise ArgumentError(
                f"bm25s has no stopwords of '{stopwords}'.", hint="Give a list of words, or null for none."
            ) from None

    def words(self, texts: list[str]) -> list[list[str]]:
        """The words of each text, in order."""
        return self._tokenize(
            texts, stopwords=self._stopwords, stemmer=self._stemmer, return_ids=False, show_progress=False
        )


def _stopwords(details: Fields) -> str | list[str] | None:
    words = details["stopwords"]
    if isinstance(words, list) and all(isinstance(word, str) for word in cast("list[object]", words)):
        return cast("list[str]", words)
    return details.text_or_none("stopwords")


def _make_stemmer(name: str) -> Any:
    Stemmer = _load("Stemmer")  # noqa: N806 - the module's name
    known = Stemmer.algorithms()
    if name not in known:
        nearest = did_you_mean(name, known) or f" There are {', '.join(known)}."
        raise ArgumentError(f"PyStemmer has no stemmer '{name}'.{nearest}")
    return Stemmer.Stemmer(name)


def _load_bm25s() -> Any:
    return _load("bm25s")


def _load(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "An index of the kind bm25 needs bm25s and PyStemmer, which are not installed.",
            hint="pip install 'lir-index[bm25]'",
        ) from error


def _check_number(name: str, value: object, largest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= largest:
        right = "at least 0" if largest == np.inf else f"from 0 to {largest}"
        raise ArgumentError(f"{name} is a number, {right}; it is {value!r}.")
