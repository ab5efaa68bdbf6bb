"""Indexes of several vectors a document: MaxSim and its relatives against the definition, in float64."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_index import FaissFlatIndexConfig, FaissSearchConfig, Index, MultiVectorIndexConfig, MultiVectorSearchConfig
from lir_index.errors import ArgumentError, EmbeddingsError

from .conftest import score_slowly
from .multi_vectors import names, packed, ranking, score, texts

COMPARE_ALL = {
    MultiVectorIndexConfig: MultiVectorSearchConfig(),
    FaissFlatIndexConfig: FaissSearchConfig(candidate_k=10**6),
}


@pytest.fixture(params=list(COMPARE_ALL), ids=lambda config: config.__name__)
def config_class(request):
    return request.param


@pytest.fixture
def make_index(make_index):
    """Builds an index of lists of vectors, and opens it to be searched wholly."""

    def make(doc_ids, documents, config, **metadata):
        index = make_index(doc_ids, packed(documents), config, **metadata)
        return Index.open(index.path, COMPARE_ALL[type(config)])

    return make


@pytest.mark.parametrize("similarity", ["dot", "cosine", "l2"])
@pytest.mark.parametrize("query_aggregation", ["sum", "mean", "max"])
@pytest.mark.parametrize("doc_aggregation", ["max", "mean", "sum"])
def test_equals_the_definition(make_index, config_class, similarity, query_aggregation, doc_aggregation):
    documents, queries = texts(40, 7), texts(5, 7, seed=1)
    how = {"query_aggregation": query_aggregation, "doc_aggregation": doc_aggregation}
    index = make_index(names(40), documents, config_class(similarity=similarity), **how)
    for k in (1, 10, 100):
        for query, (doc_ids, scores) in zip(queries, index.search(packed(queries), k), strict=True):
            expected = ranking(query, documents, names(40), k, similarity, query_aggregation, doc_aggregation)
            assert doc_ids == [doc_id for _, doc_id in expected]
            assert np.allclose(scores, [value for value, _ in expected], rtol=1e-5, atol=1e-5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_equals_the_definition_where_ties_abound(make_index, config_class, data):
    # Small whole numbers: every sum is exact, whatever its order.
    dim = data.draw(st.integers(1, 3))
    vectors = st.lists(st.lists(st.integers(-2, 2), min_size=dim, max_size=dim), min_size=0, max_size=3)
    some = st.lists(
        vectors.map(lambda text: np.array(text, dtype=np.float32).reshape(-1, dim)), min_size=1, max_size=12
    )
    documents = data.draw(some.filter(lambda texts: any(len(text) for text in texts)))
    queries = [text for text in data.draw(some) if len(text)] or [np.ones((1, dim))]
    k = data.draw(st.integers(1, 14))
    index = make_index(names(len(documents)), documents, config_class())
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(documents), max_size=len(documents))))
    allowed = [text if taken else text[:0] for text, taken in zip(documents, mask, strict=True)]
    for result, left in (
        (index.search(packed(queries), k), documents),
        (index.search(packed(queries), k, mask), allowed),
    ):
        for query, (doc_ids, scores) in zip(queries, result, strict=True):
            found = list(zip(scores.tolist(), doc_ids, strict=True))
            assert found == ranking(query, left, names(len(documents)), k)


def test_a_document_without_vectors_is_never_found(make_index, config_class):
    documents = [np.empty((0, 3)), -np.ones((2, 3)), np.empty((0, 3)), np.empty((0, 3))]
    index = make_index(["a", "b", "c", "d"], documents, config_class())
    assert index.search(packed([np.ones((2, 3))]), 4).doc_ids == [["b"]]
    assert index.search(packed([np.ones((2, 3))]), 4, allowed=["a", "c"]).doc_ids == [[]]


def test_duplicates_have_one_score_and_come_in_the_order_of_ids(make_index):
    # More documents than fit in one block, and of more than one length.
    twins = [texts(1, 31)[0], texts(1, 31, seed=2)[0]]
    index = make_index(names(8193), [twins[i % 2] for i in range(8193)], MultiVectorIndexConfig())
    scores = [score(texts(1, 31, seed=3)[0], twin) for twin in twins]
    better = sorted(doc_id for i, doc_id in enumerate(names(8193)) if i % 2 == int(scores[1] > scores[0]))
    result = index.search(packed(texts(1, 31, seed=3)), 20)
    assert result.doc_ids == [better[:20]]
    assert len(set(result.scores[0].tolist())) == 1


def test_queries_of_one_dense_vector_each_are_taken(make_index, config_class):
    # MVR compares one vector of a query with several of a document.
    documents, queries = texts(30, 5), np.random.default_rng(2).standard_normal((3, 5)).astype(np.float32)
    index = make_index(names(30), documents, config_class())
    expected = index.search((queries, np.ones(3, dtype=np.int64)), 4)
    assert index.search(queries, 4).doc_ids == expected.doc_ids


@pytest.mark.parametrize("every", [2, 40])
def test_allowed_documents_are_searched_as_if_alone(make_index, config_class, every):
    documents, queries = texts(400, 6), packed(texts(3, 6, seed=1))
    index = make_index(names(400), documents, config_class())
    alone = make_index(names(400)[::every], documents[::every], config_class())
    found, expected = index.search(queries, 5, allowed=names(400)[::every]), alone.search(queries, 5)
    assert found.doc_ids == expected.doc_ids
    assert all(np.array_equal(a, b) for a, b in zip(found.scores, expected.scores, strict=True))


def test_batches_and_threads_change_nothing(make_index):
    index = make_index(names(3000), texts(3000, 12), MultiVectorIndexConfig())
    queries = texts(30, 12, seed=4, longest=32)
    together = index.search(packed(queries), 10)
    for num_threads in (1, 3):
        opened = Index.open(index.path, MultiVectorSearchConfig(num_threads=num_threads))
        for number, query in enumerate(queries):
            alone = opened.search(packed([query]), 10)
            assert alone.doc_ids[0] == together.doc_ids[number]
            assert np.array_equal(alone.scores[0], together.scores[number])


@pytest.mark.parametrize("similarity", ["dot", "l2"])
@pytest.mark.parametrize("doc_aggregation", ["max", "sum", "mean"])
def test_torch_finds_what_numpy_finds(make_index, monkeypatch, similarity, doc_aggregation):
    pytest.importorskip("torch")
    from lir_index.max_sim_torch import TorchEngine

    by_torch = TorchEngine.scores
    asked = []
    monkeypatch.setattr(TorchEngine, "scores", lambda *arguments: (asked.append(1), by_torch(*arguments))[1])
    config = MultiVectorIndexConfig(similarity=similarity)
    index = make_index(names(500), texts(500, 12), config, doc_aggregation=doc_aggregation)
    queries = packed(texts(7, 12, seed=5))
    expected = [index.search(queries, 20), index.search(queries, 20, allowed=names(500)[::3])]
    assert not asked
    index = Index.open(index.path, MultiVectorSearchConfig(device="cpu:0"))
    for found, told in zip(
        [index.search(queries, 20), index.search(queries, 20, allowed=names(500)[::3])], expected, strict=True
    ):
        assert found.doc_ids == told.doc_ids
        assert all(np.array_equal(a, b) for a, b in zip(found.scores, told.scores, strict=True))
    assert asked


@pytest.mark.gpu
def test_a_gpu_finds_what_numpy_finds(make_index):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    index = make_index(names(3000), texts(3000, 64, longest=40), MultiVectorIndexConfig())
    queries = packed(texts(9, 64, seed=1, longest=32))
    found = Index.open(index.path, MultiVectorSearchConfig(device="cuda")).search(queries, 50)
    assert found.doc_ids == index.search(queries, 50).doc_ids


@pytest.mark.parametrize("strategy", ["min", "zero"])
@pytest.mark.parametrize("candidate_k", [1, 5, 30])
def test_what_no_query_vector_found_is_imputed(make_index, strategy, candidate_k):
    documents, queries = texts(25, 6), texts(4, 6, seed=1)
    index = make_index(names(25), documents, FaissFlatIndexConfig())
    settings = FaissSearchConfig(candidate_k=candidate_k, imputation_strategy=strategy)
    result = Index.open(index.path, settings).search(packed(queries), 25)
    for query, (doc_ids, scores) in zip(queries, result, strict=True):
        values = [[[score_slowly(q, d, "dot") for d in document] for document in documents] for q in query]
        totals = dict.fromkeys(names(25), 0.0)
        found = set()
        for row in values:
            kept = sorted((v for document in row for v in document), reverse=True)[:candidate_k]
            for doc_id, document in zip(names(25), row, strict=True):
                if max(document) >= kept[-1]:
                    found.add(doc_id)
                    totals[doc_id] += max(document)
                else:
                    totals[doc_id] += kept[-1] if strategy == "min" else 0
        expected = sorted(found, key=lambda doc_id: (-totals[doc_id], doc_id))
        assert doc_ids == expected
        assert np.allclose(scores, [totals[doc_id] for doc_id in expected], atol=1e-5)


class TestRefuses:
    def test_a_query_without_vectors(self, make_index, config_class):
        index = make_index(["a"], [np.ones((2, 3))], config_class())
        with pytest.raises(EmbeddingsError, match="Query 2 has no vector"):
            index.search(packed([np.ones((1, 3)), np.empty((0, 3))]), 1)

    def test_documents_that_all_lack_vectors(self, make_index, config_class):
        with pytest.raises(EmbeddingsError, match="No document has a vector"):
            make_index(["a", "b"], [np.empty((0, 3)), np.empty((0, 3))], config_class())

    @pytest.mark.parametrize(
        ("similarity", "doc_aggregation", "strategy", "sentence"),
        [
            ("dot", "mean", "min", "imputation_strategy 'min' .* best match, .* by mean"),
            ("dot", "sum", "zero", "imputation_strategy 'zero' .* best match, .* by sum"),
            ("l2", "max", "zero", "'zero' does not go with l2"),
        ],
    )
    def test_an_imputation_that_means_nothing(self, make_index, similarity, doc_aggregation, strategy, sentence):
        config = FaissFlatIndexConfig(similarity=similarity)
        index = make_index(["a"], [np.ones((2, 3))], config, doc_aggregation=doc_aggregation)
        with pytest.raises(ArgumentError, match=sentence):
            Index.open(index.path, FaissSearchConfig(imputation_strategy=strategy))
