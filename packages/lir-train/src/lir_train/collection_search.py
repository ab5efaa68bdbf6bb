"""A search through a whole collection that goes by once, a window of documents at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from lir_models import BiEncoderModel
from lir_models.embeddings import num_texts, take

# Similarities of vectors that are in memory at a time: 128 MiB of them.
_SIMILARITIES = 1 << 25


class CollectionSearch:
    """The best documents, so far, for each of some queries.

    Args:
        model: What compares.
        query_ids: The queries.
        query_embeddings: As `BiEncoderModel.encode_query` gives them.
        depth: Documents kept for each query.
    """

    def __init__(self, model: BiEncoderModel, query_ids: Sequence[str], query_embeddings: Any, depth: int) -> None:
        self.model = model
        self.query_ids = query_ids
        self.query_embeddings = query_embeddings
        self.depth = depth
        self._scores = torch.zeros(len(query_ids), 0)
        self._doc_ids = np.empty((len(query_ids), 0), dtype=object)

    def add(self, doc_ids: Sequence[str], doc_embeddings: Any) -> None:
        """Compare the queries with some more documents."""
        for places in self._windows(doc_embeddings):
            found = self.model.similarity(self.query_embeddings, take(doc_embeddings, places))
            scores = torch.cat([self._scores, found], dim=1)
            new = np.array([doc_ids[place] for place in places], dtype=object)
            names = np.concatenate([self._doc_ids, np.broadcast_to(new, found.shape)], axis=1)
            self._scores, kept = scores.topk(min(self.depth, scores.shape[1]), dim=1)
            self._doc_ids = np.take_along_axis(names, kept.numpy(), axis=1)

    def run(self) -> dict[str, dict[str, float]]:
        """Return the scores of the documents that were kept."""
        rows = zip(self.query_ids, self._doc_ids.tolist(), self._scores.tolist(), strict=True)
        return {query_id: dict(zip(doc_ids, scores, strict=True)) for query_id, doc_ids, scores in rows}

    def _windows(self, doc_embeddings: Any) -> Iterator[np.ndarray]:
        """Yield places of documents, so many together as can be compared in little memory."""
        num_docs = num_texts(doc_embeddings)
        num_vectors = len(doc_embeddings[0]) if isinstance(doc_embeddings, tuple) else num_docs
        num_query_vectors = (
            len(self.query_embeddings[0]) if isinstance(self.query_embeddings, tuple) else len(self.query_ids)
        )
        each = max(1, num_query_vectors) * num_vectors / max(1, num_docs)
        size = max(1, int(_SIMILARITIES / each)) if each else num_docs
        for start in range(0, num_docs, size):
            yield np.arange(start, min(start + size, num_docs))
