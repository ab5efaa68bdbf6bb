"""Training steps of a dense model on passages of their natural lengths: lir against sentence-transformers' trainer, by turns."""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from sentence_transformers import (
    SentenceTransformer,
    SentenceTransformerTrainer,
    SentenceTransformerTrainingArguments,
)
from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

from benchmarks import fine_tuning_lir, fine_tuning_peer
from benchmarks.fine_tuning_recipes import CACHE, MINILM
from benchmarks.measuring import Steps
from benchmarks.ranked_passages import passages
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_data import TrainingTuple, TupleDataset, write_tuples
from lir_models import BiEncoderModel
from lir_train import BiEncoderModule, InBatchCrossEntropy, LightningIRDataModule, LightningIRTrainer

# The first step is not timed: it allocates what the others find.
NUM_UNTIMED = 1
QUERY_WORDS = 8
LEARNING_RATE = 2e-5
# Of the losses, from which the embeddings' last digits are seen after some steps.
TOLERANCE = 1e-3
Training = Callable[[Path, list[TrainingTuple], int], tuple[float, list[float]]]
"""Trains from a folder on tuples with a batch size: seconds of a step by the clock, and the loss of each."""


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks training_speed", description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    # The hub is not asked for anything.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    CACHE.mkdir(exist_ok=True)
    tuples = made_up_tuples(options.batch * options.steps)
    ways: dict[str, Training] = {"lir": train, "sentence-transformers": train_by_peer}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "start"
        write_start(start)
        for _ in range(options.rounds):
            for name, work in ways.items():
                measured, losses[name] = work(start, tuples, options.batch)
                seconds[name].append(measured)
                print(name, f"{measured:.2f} s a step, losses", *(f"{loss:.5f}" for loss in losses[name]), flush=True)
    first, last = losses.values()
    difference = float(np.abs(np.array(first) - np.array(last)).max())
    assert difference <= TOLERANCE, f"The losses differ by {difference}."
    write(seconds, difference, options)


def write(seconds: dict[str, list[float]], difference: float, options: argparse.Namespace) -> None:
    """Write the table."""
    ratios = {name: float(np.median(np.array(times) / np.array(seconds["lir"]))) for name, times in seconds.items()}
    rows = [(name, f"{np.median(times):.2f}", f"{ratios[name]:.2f}") for name, times in seconds.items()]
    about = (
        f"all-MiniLM-L6-v2 in float32; {options.batch} tuples a step, each of a query (the first {QUERY_WORDS} words of a "
        "passage of MS MARCO), its passage and one other passage, cut at the model's 256 tokens; InBatchCrossEntropy and "
        "MultipleNegativesRankingLoss, of the same tuples in the same order; AdamW, fused, no clipping; no dropout, so "
        f"that the losses can be compared: those of {options.steps} steps differ by {difference:.0e} at most. Seconds by "
        f"the clock without the first step, medians of {options.rounds} trainings that take turns; the ratio is the "
        "median of theirs."
    )
    claim = Claim(
        "training steps: speed over sentence-transformers' trainer", ratios["sentence-transformers"], 1.25, True
    )
    report(
        "training_speed",
        "Training steps",
        [about, markdown(("by", "s a step", "x lir"), rows), markdown(CLAIMS, [claim.row])],
        ["lir-train", "sentence-transformers", "lightning", "transformers", "torch"],
        threads="all threads",
    )


def made_up_tuples(count: int) -> list[TrainingTuple]:
    """Pair the first words of passages with the passages, and with one other each."""
    texts = list(passages().values())[: 2 * count]
    return [
        TrainingTuple(" ".join(own.split()[:QUERY_WORDS]), (own, other))
        for own, other in zip(texts[::2], texts[1::2], strict=True)
    ]


def write_start(folder: Path) -> None:
    """Write the model that is trained, without dropout."""
    model = BiEncoderModel.from_pretrained(MINILM, device="cpu")
    model.backbone.config.update({"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0})  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    model.save_pretrained(folder)


def train(start: Path, tuples: list[TrainingTuple], batch_size: int) -> tuple[float, list[float]]:
    """Train by lir."""
    file = start.with_name("tuples.jsonl")
    write_tuples(file, tuples, by_id=False, overwrite=True)
    samples = TupleDataset(file)
    loss, steps, losses = InBatchCrossEntropy(temperature=0.05), Steps(), []
    module = BiEncoderModule(str(start), loss_functions=[loss])
    module.set_optimizer(torch.optim.AdamW, lr=LEARNING_RATE, weight_decay=0.0, fused=True)
    compute = loss.compute
    loss.compute = lambda scored: _noted(compute(scored), losses)
    trainer = LightningIRTrainer(max_epochs=1, callbacks=[fine_tuning_lir.Timed(steps)], **fine_tuning_lir.QUIET)
    trainer.fit(module, LightningIRDataModule(train_dataset=samples, train_batch_size=batch_size, shuffle_train=False))
    return steps.seconds(NUM_UNTIMED)[0], losses


def train_by_peer(start: Path, tuples: list[TrainingTuple], batch_size: int) -> tuple[float, list[float]]:
    """Train by sentence-transformers."""
    columns = {
        "anchor": [each.query for each in tuples],
        "positive": [each.docs[0] for each in tuples],
        "negative": [each.docs[1] for each in tuples],
    }
    model, steps, losses = SentenceTransformer(str(start), device="cpu"), Steps(), []
    loss = MultipleNegativesRankingLoss(model)
    forward = loss.forward
    loss.forward = lambda *values, **options: _noted(forward(*values, **options), losses)
    with tempfile.TemporaryDirectory() as folder:
        arguments = SentenceTransformerTrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=batch_size,
            learning_rate=LEARNING_RATE,
            lr_scheduler_type="constant",
            weight_decay=0.0,
            max_grad_norm=0.0,
            optim="adamw_torch_fused",
            batch_sampler=fine_tuning_peer.InOrder,
            **fine_tuning_peer.QUIET,
        )
        trainer = SentenceTransformerTrainer(
            model=model,
            args=arguments,
            train_dataset=Dataset.from_dict(columns),
            loss=loss,
            callbacks=[fine_tuning_peer.Timed(steps)],
        )
        trainer.train()
    return steps.seconds(NUM_UNTIMED)[0], losses


def _noted(loss: torch.Tensor, losses: list[float]) -> torch.Tensor:
    losses.append(float(loss.detach()))
    return loss
