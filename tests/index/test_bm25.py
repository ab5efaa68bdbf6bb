"""The scores and the rankings are those of bm25s, whatever happens to the index."""

import subprocess
import sys

import numpy as np
import pytest

from lir_index import Bm25IndexConfig, Bm25SearchConfig, FaissFlatIndexConfig, Index, PartWriter, build
from lir_index.errors import ArgumentError, EmbeddingsError, LirIndexError, MissingExtraError
from lir_index.metadata import Metadata

bm25s = pytest.importorskip("bm25s")
Stemmer = pytest.importorskip("Stemmer")

WORDS = "cats cat dog dogs runs running bird the a of flying water waters fish swim river élan naïve".split()  # noqa: SIM905
QUERIES = ["running cats", "the river", "fish fish water", "a dog of élan", "unknown", "the", ""]


def write_documents(count=60):
    numbers = np.random.default_rng(0)
    texts = [" ".join(numbers.choice(WORDS, numbers.integers(1, 12))) for _ in range(count - 2)]
    return [f"d{(7 * i) % count}" for i in range(count)], [*texts, "", "of the"]


IDS, TEXTS = write_documents()


def by_bm25s(config, ids, texts, queries, k):
    """For each query the best k documents that share a term with it, by bm25s itself, ties in the order of ids."""
    words = {
        "stopwords": config.stopwords,
        "stemmer": Stemmer.Stemmer(config.stemmer) if config.stemmer else None,
        "show_progress": False,
    }
    retriever = bm25s.BM25(config.k1, config.b, config.delta, config.method, config.idf_method)
    retriever.index(bm25s.tokenize(texts, **words), show_progress=False)
    tokenized = bm25s.tokenize(queries, **words, return_ids=False)
    of_docs = [set(doc) for doc in bm25s.tokenize(texts, **words, return_ids=False)]
    found, scores = retriever.retrieve(tokenized, k=len(texts), show_progress=False)
    rankings = []
    for query, places, values in zip(tokenized, found, scores, strict=True):
        shared = [(v, ids[i]) for i, v in zip(places, values, strict=True) if of_docs[i] & set(query)]
        rankings.append(sorted(shared, key=lambda pair: (-pair[0], pair[1]))[:k])
    return rankings


def told(result):
    return [list(zip(scores, ids, strict=True)) for ids, scores in result]


@pytest.mark.parametrize(
    "config",
    [
        Bm25IndexConfig(),
        Bm25IndexConfig(k1=0.9, b=0.4),
        Bm25IndexConfig(stemmer=None, stopwords=None),
        Bm25IndexConfig(stemmer="porter", stopwords=["of", "river"]),
        Bm25IndexConfig(method="bm25l"),
        Bm25IndexConfig(method="bm25+", delta=1),
        Bm25IndexConfig(method="atire", idf_method="lucene"),
    ],
)
@pytest.mark.parametrize("k", [3, 100])
def test_equals_bm25s(make_index, config, k):
    index = make_index(IDS, TEXTS, config)
    assert told(index.search(QUERIES, k)) == by_bm25s(config, IDS, TEXTS, QUERIES, k)


def test_a_term_that_most_documents_have_weighs_nothing_for_robertson(make_index):
    index = make_index(["a", "b", "c"], ["cat", "cat dog", "cat bird"], Bm25IndexConfig(method="robertson"))
    assert index.search("cat", 3).doc_ids == [[]]


def test_documents_without_a_term_of_the_query_are_not_found(make_index):
    index = make_index(["a", "b"], ["cats run", "dogs swim"], Bm25IndexConfig(method="bm25+"))
    assert index.search(["cat", "nothing of it", "the", ""], 10).doc_ids == [["a"], [], [], []]


def test_texts_without_a_word_can_be_indexed(make_index):
    index = make_index(["a", "b"], ["", "the"], Bm25IndexConfig())
    assert index.search(["cat", ""], 10).doc_ids == [[], []]


def test_one_query_needs_no_list(make_index):
    index = make_index(IDS, TEXTS, Bm25IndexConfig())
    assert told(index.search("running cats", 5)) == told(index.search(["running cats"], 5))


@pytest.mark.parametrize("num_threads", [1, 3])
def test_threads_change_nothing(make_index, num_threads):
    path = make_index(IDS, TEXTS, Bm25IndexConfig()).path
    index = Index.open(path, Bm25SearchConfig(k=7, num_threads=num_threads))
    assert told(index.search(QUERIES)) == by_bm25s(Bm25IndexConfig(), IDS, TEXTS, QUERIES, 7)


def test_only_allowed_documents_are_found_with_the_scores_that_they_have(make_index):
    index, allowed = make_index(IDS, TEXTS, Bm25IndexConfig()), IDS[::3]
    expected = [[pair for pair in ranking if pair[1] in allowed][:4] for ranking in told(index.search(QUERIES, 100))]
    assert told(index.search(QUERIES, 4, allowed=allowed)) == expected
    assert told(index.search(QUERIES, 4, allowed=np.isin(list(index.doc_ids), allowed))) == expected


