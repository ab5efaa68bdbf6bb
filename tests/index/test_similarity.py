import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_index.errors import EmbeddingsError
from lir_index.similarity import exact_scores, prepare, rough_scores, slack


def name(i):
    return f"document '{i}'"


def test_cosine_gives_unit_vectors_and_keeps_zero():
    vectors, lengths = prepare(np.array([[3.0, 4.0], [0.0, 0.0]]), "cosine", name)
    assert vectors.tolist() == [[np.float32(0.6), np.float32(0.8)], [0, 0]]
    assert lengths.tolist() == [1, 0]


def test_multiples_of_two_of_a_vector_have_one_cosine():
    vectors, _ = prepare(np.outer([1.0, 2.0, 8.0, 0.25], np.arange(1, 8)), "cosine", name)
    assert len(np.unique(vectors, axis=0)) == 1


def test_a_vector_too_long_is_named():
    with pytest.raises(EmbeddingsError, match=r"The embedding of document '1' has the length 1e\+20; at most 1e\+18"):
        prepare(np.array([[1.0], [1e20]]), "dot", name)


def test_equal_rows_have_equal_scores_wherever_they_lie():
    row = np.random.default_rng(0).standard_normal((1, 385)).astype(np.float32)
    scores = exact_scores(row[0] * 0.3, np.tile(row, (1001, 1)), "dot")
    assert len(set(scores.tolist())) == 1


@given(
    st.sampled_from(["dot", "cosine", "l2"]),
    st.integers(1, 400),
    st.floats(-12, 12),
    st.floats(-12, 12),
    st.integers(0, 2**32 - 1),
)
def test_rough_scores_are_within_the_slack(similarity, dim, query_size, document_size, seed):
    random = np.random.default_rng(seed)
    queries, query_lengths = prepare(random.standard_normal((4, dim)) * 10**query_size, similarity, name)
    documents, lengths = prepare(random.standard_normal((30, dim)) * 10**document_size, similarity, name)
    rough = rough_scores(queries, documents, similarity)
    wide_queries, wide_documents = queries.astype(np.float64), documents.astype(np.float64)
    if similarity == "l2":
        exact = -((wide_queries[:, None] - wide_documents[None]) ** 2).sum(axis=2)
    else:
        exact = wide_queries @ wide_documents.T
    margin = slack(query_lengths, lengths.max(), dim, similarity)
    assert (abs(rough - exact) <= margin[:, None] / 2).all()


def test_a_zero_query_needs_no_slack():
    assert slack(np.array([0.0]), 5.0, 100, "dot").tolist() == [0.0]
