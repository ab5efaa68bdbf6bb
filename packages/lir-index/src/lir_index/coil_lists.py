"""COIL's inverted lists: the vectors of one token lie together, by document; and where those of each document lie."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from lir_index.array_checks import check_permutation, check_range, check_rising, check_vectors
from lir_index.errors import DamagedIndexError
from lir_index.ownership import remove_file
from lir_index.packed import LENGTHS, VECTORS
from lir_index.ragged import ranges
from lir_index.similarity import Vectors
from lir_index.storage import ArrayWriter, map_array
from lir_index.top_k import Positions

# Whose each vector is; the tokens that have a list, and where it ends; where the vectors of a document's tokens lie.
_OWNERS, _TOKENS, _ENDS, _PLACES = "owners.npy", "tokens.npy", "ends.npy", "places.npy"

# Vectors that are brought into order at once.
_AT_ONCE = 2**18


class Lists:
    """The lists of a segment, memory-mapped.

    Args:
        folder: Of the segment.
        lengths: Tokens of each document.
        dim: Components of a vector.

    Raises:
        DamagedIndexError: If the files do not fit together.
    """

    def __init__(self, folder: Path, lengths: Int64[np.ndarray, " docs"], dim: int) -> None:
        total = int(lengths.sum())
        self._lengths = lengths
        self._doc_ends = np.cumsum(lengths)
        self._vectors: Vectors = map_array(folder / VECTORS, np.float32, (total, dim))
        self._owners: Int32[np.ndarray, " total"] = map_array(folder / _OWNERS, np.int32, (total,))
        self._tokens: Int64[np.ndarray, " lists"] = map_array(folder / _TOKENS, np.int64)
        self._ends: Int64[np.ndarray, " lists"] = map_array(folder / _ENDS, np.int64, self._tokens.shape)
        self._places: Int64[np.ndarray, " total"] = map_array(folder / _PLACES, np.int64, (total,))
        if (self._ends[-1] if len(self._ends) else 0) != total:
            raise DamagedIndexError(f"The lists in '{folder}' are damaged: their files do not fit together.")

    def check(self, folder: Path, num_docs: int) -> None:
        """Look at all values that comparing tokens relies on.

        Raises:
            DamagedIndexError: If a vector is in no list or of no document, or is not finite.
        """
        check_rising(folder / _ENDS, self._ends, 0, len(self._owners), strictly=True)
        check_range(folder / _OWNERS, self._owners, num_docs)
        check_permutation(folder / _PLACES, self._places)
        check_vectors(folder / VECTORS, self._vectors)

    @staticmethod
    @contextmanager
    def writer(folder: Path, dim: int) -> Generator["ListsWriter"]:
        """Write lists: documents are appended in the block, and brought into order at its end."""
        unordered = folder / "unordered.npy"
        with ArrayWriter(unordered, (dim,)) as file:
            lists = ListsWriter(file)
            yield lists
        lists.finish(folder, map_array(unordered, np.float32, (None, dim)))
        remove_file(unordered)

    def add_matches(
        self, scores: Float32[np.ndarray, " docs"], token_ids: Int64[np.ndarray, " q"], vectors: Vectors
    ) -> None:
        """Add to all documents' scores what the tokens of a query match, by matrix products; rounded as they are."""
        for token in np.unique(token_ids):
            number = int(np.searchsorted(self._tokens, token))
            if number == len(self._tokens) or self._tokens[number] != token:
                continue
            start, end = int(self._ends[number - 1]) if number else 0, int(self._ends[number])
            owners = self._owners[start:end]
            firsts = np.flatnonzero(np.diff(owners, prepend=-1))
            products = self._vectors[start:end] @ vectors[token_ids == token].T
            found = np.maximum(np.maximum.reduceat(products, firsts, axis=0), 0)
            scores[owners[firsts]] += found.sum(axis=1)

    def matches(
        self, documents: Positions, token_ids: Int64[np.ndarray, " q"], vectors: Vectors
    ) -> Float64[np.ndarray, "docs q"]:
        """Each query token's best match in some documents, at least 0; exact, in float64."""
        lengths = self._lengths[documents]
        places = self._places[ranges(self._doc_ends[documents] - lengths, lengths)]
        owners = np.repeat(np.arange(len(documents)), lengths)
        tokens = self._tokens_at(places)
        found = np.zeros((len(documents), len(token_ids)))
        for column, (token, vector) in enumerate(zip(token_ids, vectors, strict=True)):
            same = np.flatnonzero(tokens == token)
            products = (self._vectors[places[same]] * vector.astype(np.float64)).sum(axis=1)
            np.maximum.at(found[:, column], owners[same], products)
        return found

    def rows(self, start: int, stop: int) -> tuple[Vectors, Int64[np.ndarray, " total"], Int64[np.ndarray, " docs"]]:
        """The vectors, the tokens and the lengths of the documents from ``start`` up to ``stop``."""
        lengths = self._lengths[start:stop]
        places = self._places[int(self._doc_ends[start] - lengths[0]) : int(self._doc_ends[stop - 1])]
        return self._vectors[places], self._tokens_at(places), lengths

    def _tokens_at(self, places: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
        return self._tokens[np.searchsorted(self._ends, places, side="right")]


class ListsWriter:
    """Takes documents in their order; see :meth:`Lists.writer`.

    Args:
        file: Where their vectors go, until all are known.
    """

    def __init__(self, file: ArrayWriter) -> None:
        self._file = file
        self._lengths: list[Int64[np.ndarray, " docs"]] = []
        self._token_ids: list[Int64[np.ndarray, " total"]] = []

    def append(
        self, lengths: Int64[np.ndarray, " docs"], token_ids: Int64[np.ndarray, " total"], vectors: Vectors
    ) -> None:
        """Add documents."""
        self._file.append(vectors)
        self._lengths.append(lengths)
        self._token_ids.append(token_ids)

    def finish(self, folder: Path, vectors: Vectors) -> None:
        """Write everything, list by list.

        Args:
            folder: Where to.
            vectors: What was appended, memory-mapped.
        """
        lengths, token_ids = np.concatenate(self._lengths), np.concatenate(self._token_ids)
        # Stable: within a list, documents rise.
        order = np.argsort(token_ids, kind="stable")
        with ArrayWriter(folder / VECTORS, vectors.shape[1:]) as file:
            for start in range(0, len(order), _AT_ONCE):
                file.append(vectors[order[start : start + _AT_ONCE]])
        places = np.empty(len(order), dtype=np.int64)
        places[order] = np.arange(len(order))
        tokens, counts = np.unique(token_ids, return_counts=True)
        owners = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        np.save(folder / LENGTHS, lengths)
        np.save(folder / _OWNERS, owners[order])
        np.save(folder / _TOKENS, tokens)
        np.save(folder / _ENDS, np.cumsum(counts, dtype=np.int64))
        np.save(folder / _PLACES, places)
