"""Sparse indexes: against scipy's own product, on term weights like those of real models."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lir_index import Index, SparseIndexConfig, SparseSearchConfig, TorchSparseIndexConfig
from lir_index import postings as postings_module
from lir_index.errors import ArgumentError, EmbeddingsError, MissingExtraError
from lir_index.postings import Rows, RowsWriter, write_transposed

from .sparse_weights import names, weights


@pytest.fixture(params=["numpy", "numba", "torch"])
def engine(request):
    if request.param != "numpy":
        pytest.importorskip(request.param)
    return request.param


def ranking(query, documents, doc_ids, k):
    """The best documents by scipy, in float64."""
    scores = (documents.astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    # A document that shares no term with the query is not found.
    shares = (documents.toarray() != 0) @ (np.asarray(query) != 0)
    order = sorted(np.flatnonzero(shares), key=lambda i: (-scores[i], doc_ids[i]))[:k]
    return [doc_ids[i] for i in order], scores[order]


@pytest.mark.parametrize("k", [1, 10, 1000, 10**5])
def test_finds_what_scipy_finds(make_index, engine, k):
    documents, queries = weights(8200, 500, 20), weights(6, 500, 12, seed=1)
    index = make_index(names(8200), documents, SparseIndexConfig())
    result = Index.open(index.path, SparseSearchConfig(engine=engine)).search(queries, k)
    for number, (doc_ids, scores) in enumerate(result):
        expected, expected_scores = ranking(queries[[number]].toarray()[0], documents, names(8200), k)
        assert doc_ids == expected
        assert np.array_equal(scores, expected_scores)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_negative_weights_and_empty_rows_are_ranked(tmp_path_factory, data):
    from lir_index import PartWriter, build

    count, dim = data.draw(st.integers(1, 150)), data.draw(st.integers(1, 6))
    least = data.draw(st.sampled_from([-2, 0]))
    numbers = st.lists(st.integers(least, 2), min_size=dim, max_size=dim)
    rows = np.array(data.draw(st.lists(numbers, min_size=count, max_size=count)), dtype=np.float32)
    query = np.array(data.draw(numbers), dtype=np.float32)
    folder = tmp_path_factory.mktemp("index")
    with PartWriter(folder / "parts") as writer:
        writer.append(names(count), sparse.csr_array(rows))
    index = build(folder / "parts", folder / "index", SparseIndexConfig())
    k = data.draw(st.integers(1, count + 1))
    result = index.search(sparse.csr_array(query[None]), k)
    expected, scores = ranking(query, sparse.csr_array(rows), names(count), k)
    assert (result.doc_ids[0], result.scores[0].tolist()) == (expected, scores.tolist())


def test_unsorted_rows_with_repeated_terms_are_added_up(make_index):
    rows = sparse.csr_array(
        (np.array([1.0, 2, 4, 0]), np.array([2, 0, 2, 1]), np.array([0, 3, 4])), shape=(2, 3), dtype=np.float32
    )
    index = make_index(["a", "b"], rows, SparseIndexConfig())
    assert index.search(sparse.csr_array([[0.0, 0, 1]]), 2).scores[0].tolist() == [5]


def test_threads_change_nothing(make_index, engine):
    index = make_index(names(3000), weights(3000, 300, 15), SparseIndexConfig())
    queries = weights(40, 300, 8, seed=2)
    one, four = (
        Index.open(index.path, SparseSearchConfig(engine=engine, num_threads=number)).search(queries, 50)
        for number in (1, 4)
    )
    assert one.doc_ids == four.doc_ids
    assert all(np.array_equal(a, b) for a, b in zip(one.scores, four.scores, strict=True))


def test_scipy_reads_the_files(make_index):
    documents = weights(100, 40, 6)
    folder = make_index(names(100), documents, SparseIndexConfig()).path / "segment-1"
    for name, shape in (("documents", (100, 40)), ("postings", (40, 100))):
        parts = (np.load(folder / f"{name}.{part}.npy") for part in ("data", "indices", "indptr"))
        read = sparse.csr_array(tuple(parts), shape=shape)
        assert (abs(read - (documents if name == "documents" else documents.T)) > 0).nnz == 0


@pytest.mark.parametrize("at_once", [1, 7, 64, 10**6])
def test_a_transpose_is_the_same_in_any_number_of_steps(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(postings_module, "_AT_ONCE", at_once)
    matrix = weights(90, 30, 5)
    with RowsWriter(tmp_path, "rows") as writer:
        writer.append(np.diff(matrix.indptr).astype(np.int64), matrix.indices.astype(np.int32), matrix.data)
    write_transposed(tmp_path, "columns", Rows.open(tmp_path, "rows", 90), 30)
    columns, expected = Rows.open(tmp_path, "columns", 30), matrix.T.tocsr()
    expected.sort_indices()
    assert np.array_equal(columns.indptr, expected.indptr)
    assert np.array_equal(columns.indices, expected.indices)
    assert np.array_equal(columns.data, expected.data)


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support")
def test_torch_tensors_are_taken(make_index):
    torch = pytest.importorskip("torch")
    rows = torch.tensor([[0.0, 2, 0], [1, 0, 3]])
    index = make_index(["a", "b"], rows.to_sparse_csr(), TorchSparseIndexConfig())
    assert index.search(rows.to_sparse_csr(), 1).doc_ids == [["a"], ["b"]]


class TestRefuses:
    def test_euclidean_distance(self, make_index):
        with pytest.raises(ArgumentError, match="sparse compares by dot or cosine, not by l2"):
            make_index(["a"], sparse.csr_array([[1.0]]), SparseIndexConfig(similarity="l2"))

    def test_dense_embeddings(self, make_index):
        with pytest.raises(EmbeddingsError, match="sparse is built from sparse embeddings, not from dense"):
            make_index(["a"], [[1.0]], SparseIndexConfig())

    def test_an_engine_that_is_none(self):
        with pytest.raises(ArgumentError, match=r"no engine 'nunba', only .* Did you mean 'numba'"):
            SparseSearchConfig(engine="nunba")

    def test_a_device_for_another_engine(self):
        with pytest.raises(ArgumentError, match="engine numba does not run on the device 'cuda'; torch does"):
            SparseSearchConfig(engine="numba", device="cuda")

    def test_an_engine_that_is_not_installed(self, make_index, monkeypatch):
        index = make_index(["a"], sparse.csr_array([[1.0]]), SparseIndexConfig())
        monkeypatch.setitem(sys.modules, "lir_index.sparse_numba", None)
        with pytest.raises(MissingExtraError, match="needs numba") as caught:
            Index.open(index.path, SparseSearchConfig(engine="numba"))
        assert caught.value.hint == "pip install 'lir-index[fast]'"
