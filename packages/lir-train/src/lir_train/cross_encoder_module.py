"""The Lightning module of a cross-encoder."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from lir_models import CrossEncoderConfig, CrossEncoderModel
from lir_models.tokenization import TokenBatch
from lir_train.batches import RankBatch, ScoredRankings, TrainBatch
from lir_train.errors import ArgumentError
from lir_train.gradient_cache import run
from lir_train.losses import LossFunction, LossInput
from lir_train.mini_batches import MiniBatchLimits
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
        mini_batch_size: Most pairs that go through the model at a time (gradient caching): a batch of any size fits in
            memory, and has the same gradients, at the cost of a second pass. The pairs of a query stay together in a
            Set-Encoder. None for whole batches.
        mini_batch_num_tokens: Most tokens at a time, padding included; may be given in place of the number of pairs, or
            beside it.
        gradient_checkpointing: Whether each layer's activations are made again in the backward pass: less memory, a
            third more time.
        torch_compile: Whether the backbone is compiled by ``torch.compile`` when training, indexing, searching or
            re-ranking starts.
        model_kwargs: Further arguments of `CrossEncoderModel.from_pretrained`, such as ``{"dtype": "bfloat16"}``.
    """

    def __init__(
        self,
        model_name_or_path: str | None = None,
        config: CrossEncoderConfig | None = None,
        model: CrossEncoderModel | None = None,
        loss_functions: Sequence[LossFunction | tuple[LossFunction, float]] | None = None,
        evaluation_metrics: Sequence[str] | None = None,
        adapter: Any = None,
        mini_batch_size: int | None = None,
        mini_batch_num_tokens: int | None = None,
        gradient_checkpointing: bool = False,
        torch_compile: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        check_metrics(evaluation_metrics)
        losses = check_losses(loss_functions)
        limits = MiniBatchLimits(mini_batch_size, mini_batch_num_tokens)
        for loss, _ in losses:
            if loss.needs_all_scores:
                raise ArgumentError(
                    f"{type(loss).__name__} compares a query with other queries' documents, which only a bi-encoder "
                    "can do at once; RankNet or KLDivergence suit a cross-encoder."
                )
            if loss.needs_embeddings:
                raise ArgumentError(f"{type(loss).__name__} looks at embeddings, which a cross-encoder has none of.")
        if (model is None) == (model_name_or_path is None):
            raise ArgumentError("CrossEncoderModule: give a model_name_or_path or a model, one of the two.")
        if model is None:
            options: dict[str, Any] = {"device": "cpu", **(model_kwargs or {})}
            model = CrossEncoderModel.from_pretrained(model_name_or_path or "", config, **options)
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

    def loss_input(self, batch: TrainBatch) -> LossInput:
        """Score every pair."""

        def score(place: int, part: TokenBatch) -> Float[Tensor, " pairs"]:
            return self.model.score_batch(part, batch.set_sizes[place] if batch.set_sizes else ())

        scores = run(score, batch.docs, cached=bool(self.limits))
        return LossInput(padded(scores, batch.mask), batch.targets, batch.mask, texts=batch.texts)

    def predict_step(self, batch: RankBatch, batch_idx: int, dataloader_idx: int = 0) -> ScoredRankings:
        """Score rankings."""
        del batch_idx, dataloader_idx
        return self.score_rankings(batch)
