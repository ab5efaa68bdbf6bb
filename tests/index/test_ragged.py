"""Rows of different lengths: where their values lie, and blocks of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lir_index.ragged import cut, ranges

LENGTHS = st.lists(st.integers(0, 20), max_size=30).map(lambda lengths: np.array(lengths, dtype=np.int64))


@given(LENGTHS, st.integers(0, 40))
def test_blocks_have_all_rows_in_order_and_are_as_full_as_they_may_be(lengths, most):
    blocks = list(cut(lengths, most))
    assert [row for rows, _ in blocks for row in range(len(lengths))[rows]] == list(range(len(lengths)))
    values = range(lengths.sum())
    assert [value for _, chosen in blocks for value in values[chosen]] == list(values)
    for rows, chosen in blocks:
        count = lengths[rows].sum()
        assert len(values[chosen]) == count
        assert count <= most or rows.stop - rows.start == 1
        # One row more would have been too much.
        assert rows.stop == len(lengths) or count + lengths[rows.stop] > most


@given(LENGTHS, st.randoms())
def test_ranges_follow_each_other(lengths, random):
    starts = np.array([random.randrange(100) for _ in lengths], dtype=np.int64)
    expected = [value for start, length in zip(starts, lengths, strict=True) for value in range(start, start + length)]
    assert ranges(starts, lengths).tolist() == expected
