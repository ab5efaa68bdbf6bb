"""Faiss' other kinds: what each is made of, how much it finds, and what it refuses."""

import dataclasses
import functools
import shutil

import numpy as np
import pytest

from lir_index import (
    FaissAutoIndexConfig,
    FaissFactoryIndexConfig,
    FaissFlatIndexConfig,
    FaissHNSWIndexConfig,
    FaissIVFIndexConfig,
    FaissIVFPQIndexConfig,
    FaissPQIndexConfig,
    FaissSearchConfig,
    FaissSQIndexConfig,
    Index,
    PartWriter,
    TorchDenseIndexConfig,
    build,
)
from lir_index.errors import ArgumentError, EmbeddingsError, UnsupportedError
from lir_index.faiss_pq import FaissIVFPQSegment
from lir_index.segment import Space

faiss = pytest.importorskip("faiss")
RANDOM = np.random.default_rng(0)
# Clustered, as embeddings are.
CENTRES = RANDOM.standard_normal((50, 32))
VECTORS = (CENTRES[RANDOM.integers(0, 50, 5000)] + 0.5 * RANDOM.standard_normal((5000, 32))).astype(np.float32)
QUERIES = (VECTORS[::100] + 0.2 * RANDOM.standard_normal((50, 32))).astype(np.float32)
IDS = [f"d{i:04}" for i in range(5000)]

LOSSY = [
    FaissIVFIndexConfig(),
    FaissPQIndexConfig(),
    FaissPQIndexConfig(n_bits=8),
    FaissIVFPQIndexConfig(),
    FaissHNSWIndexConfig(),
    FaissSQIndexConfig(n_bits=16),
    FaissSQIndexConfig(n_bits=8),
    FaissSQIndexConfig(n_bits=4),
    FaissSQIndexConfig(n_bits=1),
    FaissFactoryIndexConfig("OPQ8_16,IVF64,PQ8x4fs"),
]
WITHOUT_VECTORS = [
    FaissPQIndexConfig(refine=False),
    FaissPQIndexConfig(n_bits=8, refine=False),
    FaissIVFPQIndexConfig(refine=False),
    FaissSQIndexConfig(refine=False),
    FaissFactoryIndexConfig("OPQ8_16,IVF64,PQ8x4", refine=False),
]


def told(config):
    return f"{config.kind} {config.parameters()}"


