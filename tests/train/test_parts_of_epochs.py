"""A part of an epoch is known where its length can be: of files by their lines, of runs by their queries."""

from pathlib import Path
from typing import Any

import pytest
from lightning import Callback

from lir_data import RunDataset, TupleDataset, mix
from lir_train import BiEncoderModule, LightningIRDataModule, LightningIRTrainer, RankNet


class Counts(Callback):
    def __init__(self) -> None:
        self.steps = 0
        self.validations: list[int] = []

    def on_train_batch_end(self, *_: Any, **__: Any) -> None:
        self.steps += 1

    def on_validation_end(self, trainer: Any, *_: Any) -> None:
        if not trainer.sanity_checking:
            self.validations.append(self.steps)


def fit(backbone: Path, collection: Path, dataset: Any, *, num_workers: int = 0, **options: Any) -> Counts:
    counts = Counts()
    module = BiEncoderModule(str(backbone), loss_functions=[RankNet()])
    data = LightningIRDataModule(
        train_dataset=dataset, train_batch_size=2, inference_datasets=[run(collection)], num_workers=num_workers
    )
    LightningIRTrainer(
        **{"max_epochs": 2, **options},
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        callbacks=[counts],
    ).fit(module, data)
    return counts


def run(collection: Path) -> RunDataset:
    names = {"docs": "docs.tsv", "queries": "queries.tsv", "qrels": "qrels.txt"}
    files = {name: str(collection / file) for name, file in names.items()}
    return RunDataset(str(collection / "run.trec"), depth=10, targets="relevance", **files)


def triples(collection: Path) -> TupleDataset:
    path = collection / "triples.tsv"
    path.write_text("red\tred red\tblue\n" * 7)
    return TupleDataset(str(path))


DATASETS = {
    "a file": triples,
    "a run": run,
    "a mixture": lambda collection: mix([triples(collection), triples(collection)]),
}


@pytest.mark.parametrize(("kind", "batches"), [("a file", 4), ("a mixture", 7)])
def test_half_of_an_epoch_is_trained_on(backbone: Path, collection: Path, kind: str, batches: int) -> None:
    counts = fit(backbone, collection, DATASETS[kind](collection), limit_train_batches=0.5)
    assert counts.steps == 2 * (batches // 2)


@pytest.mark.parametrize("kind", DATASETS)
def test_a_validation_takes_place_within_an_epoch(backbone: Path, collection: Path, kind: str) -> None:
    counts = fit(backbone, collection, DATASETS[kind](collection), val_check_interval=0.5, max_epochs=1)
    assert counts.validations[0] == counts.steps // 2
    assert len(counts.validations) == 2


def test_readers_of_their_own_change_nothing(backbone: Path, collection: Path) -> None:
    counts = fit(backbone, collection, triples(collection), num_workers=1, val_check_interval=0.5, max_epochs=1)
    assert (counts.steps, counts.validations) == (4, [2, 4])
