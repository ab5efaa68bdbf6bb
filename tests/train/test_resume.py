"""A training that goes on from a checkpoint ends where it would have ended."""

from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from lir_data import RunDataset
from lir_train import (
    BiEncoderModule,
    LightningIRDataModule,
    LightningIRTrainer,
    LinearLRSchedulerWithLinearWarmup,
    RankNet,
)

# A training that goes on writes where it wrote.
pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")

NUM_STEPS = 10  # of batches of 3: two epochs of four and a half


def train(
    backbone: Path,
    collection: Path,
    *,
    max_steps: int,
    num_workers: int = 0,
    ckpt_path: Path | None = None,
) -> tuple[dict[str, torch.Tensor], list[list[int]]]:
    """Train, keeping a checkpoint of every step; return the weights, and the documents of each batch."""
    torch.manual_seed(0 if ckpt_path is None else 1)
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    module.set_optimizer(
        torch.optim.AdamW, lambda optimizer: LinearLRSchedulerWithLinearWarmup(optimizer, 2, 12), lr=1e-2
    )
    names = {"docs": "docs.tsv", "queries": "queries.tsv", "qrels": "qrels.txt"}
    dataset = RunDataset(
        str(collection / "run.trec"),
        **{name: str(collection / file) for name, file in names.items()},
        sample_size=4,
        sampling_strategy="single_relevant",
        targets="relevance",
    )
    data = LightningIRDataModule(train_dataset=dataset, train_batch_size=3, num_workers=num_workers)
    seen: list[list[int]] = []
    step = module.training_step
    module.training_step = lambda batch, batch_idx: (seen.append(batch.doc_keys.tolist()), step(batch, batch_idx))[1]
    LightningIRTrainer(
        max_steps=max_steps,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[ModelCheckpoint(collection / "steps", filename="{step}", every_n_train_steps=1, save_top_k=-1)],
    ).fit(module, data, ckpt_path=ckpt_path)
    return module.state_dict(), seen


@pytest.fixture(scope="module")
def whole(backbone: Path, tmp_path_factory: pytest.TempPathFactory):
    """Train in one go, on a collection of its own."""
    collection = tmp_path_factory.mktemp("whole")
    words = ["red", "blue", "green", "black", "white", "one", "two", "three", "four", "five"]
    (collection / "docs.tsv").write_text("".join(f"d{place}\t{word} {word}\n" for place, word in enumerate(words)))
    (collection / "queries.tsv").write_text("".join(f"q{place}\t{word}\n" for place, word in enumerate(words)))
    (collection / "qrels.txt").write_text("".join(f"q{place} 0 d{place} 1\n" for place in range(10)))
    pairs = [(query, doc) for query in range(10) for doc in range(10)]
    (collection / "run.trec").write_text("".join(f"q{query} Q0 d{doc} 0 {doc} x\n" for query, doc in pairs))
    return collection, *train(backbone, collection, max_steps=NUM_STEPS)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("step", [1, 3, 4, 6, 8])
def test_a_training_that_goes_on_ends_where_it_would_have_ended(
    backbone: Path, whole: tuple, step: int, num_workers: int
) -> None:
    collection, weights, seen = whole
    checkpoint = collection / "steps" / f"step={step}.ckpt"
    found, rest = train(backbone, collection, max_steps=NUM_STEPS, num_workers=num_workers, ckpt_path=checkpoint)
    assert rest == seen[step:]
    assert all(torch.equal(found[name], weight) for name, weight in weights.items())


def test_the_same_seed_gives_the_same_model(backbone: Path, whole: tuple) -> None:
    collection, weights, seen = whole
    found, again = train(backbone, collection, max_steps=NUM_STEPS)
    assert again == seen
    assert all(torch.equal(found[name], weight) for name, weight in weights.items())
