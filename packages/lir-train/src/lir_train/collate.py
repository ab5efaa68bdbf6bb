"""From samples to batches; runs in the loader's workers."""

from collections.abc import Sequence
from typing import Any

import torch

from lir_data import DocDataset, DocSample, QueryDataset, QuerySample, RankSample
from lir_models import BiEncoderModel, CrossEncoderModel
from lir_models.tokenization import TokenBatch, TokenizedText, Tokenizer, collate
from lir_train.batches import DocBatch, QueryBatch, RankBatch, TrainBatch
from lir_train.errors import TargetsMissingError, WrongStageError


def train_batch(samples: Sequence[RankSample], model: BiEncoderModel | CrossEncoderModel) -> TrainBatch:
    """Tokenize and pad queries with their documents.

    Raises:
        TargetsMissingError: If a sample has no targets.
    """
    width = max(len(sample.docs) for sample in samples)
    targets = torch.zeros(len(samples), width)
    mask = torch.zeros(len(samples), width, dtype=torch.bool)
    for row, sample in enumerate(samples):
        if sample.targets is None:
            raise TargetsMissingError(
                f"The training data says nothing of what to learn of query '{sample.query_id}'; "
                "set targets='relevance', 'rank' or 'score' in its RunDataset."
            )
        # Of several subtopics, a document counts for that which it is about most.
        best = [max(target) if isinstance(target, tuple) else target for target in sample.targets]
        targets[row, : len(sample.docs)] = torch.tensor(best)
        mask[row, : len(sample.docs)] = True
    docs = [doc for sample in samples for doc in sample.docs]
    keys: dict[str, int] = {}
    doc_keys = torch.tensor([keys.setdefault(doc_id, len(keys)) for sample in samples for doc_id in sample.doc_ids])
    if isinstance(model, CrossEncoderModel):
        queries = None
        texts = model.tokenize([sample.query for sample in samples for _ in sample.docs], docs)
    else:
        query_tokenizer = model.encoder_of("query").tokenizer
        queries = _padded(model.tokenize([sample.query for sample in samples], "query"), query_tokenizer)
        texts = model.tokenize(docs, "doc")
    return TrainBatch(queries, _padded(texts, model.tokenizer), targets, mask, doc_keys)


def _padded(texts: Sequence[TokenizedText], tokenizer: Tokenizer) -> TokenBatch:
    return collate(texts, pad_id=tokenizer.pad_id, padding_side=tokenizer.padding_side)


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
        return DocBatch([doc.doc_id for doc in docs], model.tokenize([doc.doc for doc in docs], "doc"))  # pyright: ignore[reportArgumentType]
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
