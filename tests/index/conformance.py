"""What every index kind must do. A new kind is done when it is in the table and these pass."""

from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from lir_index import Index
from lir_index.embeddings import described
from lir_index.errors import ArgumentError, DamagedIndexError, EmbeddingsError
from lir_index.kinds import KINDS
from lir_index.ownership import check_ours

from .cases import CASES, texts

repeatedly = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(params=list(CASES))
def case(request):
    case = CASES[request.param]
    pytest.importorskip(case.needs)
    return case


@pytest.fixture
def exact(case):
    if not case.is_exact:
        pytest.skip(f"{case.kind} may miss a document")


@pytest.fixture
def of_numbers(case):
    if case.shape is texts:
        pytest.skip("a text has no dimension and no number")


@pytest.fixture(params=["dot", "cosine", "l2"])
def similarity(request, case):
    if request.param not in case.similarities:
        pytest.skip(f"{case.kind} has no {request.param}")
    return request.param


@pytest.fixture
def config(case, similarity):
    return case.config(similarity=similarity)


class Opened:
    """An index that is searched wholly, by arrays whatever its form is."""

    def __init__(self, path, case):
        self.index = Index.open(path, case.search_config(**case.search))
        self.path = path
        self.shape = case.shape

    def search(self, queries, *arguments, **settings):
        return self.index.search(self.shape(queries), *arguments, **settings)


@pytest.fixture
def make_index(make_index, case):
    def make(doc_ids, embeddings, config, **metadata):
        return Opened(make_index(doc_ids, case.shape(np.asarray(embeddings)), config, **metadata).path, case)

    return make


@pytest.fixture
def small(case, make_index):
    vectors = np.eye(4, dtype=np.float32)
    return make_index(["a", "b", "c", "d"], vectors, case.config(), model="webis/colbert", fingerprint="f")


def embed(count, dim, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def name(count):
    # Neither sorted by number nor by position.
    return [f"{(i * 7919) % count} doc é" for i in range(count)]


def test_every_kind_has_a_case():
    assert {case.kind for case in CASES.values()} == set(KINDS)


@pytest.mark.usefixtures("exact")
class TestExact:
    @pytest.mark.parametrize("k", [1, 10, 100])
    def test_equals_a_slow_search(self, config, similarity, make_index, is_exact, k):
        documents, queries = embed(60, 17), embed(9, 17, seed=1)
        index = make_index(name(60), documents, config)
        assert is_exact(index.search(queries, k), queries, documents, name(60), k, similarity)

    @repeatedly
    @given(data=st.data())
    def test_equals_a_slow_search_where_ties_abound(self, case, make_index, slowly, data):
        # Small whole numbers: every sum is exact, whatever its order, so that equal means equal.
        similarity = data.draw(st.sampled_from([name for name in case.similarities if name != "cosine"]))
        count, dim = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 5))
        numbers = st.integers(-2, 2)
        documents = np.array(data.draw(st.lists(numbers, min_size=count * dim, max_size=count * dim)), dtype=np.float32)
        queries = np.array(data.draw(st.lists(numbers, min_size=dim * 2, max_size=dim * 2)), dtype=np.float32)
        documents, queries = documents.reshape(count, dim), queries.reshape(2, dim)
        doc_ids = data.draw(st.lists(st.text("abé\U0001f600", min_size=1), min_size=count, max_size=count, unique=True))
        k = data.draw(st.integers(1, count + 2))
        index = make_index(doc_ids, documents, case.config(similarity=similarity))
        result = index.search(queries, k)
        found = [list(zip(ids, scores.tolist(), strict=True)) for ids, scores in result]
        assert found == slowly(queries, documents, doc_ids, k, similarity, by_terms=case.is_by_terms)

    def test_scores_are_float32(self, small):
        assert small.search(np.eye(4), 2).scores[0].dtype == np.float32

    def test_duplicates_have_one_score_and_come_in_the_order_of_ids(self, case, config, make_index):
        if case.kind == "faiss-hnsw":
            pytest.skip("Not all of a thousand equal neighbours can be reached.")
        # 8193 rows: more than any block's multiple, so that edges of blocks hold duplicates too.
        count = 8193
        index = make_index(name(count), np.tile(embed(1, 31), (count, 1)), config)
        result = index.search(embed(2, 31, seed=3), 20)
        assert result.doc_ids == [sorted(name(count))[:20]] * 2
        assert all(len(set(scores.tolist())) == 1 for scores in result.scores)

    def test_finds_documents_in_every_block(self, config, similarity, make_index):
        count = 20000
        documents = embed(count, 8)
        documents /= np.linalg.norm(documents, axis=1, keepdims=True)
        places = [0, 8191, 8192, 16383, 16384, count - 1]
        index = make_index(name(count), documents, config)
        assert [ids[0] for ids in index.search(documents[places], 1).doc_ids] == [name(count)[i] for i in places]

    def test_all_negative_scores_are_ranked(self, case, make_index):
        index = make_index(["a", "b", "c"], [[-3.0], [-1.0], [-2.0]], case.config(similarity="dot"))
        result = index.search(np.array([[1.0]]), 3)
        assert (result.doc_ids, result.scores[0].tolist()) == ([["b", "c", "a"]], [-1.0, -2.0, -3.0])

    def test_a_zero_document_scores_zero(self, case, make_index):
        similarity, expected = ("cosine", [1, 0, -1]) if "cosine" in case.similarities else ("dot", [6, 0, -3])
        index = make_index(["a", "b", "c"], [[-1.0, 0], [0, 0], [2, 0]], case.config(similarity=similarity))
        result = index.search(np.array([[3.0, 0]]), 3)
        if case.is_by_terms:
            # It shares no term with the query, and is not found.
            assert (result.doc_ids, result.scores[0].tolist()) == ([["c", "a"]], expected[::2])
        else:
            assert (result.doc_ids, result.scores[0].tolist()) == ([["c", "b", "a"]], expected)

    def test_a_zero_query_ranks_by_id(self, case, make_index):
        similarity = "cosine" if "cosine" in case.similarities else "dot"
        index = make_index(name(50), embed(50, 4), case.config(similarity=similarity))
        # A query without a term finds nothing.
        expected = [] if case.is_by_terms else sorted(name(50))[:5]
        assert index.search(np.zeros((1, 4)), 5).doc_ids == [expected]

    def test_batches_change_no_score(self, config, make_index):
        index, queries = make_index(name(300), embed(300, 33), config), embed(21, 33, seed=5)
        together = index.search(queries, 7)
        alone = [index.search(query, 7) for query in queries]
        assert together.doc_ids == [result.doc_ids[0] for result in alone]
        assert np.array_equal(together.scores, [result.scores[0] for result in alone])

    def test_a_long_vector_among_short_ones_takes_no_place(self, case, make_index, slowly):
        # It widens the margin of error, so that everything is a candidate.
        documents = np.vstack([embed(500, 4), [[1e9, 0, 0, 0]]]).astype(np.float32)
        queries = np.array([[-1, 0.5, 0.25, 1]], dtype=np.float32)
        index = make_index(name(501), documents, case.config(similarity="dot"))
        assert index.search(queries, 9).doc_ids == [
            [doc_id for doc_id, _ in ranking] for ranking in slowly(queries, documents, name(501), 9, "dot")
        ]


