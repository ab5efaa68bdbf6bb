"""Seismic finds candidates; what comes of them is ordered, filtered and scored as by every other kind."""

import sys

import numpy as np
import pytest
from scipy import sparse

from lir_index import Index, SeismicIndexConfig, SeismicSearchConfig, SparseIndexConfig
from lir_index.build import check_config
from lir_index.errors import ArgumentError, IndexVersionError, MissingExtraError
from lir_index.metadata import Metadata

from .sparse_weights import names, recall, weights

CONFIG = SeismicIndexConfig(num_postings=200)


@pytest.fixture
def collection():
    pytest.importorskip("seismic")
    return weights(3000, 1000, 40), weights(30, 1000, 20, seed=1)


def test_finds_most_of_the_best_and_scores_them_exactly(make_index, collection):
    documents, queries = collection
    exact = make_index(names(3000), documents, SparseIndexConfig()).search(queries, 10)
    found = make_index(names(3000), documents, CONFIG).search(queries, 10)
    assert recall(found, exact) > 0.9
    known = [dict(zip(doc_ids, scores.tolist(), strict=True)) for doc_ids, scores in exact]
    for expected, (doc_ids, scores) in zip(known, found, strict=True):
        assert all(expected.get(doc_id, score) == score for doc_id, score in zip(doc_ids, scores.tolist(), strict=True))


def test_looking_into_more_finds_more(make_index, collection):
    documents, queries = collection
    exact = make_index(names(3000), documents, SparseIndexConfig()).search(queries, 10)
    path = make_index(names(3000), documents, CONFIG).path
    few, many = (
        Index.open(path, SeismicSearchConfig(query_cut=cut, heap_factor=factor)).search(queries, 10)
        for cut, factor in ((2, 1), (20, 0.5))
    )
    assert recall(few, exact) < recall(many, exact)


def test_queries_keep_their_order_whatever_the_threads(make_index, collection):
    documents, queries = collection
    path = make_index(names(3000), documents, CONFIG).path
    one, two = (Index.open(path, SeismicSearchConfig(num_threads=n)).search(queries, 10) for n in (1, 2))
    alone = [Index.open(path).search(queries[[i]], 10).doc_ids[0] for i in range(30)]
    assert one.doc_ids == two.doc_ids == alone


def test_equal_scores_come_in_the_order_of_ids(make_index, collection):
    row = collection[0][[0]]
    index = make_index(names(5), sparse.vstack([row] * 5).tocsr(), CONFIG)
    assert index.search(row, 5).doc_ids == [sorted(names(5))]


def test_a_query_without_terms_or_with_unknown_ones_is_answered(make_index):
    pytest.importorskip("seismic")
    index = make_index(["b", "a"], sparse.csr_array([[1.0, 0, 0], [2, 0, 0]]), CONFIG)
    result = index.search(sparse.csr_array([[0.0, 0, 0], [0, 3, 0], [1, 0, 0]]), 2)
    assert result.doc_ids == [[], [], ["a", "b"]]
    assert [scores.tolist() for scores in result.scores] == [[], [], [2, 1]]


def test_documents_without_terms_are_not_found(make_index):
    pytest.importorskip("seismic")
    documents = sparse.csr_array([[0.0, 0], [0, 2], [0, 0]])
    assert make_index(["c", "b", "a"], documents, CONFIG).search(sparse.csr_array([[0, 1.0]]), 3).doc_ids == [["b"]]
    assert make_index(["b", "a"], sparse.csr_array((2, 2)), CONFIG).search(documents[[1]], 2).doc_ids == [[]]


def test_weights_beyond_half_precision_are_ranked(make_index, collection):
    documents, queries = collection
    documents.data *= np.float32(1e9)
    exact = make_index(names(3000), documents, SparseIndexConfig()).search(queries, 10)
    assert recall(make_index(names(3000), documents, CONFIG).search(queries, 10), exact) > 0.9


def test_a_vocabulary_beyond_16_bits_is_searched(make_index, collection):
    documents, queries = (
        sparse.csr_array((rows.data, rows.indices * 100, rows.indptr), shape=(rows.shape[0], 10**5))
        for rows in collection
    )
    exact = make_index(names(3000), documents, SparseIndexConfig()).search(queries, 10)
    assert recall(make_index(names(3000), documents, CONFIG).search(queries, 10), exact) > 0.9


def test_negative_weights_are_ranked_exactly(make_index, collection):
    documents, queries = collection
    for rows in (queries, documents):
        rows.data[::5] *= -1
        exact = make_index(names(3000), documents, SparseIndexConfig()).search(queries, 10)
        assert make_index(names(3000), documents, CONFIG).search(queries, 10).doc_ids == exact.doc_ids


@pytest.mark.parametrize("count", [5, 300, 2000])
def test_only_allowed_documents_are_found_and_no_fewer(make_index, collection, count):
    documents, queries = collection
    allowed = names(3000)[:count]
    exact = make_index(allowed, documents[:count], SparseIndexConfig()).search(queries, 10)
    found = make_index(names(3000), documents, CONFIG).search(queries, 10, allowed=allowed)
    assert all(len(ids) == min(10, count) and set(ids) <= set(allowed) for ids in found.doc_ids)
    assert recall(found, exact) > 0.9


def test_documents_are_added_deleted_and_compacted(make_index, collection):
    documents, queries = collection
    index = make_index(names(3000)[:2000], documents[:2000], CONFIG)
    index.add(names(3000)[2000:], documents[2000:])
    index.delete(names(3000)[:300])
    exact = make_index(names(3000)[300:], documents[300:], SparseIndexConfig()).search(queries, 10)
    assert recall(index.search(queries, 10), exact) > 0.9
    index.compact()
    assert (len(index), len(index.manifest.segments)) == (2700, 1)
    assert recall(index.search(queries, 10), exact) > 0.9


def test_nothing_is_printed_where_results_go(make_index, collection, capfd):
    make_index(names(3000), collection[0], CONFIG)
    assert capfd.readouterr().out == ""


class TestRefuses:
    def test_an_index_of_another_version_of_seismic(self, make_index, collection, monkeypatch):
        index = make_index(names(3000), collection[0], CONFIG)
        monkeypatch.setattr("lir_index.seismic.version", lambda _: "9.9")
        with pytest.raises(
            IndexVersionError, match=r"was written by pyseismic-lsr .*, and 9\.9 is installed"
        ) as caught:
            Index.open(index.path)
        assert "pip install pyseismic-lsr==" in caught.value.hint

    def test_to_work_without_seismic(self, make_index, monkeypatch):
        monkeypatch.setitem(sys.modules, "seismic", None)
        with pytest.raises(MissingExtraError, match="needs Seismic, which is not installed") as caught:
            make_index(["a"], sparse.csr_array([[1.0]]), CONFIG)
        with pytest.raises(MissingExtraError):  # before anything is encoded, too
            check_config(CONFIG, Metadata(form="sparse"))
        assert "pip install 'lir-index[seismic]'" in caught.value.hint

    @pytest.mark.parametrize("field", ["centroid_fraction", "summary_energy"])
    def test_a_share_that_is_none(self, field):
        with pytest.raises(ArgumentError, match=f"{field} is a number above 0, at most 1; it is 1.5"):
            SeismicIndexConfig(**{field: 1.5})

    @pytest.mark.parametrize("setting", [{"query_cut": 0}, {"heap_factor": 0}, {"num_threads": 0}, {"k": 0}])
    def test_a_search_setting_out_of_range(self, setting):
        with pytest.raises(ArgumentError, match=f"{next(iter(setting))} is .* it is 0"):
            SeismicSearchConfig(**setting)
