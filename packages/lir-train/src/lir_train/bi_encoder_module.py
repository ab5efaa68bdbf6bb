"""The Lightning module of a bi-encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from lir_models import BiEncoderConfig, BiEncoderModel
from lir_models.embeddings import BatchEmbeddings, num_texts, texts_between
from lir_models.fields import Side
from lir_train.batches import DocBatch, EmbeddedDocs, EmbeddedQueries, QueryBatch, RankBatch, ScoredRankings, TrainBatch
from lir_train.errors import ArgumentError
from lir_train.gather import gather, gather_embeddings, world_size
from lir_train.gradient_cache import run
from lir_train.losses import Embedded, LossFunction, LossInput
from lir_train.losses.loss import are_best
from lir_train.mini_batches import MiniBatches, MiniBatchLimits
from lir_train.module import LightningIRModule, check_losses, check_metrics, full_precision, padded


class BiEncoderModule(LightningIRModule):
    """A bi-encoder to train, index, search and re-rank with.

    Args:
        model_name_or_path: What `BiEncoderModel.from_pretrained` loads.
        config: The rule to use instead of the checkpoint's own.
        model: A model, in place of a name.
        loss_functions: Losses, each alone or with its weight in the sum.
        evaluation_metrics: Measures of ir-measures, such as ``nDCG@10``.
        adapter: A configuration of peft's, or a mapping of its fields, ``{"r": 8, "target_modules": "all-linear"}`` for
            instance: an adapter is trained, and new heads, while the backbone is frozen. Needs the package peft.
        mini_batch_size: Most texts that go through the model at a time (gradient caching): a batch of any size fits in
            memory, and has the same gradients, at the cost of a second pass. None for whole batches.
        mini_batch_num_tokens: Most tokens at a time, padding included; may be given in place of the number of texts, or
            beside it.
        gather_across_devices: Whether the queries of a process are compared with the documents of all.
        gradient_checkpointing: Whether each layer's activations are made again in the backward pass: less memory, a
            third more time.
        torch_compile: Whether the backbone is compiled by ``torch.compile`` when training, indexing, searching or
            re-ranking starts.
        model_kwargs: Further arguments of `BiEncoderModel.from_pretrained`, such as ``{"dtype": "bfloat16"}``.
    """

    def __init__(
        self,
        model_name_or_path: str | None = None,
        config: BiEncoderConfig | None = None,
        model: BiEncoderModel | None = None,
        loss_functions: Sequence[LossFunction | tuple[LossFunction, float]] | None = None,
        evaluation_metrics: Sequence[str] | None = None,
        adapter: Any = None,
        mini_batch_size: int | None = None,
        mini_batch_num_tokens: int | None = None,
        gather_across_devices: bool = False,
        gradient_checkpointing: bool = False,
        torch_compile: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        check_metrics(evaluation_metrics)
        losses = check_losses(loss_functions)
        limits = MiniBatchLimits(mini_batch_size, mini_batch_num_tokens)
        if (model is None) == (model_name_or_path is None):
            raise ArgumentError("BiEncoderModule: give a model_name_or_path or a model, one of the two.")
        if model is None:
            options: dict[str, Any] = {"device": "cpu", **(model_kwargs or {})}
            model = BiEncoderModel.from_pretrained(model_name_or_path or "", config, **options)
        if adapter is not None:
            model.add_adapter(adapter)
        super().__init__(
            model,
            losses,
            evaluation_metrics,
            limits=limits,
            gradient_checkpointing=gradient_checkpointing,
            torch_compile=torch_compile,
        )
        self.gather_across_devices = gather_across_devices

    def index_metadata(self) -> dict[str, Any]:
        """Return what an index keeps of the model that made it."""
        model: BiEncoderModel = self.model
        return {
            "model": model.name,
            "fingerprint": model.fingerprint,
            "similarity": model.config.similarity_function,
            "dim": model.dim,
            "form": model.form,
            "query_aggregation": model.config.query_aggregation_function,
            "doc_aggregation": model.config.doc_aggregation_function,
            "rule": model.config.to_json(),
        }

    def loss_input(self, batch: TrainBatch) -> LossInput:
        """Embed queries and documents, and compare them."""
        assert batch.queries is not None
        embedded = self._embedded(batch.queries, batch.docs)
        is_best = are_best(batch.targets, batch.mask)
        owner, _ = batch.mask.nonzero(as_tuple=True)
        doc_keys, query_keys, owner_keys = batch.doc_keys, batch.query_keys, batch.query_keys[owner]
        if embedded.all_docs is not embedded.docs:
            is_best, doc_keys, query_keys, owner_keys = map(gather, (is_best, doc_keys, query_keys, owner_keys))
        scored = LossInput(
            batch.targets.new_zeros(batch.mask.shape),
            batch.targets,
            batch.mask,
            doc_keys=doc_keys,
            query_keys=query_keys,
            owner_keys=owner_keys,
            is_best=is_best,
            embedded=embedded,
            texts=batch.texts,
        )
        if self._compares_all:
            return scored.compared_anew(embedded)
        return replace(scored, scores=padded(self._own_scores(embedded, batch.mask), batch.mask))

    def _embedded(self, queries: MiniBatches, docs: MiniBatches) -> Embedded:
        query_embeddings = self._embed(queries, "query")
        doc_embeddings = self._embed(docs, "doc")
        self._log_terms(query_embeddings, doc_embeddings)
        all_queries, all_docs = query_embeddings, doc_embeddings
        if self.gather_across_devices and world_size() > 1:
            all_queries, all_docs = gather_embeddings(query_embeddings), gather_embeddings(doc_embeddings)
        return Embedded(query_embeddings, doc_embeddings, all_queries, all_docs, self._compare)

    def _embed(self, texts: MiniBatches, side: Side) -> BatchEmbeddings:
        return run(lambda _, part: self.model.embed(part, side), texts, cached=bool(self.limits))

    def _compare(self, queries: Any, docs: Any) -> Float[Tensor, "queries docs"]:
        num_queries, num_docs = (num_texts(side) for side in (queries, docs))
        if num_queries and num_docs:
            with full_precision(self.device):
                return self.model.compare(queries, docs)
        # What a process compares that has no samples left: nothing, but every parameter has a gradient.
        parts = [part for side in (queries, docs) for part in (side if isinstance(side, tuple) else (side,))]
        nothing = sum(part.sum() for part in parts if part.is_floating_point())
        return torch.zeros(num_queries, num_docs, device=self.device) + nothing * 0

    @property
    def _compares_all(self) -> bool:
        """Whether every query is compared with every document: for losses that ask for it, or since it costs little."""
        return (
            any(loss.needs_all_scores for loss in self.loss_functions)
            or self.model.form in ("dense", "sparse")
            or getattr(self.model.config, "k_train", None) is not None
        )

    def _own_scores(self, embedded: Embedded, mask: Bool[Tensor, "queries docs"]) -> Float[Tensor, " own_docs"]:
        """Compare each query with its own documents alone."""
        counts = mask.sum(dim=1).tolist()
        starts = [sum(counts[:row]) for row in range(len(counts))]
        scores = [
            self._compare(
                texts_between(embedded.queries, row, row + 1), texts_between(embedded.docs, start, start + count)
            )[0]
            for row, (start, count) in enumerate(zip(starts, counts, strict=True))
            if count
        ]
        return torch.cat(scores) if scores else self._compare(embedded.queries, embedded.docs).flatten()

    def _log_terms(self, queries: Any, docs: Any) -> None:
        """Log how many terms a query and a document have, of a sparse model."""
        if self.model.form == "sparse":
            for name, terms in (("query_num_nonzero", queries), ("doc_num_nonzero", docs)):
                if len(terms):
                    self.log(name, (terms.detach() != 0).sum(dim=1).float().mean(), batch_size=len(terms))

    def predict_step(
        self, batch: DocBatch | QueryBatch | RankBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> EmbeddedDocs | EmbeddedQueries | ScoredRankings:
        """Embed documents or queries, or score rankings."""
        del batch_idx, dataloader_idx
        if isinstance(batch, DocBatch):
            return EmbeddedDocs(batch.doc_ids, self.model.encode_tokenized(batch.docs, "doc", progress=self.progress))
        if isinstance(batch, QueryBatch):
            embeddings = self.model.encode_tokenized(batch.queries, "query", progress=self.progress)
            return EmbeddedQueries(batch.query_ids, embeddings)
        return self.score_rankings(batch)