class TestResults:
    def test_are_fewer_than_k_where_there_are_fewer_documents(self, small):
        assert [len(ids) for ids in small.search(np.ones((4, 4)), 9).doc_ids] == [4, 4, 4, 4]

    def test_of_one_document_are_that_document(self, config, make_index):
        assert make_index(["only"], embed(1, 5), config).search(embed(3, 5), 10).doc_ids == [["only"]] * 3

    def test_of_no_query_are_empty(self, small):
        assert len(small.search(np.empty((0, 4)), 3)) == 0

    def test_take_k_from_the_search_config(self, small, case):
        index = Index.open(small.path, case.search_config(k=2))
        assert [len(ids) for ids in index.search(case.shape(np.ones((4, 4)))).doc_ids] == [2, 2, 2, 2]

    @pytest.mark.parametrize("dtype", ["float16", "float64", "int64"])
    def test_are_the_same_for_numbers_of_another_type(self, small, dtype):
        assert small.search(np.eye(4, dtype=dtype), 4).doc_ids == small.search(np.eye(4, dtype=np.float32), 4).doc_ids


class TestAllowed:
    def test_ids_restrict_the_search(self, small):
        assert small.search(np.ones(4), 3, allowed=["d", "b", "unknown"]).doc_ids == [["b", "d"]]

    def test_a_mask_restricts_the_search(self, small):
        query = np.array([-1.0, 0, 0, 1])
        assert small.search(query, 3, allowed=np.array([True, False, False, True])).doc_ids == [["d", "a"]]

    def test_nothing_allowed_finds_nothing(self, small):
        assert small.search(np.eye(4)[3], 3, allowed=[]).doc_ids == [[]]

    @pytest.mark.usefixtures("exact")
    @pytest.mark.parametrize("every", [2, 40])
    def test_equals_an_index_of_these_documents_alone(self, config, make_index, every):
        documents, queries = embed(2000, 9), embed(3, 9, seed=1)
        index = make_index(name(2000), documents, config)
        alone = make_index(name(2000)[::every], documents[::every], config)
        allowed, expected = index.search(queries, 15, allowed=name(2000)[::every]), alone.search(queries, 15)
        assert allowed.doc_ids == expected.doc_ids
        assert np.array_equal(allowed.scores, expected.scores)

    def test_a_mask_of_another_length_is_refused(self, small):
        with pytest.raises(ArgumentError, match=r"has 4 booleans, .* this one is bool \[3\]"):
            small.search(np.eye(4), 1, allowed=np.ones(3, dtype=bool))


