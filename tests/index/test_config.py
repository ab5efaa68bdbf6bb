import pytest

from lir_index import FaissFlatIndexConfig, FaissSearchConfig, TorchDenseIndexConfig
from lir_index.errors import ArgumentError, UnknownKindError
from lir_index.kinds import segment_class


def test_an_unknown_similarity_is_named_with_the_nearest():
    with pytest.raises(ArgumentError, match=r"There is no similarity 'cosin', .* Did you mean 'cosine'?"):
        TorchDenseIndexConfig(similarity="cosin")


def test_a_search_config_checks_k():
    with pytest.raises(ArgumentError, match="at least 1; it is 0"):
        FaissSearchConfig(k=0)


def test_a_config_is_frozen():
    with pytest.raises(AttributeError, match="cannot assign"):
        FaissFlatIndexConfig().similarity = "dot"


def test_parameters_are_the_fields():
    assert FaissFlatIndexConfig(similarity="l2").parameters() == {"similarity": "l2", "truncate_dim": None}


def test_an_unknown_kind_is_named_with_the_nearest():
    with pytest.raises(UnknownKindError, match=r"There is no index kind 'faiss-flt'. Did you mean 'faiss-flat'?"):
        segment_class("faiss-flt")
