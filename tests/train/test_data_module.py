"""The order of training batches: the same for any number of workers and ranks."""

import os
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import DataLoader

from lir_data import MixedDataset, RankSample, RunDataset, TupleDataset
from lir_models import BiEncoderModel
from lir_train import BiEncoderModule, LightningIRDataModule
from lir_train.collate import TrainingCollator
from lir_train.errors import WrongStageError
from lir_train.training_stream import TrainingStream


@pytest.fixture(params=["tuples", "run", "mixture"])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    (tmp_path / "docs.tsv").write_text("".join(f"d{number}\ttext {number}\n" for number in range(30)))
    (tmp_path / "queries.tsv").write_text("".join(f"q{number}\tquery {number}\n" for number in range(23)))
    (tmp_path / "triples.tsv").write_text("".join(f"q{number}\td{number}\td{number + 1}\n" for number in range(23)))
    (tmp_path / "run.trec").write_text("".join(f"q{number} Q0 d{number} 1 1 x\n" for number in range(23)))
    texts = {"docs": str(tmp_path / "docs.tsv"), "queries": str(tmp_path / "queries.tsv")}
    tuples = TupleDataset(str(tmp_path / "triples.tsv"), **texts)
    run = RunDataset(str(tmp_path / "run.trec"), **texts)
    return {"tuples": tuples, "run": run, "mixture": MixedDataset([tuples, run], [1, 2])}[request.param]


@pytest.fixture(scope="module")
def model(backbone: Path) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(backbone)


def batches(
    dataset: Any, size: int, epoch: int, model: BiEncoderModel, *, workers: int = 0, rank: int = 0, ranks: int = 1
) -> list[list[str]]:
    """Return the queries and documents of each batch of a process."""
    stream = TrainingStream(dataset, size, TrainingCollator(model, needs_targets=False), rank, ranks)
    stream.set_epoch(epoch)
    found = []
    for batch in DataLoader(stream, batch_size=None, num_workers=workers):
        counts = batch.mask.sum(dim=1)
        firsts = [batch.texts.docs[start] for start in (counts.cumsum(0) - counts).tolist()]
        found.append([f"{query}: {doc}" for query, doc in zip(batch.texts.queries, firsts, strict=True)])
    return found


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than processors
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("size", [4, 11])
def test_each_sample_is_seen_once_in_an_order_of_seed_and_epoch_alone(
    dataset: Any, model: BiEncoderModel, workers: int, ranks: int, size: int
) -> None:
    shuffled = dataset.shuffle(5, buffer_size=7)
    expected = batches(shuffled, size * ranks, 1, model)
    parts = [batches(shuffled, size, 1, model, workers=workers, rank=rank, ranks=ranks) for rank in range(ranks)]
    # In every step each process has a batch, the last perhaps of no samples.
    assert {len(part) for part in parts} == {len(expected)}
    assert [sorted(chain(*together)) for together in zip(*parts, strict=True)] == [sorted(batch) for batch in expected]
    found = [sample for part in parts for batch in part for sample in batch]
    assert sorted(found) == sorted(f"{sample.query}: {sample.docs[0]}" for sample in dataset)


def test_a_document_counts_for_the_subtopic_that_it_is_about_most(model: BiEncoderModel) -> None:
    sample = RankSample("1", "red", ("a", "b"), ("blue", "green"), ((0.0, 2.0, 1.0), (0.0, 0.0, 0.5)))
    batch = TrainingCollator(model)([sample])
    assert batch.targets.tolist() == [[2.0, 0.5]]


def test_epochs_differ_and_come_again(dataset: Any, model: BiEncoderModel) -> None:
    shuffled = dataset.shuffle(5)
    first = batches(shuffled, 4, 0, model)
    assert batches(shuffled, 4, 1, model) != first
    assert batches(shuffled, 4, 0, model) == first


def test_a_worker_looks_up_no_text_of_anothers_batches(
    tmp_path: Path, model: BiEncoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs.tsv").write_text("".join(f"d{number}\ttext\n" for number in range(40)))
    (tmp_path / "queries.tsv").write_text("q\tquery\n")
    (tmp_path / "triples.tsv").write_text("".join(f"q\td{number}\n" for number in range(40)))
    dataset = TupleDataset(
        str(tmp_path / "triples.tsv"), docs=str(tmp_path / "docs.tsv"), queries=str(tmp_path / "queries.tsv")
    )
    looked_up = tmp_path / "looked-up"
    looked_up.mkdir()
    look_up = dataset._documents.get_many
    monkeypatch.setattr(dataset._documents, "get_many", partial(_noted, look_up, looked_up))
    batches(dataset, 5, 0, model, workers=2)
    found = [set(path.read_text().split()) for path in looked_up.iterdir()]
    assert len(found) == 2
    assert found[0] | found[1] == {f"d{number}" for number in range(40)}
    assert not found[0] & found[1]


def _noted(look_up: Any, folder: Path, doc_ids: Any) -> dict[str, str]:
    """Look documents up, and note in a file of this process which."""
    doc_ids = list(doc_ids)
    with (folder / str(os.getpid())).open("a") as file:
        file.write(" ".join([*doc_ids, ""]))
    return look_up(doc_ids)


@pytest.fixture
def alone(dataset: Any, backbone: Path, tmp_path: Path) -> Any:
    """Data that no trainer has, with a module or without."""
    run = RunDataset(str(tmp_path / "run.trec"), docs=str(tmp_path / "docs.tsv"), queries=str(tmp_path / "queries.tsv"))

    def make(module: BiEncoderModule | None) -> LightningIRDataModule:
        data = LightningIRDataModule(module, train_dataset=dataset, train_batch_size=2, inference_datasets=[run])
        data.setup("fit")
        return data

    return make


def test_batches_are_had_without_a_trainer(alone: Any, backbone: Path) -> None:
    data = alone(BiEncoderModule(str(backbone)))
    batch = next(iter(data.train_dataloader()))
    assert len(batch.texts.queries) == 2
    ranking = next(iter(data.inference_dataloader()[0]))
    assert next(iter(ranking.query_ids)) == "q0"


@pytest.mark.parametrize("loader", ["train_dataloader", "inference_dataloader", "val_dataloader"])
def test_without_a_trainer_and_a_module_it_is_said_what_is_missing(alone: Any, loader: str) -> None:
    with pytest.raises(WrongStageError, match="neither a trainer nor a module") as told:
        getattr(alone(None), loader)()
    assert told.value.hint == "LightningIRDataModule(module=BiEncoderModule(...), ...)"
