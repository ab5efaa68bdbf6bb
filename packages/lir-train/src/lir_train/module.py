"""What the modules of both kinds of model share: losses, optimizer, evaluation."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from lightning import LightningModule
from torch import Tensor

from lir_data import aggregate_passages, evaluate, parse_measures
from lir_data.passages import Aggregation
from lir_models import BiEncoderModel, CrossEncoderModel, ScoreOutput
from lir_train.batches import RankBatch, ScoredRankings, TrainBatch
from lir_train.errors import ArgumentError, WrongStageError
from lir_train.losses import LossFunction, LossInput

if TYPE_CHECKING:
    from lir_models.batching import Progress

#: A loss, or a loss and its weight in the sum.
WeightedLoss = LossFunction | tuple[LossFunction, float]

#: From parameters to an optimizer.
OptimizerFactory = Callable[[Iterable[torch.nn.Parameter]], torch.optim.Optimizer]

#: From an optimizer to a scheduler of its learning rate, stepped once a training step.
SchedulerFactory = Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]


def check_losses(losses: Sequence[WeightedLoss] | None) -> list[tuple[LossFunction, float]]:
    """Give each loss a weight, 1 where none is said."""
    weighted = [loss if isinstance(loss, tuple) else (loss, 1.0) for loss in losses or ()]
    for loss, _ in weighted:
        if not isinstance(loss, LossFunction):  # pyright: ignore[reportUnnecessaryIsInstance] # YAML may name anything
            raise ArgumentError(f"{loss!r} is no loss function of lir; those are instances, such as RankNet().")
    return weighted


class LightningIRModule(LightningModule):
    """A model with its losses and measures.

    Args:
        model: The model.
        losses: Losses with weights.
        evaluation_metrics: Names of measures of ir-measures, such as ``nDCG@10``.
    """

    def __init__(
        self,
        model: BiEncoderModel | CrossEncoderModel,
        losses: list[tuple[LossFunction, float]],
        evaluation_metrics: Sequence[str] | None,
    ) -> None:
        super().__init__()
        self.model: Any = model
        self.losses = losses
        self.evaluation_metrics = list(evaluation_metrics or [])
        #: Called, while a prediction goes on, with the number of documents (of a search, queries) done since the last call.
        self.progress: Progress | None = None
        self._optimizer: OptimizerFactory = _default_optimizer
        self._scheduler: SchedulerFactory | None = None
        self._validation_runs: dict[int, dict[str, dict[str, float]]] = {}

    def set_optimizer(self, optimizer: OptimizerFactory, scheduler: SchedulerFactory | None = None) -> None:
        """Say how the optimizer, and the scheduler if there is one, are made; without this, AdamW at 2e-5."""
        self._optimizer = optimizer
        self._scheduler = scheduler

    def configure_optimizers(self) -> Any:
        """Make optimizer and scheduler."""
        optimizer = self._optimizer(parameter for parameter in self.parameters() if parameter.requires_grad)
        if self._scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._scheduler(optimizer), "interval": "step"}}

    def on_fit_start(self) -> None:
        """Refuse to fit without a loss."""
        if not self.losses:
            raise WrongStageError("There is no loss to fit by; name some as loss_functions, RankNet() for instance.")

    def on_train_epoch_start(self) -> None:
        """Let the data be drawn anew."""
        data = getattr(self.trainer, "datamodule", None)
        if data is not None and hasattr(data, "set_epoch"):
            data.set_epoch(self.current_epoch)

    @abstractmethod
    def loss_input(self, batch: TrainBatch) -> LossInput:
        """Score a training batch."""

    def training_step(self, batch: TrainBatch, batch_idx: int) -> Float[Tensor, ""]:
        """Return the weighted sum of the losses; each is logged by its name."""
        del batch_idx
        scored = self.loss_input(batch)
        total = torch.zeros((), device=scored.scores.device)
        for loss, weight in self.losses:
            value = loss.compute(scored)
            self.log(type(loss).__name__, value.detach(), batch_size=len(batch.targets))
            total = total + weight * value
        self.log("loss", total.detach(), prog_bar=True, batch_size=len(batch.targets))
        return total

    def score(self, query: str | Sequence[str], docs: Sequence[str] | Sequence[Sequence[str]]) -> ScoreOutput:
        """Score documents for a query, as the model does."""
        return self.model.score(query, docs)

    def score_rankings(self, batch: RankBatch) -> ScoredRankings:
        """Score rankings anew."""
        output = self.model.score(batch.queries, batch.docs, progress=self.progress)
        return ScoredRankings(batch.query_ids, batch.doc_ids, output.per_query())

    def validation_step(self, batch: RankBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Re-rank a part of a validation run."""
        del batch_idx
        add_rankings(self._validation_runs.setdefault(dataloader_idx, {}), self.score_rankings(batch))

    def on_validation_epoch_end(self) -> None:
        """Measure the runs and log ``dataset/measure``."""
        runs, self._validation_runs = self._validation_runs, {}
        if self.trainer.sanity_checking:
            return
        datasets = self.trainer.datamodule.validation_datasets  # pyright: ignore[reportAttributeAccessIssue]
        self.log_dict(self.evaluate_runs(of_documents(runs, datasets), datasets))

    def evaluate_runs(self, runs: dict[int, dict[str, dict[str, float]]], datasets: Sequence[Any]) -> dict[str, float]:
        """Measure runs by the judgements of their datasets, where there are any.

        Returns:
            Values by ``dataset/measure``.
        """
        values: dict[str, float] = {}
        for place, dataset in enumerate(datasets):
            qrels = getattr(dataset, "qrels", None)
            if qrels and self.evaluation_metrics:
                measured = evaluate(runs.get(place, {}), qrels, self.evaluation_metrics)
                values |= {f"{dataset.name}/{measure}": value for measure, value in measured.items()}
        return values

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Save the model, as `lir_models` does."""
        self.model.save_pretrained(folder, overwrite=overwrite)


def add_rankings(run: dict[str, dict[str, float]], rankings: ScoredRankings) -> None:
    """Put scored rankings into a run."""
    for query_id, doc_ids, scores in zip(rankings.query_ids, rankings.doc_ids, rankings.scores, strict=True):
        run[query_id] = dict(zip(doc_ids, scores.tolist(), strict=True))


def of_documents(
    runs: dict[int, dict[str, dict[str, float]]], datasets: Sequence[Any], passages: Aggregation | None = None
) -> dict[int, dict[str, dict[str, float]]]:
    """Make the scores of passages those of their documents.

    Args:
        runs: Runs by the position of their dataset.
        datasets: The datasets.
        passages: How; None for the best passage's where the dataset cuts its documents, and not at all where it does not.
    """

    def how(place: int) -> Aggregation:
        return passages or ("none" if getattr(datasets[place], "windows", None) is None else "max")

    return {place: run if how(place) == "none" else aggregate_passages(run, how(place)) for place, run in runs.items()}


def check_metrics(metrics: Sequence[str] | None) -> None:
    """Refuse unknown measures, before a model is loaded."""
    parse_measures(list(metrics or []))


def _default_optimizer(parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=2e-5)


def padded(scores: Float[Tensor, " all_docs"], mask: Bool[Tensor, "queries docs"]) -> Float[Tensor, "queries docs"]:
    """Lay scores of documents, query after query, out as a table."""
    return torch.zeros(mask.shape, device=scores.device, dtype=scores.dtype).masked_scatter(mask, scores)
