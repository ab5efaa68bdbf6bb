"""Fine-tuning by sentence-transformers, with its own trainers, of the same tuples in the same order."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from sentence_transformers import (
    CrossEncoder,
    CrossEncoderTrainer,
    CrossEncoderTrainingArguments,
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.cross_encoder.losses import BinaryCrossEntropyLoss
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
from transformers import TrainerCallback, set_seed

from benchmarks.fine_tuning_data import Collection
from benchmarks.fine_tuning_recipes import NUM_UNTIMED, Recipe
from benchmarks.measuring import Steps
from lir_data import RankSample, TupleDataset

QUIET = {
    "use_cpu": True,
    "dataloader_pin_memory": False,
    "save_strategy": "no",
    "logging_strategy": "no",
    "report_to": "none",
    "disable_tqdm": True,
}


def train(family: str, recipe: Recipe, seed: int, tuples: Path, start: Path, folder: Path) -> dict[str, float]:
    """Fine-tune, and write the model; return what `benchmarks.fine_tuning_lir.train` does."""
    # Nothing of a training is sent anywhere, nor asked of the hub.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    set_seed(seed)
    collection = Collection()
    samples = list(TupleDataset(tuples, docs=collection.docs, queries=collection.queries("train")))
    if family == "cross-encoder":
        model: Any = CrossEncoder(str(start), max_length=recipe.max_length, device="cpu")
        loss: Any = BinaryCrossEntropyLoss(model)
        data, batch_size = _pairs(samples), recipe.batch_size * (1 + recipe.num_negatives)
        trainer_class, arguments_class = CrossEncoderTrainer, CrossEncoderTrainingArguments
    else:
        model = SentenceTransformer(str(start), device="cpu")
        assert model.max_seq_length == recipe.max_length, "The texts would be cut otherwise than those of lir."
        loss = MultipleNegativesRankingLoss(model)
        data, batch_size = _columns(samples), recipe.batch_size
        trainer_class, arguments_class = SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    steps = Steps()
    with tempfile.TemporaryDirectory() as output:
        arguments = arguments_class(
            output_dir=output,
            max_steps=recipe.num_steps,
            per_device_train_batch_size=batch_size,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type="linear",
            warmup_steps=recipe.num_warmup_steps,
            weight_decay=0.0,
            optim="adamw_torch_fused",
            max_grad_norm=recipe.max_gradient,
            batch_sampler=InOrder,
            seed=seed,
            **QUIET,
        )
        trainer = trainer_class(model=model, args=arguments, train_dataset=data, loss=loss, callbacks=[Timed(steps)])
        first = _first_loss(trainer, model)
        trainer.train()
    assert len(steps.ends) == recipe.num_steps, f"{family} has learnt for {len(steps.ends)} steps."
    model.save_pretrained(str(folder))
    seconds, cpu = steps.seconds(NUM_UNTIMED)
    return {"loss": first, "seconds": seconds, "cpu": cpu}


def _columns(samples: list[RankSample]) -> Dataset:
    columns = {"anchor": [sample.query for sample in samples]}
    for place in range(len(samples[0].docs)):
        columns[f"negative_{place}" if place else "positive"] = [sample.docs[place] for sample in samples]
    return Dataset.from_dict(columns)


def _pairs(samples: list[RankSample]) -> Dataset:
    rows = [
        (sample.query, doc, target)
        for sample in samples
        for doc, target in zip(sample.docs, sample.targets or (), strict=True)
    ]
    return Dataset.from_dict({name: [row[i] for row in rows] for i, name in enumerate(("query", "doc", "label"))})


class InOrder:
    """Batches of the rows as they come; what is left over is no batch."""

    def __init__(self, dataset: Dataset, batch_size: int, **_: object) -> None:
        self.starts = range(0, len(dataset) - batch_size + 1, batch_size)
        self.batch_size = batch_size

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[list[int]]:
        return (list(range(start, start + self.batch_size)) for start in self.starts)


def _first_loss(trainer: Any, model: Any) -> float:
    batch = next(iter(trainer.get_train_dataloader()))
    model.eval()
    with torch.no_grad():
        return float(trainer.compute_loss(model, batch))


class Timed(TrainerCallback):
    """Notes when steps end."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def on_step_end(self, *_: object, **__: object) -> None:
        self.steps.ended()
