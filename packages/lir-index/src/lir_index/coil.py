"""COIL: texts are compared as wholes, and token by token where they share one; exact, by inverted lists of vectors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from jaxtyping import Float32, Int64

from lir_index.array_checks import check_vectors
from lir_index.coil_lists import Lists
from lir_index.config import IndexConfig, SearchConfig, Similarity
from lir_index.documents import Documents
from lir_index.embeddings import Batch, Form, as_batch
from lir_index.errors import EmbeddingsError
from lir_index.packed import open_lengths
from lir_index.segment import Segment, Space
from lir_index.similarity import Vectors, check_lengths, norms, prepare, rough_scores, slack
from lir_index.storage import ArrayWriter, map_array
from lir_index.threads import blas_threads, in_threads
from lir_index.top_k import Found, Mask, Positions, best

_TEXTS = "text_vectors.npy"

# Queries whose rough scores are held at once, and documents that are compared with them at a time.
_QUERIES = 16
_DOCUMENTS = 8192


@dataclass(frozen=True, kw_only=True)
class CoilIndexConfig(IndexConfig):
    """Exact search over the embeddings of COIL, by numpy; on disk plain ``.npy`` arrays.

    A document's score is the dot product of the texts' vectors, plus, for each query token, its best match among the
    document's tokens that are the same; 0 where there is none above 0.

    Args:
        similarity: COIL compares by dot; None is the same.

    References:
        Gao et al. (2021), *COIL*. https://arxiv.org/abs/2104.07186
    """

    kind: ClassVar[str] = "coil"
    similarity: Similarity | None = None


@dataclass(frozen=True)
class CoilSearchConfig(SearchConfig):
    """How to search an index of the kind coil.

    Args:
        k: Number of documents for each query.
        num_threads: Threads of a search; None for as many as there are.
    """

    k: int = 10
    num_threads: int | None = None


class CoilSegment(Segment):
    """A segment of the kind coil."""

    kind = "coil"
    forms: ClassVar[tuple[Form, ...]] = ("coil",)
    similarities: ClassVar[tuple[Similarity, ...]] = ("dot",)
    config_class = CoilIndexConfig
    search_config_class = CoilSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self._num_threads = cast("CoilSearchConfig", search_config).num_threads
        self._text_dim = self.details.count("text_dim", 1)
        self._longest_text, self._longest_token = map(self.details.number, ("longest_text", "longest_token"))
        self._texts = map_array(folder / _TEXTS, np.float32, (num_docs, self._text_dim))
        self._lists = Lists(folder, open_lengths(folder, num_docs), space.dim)

    def check(self) -> None:
        """See :meth:`Segment.check`."""
        super().check()
        check_vectors(self.folder / _TEXTS, self._texts)
        self._lists.check(self.folder, self.num_docs)

    @classmethod
    def write(
        cls,
        folder: Path,
        documents: Documents,
        config: IndexConfig,  # noqa: ARG003 - nothing to tune
        space: Space,
        like: Segment | None,
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        first = next(iter(documents))[1]
        text_dim = first.arrays["text_vectors"].shape[1] if like is None else like.details["text_dim"]
        longest = {"longest_text": 0.0, "longest_token": 0.0}
        with ArrayWriter(folder / _TEXTS, (text_dim,)) as texts, Lists.writer(folder, space.dim) as lists:
            for doc_ids, batch in documents:
                if batch.arrays["text_vectors"].shape[1] != text_dim:
                    raise EmbeddingsError(_other_text_dim(text_dim, batch))
                owner = lambda row, ids=doc_ids, batch=batch: f"document '{ids[batch.row_of_value(row)]}'"  # noqa: E731
                vectors, token_norms = prepare(batch.values, "dot", owner)
                text_norms = norms(batch.arrays["text_vectors"])
                check_lengths(text_norms, lambda row, ids=doc_ids: f"document '{ids[row]}'")
                texts.append(batch.arrays["text_vectors"])
                lists.append(batch.arrays["lengths"], batch.arrays["token_ids"], vectors)
                longest["longest_text"] = max(longest["longest_text"], float(text_norms.max(initial=0)))
                longest["longest_token"] = max(longest["longest_token"], float(token_norms.max(initial=0)))
        return {"text_dim": text_dim, **longest}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        if queries.arrays["text_vectors"].shape[1] != self._text_dim:
            raise EmbeddingsError(_other_text_dim(self._text_dim, queries))
        texts, text_norms = prepare(queries.arrays["text_vectors"], "dot", lambda row: f"query {row + 1}")
        vectors, token_norms = prepare(queries.values, "dot", lambda row: f"query {queries.row_of_value(row) + 1}")
        lengths = queries.arrays["lengths"]
        ends = np.cumsum(lengths)
        totals = np.concatenate([[0], np.cumsum(token_norms)])
        largest = text_norms * self._longest_text + (totals[ends] - totals[ends - lengths]) * self._longest_token
        terms = self._text_dim + self.space.dim + int(lengths.max(initial=0))
        margins = slack(largest, 1.0, terms, "dot")
        forbidden = None if allowed is None else np.flatnonzero(~allowed)

        def search_one(query: int, scores: Float32[np.ndarray, " docs"]) -> tuple[Positions, Float32[np.ndarray, " k"]]:
            tokens = slice(int(ends[query] - lengths[query]), int(ends[query]))
            token_ids = queries.arrays["token_ids"][tokens]
            self._lists.add_matches(scores, token_ids, vectors[tokens])
            if forbidden is not None:
                scores[forbidden] = -np.inf
            cut = np.partition(scores, len(scores) - k)[len(scores) - k]
            candidates = np.flatnonzero(scores >= cut - margins[query])
            exact = self._compare(texts[query], token_ids, vectors[tokens], candidates)
            order = best(exact, self.doc_ids.ranks[candidates], k)
            return candidates[order], exact[order] + np.float32(0)

        results: Found = []
        with blas_threads(1):
            for start in range(0, len(queries), _QUERIES):
                rough = self._rough(texts[start : start + _QUERIES])
                some = list(enumerate(rough, start=start))
                results += in_threads(lambda pair: search_one(*pair), some, self._num_threads)
        return results

    def _rough(self, texts: Vectors) -> Float32[np.ndarray, "q docs"]:
        """The products of whole texts, nearly."""
        scores = np.empty((len(texts), self.num_docs), dtype=np.float32)

        def compare(start: int) -> None:
            block = self._texts[start : start + _DOCUMENTS]
            scores[:, start : start + _DOCUMENTS] = rough_scores(texts, block, "dot")

        in_threads(compare, range(0, self.num_docs, _DOCUMENTS), self._num_threads)
        return scores

    def _compare(
        self,
        text: Float32[np.ndarray, " text_dim"],
        token_ids: Int64[np.ndarray, " q"],
        vectors: Vectors,
        at: Positions,
    ) -> Float32[np.ndarray, " n"]:
        """Compare a query with a few documents, in float64 and a fixed order; rounded once, so that equal texts score equal."""
        scores = np.empty(len(at), dtype=np.float32)
        wide = text.astype(np.float64)
        for start in range(0, len(at), 1024):
            some = at[start : start + 1024]
            matches = self._lists.matches(some, token_ids, vectors)
            scores[start : start + 1024] = (self._texts[some] * wide).sum(axis=1) + matches.sum(axis=1)
        return scores

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        for start in range(0, self.num_docs, _DOCUMENTS):
            stop = min(start + _DOCUMENTS, self.num_docs)
            yield as_batch((self._texts[start:stop], *self._lists.rows(start, stop)))


def _other_text_dim(expected: int, batch: Batch) -> str:
    dim = batch.arrays["text_vectors"].shape[1]
    return f"The index holds vectors of whole texts of {expected} dimensions, and these have {dim}."
