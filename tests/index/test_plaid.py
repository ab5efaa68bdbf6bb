"""The engine of PLAID and WARP: what it decodes, what it finds, and that its engines agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lir_index import (
    Index,
    MultiVectorIndexConfig,
    PartWriter,
    PlaidIndexConfig,
    PlaidSearchConfig,
    build,
)
from lir_index.errors import ArgumentError, EmbeddingsError, MissingExtraError, UnsupportedError
from lir_index.residuals import Codec

from .multi_vectors import names, on_topics, packed, ranking

DOCUMENTS, QUERIES = on_topics(900, 32), on_topics(25, 32, seed=1, longest=20)
IDS = names(900)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plaid")
    with PartWriter(folder / "parts") as writer:
        writer.append(IDS, packed(DOCUMENTS))
    return folder


@pytest.fixture(scope="module")
def exact(folder):
    return build(folder / "parts", folder / "exact", MultiVectorIndexConfig()).search(packed(QUERIES), 10)


@pytest.fixture(scope="module", params=[2, 4, 8, 16])
def index(folder, request):
    return build(folder / "parts", folder / f"{request.param} bits", PlaidIndexConfig(n_bits=request.param))


@pytest.fixture(params=["numpy", "numba"])
def engine(request):
    pytest.importorskip(request.param)
    return request.param


def reopened(index, **settings):
    return Index.open(index.path, PlaidSearchConfig(**settings))


def recall(found, expected):
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in zip(found.doc_ids, expected.doc_ids, strict=True)])


def decoded(index):
    """The documents as the index has them."""
    tokens = index._segments[0].tokens
    return np.split(tokens.codec.vectors(tokens.codes, tokens.codec.decode(tokens.packed)), tokens.ends[:-1])


def test_more_bits_lose_less(index):
    # Of 32 components the error grows as the root of what quantising a normal variable loses: 0.1175, 0.0095, ….
    lost = np.concatenate([((a - b) ** 2).sum(axis=1) for a, b in zip(decoded(index), DOCUMENTS, strict=True)]).mean()
    left = np.concatenate(DOCUMENTS) - index._segments[0].tokens.codec.centroids[index._segments[0].tokens.codes]
    share = {2: 0.13, 4: 0.012, 8: 1e-3, 16: 1e-6}[index._segments[0].tokens.codec.n_bits]
    assert lost < share * (left**2).sum(axis=1).mean()


def test_finds_nearly_all_that_an_exact_index_finds(index, exact):
    least = {2: 0.75, 4: 0.9, 8: 0.97, 16: 0.97}[index._segments[0].tokens.codec.n_bits]
    assert recall(index.search(packed(QUERIES), 10), exact) >= least


@pytest.mark.parametrize("k", [1, 10, 2000])
def test_searched_wholly_it_is_exact_on_what_it_holds(index, engine, k):
    result = reopened(index, engine=engine, candidate_k=900).search(packed(QUERIES[:4]), k)
    for query, (doc_ids, scores) in zip(QUERIES, result, strict=False):
        expected = ranking(query, decoded(index), IDS, k)
        assert np.allclose(scores, [value for value, _ in expected], atol=1e-5)
        assert doc_ids == [doc_id for _, doc_id in expected]


@settings(max_examples=25, deadline=None)
@given(
    candidate_k=st.integers(1, 300),
    n_cells=st.integers(1, 2000),
    threshold=st.sampled_from([None, 0.5, 0.9]),
    strategy=st.sampled_from(["gather", "min"]),
    k=st.integers(1, 40),
    share=st.sampled_from([None, 0.5, 0.02]),
)
def test_engines_find_the_same(folder, candidate_k, n_cells, threshold, strategy, k, share):
    pytest.importorskip("numba")
    path = folder / "both engines"
    if not path.exists():
        build(folder / "parts", path, PlaidIndexConfig())
    allowed = None if share is None else np.random.default_rng(3).random(900) < share
    by_numpy, by_numba = (
        Index.open(path, PlaidSearchConfig(10, candidate_k, n_cells, threshold, strategy, engine)).search(
            packed(QUERIES), k, allowed
        )
        for engine in ("numpy", "numba")
    )
    assert by_numpy.doc_ids == by_numba.doc_ids
    assert all(np.array_equal(a, b) for a, b in zip(by_numpy.scores, by_numba.scores, strict=True))


def test_batches_and_threads_change_nothing(index):
    together = reopened(index, num_threads=3).search(packed(QUERIES), 10)
    for number, query in enumerate(QUERIES):
        alone = reopened(index, num_threads=1).search(packed([query]), 10)
        assert alone.doc_ids[0] == together.doc_ids[number]
        assert np.array_equal(alone.scores[0], together.scores[number])


@pytest.mark.parametrize("share", [0.5, 0.01])
def test_what_is_allowed_is_found_and_all_that_was_asked_for(index, engine, share):
    mask = np.random.default_rng(5).random(900) < share
    result = reopened(index, engine=engine, n_cells=1).search(packed(QUERIES), 20, mask)
    allowed = {doc_id for doc_id, taken in zip(IDS, mask, strict=True) if taken}
    assert [len(ids) for ids in result.doc_ids] == [min(20, len(allowed))] * len(QUERIES)
    assert all(set(ids) <= allowed for ids in result.doc_ids)


def test_more_cells_and_candidates_find_more(index, exact):
    recalls = [
        recall(reopened(index, n_cells=cells, candidate_k=count).search(packed(QUERIES), 10), exact)
        for cells, count in ((1, 10), (4, 40), (32, 400))
    ]
    assert recalls == sorted(recalls)


def test_xtr_takes_no_less_than_the_first_centroid_that_was_not_looked_at(index, engine):
    result = reopened(index, engine=engine, imputation_strategy="min", n_cells=3).search(packed(QUERIES[:5]), 10)
    centroids = index._segments[0].tokens.codec.centroids
    documents = dict(zip(IDS, decoded(index), strict=True))
    for query, (doc_ids, scores) in zip(QUERIES, result, strict=False):
        least = np.sort(query @ centroids.T, axis=1)[:, -4]
        expected = [np.maximum((query @ documents[doc_id].T).max(axis=1), least).sum() for doc_id in doc_ids]
        assert np.allclose(scores, expected, atol=1e-4)
        assert np.all(np.diff(scores) <= 0)


def test_documents_are_added_to_the_nearest_centroids(folder, tmp_path):
    with PartWriter(tmp_path / "parts") as writer:
        writer.append(IDS[:700], packed(DOCUMENTS[:700]))
    index = build(tmp_path / "parts", tmp_path / "index", PlaidIndexConfig(n_bits=8))
    index.add(IDS[700:], packed(DOCUMENTS[700:]))
    first, second = (index.path / entry.folder / "centroids.npy" for entry in index.manifest.segments)
    assert first.read_bytes() == second.read_bytes()
    found = index.search(packed(DOCUMENTS[::50]), 1)
    assert [ids[0] for ids in found.doc_ids] == IDS[::50]
    index.delete([IDS[0]])
    assert index.search(packed(DOCUMENTS[:1]), 1).doc_ids[0] != [IDS[0]]
    with pytest.raises(UnsupportedError, match="An index of the kind plaid cannot be rewritten"):
        index.compact()


@pytest.mark.parametrize("n_bits", [2, 4, 8])
@pytest.mark.parametrize("dim", [1, 3, 8, 13])
def test_any_number_of_components_is_packed(n_bits, dim):
    random = np.random.default_rng(0)
    centroids = random.standard_normal((5, dim)).astype(np.float32)
    vectors, codes = random.standard_normal((4000, dim)).astype(np.float32), random.integers(0, 5, 4000)
    codec = Codec.train(centroids, vectors, codes, n_bits)
    decoded = codec.vectors(codes, codec.decode(codec.encode(vectors, codes)))
    # Each component becomes the nearest of the values.
    values = centroids[codes][..., None] + codec.scale[:, None] * codec.values
    assert np.allclose(np.abs(decoded - vectors), np.abs(values - vectors[..., None]).min(axis=2), atol=1e-5)


def test_vectors_that_are_all_the_same_are_encoded(tmp_path):
    with PartWriter(tmp_path / "parts") as writer:
        writer.append(names(50), packed([np.ones((3, 4))] * 50))
    index = build(tmp_path / "parts", tmp_path / "index", PlaidIndexConfig(num_centroids=20))
    assert index.search(packed([np.ones((2, 4))]), 3).doc_ids == [sorted(names(50))[:3]]


def test_documents_without_vectors_are_never_found(tmp_path):
    with PartWriter(tmp_path / "parts") as writer:
        writer.append(["a", "b", "c"], packed([np.empty((0, 4)), np.ones((3, 4)), np.empty((0, 4))]))
    index = build(tmp_path / "parts", tmp_path / "index", PlaidIndexConfig())
    assert index.search(packed([-np.ones((2, 4))]), 3).doc_ids == [["b"]]


def test_the_same_seed_gives_the_same_index(folder, tmp_path):
    built = [build(folder / "parts", tmp_path / name, PlaidIndexConfig()) for name in "ab"]
    assert built[0].manifest.files == built[1].manifest.files


def test_scores_are_averaged_where_the_model_does_that(folder, index):
    config = PlaidIndexConfig(n_bits=index._segments[0].tokens.codec.n_bits)
    mean = build(
        folder / "parts",
        folder / f"mean {config.n_bits}",
        config,
        metadata={"query_aggregation": "mean"},
        overwrite=True,
    )
    found, expected = mean.search(packed(QUERIES), 10), index.search(packed(QUERIES), 10)
    for query, a, b in zip(QUERIES, found.scores, expected.scores, strict=True):
        assert np.allclose(a, b / len(query), atol=1e-6)


class TestRefuses:
    @pytest.mark.parametrize(
        ("make", "sentence"),
        [
            (lambda: PlaidIndexConfig(n_bits=3), "n_bits is 2, 4, 8 or 16; it is 3"),
            (lambda: PlaidIndexConfig(num_centroids=0), "num_centroids is a whole number, at least 1; it is 0"),
            (lambda: PlaidSearchConfig(n_cells=0), "n_cells is a whole number, at least 1; it is 0"),
            (
                lambda: PlaidSearchConfig(imputation_strategy="max"),
                "no imputation_strategy 'max', only gather and min",
            ),
            (lambda: PlaidSearchConfig(engine="nunba"), r"no engine 'nunba', only numba and numpy. .* 'numba'\?"),
        ],
    )
    def test_a_value_that_cannot_be(self, make, sentence):
        with pytest.raises(ArgumentError, match=sentence):
            make()

    def test_more_centroids_than_vectors(self, make_index):
        with pytest.raises(ArgumentError, match="num_centroids is 9, and there are only 6 vectors"):
            make_index(["a", "b"], packed([np.ones((3, 2))] * 2), PlaidIndexConfig(num_centroids=9))

    @pytest.mark.parametrize(("name", "value"), [("doc_aggregation", "mean"), ("query_aggregation", "max")])
    def test_a_score_that_is_no_sum_of_best_matches(self, make_index, name, value):
        with pytest.raises(ArgumentError, match="sums, or averages, the best match of each query vector"):
            make_index(["a"], packed([np.ones((3, 2))]), PlaidIndexConfig(), **{name: value})

    def test_a_number_that_has_no_half_precision(self, make_index):
        with pytest.raises(EmbeddingsError, match=r"holds the value 1e\+06, and 16 bits hold at most 65504"):
            make_index(["a"], packed([np.full((3, 2), 1e6)]), PlaidIndexConfig(n_bits=16))

    def test_an_engine_that_is_not_installed(self, index, monkeypatch):
        monkeypatch.setitem(__import__("sys").modules, "lir_index.plaid_numba", None)
        with pytest.raises(MissingExtraError, match="needs numba"):
            reopened(index, engine="numba")
