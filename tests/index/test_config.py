import pytest

import lir_index
from lir_index import FaissFlatIndexConfig, FaissSearchConfig, TorchDenseIndexConfig
from lir_index.errors import ArgumentError, UnknownKindError
from lir_index.kinds import config_class, config_names, default_config, segment_class


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


@pytest.mark.parametrize("name", config_names())
def test_every_name_has_a_config_of_the_public_api(name):
    found = config_class(name)
    assert getattr(lir_index, found.__name__) is found
    assert name in (found.kind, "dense")


@pytest.mark.parametrize(
    ("form", "kind"), [("dense", "faiss-flat"), (None, "faiss-flat"), ("sparse", "sparse"), ("text", "bm25")]
)
def test_without_a_config_the_form_decides(form, kind):
    assert default_config(form).kind == kind


def test_several_vectors_a_document_have_a_kind_too():
    assert "multi-vector" in segment_class(default_config("multi-vector").kind).forms


@pytest.mark.parametrize(
    ("config", "name", "sentence"),
    [
        (lir_index.FaissIVFIndexConfig, "num_centroid", " Did you mean 'num_centroids'?"),
        (lir_index.PlaidSearchConfig, "n_cell", " Did you mean 'n_cells'?"),
        (lir_index.SparseIndexConfig, "colour", ""),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest(config, name, sentence):
    with pytest.raises(ArgumentError) as told:
        config(**{name: 1})
    assert str(told.value) == f"{config.__name__} has no argument '{name}'.{sentence}"
