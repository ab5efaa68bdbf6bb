"""The Lightning module of a bi-encoder."""

from collections.abc import Sequence
from typing import Any

from lir_models import BiEncoderConfig, BiEncoderModel
from lir_train.batches import DocBatch, EmbeddedDocs, EmbeddedQueries, QueryBatch, RankBatch, ScoredRankings, TrainBatch
from lir_train.errors import ArgumentError
from lir_train.losses import LossFunction, LossInput
from lir_train.module import LightningIRModule, check_losses, check_metrics


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
    """

    def __init__(
        self,
        model_name_or_path: str | None = None,
        config: BiEncoderConfig | None = None,
        model: BiEncoderModel | None = None,
        loss_functions: Sequence[LossFunction | tuple[LossFunction, float]] | None = None,
        evaluation_metrics: Sequence[str] | None = None,
        adapter: Any = None,
    ) -> None:
        check_metrics(evaluation_metrics)
        losses = check_losses(loss_functions)
        if (model is None) == (model_name_or_path is None):
            raise ArgumentError("BiEncoderModule: give a model_name_or_path or a model, one of the two.")
        if model is None:
            model = BiEncoderModel.from_pretrained(model_name_or_path or "", config, device="cpu")
        if adapter is not None:
            model.add_adapter(adapter)
        super().__init__(model, losses, evaluation_metrics)

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
        }

    def loss_input(self, batch: TrainBatch) -> LossInput:
        """Embed queries and documents, and compare each query with every document."""
        model: BiEncoderModel = self.model
        assert batch.queries is not None
        queries = model.embed(batch.queries, "query")
        docs = model.embed(batch.docs, "doc")
        all_scores = model.compare(queries, docs)
        owner, place = batch.mask.nonzero(as_tuple=True)
        scores = all_scores.new_zeros(batch.mask.shape).index_put(
            (owner, place), all_scores.gather(0, owner.unsqueeze(0))[0]
        )
        return LossInput(scores, batch.targets, batch.mask, all_scores, batch.doc_keys)

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
