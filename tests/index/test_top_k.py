import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lir_index.top_k import GROUP, best, floors

few_values = st.sampled_from([-np.inf, -1.5, -1.0, -0.0, 0.0, 1e-45, 1.0, 2.0])


@given(st.lists(few_values, min_size=1, max_size=40), st.integers(1, 45), st.randoms())
def test_best_equals_sorting_everything(scores, k, random):
    ranks = list(range(len(scores)))
    random.shuffle(ranks)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], ranks[i]))[:k]
    assert best(np.array(scores, dtype=np.float32), np.array(ranks), k).tolist() == expected


@given(arrays.arrays(np.float32, (2, 300), elements=st.floats(-2, 2, width=32)), st.integers(1, 300))
def test_at_least_k_scores_reach_the_floor(scores, k):
    assert ((scores >= floors(scores, k)[:, None]).sum(axis=1) >= k).all()


def test_the_floor_is_near_the_kth_best():
    scores = np.random.default_rng(0).random((1, GROUP * 1000), dtype=np.float32)
    assert (scores >= floors(scores, 10)).sum() < 15


def test_there_is_no_floor_under_fewer_than_k_scores():
    assert floors(np.zeros((2, 3), dtype=np.float32), 4).tolist() == [-np.inf, -np.inf]
