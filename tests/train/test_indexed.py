"""What an interrupted indexing has done is read again, compared, and left out, whoever reads."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lir_data import DocDataset, DocSample
from lir_train import LightningIRDataModule, TextModule
from lir_train.indexed import digest

SIZES = (7, 1, 9)


class Indexes:
    """Stands where a callback that builds an index does: it has so many documents, and says whether they are the same."""

    def __init__(self, done: int, same: bool = True) -> None:
        self.done, self.same = done, same
        self.seen: list[bytes] = []
        self.start: int | None = None

    def resume_indexing(self, trainer: Any, digests: Iterable[bytes]) -> int:
        assert trainer.callbacks
        self.seen = list(islice(digests, self.done))
        return self.done if self.same else 0

    def start_at(self, count: int) -> None:
        self.start = count


@pytest.fixture
def datasets(tmp_path: Path) -> list[DocDataset]:
    """Several files; the ids go through all."""
    made, number = [], 0
    for place, size in enumerate(SIZES):
        path = tmp_path / f"{place}.tsv"
        path.write_text("".join(f"d{doc}\ttext {doc}\n" for doc in range(number, number + size)))
        number += size
        made.append(DocDataset(str(path)))
    return made


def data_module(
    datasets: list[DocDataset], *callbacks: Indexes, rank: int = 0, ranks: int = 1, workers: int = 0
) -> LightningIRDataModule:
    data = LightningIRDataModule(inference_datasets=[*datasets], inference_batch_size=2, num_workers=workers)
    trainer = SimpleNamespace(
        world_size=ranks, global_rank=rank, callbacks=list(callbacks), lightning_module=TextModule()
    )
    data.trainer = trainer  # pyright: ignore[reportAttributeAccessIssue]
    return data


def read(data: LightningIRDataModule) -> list[tuple[str, bytes]]:
    """Return ids and digests, as they come to whoever indexes."""
    return [
        pair
        for loader in data.predict_dataloader()
        for batch in loader
        for pair in zip(batch.doc_ids, batch.digests, strict=True)
    ]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than processors
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("done", [0, 3, 7, 8, 12, 17])
def test_what_was_done_and_what_is_left_are_the_whole(datasets: list[DocDataset], done: int, workers: int) -> None:
    callback = Indexes(done)
    data = data_module(datasets, callback, workers=workers)
    left = read(data)
    everything = [(doc.doc_id, digest(doc)) for dataset in datasets for doc in dataset]
    assert (callback.seen, left) == ([pair[1] for pair in everything[:done]], everything[done:])
    assert [data.num_docs_done(dataset) for dataset in datasets] == [
        min(max(done - sum(SIZES[:place]), 0), size) for place, size in enumerate(SIZES)
    ]
    assert data.num_docs_before == done


@pytest.mark.parametrize("rank", [0, 1])
def test_each_process_compares_its_own(datasets: list[DocDataset], rank: int) -> None:
    callback = Indexes(5)
    left = read(data_module(datasets, callback, rank=rank, ranks=2))
    own = [(doc.doc_id, digest(doc)) for dataset in datasets for doc in dataset.shard(2, rank)]
    assert (callback.seen, left) == ([pair[1] for pair in own[:5]], own[5:])


def test_where_they_differ_all_come_again(datasets: list[DocDataset]) -> None:
    data = data_module(datasets, Indexes(9, same=False))
    assert len(read(data)) == sum(SIZES)
    assert data.num_docs_before == 0


def test_of_several_indexes_that_which_has_least_decides(datasets: list[DocDataset]) -> None:
    callbacks = Indexes(9), Indexes(4), Indexes(12)
    assert len(read(data_module(datasets, *callbacks))) == sum(SIZES) - 4
    assert [callback.start for callback in callbacks] == [4, 4, 4]


def test_where_nothing_is_indexed_nothing_is_left_out(datasets: list[DocDataset]) -> None:
    assert len(read(data_module(datasets))) == sum(SIZES)


def test_a_digest_is_of_id_and_text() -> None:
    docs = [("a", "bc"), ("ab", "c"), ("a", "b"), ("1 a", "bc"), ("", "abc"), ("a", "\ud800")]
    assert len({digest(DocSample(*doc)) for doc in docs}) == len(docs)
