"""Scores from embeddings equal their equations, written as loops in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lir_models.embeddings import CoilEmbeddings, Packed
from lir_models.scoring import coil, max_sim, sparse_similarity, xtr

COMPARE = {
    "dot": lambda a, b: a @ b,
    "cosine": lambda a, b: a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12),
    "l2": lambda a, b: -np.linalg.norm(a - b),
}
AGGREGATE = {"sum": sum, "max": max, "mean": lambda values: sum(values) / len(values)}

lengths_of_texts = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def packed(random: np.random.Generator, lengths: list[int], dim: int = 3) -> tuple[Packed, list[np.ndarray]]:
    vectors = random.normal(size=(sum(lengths), dim))
    return Packed(torch.tensor(vectors), torch.tensor(lengths)), np.split(vectors, np.cumsum(lengths)[:-1])


@settings(deadline=None)
@given(
    lengths_of_texts,
    lengths_of_texts,
    st.sampled_from(list(COMPARE)),
    st.sampled_from(list(AGGREGATE)),
    st.sampled_from(list(AGGREGATE)),
)
def test_max_sim_equals_its_equation(
    query_lengths: list[int], doc_lengths: list[int], function: str, query_aggregation: str, doc_aggregation: str
) -> None:
    random = np.random.default_rng(sum(query_lengths) + 7 * sum(doc_lengths))
    queries, query_rows = packed(random, query_lengths)
    docs, doc_rows = packed(random, doc_lengths)
    expected = [
        [
            AGGREGATE[query_aggregation](
                [AGGREGATE[doc_aggregation]([COMPARE[function](q, d) for d in doc]) for q in query]
            )
            for doc in doc_rows
        ]
        for query in query_rows
    ]
    scores = max_sim(queries, docs, function, query_aggregation=query_aggregation, doc_aggregation=doc_aggregation)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@settings(deadline=None)
@given(lengths_of_texts, lengths_of_texts, st.integers(1, 8), st.sampled_from(["leave out", "impute"]))
def test_xtr_equals_its_equation(query_lengths: list[int], doc_lengths: list[int], k: int, missing: str) -> None:
    random = np.random.default_rng(sum(query_lengths) + 7 * sum(doc_lengths) + k)
    queries, query_rows = packed(random, query_lengths)
    docs, doc_rows = packed(random, doc_lengths)
    expected = np.zeros((len(query_rows), len(doc_rows)))
    for row, query in enumerate(query_rows):
        retrieved = []
        for token in query:
            best = sorted(
                ((token @ other, doc) for doc, vectors in enumerate(doc_rows) for other in vectors), reverse=True
            )
            retrieved.append(best[:k])
        for doc in range(len(doc_rows)):
            found = [[value for value, owner in best if owner == doc] for best in retrieved]
            if missing == "impute":
                values = [max(own) if own else best[-1][0] for own, best in zip(found, retrieved, strict=True)]
                expected[row, doc] = sum(values) / len(query)
            else:
                values = [max(own) for own in found if own]
                expected[row, doc] = sum(values) / max(len(values), 1)
    np.testing.assert_allclose(xtr(queries, docs, k, missing=missing), expected, atol=1e-5)


@settings(deadline=None)
@given(lengths_of_texts, lengths_of_texts)
def test_coil_equals_its_equation(query_lengths: list[int], doc_lengths: list[int]) -> None:
    random = np.random.default_rng(sum(query_lengths) + 7 * sum(doc_lengths))

    def texts(lengths: list[int]) -> CoilEmbeddings:
        rows, _ = packed(random, lengths)
        ids = torch.tensor(random.integers(0, 3, sum(lengths)))
        return CoilEmbeddings(torch.tensor(random.normal(size=(len(lengths), 4))), rows.vectors, ids, rows.lengths)

    queries, docs = texts(query_lengths), texts(doc_lengths)
    expected = queries.text_vectors.numpy() @ docs.text_vectors.numpy().T
    query_ends, doc_ends = np.cumsum(query_lengths), np.cumsum(doc_lengths)
    for row, end in enumerate(query_ends):
        for column, doc_end in enumerate(doc_ends):
            for token in range(end - query_lengths[row], end):
                matches = (
                    float(queries.vectors[token] @ docs.vectors[other])
                    for other in range(doc_end - doc_lengths[column], doc_end)
                    if queries.token_ids[token] == docs.token_ids[other]
                )
                expected[row, column] += max(0.0, max(matches, default=0.0))
    np.testing.assert_allclose(coil(queries, docs), expected, atol=1e-5)


@pytest.mark.parametrize("function", ["dot", "cosine", "l2"])
def test_sparse_similarity_equals_the_dense(function: str) -> None:
    random = np.random.default_rng(0)
    queries, docs = (random.random((count, 6)) * (random.random((count, 6)) > 0.5) for count in (3, 4))
    queries[1] = 0
    expected = [[COMPARE[function](query, doc) for doc in docs] for query in queries]
    scores = sparse_similarity(csr_array(queries.astype(np.float32)), csr_array(docs.astype(np.float32)), function)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
