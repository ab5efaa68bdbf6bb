"""What the modules of both kinds of model share: losses, optimizer, evaluation."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from jaxtyping import Bool, Float
from lightning import LightningModule
from torch import Tensor, nn

from lir_data import RetrievalDataset, aggregate_passages, cut_run, evaluate, parse_measures
from lir_data.passages import Aggregation
from lir_models import BiEncoderModel, CrossEncoderModel, ScoreOutput
from lir_train.batches import DocBatch, QueryBatch, RankBatch, ScoredRankings, TrainBatch
from lir_train.collection_search import CollectionSearch
from lir_train.errors import ArgumentError, DivergedError, WrongStageError
from lir_train.gather import merged_runs
from lir_train.learnable import check_learnable
from lir_train.loading import load_module, note_model
from lir_train.losses import LossFunction, LossInput
from lir_train.mini_batches import NO_LIMITS, MiniBatchLimits
from lir_train.named_arguments import NamedArguments
from lir_train.optimization import (
    OptimizerFactory,
    ParameterGroup,
    SchedulerFactory,
    checkpoint_layers,
    default_optimizer,
    grouped,
)
from lir_train.random_state import random_state, restore_random_state

if TYPE_CHECKING:
    from lir_models.batching import Progress

#: A loss, or a loss and its weight in the sum.
WeightedLoss = LossFunction | tuple[LossFunction, float]


def check_losses(losses: Sequence[WeightedLoss] | None) -> list[tuple[LossFunction, float]]:
    """Give each loss a weight, 1 where none is said."""
    weighted = [loss if isinstance(loss, tuple) else (loss, 1.0) for loss in losses or ()]
    for loss, _ in weighted:
        if not isinstance(loss, LossFunction):  # pyright: ignore[reportUnnecessaryIsInstance] # YAML may name anything
            raise ArgumentError(f"{loss!r} is no loss function of lir; those are instances, such as RankNet().")
    return weighted


class LightningIRModule(LightningModule, NamedArguments):
    """A model with its losses and measures.

    Args:
        model: The model.
        losses: Losses with weights.
        evaluation_metrics: Names of measures of ir-measures, such as ``nDCG@10``.
        limits: How much of a batch goes through the model at a time.
        gradient_checkpointing: Whether each layer's activations are made again in the backward pass.
        torch_compile: Whether the backbone is compiled when training, indexing, searching or re-ranking starts.
    """

    elsewhere: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("adapter_config", "use_adapter"), "Did you mean 'adapter'?"),
        **dict.fromkeys(("index_dir", "search_config"), "A SearchCallback of the trainer takes it."),
    }

    def __init__(
        self,
        model: BiEncoderModel | CrossEncoderModel,
        losses: list[tuple[LossFunction, float]],
        evaluation_metrics: Sequence[str] | None,
        *,
        limits: MiniBatchLimits = NO_LIMITS,
        gradient_checkpointing: bool = False,
        torch_compile: bool = False,
    ) -> None:
        super().__init__()
        self.model: Any = model
        #: The losses, and what each is multiplied by; a scheduler may change both.
        self.loss_functions = [loss for loss, _ in losses]
        self.loss_weights = [weight for _, weight in losses]
        self.evaluation_metrics = list(evaluation_metrics or [])
        self.limits = limits
        #: Called, while a prediction goes on, with the number of documents (of a search, queries) done since the last call.
        self.progress: Progress | None = None
        self._optimizer: OptimizerFactory = default_optimizer
        self._scheduler: SchedulerFactory | None = None
        self._parameter_groups: Sequence[ParameterGroup] = ()
        self._validation_runs: dict[int, dict[str, dict[str, float]]] = {}
        self._searches: dict[int, CollectionSearch] = {}
        self._random_state: dict[str, Any] | None = None
        #: What is learnt from, for messages.
        self.batch_in_words = "no batch"
        self._torch_compile = torch_compile
        if gradient_checkpointing:
            checkpoint_layers(self.backbones)

    @property
    def backbones(self) -> list[nn.Module]:
        """The transformers of the model: of a bi-encoder whose queries have their own, two; of texts alone, none."""
        return getattr(self.model, "backbones", [])

    def set_optimizer(
        self,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None = None,
        groups: Sequence[ParameterGroup] = (),
        **options: Any,
    ) -> None:
        """Say how the optimizer, and the scheduler if there is one, are made; without this, AdamW at 2e-5.

        Args:
            optimizer: A class of torch's, or a function: given parameters, or groups of them, and the options.
            scheduler: What makes a scheduler of the optimizer's learning rate; it is stepped once a training step.
            groups: Parameters that are treated otherwise than the rest.
            **options: Passed on to the optimizer: ``lr=1e-4``.
        """
        self._optimizer = partial(optimizer, **options) if options else optimizer
        self._scheduler = scheduler
        self._parameter_groups = groups

    def configure_optimizers(self) -> Any:
        """Make optimizer and scheduler."""
        optimizer = self._optimizer(grouped(self, self._parameter_groups))
        if self._scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": self._scheduler(optimizer), "interval": "step"}}

    def on_fit_start(self) -> None:
        """Refuse to fit without a loss."""
        if not self.loss_functions:
            raise WrongStageError("There is no loss to fit by; name some as loss_functions, RankNet() for instance.")
        data: Any = getattr(self.trainer, "datamodule", None)
        if isinstance(getattr(data, "train_dataset", None), Iterable):
            compared = data.train_batch_size * (
                self.trainer.world_size if getattr(self, "gather_across_devices", False) else 1
            )
            check_learnable(self.loss_functions, data.train_dataset, compared)
        self._compile()

    def on_predict_start(self) -> None:
        """Compile the backbone where asked for; indexing, searching and re-ranking start here."""
        self._compile()

    def _compile(self) -> None:
        if self._torch_compile:
            self.model.compile()

    def on_train_epoch_start(self) -> None:
        """Let the data be drawn anew."""
        data = getattr(self.trainer, "datamodule", None)
        if data is not None and hasattr(data, "set_epoch"):
            data.set_epoch(self.current_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the state of the random numbers, and what the model was made of."""
        checkpoint["random_state"] = random_state()
        note_model(checkpoint, self.model)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the state of the random numbers up, for the first step."""
        self._random_state = checkpoint.get("random_state")
        # Lightning writes the checkpoint of an epoch's end before it counts the epoch as done, and after loading it would
        # give the next epoch the same number, and so the same order of the data.
        loops = checkpoint.get("loops", {}).get("fit_loop", {})
        if loops.get("epoch_loop.batch_progress", {}).get("is_last_batch"):
            for count in loops["epoch_progress"].values():
                count["completed"] = max(count["completed"], count["processed"])

    def on_train_batch_start(self, batch: TrainBatch, batch_idx: int) -> None:
        """Go on with the random numbers of a checkpoint, now that nothing else draws any before the step."""
        del batch_idx
        self.batch_in_words = batch.in_words()
        if self._random_state is not None:
            restore_random_state(self._random_state)
            self._random_state = None

    @abstractmethod
    def loss_input(self, batch: TrainBatch) -> LossInput:
        """Score a training batch."""

    def training_step(self, batch: TrainBatch, batch_idx: int) -> Float[Tensor, ""]:
        """Return the weighted sum of the losses; each is logged by its name."""
        scored = self.loss_input(batch)
        with full_precision(self.device):
            values = [loss.compute(scored) for loss in self.loss_functions]
        total = torch.stack([weight * value for weight, value in zip(self.loss_weights, values, strict=True)]).sum()
        named = dict(zip(self.loss_names, (value.detach() for value in values), strict=True))
        # A GPU is not made to wait in every step.
        if total.device.type == "cpu" or batch_idx % self._log_interval == 0:
            self._check_finite(total, named)
        size = max(1, len(batch.targets))
        self.log_dict(named, batch_size=size)
        self.log("loss", total.detach(), prog_bar=True, batch_size=size)
        return total

    @property
    def loss_names(self) -> list[str]:
        """What the losses are logged as: their classes' names, numbered where one is there twice."""
        names = [type(loss).__name__ for loss in self.loss_functions]
        counts = Counter(names)
        return [f"{name}_{names[:place].count(name)}" if counts[name] > 1 else name for place, name in enumerate(names)]

    @property
    def _log_interval(self) -> int:
        return max(1, getattr(self.trainer, "log_every_n_steps"))  # noqa: B009 - Lightning sets it unseen by a type checker

    def _check_finite(self, total: Tensor, losses: dict[str, Tensor]) -> None:
        total = total.detach()
        if not torch.isfinite(total):
            each = ", ".join(f"{name} {float(value):g}" for name, value in losses.items())
            raise DivergedError(
                f"The loss is {float(total):g} at step {self.global_step} ({each}): the training has gone astray.",
                hint="a smaller learning rate, a warm-up, gradient_clip_val=1.0, or precision 'bf16-mixed' in place of "
                "'16-mixed'; an earlier checkpoint is as good as it was",
            )

    def score(self, query: str | Sequence[str], docs: Sequence[str] | Sequence[Sequence[str]]) -> ScoreOutput:
        """Score documents for a query, as the model does."""
        return self.model.score(query, docs)

    def score_rankings(self, batch: RankBatch) -> ScoredRankings:
        """Score rankings anew."""
        output = self.model.score(batch.queries, batch.docs, progress=self.progress)
        return ScoredRankings(batch.query_ids, batch.doc_ids, output.per_query())

    def validation_step(
        self, batch: RankBatch | QueryBatch | DocBatch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Re-rank a part of a validation run, or search a part of a collection."""
        del batch_idx
        if isinstance(batch, RankBatch):
            add_rankings(self._validation_runs.setdefault(dataloader_idx, {}), self.score_rankings(batch))
        elif isinstance(batch, QueryBatch):
            depth: int = self._validation_datasets[dataloader_idx].depth
            embeddings = self.model.encode_tokenized(batch.queries, "query")
            self._searches[dataloader_idx] = CollectionSearch(self.model, batch.query_ids, embeddings, depth)
        else:
            embeddings = self.model.encode_tokenized(batch.docs, "doc")
            self._searches[dataloader_idx].add(batch.doc_ids, embeddings)

    @property
    def _validation_datasets(self) -> Sequence[Any]:
        return self.trainer.datamodule.validation_datasets  # pyright: ignore[reportAttributeAccessIssue]

    def on_validation_epoch_end(self) -> None:
        """Measure the runs and log ``dataset/measure``."""
        found = self._validation_runs | {place: search.run() for place, search in self._searches.items()}
        self._validation_runs, self._searches = {}, {}
        if self.trainer.sanity_checking:
            return
        datasets = self._validation_datasets
        runs = of_documents(merged_runs(found), datasets)
        # Of several processes each found so many documents as are wanted of all.
        runs = {
            place: cut_run(run, datasets[place].depth) if isinstance(datasets[place], RetrievalDataset) else run
            for place, run in runs.items()
        }
        self.log_dict(self.evaluate_runs(runs, datasets))

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

    @classmethod
    def load_from_checkpoint(  # pyright: ignore[reportIncompatibleMethodOverride, reportIncompatibleVariableOverride]
        cls,
        checkpoint_path: str | Path,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Load what a training left: the model in the folder beside the checkpoint, or what the checkpoint says of it.

        Args:
            checkpoint_path: A checkpoint of `LightningIRModelCheckpoint`, or of Lightning's own ModelCheckpoint.
            map_location: The device; None for the CPU.
            hparams_file: Not needed; taken for the sake of code written for Lightning.
            strict: Whether the checkpoint must hold each weight of the model, and no other.
            weights_only: Not needed: no code that a checkpoint holds is ever run.
            **kwargs: Arguments of the module, such as ``loss_functions``; or ``model_name_or_path``, for a checkpoint that
                does not say of which model it is.

        Raises:
            CheckpointError: If there is no such checkpoint, or it is damaged, or nothing says of which model it is.
        """
        del hparams_file, weights_only
        module = load_module(cls, checkpoint_path, kwargs, strict=strict is not False)
        return module if map_location is None else module.to(map_location)

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Save the model, as `lir_models` does."""
        self.model.save_pretrained(folder, overwrite=overwrite)


def full_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Return a block without mixed precision: scores and losses are float32, for all that the model computes in."""
    return torch.autocast(device.type, enabled=False)


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
        return passages or ("none" if getattr(datasets[place], "passage_windows", None) is None else "max")

    return {place: run if how(place) == "none" else aggregate_passages(run, how(place)) for place, run in runs.items()}


def check_metrics(metrics: Sequence[str] | None) -> None:
    """Refuse unknown measures, before a model is loaded."""
    parse_measures(list(metrics or []))


def padded(scores: Float[Tensor, " all_docs"], mask: Bool[Tensor, "queries docs"]) -> Float[Tensor, "queries docs"]:
    """Lay scores of documents, query after query, out as a table."""
    return torch.zeros(mask.shape, device=scores.device, dtype=scores.dtype).masked_scatter(mask, scores)
