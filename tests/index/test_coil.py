"""COIL is searched as the paper scores it, and what its embeddings lack is said."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_index import CoilIndexConfig, CoilSearchConfig, Index
from lir_index.embeddings import as_batch
from lir_index.errors import EmbeddingsError


def make(count, dim=5, text_dim=3, seed=0, longest=7, tokens=6, whole=False):
    """Random embeddings; of whole numbers, every sum is exact."""
    random = np.random.default_rng(seed)
    lengths = random.integers(0, longest + 1, count)
    total = int(lengths.sum())
    text_vectors, vectors = random.standard_normal((count, text_dim)), random.standard_normal((total, dim))
    if whole:
        text_vectors, vectors = np.round(text_vectors), np.round(vectors)
    return text_vectors.astype("f"), vectors.astype("f"), random.integers(0, tokens, total), lengths


def texts(embeddings):
    """For each text its vector, and the vectors and ids of its tokens."""
    text_vectors, vectors, token_ids, lengths = embeddings
    ends = np.cumsum(lengths)
    return [
        (text_vectors[i], vectors[e - n : e], token_ids[e - n : e])
        for i, (e, n) in enumerate(zip(ends, lengths, strict=True))
    ]


def score(query, document):
    """Equation 4 of the paper, term by term, in float64."""
    total = float(query[0].astype(float) @ document[0].astype(float))
    for vector, token in zip(query[1], query[2], strict=True):
        same = [float(vector.astype(float) @ v.astype(float)) for v, t in zip(*document[1:], strict=True) if t == token]
        total += max([0.0, *same])
    return total


def ranking(query, documents, doc_ids, k):
    scored = [(float(np.float32(score(query, d))), i) for d, i in zip(texts(documents), doc_ids, strict=True)]
    return [(i, s) for s, i in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]]


def found(index, queries, k, **how):
    return [list(zip(ids, scores.tolist(), strict=True)) for ids, scores in index.search(queries, k, **how)]


def names(count):
    return [f"{(i * 7919) % count}" for i in range(count)]


@pytest.mark.parametrize("k", [1, 10, 500])
def test_equals_the_definition(make_index, k):
    documents, queries = make(300), make(20, seed=1)
    results = found(make_index(names(300), documents, CoilIndexConfig()), queries, k)
    for query, result in zip(texts(queries), results, strict=True):
        expected = ranking(query, documents, names(300), k)
        assert [doc_id for doc_id, _ in result] == [doc_id for doc_id, _ in expected]
        assert np.allclose([s for _, s in result], [s for _, s in expected], atol=1e-5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_equals_the_definition_where_ties_abound(make_index, data):
    count, seed = data.draw(st.integers(1, 30)), data.draw(st.integers(0, 10**6))
    shape = {"dim": data.draw(st.integers(1, 3)), "text_dim": data.draw(st.integers(1, 3)), "whole": True}
    shape["tokens"] = data.draw(st.integers(1, 4))
    documents, queries = make(count, seed=seed, **shape), make(3, seed=seed + 1, **shape)
    index = make_index(names(count), documents, CoilIndexConfig())
    k = data.draw(st.integers(1, count + 1))
    assert found(index, queries, k) == [ranking(query, documents, names(count), k) for query in texts(queries)]


def test_batches_and_threads_change_nothing(make_index):
    queries = make(40, seed=3)
    index = make_index(names(500), make(500), CoilIndexConfig())
    together = found(index, queries, 9)
    batch = as_batch(queries)
    assert together == [found(index, batch.rows(i, i + 1), 9)[0] for i in range(40)]
    for num_threads in (1, 3):
        assert together == found(Index.open(index.path, CoilSearchConfig(num_threads=num_threads)), queries, 9)


def test_only_what_is_allowed_is_found(make_index):
    documents, queries = make(200, whole=True), make(5, seed=1, whole=True)
    index = make_index(names(200), documents, CoilIndexConfig())
    chosen = names(200)[::7]
    alone = make_index(chosen, as_batch(documents).take(np.arange(0, 200, 7)), CoilIndexConfig())
    assert found(index, queries, 12, allowed=chosen) == found(alone, queries, 12)


def test_documents_come_and_go_as_if_built_at_once(make_index):
    documents, queries = as_batch(make(90, whole=True)), make(5, seed=1, whole=True)
    index = make_index(names(90)[:60], documents.rows(0, 60), CoilIndexConfig())
    index.add(names(90)[60:], documents.rows(60, 90))
    index.delete(names(90)[20:30])
    kept = np.r_[0:20, 30:90]
    once = make_index([names(90)[i] for i in kept], documents.take(kept), CoilIndexConfig())
    assert found(index, queries, 30) == found(once, queries, 30)
    index.compact()
    assert [entry.files for entry in index.manifest.segments] == [entry.files for entry in once.manifest.segments]


def test_texts_without_any_token_are_compared_as_wholes(make_index):
    documents, queries = make(10, longest=0), make(3, seed=1)
    results = found(make_index(names(10), documents, CoilIndexConfig()), queries, 4)
    for query, result in zip(texts(queries), results, strict=True):
        assert [doc_id for doc_id, _ in result] == [i for i, _ in ranking(query, documents, names(10), 4)]


class TestRefuses:
    def test_vectors_of_texts_of_another_dimension(self, make_index):
        index = make_index(["a", "b"], make(2, text_dim=3), CoilIndexConfig())
        sentence = "holds vectors of whole texts of 3 dimensions, and these have 4"
        with pytest.raises(EmbeddingsError, match=sentence):
            index.search(make(1, text_dim=4), 1)
        with pytest.raises(EmbeddingsError, match=sentence):
            index.add(["c", "d"], make(2, text_dim=4))

    def test_a_text_vector_that_is_no_number(self, make_index):
        documents = make(3)
        documents[0][1, 2] = np.nan
        with pytest.raises(EmbeddingsError, match="embedding of document 'b' holds the value nan"):
            make_index(["a", "b", "c"], documents, CoilIndexConfig())

    def test_token_ids_that_do_not_fit(self):
        text_vectors, vectors, token_ids, lengths = make(4)
        with pytest.raises(EmbeddingsError, match=r"token_ids \[\d+\]; the shapes are \[4, 3\] and \[\d+\]"):
            as_batch((text_vectors, vectors, token_ids[1:], lengths))
        with pytest.raises(EmbeddingsError, match="Token ids are whole numbers; these have the type float64"):
            as_batch((text_vectors, vectors, token_ids.astype(float), lengths))
