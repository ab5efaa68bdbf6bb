"""The two-step sparse index: what it leaves out, what it finds all the same, and that scores are the model's own."""

import numpy as np
import pytest
from scipy import sparse

from lir_index import Index, SparseIndexConfig, SparseTwoStepIndexConfig, SparseTwoStepSearchConfig
from lir_index.errors import ArgumentError
from lir_index.postings import Rows
from lir_index.sparse_two_step import heaviest

from .sparse_weights import names, recall, weights


@pytest.fixture
def collection():
    return weights(6000, 2000, 60), weights(30, 2000, 30, seed=1)


def test_finds_most_of_the_best_and_scores_them_exactly(make_index, collection):
    documents, queries = collection
    exact = make_index(names(6000), documents, SparseIndexConfig()).search(queries, 10)
    found = make_index(names(6000), documents, SparseTwoStepIndexConfig()).search(queries, 10)
    assert recall(found, exact) > 0.97
    for (doc_ids, scores), (exact_ids, exact_scores) in zip(found, exact, strict=True):
        known = dict(zip(exact_ids, exact_scores.tolist(), strict=True))
        both = [
            (score, known[doc_id]) for doc_id, score in zip(doc_ids, scores.tolist(), strict=True) if doc_id in known
        ]
        assert all(score == expected for score, expected in both)


@pytest.mark.parametrize("setting", ["query_terms", "candidate_k"])
def test_more_of_anything_finds_more(make_index, collection, setting):
    documents, queries = collection
    exact = make_index(names(6000), documents, SparseIndexConfig()).search(queries, 10)
    path = make_index(names(6000), documents, SparseTwoStepIndexConfig()).path
    few, many = (
        Index.open(path, SparseTwoStepSearchConfig(**{"candidate_k": 10, setting: number})).search(queries, 10)
        for number in (3, 1000)
    )
    assert recall(few, exact) < recall(many, exact)


def test_shorter_lists_take_less_space(make_index, collection):
    whole, pruned = (
        make_index(names(6000), collection[0], SparseTwoStepIndexConfig(kept_mass=mass)).info()["bytes"]
        for mass in (1, 0.5)
    )
    assert pruned < 0.75 * whole


@pytest.mark.parametrize("mass", [0.3, 0.85, 1])
def test_what_is_kept_is_the_least_that_reaches_the_mass(mass):
    matrix = weights(50, 200, 20)
    matrix.data[::3] *= -1
    rows = Rows(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)
    lengths, indices, data = heaviest(rows, mass)
    ends = np.cumsum(lengths)
    for row, (start, stop) in enumerate(zip(ends - lengths, ends, strict=True)):
        whole = np.abs(rows.part(slice(row, row + 1)).data.astype(np.float64))
        kept = np.abs(data[start:stop].astype(np.float64))
        assert kept.sum() >= mass * whole.sum() - 1e-9
        assert kept.sum() - kept.min() < mass * whole.sum()
        assert sorted(kept) == sorted(whole)[-len(kept) :]
        assert (np.diff(indices[start:stop]) > 0).all()


def test_the_whole_mass_is_every_weight_however_small():
    rows = Rows(np.array([0, 2]), np.array([4, 9], np.int32), np.array([1, 1e-30], np.float32))
    assert heaviest(rows, 1)[0].tolist() == [2]


def test_a_document_found_by_what_was_left_out_has_its_score(make_index):
    # Neither 'a' nor 'b' is in the list of the term 1; they are found by the term 0. 'c' shares no term with the query.
    documents = sparse.csr_array(np.array([[9.0, 1, 0], [9, 0.5, 0], [0, 0, 1]]))
    index = make_index(["b", "a", "c"], documents, SparseTwoStepIndexConfig(kept_mass=0.5))
    result = index.search(sparse.csr_array(np.array([[1.0, 1, 0]])), 3)
    assert (result.doc_ids[0], result.scores[0].tolist()) == (["b", "a"], [10, 9.5])


def test_negative_weights_are_ranked_exactly(make_index, collection):
    documents, queries = collection
    documents.data[::5] *= -1
    exact = make_index(names(6000), documents, SparseIndexConfig()).search(queries, 10)
    assert make_index(names(6000), documents, SparseTwoStepIndexConfig()).search(queries, 10).doc_ids == exact.doc_ids


def test_only_allowed_documents_are_found_and_no_fewer(make_index, collection):
    documents, queries = collection
    index = make_index(names(6000), documents, SparseTwoStepIndexConfig())
    for allowed in (names(6000)[:3000], names(6000)[:20]):
        exact = make_index(allowed, documents[: len(allowed)], SparseIndexConfig()).search(queries, 10)
        found = index.search(queries, 10, allowed=allowed)
        assert all(len(ids) == 10 and set(ids) <= set(allowed) for ids in found.doc_ids)
        assert recall(found, exact) > 0.97


def test_added_and_deleted_documents_are_as_if_built_at_once(make_index, collection):
    documents, queries = collection
    index = make_index(names(6000)[:4000], documents[:4000], SparseTwoStepIndexConfig())
    index.add(names(6000)[4000:], documents[4000:])
    index.delete(names(6000)[:500])
    index.compact()
    left = make_index(names(6000)[500:], documents[500:], SparseTwoStepIndexConfig())
    assert index.manifest.segments[0].files == left.manifest.segments[0].files
    assert index.search(queries, 20).doc_ids == left.search(queries, 20).doc_ids


class TestRefuses:
    @pytest.mark.parametrize("mass", [0, 1.1, -1, True, "most", float("nan")])
    def test_a_mass_that_is_no_share(self, mass):
        with pytest.raises(ArgumentError, match=f"kept_mass is a number above 0, at most 1; it is {mass!r}"):
            SparseTwoStepIndexConfig(kept_mass=mass)

    @pytest.mark.parametrize("field", ["query_terms", "candidate_k"])
    def test_a_number_that_is_none(self, field):
        with pytest.raises(ArgumentError, match=f"{field} is a whole number, at least 1; it is 0"):
            SparseTwoStepSearchConfig(**{field: 0})

    def test_an_engine_that_is_none(self):
        with pytest.raises(ArgumentError, match="no engine 'fast'"):
            SparseTwoStepSearchConfig(engine="fast")