def recall(found, expected):
    pairs = zip(found.doc_ids, expected.doc_ids, strict=True)
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Gives the index of a config; training takes a second, so it is built once."""

    @functools.cache
    def make(config):
        folder = tmp_path_factory.mktemp("built")
        with PartWriter(folder / "parts") as writer:
            writer.append(IDS, VECTORS)
        return build(folder / "parts", folder / "index", config)

    return make


@pytest.fixture(scope="module")
def exact(built):
    return built(FaissFlatIndexConfig(similarity="cosine"))


@pytest.mark.parametrize("config", LOSSY, ids=told)
def test_finds_nearly_all_that_an_exact_index_finds(built, exact, config):
    index = built(dataclasses.replace(config, similarity="cosine"))
    found, expected = index.search(QUERIES, 10), exact.search(QUERIES, 10)
    assert recall(found, expected) > 0.95
    best = dict(zip(expected.doc_ids[0], expected.scores[0], strict=True))
    if config.kind != "faiss-sq" or config.n_bits <= 4:
        assert all(
            best.get(doc_id, score) == score for doc_id, score in zip(found.doc_ids[0], found.scores[0], strict=True)
        )


@pytest.mark.parametrize("config", WITHOUT_VECTORS, ids=told)
def test_without_the_vectors_scores_are_those_of_the_codes(built, config):
    index = built(config)
    assert "vectors.npy" not in {name.split("/")[1] for name in index.manifest.files}
    found = index.search(QUERIES[:5], 10)
    decoded = index._segments[0].vectors[np.arange(5000)]
    for query, (ids, scores) in zip(QUERIES[:5], found, strict=True):
        places = [int(doc_id[1:]) for doc_id in ids]
        assert np.allclose(decoded[places] @ query, scores, rtol=1e-5)


@pytest.mark.parametrize("config", [*LOSSY, *WITHOUT_VECTORS], ids=told)
@pytest.mark.parametrize("every", [2, 200])
def test_only_what_is_allowed_is_found_and_all_that_was_asked_for(built, config, every):
    index = built(config)
    allowed = set(IDS[::every])
    for k in (1, 20):
        found = index.search(QUERIES[:4], k, allowed=allowed)
        assert [len(ids) for ids in found.doc_ids] == [k] * 4
        assert all(set(ids) <= allowed for ids in found.doc_ids)


@pytest.mark.parametrize("config", [*LOSSY, *WITHOUT_VECTORS], ids=told)
def test_documents_are_added_to_the_trained_index(built, tmp_path, config):
    shutil.copytree(built(config).path, tmp_path / "index")
    index, new = Index.open(tmp_path / "index"), VECTORS[:900] + np.float32(0.01)
    index.add([f"new {doc_id}" for doc_id in IDS[:900]], new)
    assert len({entry.details["factory"] for entry in index.manifest.segments}) == 1
    if config not in WITHOUT_VECTORS:
        for place in (10, 789):
            scores = [vectors @ new[place] for vectors in (VECTORS, new)]
            best = f"new {IDS[scores[1].argmax()]}" if scores[1].max() > scores[0].max() else IDS[scores[0].argmax()]
            assert index.search(new[place], 1).doc_ids == [[best]]
    if getattr(config, "refine", False):
        index.delete(IDS[:4900])
        index.compact()
        assert (len(index), index.info()["num_segments"]) == (1000, 1)
        assert not set(index.search(QUERIES, 5).doc_ids[0]) & set(IDS[:4900])


def test_an_index_without_the_vectors_cannot_be_compacted(make_index):
    index = make_index(IDS[:100], VECTORS[:100], FaissPQIndexConfig(refine=False))
    index.delete(IDS[:1])
    with pytest.raises(UnsupportedError, match="An index of the kind faiss-pq cannot be rewritten") as caught:
        index.compact()
    assert "Build it again from its parts" in caught.value.hint
    assert len(Index.open(index.path)) == 99


def test_more_probes_find_more(make_index, exact):
    path = make_index(IDS, VECTORS, FaissIVFIndexConfig(similarity="cosine", num_centroids=100)).path
    expected = exact.search(QUERIES, 10)
    recalls = [
        recall(Index.open(path, FaissSearchConfig(n_probe=n)).search(QUERIES, 10), expected) for n in (1, 4, 100)
    ]
    assert recalls[0] < recalls[1] <= recalls[2] == 1


@pytest.mark.parametrize("num_threads", [1, 2])
def test_threads_change_nothing_and_are_put_back(make_index, num_threads):
    index = make_index(IDS, VECTORS, FaissIVFIndexConfig())
    before = faiss.omp_get_max_threads()
    found = Index.open(index.path, FaissSearchConfig(num_threads=num_threads)).search(QUERIES, 10)
    assert found.doc_ids == index.search(QUERIES, 10).doc_ids
    assert np.array_equal(found.scores, index.search(QUERIES, 10).scores)
    assert faiss.omp_get_max_threads() == before


@pytest.mark.parametrize(
    ("config", "count", "factory"),
    [
        (FaissIVFIndexConfig(), 5000, "IVF128,Flat"),
        (FaissIVFIndexConfig(), 10**6, "IVF8000,Flat"),
        (FaissIVFIndexConfig(), 10**7, "IVF25298_HNSW32,Flat"),
        (FaissIVFIndexConfig(), 10, "IVF1,Flat"),
        (FaissPQIndexConfig(), 10, "PQ8x4fs"),
        (FaissPQIndexConfig(n_bits=8, num_subquantizers=16), 10, "PQ16x8np"),
        (FaissIVFPQIndexConfig(num_centroids=5), 10, "IVF5,PQ8x4fs"),
        (FaissIVFPQIndexConfig(num_centroids=5, refine=False), 10, "IVF5,PQ8x4np"),
        (FaissHNSWIndexConfig(num_neighbors=16), 10, "HNSW16,Flat"),
        (FaissSQIndexConfig(), 10, "SQ8"),
    ],
)
def test_each_kind_is_what_faiss_calls_so(config, count, factory):
    from lir_index.kinds import segment_class
    from lir_index.segment import Space

    assert segment_class(config.kind).factory(config, Space("dense", 32, "dot"), count) == factory


@pytest.mark.parametrize(
    ("count", "chosen"),
    [(50_000, FaissFlatIndexConfig), (50_001, FaissPQIndexConfig), (1_000_001, FaissIVFPQIndexConfig)],
)
def test_auto_chooses_by_the_number_of_vectors(count, chosen):
    config = FaissAutoIndexConfig(similarity="l2", truncate_dim=8).for_size(count)
    assert (type(config), config.similarity, config.truncate_dim) == (chosen, "l2", 8)


def test_an_auto_index_is_of_the_kind_that_was_chosen(make_index):
    index = make_index(IDS, VECTORS, FaissAutoIndexConfig())
    assert index.kind == "faiss-flat"


@pytest.mark.parametrize("config_class", [FaissFlatIndexConfig, FaissPQIndexConfig, TorchDenseIndexConfig])
def test_truncated_vectors_are_searched_as_an_index_of_their_beginnings(make_index, config_class):
    index = make_index(IDS, VECTORS, config_class(similarity="cosine", truncate_dim=16))
    short = make_index(IDS, VECTORS[:, :16], config_class(similarity="cosine"))
    assert (index.dim, index.info()["embedding_dim"]) == (16, 32)
    found, expected = index.search(QUERIES, 10), short.search(QUERIES[:, :16], 10)
    assert found.doc_ids == expected.doc_ids
    assert np.array_equal(found.scores, expected.scores)
    index.add(["new"], QUERIES[:1])
    assert index.search(QUERIES[:1], 1).doc_ids == [["new"]]
    with pytest.raises(EmbeddingsError, match="The index holds vectors of 32 dimensions, the model makes 16"):
        index.search(QUERIES[:, :16])


@pytest.mark.parametrize("dim", [32, 40])
def test_vectors_are_not_truncated_to_more_than_they_have(make_index, dim):
    with pytest.raises(EmbeddingsError, match=f"truncate_dim is {dim}, and the embeddings are dense of 32 dimensions"):
        make_index(IDS, VECTORS, FaissFlatIndexConfig(truncate_dim=dim))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: FaissPQIndexConfig(n_bits=5), "n_bits is 4 or 8; it is 5"),
        (lambda: FaissSQIndexConfig(n_bits=2), "n_bits is 16, 8, 4 or 1; it is 2"),
        (lambda: FaissIVFIndexConfig(num_centroids=0), "num_centroids is a whole number, at least 1; it is 0"),
        (lambda: FaissSearchConfig(n_probe=-1), "n_probe is a whole number, at least 1; it is -1"),
        (lambda: FaissSearchConfig(num_threads=0), "num_threads is a whole number, at least 1; it is 0"),
        (
            lambda: FaissSearchConfig(imputation_strategy="gatter"),
            r"no imputation_strategy 'gatter', only gather, min and zero. Did you mean 'gather'\?",
        ),
    ],
)
def test_a_value_that_cannot_be_is_refused(make, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (FaissIVFIndexConfig(num_centroids=51), "num_centroids is 51, and there are only 50 vectors"),
        (FaissPQIndexConfig(num_subquantizers=5), "is 5, which does not divide the 32 dimensions; .* is 4"),
        (FaissFactoryIndexConfig("IVF1,PQ4x4fs", refine=False), "cannot read the codes back; keep the vectors"),
        (FaissFactoryIndexConfig("IVF4,Flet"), "Faiss makes no index of 'IVF4,Flet' for 32 dimensions"),
    ],
)
def test_what_does_not_fit_the_vectors_is_refused(make_index, config, sentence):
    with pytest.raises(ArgumentError, match=sentence):
        make_index(IDS[:50], VECTORS[:50], config)


@pytest.mark.parametrize(("n_bits", "refine"), [(4, False), (8, False), (8, True)])
def test_codes_in_clusters_are_not_trained_for_a_search_that_is_not_used(n_bits, refine):
    config = FaissIVFPQIndexConfig(num_centroids=2, n_bits=n_bits, refine=refine)
    description = FaissIVFPQSegment.factory(config, Space("dense", 8, "dot", "sum", "max"), 100)
    assert not faiss.index_factory(8, description).do_polysemous_training