class TestRefuses:
    @pytest.mark.usefixtures("of_numbers")
    def test_another_dimension_and_names_the_model(self, small):
        sentence = (
            rf"The index holds vectors of 4 dimensions, the model makes 6\. "
            rf"Was {small.path}/ built with another model \(it names 'webis/colbert'\)\?"
        )
        with pytest.raises(EmbeddingsError, match=sentence):
            small.search(np.ones((1, 6)), 1)

    @pytest.mark.usefixtures("of_numbers")
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_a_query_with_a_value_that_is_no_number(self, small, value):
        with pytest.raises(EmbeddingsError, match=f"The embedding of query 2 holds the value {value}"):
            small.search(np.array([[0, 0, 0, 1], [0, value, 0, 1]]), 1)

    @pytest.mark.usefixtures("of_numbers")
    def test_a_query_too_long_to_be_squared(self, small):
        with pytest.raises(EmbeddingsError, match=r"query 1 has the length 1e\+30"):
            small.search(np.array([[1e30, 0, 0, 0]]), 1)

    @pytest.mark.parametrize("k", [0, -1, 2.5, True])
    def test_a_k_that_is_no_number_of_documents(self, small, k):
        with pytest.raises(ArgumentError, match=f"at least 1; it is {k}"):
            small.search(np.eye(4), k)

    def test_embeddings_of_another_form(self, small):
        form = small.index.form
        other = np.ones((2, 4)) if form == "sparse" else csr_array(np.ones((2, 4)))
        with pytest.raises(EmbeddingsError, match=f"The index holds {described(form)}, and the queries are"):
            small.index.search(other, 1)

    def test_the_search_config_of_another_kind(self, small, case):
        for other in {other.search_config for other in CASES.values()} - {case.search_config}:
            sentence = f"is of the kind {case.kind} .* not with a {other.__name__}"
            with pytest.raises(ArgumentError, match=sentence):
                Index.open(small.path, other())


class TestOnDisk:
    def test_opens_as_its_own_kind(self, small, case):
        assert Index.open(small.path).kind == case.kind

    def test_verifies(self, small):
        small.index.verify()
        assert small.index.info()["bytes"] == sum(path.stat().st_size for path in files(small))

    def test_its_files_are_known_as_lirs(self, small):
        check_ours(small.path)

    def test_info_says_what_it_is(self, small, case):
        info = small.index.info()
        told = [info[name] for name in ("kind", "num_docs", "dim", "similarity", "model", "fingerprint")]
        dim = 0 if small.index.form == "text" else 4
        assert told == [case.kind, 4, dim, "dot", "webis/colbert", "f"]


class TestDamage:
    """Whatever happens to a file, opening says so, and names it."""

    def test_a_missing_file(self, small):
        for path in files(small):
            content = path.read_bytes()
            path.unlink()
            with pytest.raises(DamagedIndexError, match=f"{path.name}' is missing"):
                Index.open(small.path)
            path.write_bytes(content)

    def test_a_truncated_file(self, small):
        for path in files(small):
            with replaced(path, path.read_bytes()[:-1]):
                told = rf"{path.name}' has {path.stat().st_size} bytes, not {path.stat().st_size + 1}\."
                with pytest.raises(DamagedIndexError, match=told):
                    Index.open(small.path)

    def test_a_flipped_bit(self, small):
        for path in files(small):
            content = path.read_bytes()
            for place in range(0, len(content), max(7, len(content) // 50)):
                flipped = content[:place] + bytes([content[place] ^ 16]) + content[place + 1 :]
                with (
                    replaced(path, flipped),
                    pytest.raises(DamagedIndexError, match=rf"{path.name}' is not as it was written\."),
                ):
                    Index.open(small.path)

    def test_a_file_of_another_index(self, small, case, make_index):
        vectors = 2 * np.eye(4, dtype=np.float32)[::-1]
        other = make_index(["b", "c", "d", "e"], vectors, case.config(), model="webis/colbert", fingerprint="f")
        for path in (*files(small), small.path / "index.json"):
            stranger = other.path / path.relative_to(small.path)
            if stranger.read_bytes() != path.read_bytes():
                with replaced(path, stranger.read_bytes()), pytest.raises(DamagedIndexError):
                    Index.open(small.path)

    def test_is_over_when_the_file_is_back(self, small):
        for path in files(small):
            with replaced(path, b""), pytest.raises(DamagedIndexError):
                Index.open(small.path)
            assert Index.open(small.path).doc_ids[0] == "a"


def files(opened):
    return sorted((opened.path / "segment-1").iterdir())


@contextmanager
def replaced(path, content):
    """Under the file's name stands another one: what has been mapped is not touched."""
    path.rename(path.with_name("aside"))
    path.write_bytes(content)
    yield
    path.with_name("aside").replace(path)
