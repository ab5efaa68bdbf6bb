"""The order of training batches: the same for any number of workers and ranks."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import DataLoader

from lir_data import MixedDataset, RankSample, RunDataset, TupleDataset
from lir_models import BiEncoderModel
from lir_train.collate import train_batch
from lir_train.data_module import BatchStream


def named(samples: Sequence[Any]) -> list[str]:
    """A batch that says what is in it."""
    return [f"{sample.query_id}: {' '.join(sample.doc_ids)}" for sample in samples]


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


def batches(dataset: Any, size: int, epoch: int, workers: int = 0) -> list[list[str]]:
    stream = BatchStream(dataset, size, named)
    stream.epoch = epoch
    return list(DataLoader(stream, batch_size=None, num_workers=workers))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than processors
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("ranks", [1, 2])
def test_each_sample_is_seen_once_in_an_order_of_seed_and_epoch_alone(dataset: Any, workers: int, ranks: int) -> None:
    shuffled = dataset.shuffle(5, buffer_size=7)
    expected = batches(shuffled, 4 * ranks, epoch=1)
    parts = [batches(shuffled.shard(ranks, rank), 4, 1, workers) for rank in range(ranks)]
    together = [
        sorted(sample for part in parts for sample in (part[place] if place < len(part) else []))
        for place in range(len(parts[0]))
    ]
    assert together == [sorted(batch) for batch in expected]
    assert sorted(sample for batch in together for sample in batch) == sorted(named(list(dataset)))
    if ranks == 1:
        assert parts[0] == expected


def test_a_document_counts_for_the_subtopic_that_it_is_about_most(backbone: Path) -> None:
    sample = RankSample("1", "red", ("a", "b"), ("blue", "green"), ((0.0, 2.0, 1.0), (0.0, 0.0, 0.5)))
    batch = train_batch([sample], BiEncoderModel.from_pretrained(backbone))
    assert batch.targets.tolist() == [[2.0, 0.5]]


def test_epochs_differ_and_come_again(dataset: Any) -> None:
    shuffled = dataset.shuffle(5)
    first = batches(shuffled, 4, 0)
    assert batches(shuffled, 4, 1) != first
    assert batches(shuffled, 4, 0) == first


def test_a_worker_looks_up_no_text_of_anothers_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    batches(dataset, 5, 0, workers=2)
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
