"""The Lightning module that embeds nothing: it hands texts over as they are."""

from collections.abc import Sequence
from typing import Any, cast

from lir_train.batches import DocBatch, EmbeddedDocs, EmbeddedQueries, QueryBatch, RankBatch, TrainBatch
from lir_train.errors import WrongStageError
from lir_train.losses import LossInput
from lir_train.module import LightningIRModule, check_metrics


class TextModule(LightningIRModule):
    """What indexes and searches without a model, for an index of the texts themselves such as BM25.

    Args:
        evaluation_metrics: Measures of ir-measures, such as ``nDCG@10``.
    """

    def __init__(self, evaluation_metrics: Sequence[str] | None = None) -> None:
        check_metrics(evaluation_metrics)
        super().__init__(cast("Any", _NoModel()), [], evaluation_metrics)

    def index_metadata(self) -> dict[str, Any]:
        """Return what an index keeps: that it is of texts."""
        return {"form": "text"}

    def loss_input(self, batch: TrainBatch) -> LossInput:
        """Refuse to train."""
        del batch
        return self.configure_optimizers()

    def configure_optimizers(self) -> Any:
        """Refuse to train; of what Lightning calls for that, this comes first."""
        raise WrongStageError("A TextModule has no model, so there is nothing to train.")

    def predict_step(
        self, batch: DocBatch | QueryBatch | RankBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> EmbeddedDocs | EmbeddedQueries:
        """Hand the texts of documents or queries over.

        Raises:
            WrongStageError: If they are rankings.
        """
        del batch_idx, dataloader_idx
        if isinstance(batch, RankBatch):
            raise WrongStageError("A TextModule has no model, so it scores no rankings.")
        texts = list(batch.docs if isinstance(batch, DocBatch) else batch.queries)
        if self.progress is not None:
            self.progress(len(texts))
        if isinstance(batch, DocBatch):
            return EmbeddedDocs(batch.doc_ids, texts)
        return EmbeddedQueries(batch.query_ids, texts)


class _NoModel:
    """Stands where others have a model: its tokens are the texts."""

    name = "no model"

    def tokenize(self, texts: Sequence[str], side: str) -> list[str]:
        """Return the texts."""
        del side
        return list(texts)
