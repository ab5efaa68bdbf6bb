"""Memory and time of training steps with a large batch by gradient caching, against steps with one of its parts alone."""

import argparse
import os
import tempfile
from itertools import islice
from pathlib import Path

from benchmarks.fine_tuning_data import Collection
from benchmarks.fine_tuning_recipes import CACHE, MINILM
from benchmarks.measuring import Steps, in_a_process, peak_memory
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_data import DocDataset, TrainingTuple, TupleDataset, read_qrels, write_tuples

MAX_LENGTH = 128
COLUMNS = ("training", "batch", "at a time", "peak MB", "of one part, x", "s a step", "queries/s")
Measured = tuple[float, float]
"""Megabytes at most, and seconds of a step."""


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks gradient_cache", description=__doc__)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--part", type=int, default=32)
    parser.add_argument("--steps", type=int, default=2)
    options = parser.parse_args(arguments)
    tuples = CACHE / f"gradient_cache-{options.batch}-{options.steps}.jsonl"
    write_pairs(tuples, options.batch * options.steps)
    sizes = (options.batch, options.part)
    ways = {
        "lir, without caching": (options.part, None, train),
        "lir, mini_batch_size": (*sizes, train),
        "sentence-transformers, without caching": (options.part, None, train_peer),
        "sentence-transformers, Cached": (*sizes, train_peer),
    }
    found: dict[str, Measured] = {}
    for name, (batch, part, work) in ways.items():
        found[name] = in_a_process(work, tuples, batch, part, options.steps)
        print(name, *found[name], flush=True)
    write(ways, found, options)


def write_pairs(path: Path, count: int) -> None:
    """Write pairs of a query and a relevant document, no document twice."""
    collection = Collection(name="nfcorpus")
    # The whole texts are longer than what is kept of them, so that all steps are of full length.
    taken: set[str] = set()
    pairs: list[TrainingTuple] = []
    long_enough = {doc.doc_id for doc in DocDataset(collection.docs) if len(doc.doc.split()) > MAX_LENGTH}
    for query_id, judged in read_qrels(collection.qrels_file("train")).items():
        new = [doc_id for doc_id in judged if doc_id in long_enough and doc_id not in taken]
        if new:
            taken.add(new[0])
            pairs.append(TrainingTuple(query_id, (new[0],)))
    assert len(pairs) >= count, f"There are {len(pairs)} pairs, not {count}."
    write_tuples(path, pairs[:count], overwrite=True)


def samples_of(tuples: Path) -> TupleDataset:
    """Open the pairs."""
    collection = Collection(name="nfcorpus")
    return TupleDataset(tuples, docs=collection.docs, queries=collection.queries("train"))


def train(tuples: Path, batch: int, part: int | None, num_steps: int) -> Measured:
    """Train by lir."""
    import torch

    from benchmarks.fine_tuning_lir import QUIET, Timed
    from lir_train import BiEncoderModule, InBatchCrossEntropy, LightningIRDataModule, LightningIRTrainer

    lengths = {"query_length": MAX_LENGTH, "doc_length": MAX_LENGTH}
    loss, steps = InBatchCrossEntropy(temperature=0.05), Steps()
    module = BiEncoderModule(MINILM, loss_functions=[loss], mini_batch_size=part, model_kwargs=lengths)
    module.set_optimizer(torch.optim.AdamW, lr=2e-5, fused=True)
    trainer = LightningIRTrainer(max_steps=num_steps, callbacks=[Timed(steps)], **QUIET)
    data = LightningIRDataModule(train_dataset=samples_of(tuples), train_batch_size=batch, shuffle_train=False)
    steps.ended()
    trainer.fit(module, data)
    return peak_memory(), steps.seconds(1)[0]


def train_peer(tuples: Path, batch: int, part: int | None, num_steps: int) -> Measured:
    """Train by sentence-transformers."""
    # The hub is not asked for anything.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )
    from sentence_transformers.sentence_transformer.training_args import SentenceTransformerTrainingArguments

    from benchmarks.fine_tuning_peer import QUIET, InOrder, Timed
    from lir_models import BiEncoderModel

    with tempfile.TemporaryDirectory() as name:
        BiEncoderModel.from_pretrained(
            MINILM, device="cpu", query_length=MAX_LENGTH, doc_length=MAX_LENGTH
        ).save_pretrained(Path(name) / "start")
        model, steps = SentenceTransformer(f"{name}/start", device="cpu"), Steps()
        if part is None:
            loss = MultipleNegativesRankingLoss(model)
        else:
            loss = CachedMultipleNegativesRankingLoss(model, mini_batch_size=part)
        samples = list(islice(samples_of(tuples), batch * num_steps))
        data = Dataset.from_dict(
            {"anchor": [sample.query for sample in samples], "positive": [sample.docs[0] for sample in samples]}
        )
        arguments = SentenceTransformerTrainingArguments(
            output_dir=name,
            max_steps=num_steps,
            per_device_train_batch_size=batch,
            learning_rate=2e-5,
            lr_scheduler_type="constant",
            max_grad_norm=0.0,
            batch_sampler=InOrder,
            **QUIET,
        )
        trainer = SentenceTransformerTrainer(
            model=model, args=arguments, train_dataset=data, loss=loss, callbacks=[Timed(steps)]
        )
        steps.ended()
        trainer.train()
    return peak_memory(), steps.seconds(1)[0]


def write(ways: dict[str, tuple], found: dict[str, Measured], options: argparse.Namespace) -> None:
    """Print and keep the tables."""
    rows, claims = [], []
    for name, (batch, part, _) in ways.items():
        peak, seconds = found[name]
        single = found["lir, without caching" if name.startswith("lir") else "sentence-transformers, without caching"][
            0
        ]
        figures = (f"{peak:,.0f}", f"{peak / single:.2f}", f"{seconds:.1f}", f"{batch / seconds:.1f}")
        rows.append((name, str(batch), str(part or batch), *figures))
    ours, theirs = found["lir, mini_batch_size"], found["sentence-transformers, Cached"]
    claims = [
        Claim(
            f"memory of {options.batch} over {options.part}, lir",
            ours[0] / found["lir, without caching"][0],
            1.3,
            at_least=False,
        ),
        Claim("memory of lir over sentence-transformers", ours[0] / theirs[0], 1, at_least=False),
        Claim("speed of lir over sentence-transformers", theirs[1] / ours[1], 1, at_least=True),
    ]
    about = (
        f"all-MiniLM-L6-v2 in float32 on pairs of NFCorpus whose documents have {MAX_LENGTH} tokens or more, cut there; "
        f"{options.steps} steps of AdamW, each training in a process of its own. Peak is all of the process's resident memory, the "
        "libraries included. Without caching a batch is as large as a part; with it, the loss is that of the whole batch. "
        "Seconds are by the clock, from the start of the training, so the first step's allocations count."
    )
    sections = [about, markdown(COLUMNS, rows), markdown(CLAIMS, [claim.row for claim in claims])]
    packages = ["lir-train", "sentence-transformers", "lightning", "transformers", "torch"]
    report("gradient_cache", "Memory of gradient caching", sections, packages, threads="all threads")