class TestChanges:
    """The weight of a term is that in the whole collection, so an addition rewrites the index."""

    def test_an_addition_gives_the_files_that_building_would_have_given(self, make_index, tmp_path):
        config = Bm25IndexConfig(stopwords=["of"])
        index = make_index(IDS[:20], TEXTS[:20], config)
        index.delete(IDS[:2])
        index.add(IDS[20:40], TEXTS[20:40])
        with PartWriter(tmp_path / "more", max_bytes=100) as writer:
            writer.append(IDS[40:], TEXTS[40:])
        index.add_parts(tmp_path / "more")
        expected = make_index(IDS[2:], TEXTS[2:], config)
        assert (len(index), index.info()["num_segments"], index.info()["num_deleted"]) == (58, 1, 0)
        assert contents(index) == contents(expected)
        assert told(index.search(QUERIES, 9)) == by_bm25s(config, IDS[2:], TEXTS[2:], QUERIES, 9)

    def test_deleted_documents_count_until_the_index_is_compacted(self, make_index):
        index = make_index(IDS, TEXTS, Bm25IndexConfig())
        before = told(index.search(QUERIES, 100))
        index.delete(IDS[:30])
        assert told(index.search(QUERIES, 100)) == [[p for p in ranking if p[1] in IDS[30:]] for ranking in before]
        index.compact()
        assert contents(index) == contents(make_index(IDS[30:], TEXTS[30:], Bm25IndexConfig()))

    def test_what_is_no_text_is_not_added(self, make_index):
        index = make_index(IDS, TEXTS, Bm25IndexConfig())
        with pytest.raises(EmbeddingsError, match=r"holds texts, and these are dense embeddings of 3 dimensions\."):
            index.add(["new"], np.ones((1, 3)))


def contents(index):
    return [(index.path / name).read_bytes() for name in index.manifest.files]


def test_nothing_on_disk_is_pickled(make_index):
    index = make_index(IDS, TEXTS, Bm25IndexConfig(method="bm25l"))
    arrays = [path for path in (index.path / index.manifest.segments[0].folder).iterdir() if path.suffix == ".npy"]
    assert len(arrays) == 8
    assert all(np.load(path, allow_pickle=False).dtype != object for path in arrays)


def test_ids_and_texts_differ_in_number(tmp_path):
    with pytest.raises(EmbeddingsError, match="There are 2 document ids and 1 texts"):
        PartWriter(tmp_path).append(["a", "b"], ["text"])


class TestRefuses:
    def test_a_model(self, make_index):
        index = make_index(IDS, TEXTS, Bm25IndexConfig())
        with pytest.raises(EmbeddingsError, match="holds texts, and the queries are dense embeddings") as caught:
            index.check_model(Metadata(form="dense", dim=384))
        assert caught.value.hint == "Search it with the queries themselves, without a model."

    def test_texts_for_an_index_of_embeddings(self, make_index):
        index = make_index(["a"], np.eye(1), FaissFlatIndexConfig())
        with pytest.raises(EmbeddingsError, match="The index holds dense embeddings, and the queries are texts"):
            index.search(["a query"], 1)

    def test_texts_for_a_kind_of_embeddings(self, tmp_path):
        with PartWriter(tmp_path / "parts") as writer:
            writer.append(["a"], ["text"])
        with pytest.raises(EmbeddingsError, match="is built from dense or multi-vector embeddings, not from texts"):
            build(tmp_path / "parts", tmp_path / "idx", FaissFlatIndexConfig())

    def test_embeddings(self, make_index):
        with pytest.raises(EmbeddingsError, match="kind bm25 is built from texts, not from dense embeddings"):
            make_index(["a"], np.eye(1), Bm25IndexConfig())

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"k1": -1}, "k1 is a number, at least 0; it is -1"),
            ({"b": 1.5}, "b is a number, from 0 to 1; it is 1.5"),
            ({"delta": "much"}, "delta is a number, at least 0; it is 'much'"),
            ({"method": "lucen"}, "no BM25 of the method 'lucen', .* Did you mean 'lucene'?"),
            ({"idf_method": "okapi"}, "no BM25 of the method 'okapi'"),
        ],
    )
    def test_a_parameter_that_means_nothing(self, arguments, sentence):
        with pytest.raises(ArgumentError, match=sentence):
            Bm25IndexConfig(**arguments)

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            ({"stemmer": "englich"}, r"PyStemmer has no stemmer 'englich'\. Did you mean 'english'?"),
            ({"stopwords": "klingon"}, "bm25s has no stopwords of 'klingon'"),
            ({"similarity": "cosine"}, "bm25 compares by dot, not by cosine"),
        ],
    )
    def test_before_anything_is_written_what_bm25s_does_not_have(self, tmp_path, arguments, sentence):
        with PartWriter(tmp_path / "parts") as writer:
            writer.append(["a"], ["text"])
        with pytest.raises(ArgumentError, match=sentence):
            build(tmp_path / "parts", tmp_path / "idx", Bm25IndexConfig(**arguments))
        assert not (tmp_path / "idx").exists()


def test_without_the_extra_it_says_what_to_install(monkeypatch, make_index):
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(MissingExtraError, match="needs bm25s and PyStemmer") as caught:
        make_index(["a"], ["text"], Bm25IndexConfig())
    assert isinstance(caught.value, LirIndexError)
    assert caught.value.hint == "pip install 'lir-index[bm25]'"


def test_importing_lir_index_does_not_import_bm25s():
    code = "import sys, lir_index; lir_index.Bm25IndexConfig(); assert not {'bm25s', 'Stemmer'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr == ""


def test_stopwords_may_have_capitals(make_index):
    index = make_index(["a", "b"], ["the cat", "the dog"], Bm25IndexConfig(stopwords=["The", "DOG"], stemmer=None))
    assert index.search(["the"], 2).doc_ids == [[]]
    assert index.search(["Dog"], 2).doc_ids == [[]]
    assert index.search(["cat"], 2).doc_ids == [["a"]]
