"""The Lightning module of a cross-encoder."""

from collections.abc import Sequence
from typing import Any

from lir_models import CrossEncoderConfig, CrossEncoderModel
from lir_train.batches import RankBatch, ScoredRankings, TrainBatch
from lir_train.errors import ArgumentError
from lir_train.losses import LossFunction, LossInput
from lir_train.module import LightningIRModule, check_losses, check_metrics, padded


class CrossEncoderModule(LightningIRModule):
    """A cross-encoder to train and re-rank with.

    Args:
        model_name_or_path: What `CrossEncoderModel.from_pretrained` loads.
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
        config: CrossEncoderConfig | None = None,
        model: CrossEncoderModel | None = None,
        loss_functions: Sequence[LossFunction | tuple[LossFunction, float]] | None = None,
        evaluation_metrics: Sequence[str] | None = None,
        adapter: Any = None,
    ) -> None:
        check_metrics(evaluation_metrics)
        losses = check_losses(loss_functions)
        for loss, _ in losses:
            if loss.needs_all_scores:
                raise ArgumentError(
                    f"{type(loss).__name__} compares a query with other queries' documents, which only a bi-encoder "
                    "can do at once; RankNet or KLDivergence suit a cross-encoder."
                )
        if (model is None) == (model_name_or_path is None):
            raise ArgumentError("CrossEncoderModule: give a model_name_or_path or a model, one of the two.")
        if model is None:
            model = CrossEncoderModel.from_pretrained(model_name_or_path or "", config, device="cpu")
        if adapter is not None:
            model.add_adapter(adapter)
        super().__init__(model, losses, evaluation_metrics)

    def loss_input(self, batch: TrainBatch) -> LossInput:
        """Score every pair."""
        scores = self.model.score_batch(batch.docs, batch.mask.sum(dim=1).tolist())
        return LossInput(padded(scores, batch.mask), batch.targets, batch.mask)

    def predict_step(self, batch: RankBatch, batch_idx: int, dataloader_idx: int = 0) -> ScoredRankings:
        """Score rankings."""
        del batch_idx, dataloader_idx
        return self.score_rankings(batch)
