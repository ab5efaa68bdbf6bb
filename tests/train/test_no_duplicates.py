"""Batches without a query or a document twice."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import RankSample, TupleDataset
from lir_train.training_stream import TrainingStream, _kept_apart


@given(
    st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 5), min_size=1, max_size=2)), max_size=20),
    st.integers(1, 5),
)
def test_nothing_is_twice_in_a_batch_and_nothing_is_lost(drawn: list[tuple[int, list[int]]], size: int) -> None:
    samples = [
        RankSample(f"q{query}", f"{query}", tuple(map(str, docs)), tuple(map(str, docs))) for query, docs in drawn
    ]
    found = list(_kept_apart(iter(samples), size))
    assert Counter(repr(sample) for batch in found for sample in batch) == Counter(map(repr, samples))
    for batch in found:
        assert 0 < len(batch) <= size
        assert len({sample.query for sample in batch}) == len(batch)
        docs = [doc for sample in batch for doc in set(sample.docs)]
        assert len(set(docs)) == len(docs)


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_stream_keeps_equal_queries_apart(tmp_path: Path, world_size: int) -> None:
    lines = [f"{query}\t{query} {place}\tno {query} {place}\n" for query in ("red", "blue") for place in range(3)]
    (tmp_path / "triples.tsv").write_text("".join(lines))
    seen: list[tuple[str, ...]] = []

    def collate(samples: list[RankSample]) -> tuple[str, ...]:
        seen.append(tuple(sample.query for sample in samples))
        return seen[-1]

    dataset = TupleDataset(str(tmp_path / "triples.tsv"))
    size = 2 // world_size
    for rank in range(world_size):
        stream = TrainingStream(dataset, size, collate, rank, world_size, no_duplicates=True)  # pyright: ignore[reportArgumentType]
        assert len(list(stream)) == 3
    assert Counter(query for batch in seen for query in batch) == {"red": 3, "blue": 3}
    assert all(len(set(batch)) == len(batch) for batch in seen)
