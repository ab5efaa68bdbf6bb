"""What travels from the data to the module, and from the module to the callbacks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from lir_models.tokenization import TokenizedText
from lir_train.losses import Texts
from lir_train.mini_batches import MiniBatches


@dataclass(frozen=True)
class TrainBatch:
    """Queries with their documents, tokenized and padded.

    Args:
        queries: Token ids of the queries; None for a cross-encoder.
        docs: Token ids of all documents, query after query; of a cross-encoder, of all pairs.
        targets: What is to be learnt.
        mask: Whether there is a document.
        query_keys: Of each query two numbers, in every process the same: queries are equal that have one in common.
        doc_keys: Equal numbers for equal documents, in every process.
        texts: The texts themselves.
        set_sizes: Of a Set-Encoder, the numbers of pairs of the queries of each part.
    """

    queries: MiniBatches | None
    docs: MiniBatches
    targets: Float[Tensor, "queries docs"]
    mask: Bool[Tensor, "queries docs"]
    query_keys: Int[Tensor, "queries keys"]
    doc_keys: Int[Tensor, " all_docs"]
    texts: Texts
    set_sizes: Sequence[Sequence[int]] | None = None

    def to(self, device: torch.device | str, **kwargs: Any) -> Self:
        """Return the batch on a device."""
        del kwargs
        return replace(
            self,
            queries=None if self.queries is None else self.queries.to(device),
            docs=self.docs.to(device),
            targets=self.targets.to(device),
            mask=self.mask.to(device),
            query_keys=self.query_keys.to(device),
            doc_keys=self.doc_keys.to(device),
        )

    def in_words(self) -> str:
        """Return how large the batch is, for messages."""
        longest = max(part.input_ids.shape[1] for part in self.docs.parts)
        return f"{len(self.mask)} queries with {len(self.docs)} documents of up to {longest} tokens"


class _StaysOnCpu:
    """Lightning calls ``to`` in place of walking through thousands of strings; the model moves its own batches."""

    def to(self, device: torch.device | str, **kwargs: Any) -> Self:
        """Return the batch as it is."""
        del device, kwargs
        return self


@dataclass(frozen=True)
class DocBatch(_StaysOnCpu):
    """Documents to be embedded; or, without a model, to be handed over.

    Args:
        doc_ids: Their ids.
        docs: Their tokens, or their texts.
        digests: For each a hash of its id and its text, by which an interrupted indexing knows it again.
    """

    doc_ids: Sequence[str]
    docs: Sequence[TokenizedText] | Sequence[str]
    digests: Sequence[bytes] = ()


@dataclass(frozen=True)
class QueryBatch(_StaysOnCpu):
    """Queries to be embedded; or, without a model, to be handed over."""

    query_ids: Sequence[str]
    queries: Sequence[TokenizedText] | Sequence[str]


@dataclass(frozen=True)
class RankBatch(_StaysOnCpu):
    """Rankings to be scored: texts, since a bi-encoder and a cross-encoder read them differently."""

    query_ids: Sequence[str]
    queries: Sequence[str]
    doc_ids: Sequence[Sequence[str]]
    docs: Sequence[Sequence[str]]


@dataclass(frozen=True)
class EmbeddedDocs:
    """Documents' ids and embeddings, as `encode_document` gives them; or texts."""

    doc_ids: Sequence[str]
    doc_embeddings: Any


@dataclass(frozen=True)
class EmbeddedQueries:
    """Queries' ids and embeddings, as `encode_query` gives them; or texts."""

    query_ids: Sequence[str]
    query_embeddings: Any


@dataclass(frozen=True)
class ScoredRankings:
    """Rankings with new scores."""

    query_ids: Sequence[str]
    doc_ids: Sequence[Sequence[str]]
    scores: Sequence[Float[Tensor, " docs"]]
