"""From samples to batches; runs in the loader's workers."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from lir_data import DocDataset, DocSample, QueryDataset, QuerySample, RankSample
from lir_models import BiEncoderModel, CrossEncoderModel, SetEncoderConfig
from lir_models.batching import BatchLimits
from lir_models.fields import Side
from lir_train.batches import DocBatch, QueryBatch, RankBatch, TrainBatch
from lir_train.errors import TargetsMissingError, WrongStageError
from lir_train.indexed import digest
from lir_train.losses import Texts
from lir_train.mini_batches import NO_LIMITS, MiniBatches, MiniBatchLimits, mini_batches, mini_batches_of_sets


@dataclass(frozen=True)
class TrainingCollator:
    """Makes training batches.

    Args:
        model: Whose tokenizers are used.
        limits: How much of a batch goes through the model at a time.
        needs_targets: Whether samples must say what is to be learnt of their documents.
        usual: How texts are batched where nothing is limited: in parts of texts of like length, of which little is
            padding; None for one part, which processes need that wait for each other in every layer.
    """

    model: BiEncoderModel | CrossEncoderModel
    limits: MiniBatchLimits = NO_LIMITS
    needs_targets: bool = True
    usual: BatchLimits | None = None

    def __call__(self, samples: Sequence[RankSample]) -> TrainBatch:
        """Tokenize and pad queries with their documents.

        Raises:
            TargetsMissingError: If a sample has no targets where they are needed.
        """
        samples = [_without_repeated(sample) for sample in samples]
        width = max(1, *(len(sample.docs) for sample in samples))
        targets = torch.zeros(len(samples), width)
        mask = torch.zeros(len(samples), width, dtype=torch.bool)
        for row, sample in enumerate(samples):
            if sample.targets is not None:
                # Of several subtopics, a document counts for that which it is about most.
                best = [max(target) if isinstance(target, tuple) else target for target in sample.targets]
                targets[row, : len(sample.docs)] = torch.tensor(best)
            elif self.needs_targets:
                raise TargetsMissingError(
                    f"The training data says nothing of what to learn of query '{sample.query_id}'; "
                    "set targets='relevance', 'rank' or 'score' in its RunDataset."
                )
            mask[row, : len(sample.docs)] = True
        queries = [sample.query for sample in samples]
        docs = [doc for sample in samples for doc in sample.docs]
        doc_keys = torch.tensor([_key(doc) for doc in docs], dtype=torch.long)
        query_keys = torch.tensor(
            [(_key(f"id {sample.query_id}"), _key(f"text {sample.query}")) for sample in samples], dtype=torch.long
        ).view(-1, 2)
        texts = Texts(queries, docs)
        num_docs = [len(sample.docs) for sample in samples]
        if isinstance(self.model, CrossEncoderModel):
            pairs, set_sizes = self._pairs(queries, docs, num_docs)
            return TrainBatch(None, pairs, targets, mask, query_keys, doc_keys, texts, set_sizes)
        return TrainBatch(
            self._side(queries, "query"), self._side(docs, "doc"), targets, mask, query_keys, doc_keys, texts
        )

    def _side(self, texts: Sequence[str], side: Side) -> MiniBatches:
        assert isinstance(self.model, BiEncoderModel)
        tokenizer = self.model.encoder_of(side).tokenizer
        return mini_batches(self.model.tokenize(texts, side), tokenizer, self.limits, self.usual)

    def _pairs(
        self, queries: Sequence[str], docs: Sequence[str], num_docs: Sequence[int]
    ) -> tuple[MiniBatches, Sequence[Sequence[int]] | None]:
        assert isinstance(self.model, CrossEncoderModel)
        repeated = [query for query, count in zip(queries, num_docs, strict=True) for _ in range(count)]
        pairs = self.model.tokenize(repeated, docs)
        if isinstance(self.model.config, SetEncoderConfig):
            return mini_batches_of_sets(pairs, num_docs, self.model.tokenizer, self.limits)
        return mini_batches(pairs, self.model.tokenizer, self.limits, self.usual), None


def without_samples(batch: TrainBatch) -> TrainBatch:
    """Return what a process runs whose share of the samples has ended before the others': a batch of none.

    Its model is run all the same, since the processes wait for each other in every step.
    """
    none = torch.zeros(0, dtype=torch.long)
    queries = None if batch.queries is None else replace(batch.queries, order=none)
    return replace(
        batch,
        queries=queries,
        docs=replace(batch.docs, order=none),
        targets=batch.targets[:0],
        mask=batch.mask[:0],
        query_keys=batch.query_keys[:0],
        doc_keys=none,
        texts=Texts([], []),
    )


def _key(text: str) -> int:
    """Return a number of 64 bits by which processes that know nothing of each other tell texts apart."""
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=8).digest(), "little", signed=True)


def _without_repeated(sample: RankSample) -> RankSample:
    """Leave out documents that a sample has before, or with a higher target: what is relevant is no negative beside it."""
    if len(set(sample.docs)) == len(sample.docs):
        return sample
    targets: list[Any] = list(sample.targets or (0.0,) * len(sample.docs))
    kept: dict[str, int] = {}
    for place, doc in enumerate(sample.docs):
        if doc not in kept or targets[place] > targets[kept[doc]]:
            kept[doc] = place
    places = sorted(kept.values())
    return replace(
        sample,
        doc_ids=tuple(sample.doc_ids[place] for place in places),
        docs=tuple(sample.docs[place] for place in places),
        targets=None if sample.targets is None else tuple(targets[place] for place in places),
    )


def inference_batch(
    samples: Sequence[Any], dataset: Any, model: BiEncoderModel | CrossEncoderModel
) -> DocBatch | QueryBatch | RankBatch:
    """Prepare a window of documents, queries or rankings."""
    if isinstance(dataset, DocDataset | QueryDataset) and isinstance(model, CrossEncoderModel):
        raise WrongStageError(
            f"'{model.name}' is a cross-encoder: it reads query and document together, so it neither indexes nor searches.",
            hint="re-rank with it: a RunDataset, trainer.re_rank or 'lir rerank'",
        )
    if isinstance(dataset, DocDataset):
        docs: Sequence[DocSample] = samples
        tokens: Any = model.tokenize([doc.doc for doc in docs], "doc")  # pyright: ignore[reportArgumentType]
        return DocBatch([doc.doc_id for doc in docs], tokens, [digest(doc) for doc in docs])
    if isinstance(dataset, QueryDataset):
        queries: Sequence[QuerySample] = samples
        return QueryBatch(
            [query.query_id for query in queries], model.tokenize([query.query for query in queries], "query")
        )  # pyright: ignore[reportArgumentType]
    rankings: Sequence[RankSample] = samples
    return RankBatch(
        [ranking.query_id for ranking in rankings],
        [ranking.query for ranking in rankings],
        [ranking.doc_ids for ranking in rankings],
        [ranking.docs for ranking in rankings],
    )
