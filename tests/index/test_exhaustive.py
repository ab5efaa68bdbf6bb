import numpy as np
import pytest

from lir_index import exhaustive
from lir_index.similarity import prepare


def search(documents, queries, k, similarity="dot", allowed=None):
    vectors, lengths = prepare(documents, similarity, str)
    asked, query_lengths = prepare(queries, similarity, str)
    return exhaustive.search_exhaustively(
        vectors,
        asked,
        query_lengths,
        k,
        similarity=similarity,
        longest=lengths.max(),
        ranks=np.arange(len(vectors))[::-1],
        allowed=allowed,
    )


@pytest.mark.parametrize("block", [1, 7, 64, 5000])
@pytest.mark.parametrize("k", [1, 30, 700])
def test_the_size_of_a_block_changes_nothing(monkeypatch, block, k):
    random = np.random.default_rng(0)
    documents, queries = random.standard_normal((700, 12)), random.standard_normal((5, 12))
    expected = search(documents, queries, k)
    monkeypatch.setattr(exhaustive, "_DOCUMENTS", block)
    monkeypatch.setattr(exhaustive, "_QUERIES", 2)
    found = search(documents, queries, k)
    assert all(np.array_equal(a, b) for pair in zip(found, expected, strict=True) for a, b in zip(*pair, strict=True))


def test_where_everything_is_tied_candidates_are_thinned_out(monkeypatch):
    kept = []
    thin_out = exhaustive._Pool._thin_out

    def watch(pool):
        thin_out(pool)
        kept.append(len(pool._query))

    monkeypatch.setattr(exhaustive._Pool, "_thin_out", watch)
    monkeypatch.setattr(exhaustive, "_DOCUMENTS", 1000)
    found = search(np.ones((20000, 3)), np.ones((2, 3)), 5)
    # The ranks fall with the position, so the last documents come first.
    assert [positions.tolist() for positions, _ in found] == [[19999, 19998, 19997, 19996, 19995]] * 2
    assert kept
    assert max(kept) == 10


def test_only_the_documents_allowed_are_searched():
    # A few of many are gathered, many of many masked.
    for allowed, expected in (([5, 6], [6, 5]), ([0, 2, 3, 5, 6], [6, 5])):
        mask = np.isin(np.arange(10), allowed)
        found = search(np.arange(10.0)[:, None], np.array([[1.0]]), 2, allowed=mask)
        assert found[0][0].tolist() == expected


def test_no_score_is_a_negative_zero():
    found = search(np.array([[1.0, 2.0]]), np.array([[1.0, 2.0]]), 1, similarity="l2")
    assert not np.signbit(found[0][1]).any()
