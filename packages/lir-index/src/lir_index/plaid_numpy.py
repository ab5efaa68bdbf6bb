"""Which documents a multi-vector query is compared with, found from centroids alone, by numpy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, Int64

from lir_index.ragged import ranges
from lir_index.residuals import Codec, Packed
from lir_index.top_k import Mask, Positions

Similarities = Float32[np.ndarray, "centroids q_vectors"]


@dataclass(frozen=True)
class Tokens:
    """The encoded vectors of all documents; arrays may be memory-mapped.

    Args:
        codec: Decodes them.
        codes: The centroid of each.
        packed: What is left over of each.
        ends: For each document, the place one past its last vector.
        lengths: Vectors of each document.
        list_ends: For each centroid, where its list begins in ``lists``, and one past the last.
        lists: For each centroid, the documents that have a vector of it, rising.
    """

    codec: Codec
    codes: Int32[np.ndarray, " total"]
    packed: Packed
    ends: Int64[np.ndarray, " docs"]
    lengths: Int64[np.ndarray, " docs"]
    list_ends: Int64[np.ndarray, " centroids_and_one"]
    lists: Int32[np.ndarray, " entries"]

    def rows(self, documents: Positions) -> Int64[np.ndarray, " n"]:
        """Where the vectors of some documents lie."""
        return ranges(self.ends[documents] - self.lengths[documents], self.lengths[documents])


class NumpyEngine:
    """Finds candidates, and compares them.

    Args:
        tokens: All vectors.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def probe(
        self, similarities: Similarities, n_cells: int, threshold: float
    ) -> tuple[Positions, Float32[np.ndarray, " found"], Float32[np.ndarray, " q_vectors"]]:
        """Read the lists of the centroids that are most similar to each query vector.

        A document gets the similarity of the first of a query vector's centroids in whose list it is, and that of the
        first centroid that was not read where it is in none.

        Args:
            similarities: Of each query vector with each centroid.
            n_cells: Lists read for each query vector.
            threshold: Least similarity of a centroid whose list is read.

        Returns:
            The documents in any of the lists, how much each one's sum is above that of a document in none, and what
            stands for the similarity of a vector that is in none of a query vector's lists.
        """
        tokens, count = self.tokens, len(similarities)
        above = np.zeros(len(tokens.ends), dtype=np.float32)
        is_found = np.zeros(len(tokens.ends), dtype=np.bool_)
        imputed = np.empty(similarities.shape[1], dtype=np.float32)
        for number, column in enumerate(similarities.T):
            order = np.argsort(-column, kind="stable")[: n_cells + 1]
            imputed[number] = column[order[-1]]
            cells = order[: min(n_cells, count)]
            cells = cells[column[cells] >= threshold]
            lengths = tokens.list_ends[cells + 1] - tokens.list_ends[cells]
            documents = tokens.lists[ranges(tokens.list_ends[cells], lengths)]
            documents, first = np.unique(documents, return_index=True)
            above[documents] += np.repeat(column[cells] - imputed[number], lengths)[first]
            is_found[documents] = True
        found = np.flatnonzero(is_found)
        return found, above[found], imputed

    def interact(self, similarities: Similarities, documents: Positions) -> Float32[np.ndarray, " docs"]:
        """Score documents as if each vector were its centroid."""
        tokens, scores = self.tokens, np.zeros(len(documents), dtype=np.float32)
        for start in range(0, len(documents), 256):
            some = documents[start : start + 256]
            lengths = tokens.lengths[some]
            rows = similarities[tokens.codes[tokens.rows(some)]]
            best = np.maximum.reduceat(rows, np.cumsum(lengths) - lengths, axis=0)
            # One after the other: every engine sums in the same order.
            for column in best.T:
                scores[start : start + 256] += column
        return scores

    def matches(
        self, similarities: Similarities, query: Float32[np.ndarray, "dim q_vectors"], documents: Positions
    ) -> Float32[np.ndarray, "docs q_vectors"]:
        """Find each query vector's best match in each document, roughly.

        Args:
            similarities: Of each query vector with each centroid.
            query: The query's vectors, times the codec's scale.
            documents: The documents.
        """
        products, lengths = self.decoded(documents) @ query, self.tokens.lengths[documents]
        if self.tokens.codec.n_bits < 16:
            products += similarities[self.tokens.codes[self.tokens.rows(documents)]]
        return np.maximum.reduceat(products, np.cumsum(lengths) - lengths, axis=0)

    def decoded(self, documents: Positions) -> Float32[np.ndarray, "n dim"]:
        """Decode what is left over of the vectors of some documents, without scale; of 16 bits, the whole vectors."""
        return self.tokens.codec.decode(self.tokens.packed[self.tokens.rows(documents)])


def choose(
    documents: Positions, scores: Float32[np.ndarray, " docs"], count: int, allowed: Mask | None = None
) -> Positions:
    """The ``count`` best documents, in rising order; of equal scores, the first."""
    if allowed is not None:
        kept = allowed[documents]
        documents, scores = documents[kept], scores[kept]
    if len(documents) <= count:
        return documents
    cut = np.partition(scores, len(scores) - count)[len(scores) - count]
    above = np.flatnonzero(scores > cut)
    equal = np.flatnonzero(scores == cut)[: count - len(above)]
    return np.sort(documents[np.concatenate([above, equal])])
