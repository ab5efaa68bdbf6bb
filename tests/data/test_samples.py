"""The words the rest speaks."""

import dataclasses

import pytest

from lir_data import DocSample, QuerySample, RankSample


def test_a_query_prints_as_in_the_paper() -> None:
    assert repr(QuerySample("121352", "define extreme")) == "QuerySample(query_id='121352', query='define extreme')"


def test_a_ranking_without_targets_prints_none() -> None:
    sample = RankSample("1", "q", ("a",), ("b",))
    assert repr(sample) == "RankSample(query_id='1', query='q', doc_ids=('a',), docs=('b',))"


def test_a_ranking_with_targets_prints_them() -> None:
    assert repr(RankSample("1", "q", ("a",), ("b",), (1.0,))).endswith("docs=('b',), targets=(1.0,))")


def test_a_sample_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        DocSample("1", "a").doc = "b"
