"""Texts may come from anything that gives them one after the other; what gives something else is refused by its form."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import BiEncoderConfig, BiEncoderModel, CrossEncoderModel, SpladeConfig
from lir_models.errors import InputError
from lir_models.inputs import as_lists, as_pairs, check_top_k, listed

TEXTS = ["berlin is the capital", "paris", "how deep is the lake"]
ONCE: dict[str, Callable[[Any], Any]] = {
    "generator": lambda items: (item for item in items),
    "map": lambda items: map(str, items),
    "filter": lambda items: filter(lambda _: True, items),
    "iterator": iter,
    "tuple": tuple,
    "array": np.array,
    "values": lambda items: dict(enumerate(items)).values(),
}


@pytest.fixture(scope="module")
def model(backbone: Path) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(backbone, BiEncoderConfig())


@pytest.fixture(scope="module")
def ranker(classifier: Path) -> CrossEncoderModel:
    return CrossEncoderModel.from_pretrained(classifier)


@pytest.mark.parametrize("once", ONCE.values(), ids=ONCE)
def test_texts_that_are_given_once_are_all_embedded(model: BiEncoderModel, once: Callable[[Any], Any]) -> None:
    expected = model.encode_document(TEXTS)
    np.testing.assert_array_equal(model.encode_document(once(TEXTS)), expected)
    np.testing.assert_array_equal(model.encode_query(once(TEXTS)), model.encode_query(TEXTS))
    np.testing.assert_array_equal(next(iter(model.encode_stream(once(TEXTS), "doc"))), expected)
    tokenized = model.tokenize(once(TEXTS), "doc")
    np.testing.assert_array_equal(model.encode_tokenized(iter(tokenized), "doc"), expected)


def test_term_weights_of_a_generator_are_those_of_a_list(tiny_model: Callable[..., Path]) -> None:
    model = BiEncoderModel.from_pretrained(tiny_model("bert", "ForMaskedLM"), SpladeConfig())
    found: Any = model.encode_document(text for text in TEXTS)
    expected: Any = model.encode_document(TEXTS)
    np.testing.assert_array_equal(found.toarray(), expected.toarray())


@pytest.mark.parametrize("once", ONCE.values(), ids=ONCE)
def test_documents_that_are_given_once_are_all_scored(
    model: BiEncoderModel, ranker: CrossEncoderModel, once: Callable[[Any], Any]
) -> None:
    for scorer in (model, ranker):
        expected = scorer.score("berlin", TEXTS).scores
        assert torch.equal(scorer.score("berlin", once(TEXTS)).scores, expected)
        assert scorer.rank("berlin", once(TEXTS), 2) == scorer.rank("berlin", TEXTS, 2)
        several = scorer.score(once(["berlin", "paris"]), (once(TEXTS) for _ in range(2)))
        assert torch.equal(several.scores, scorer.score(["berlin", "paris"], [TEXTS, TEXTS]).scores)


def test_pairs_that_are_given_once_are_all_scored(ranker: CrossEncoderModel) -> None:
    pairs = [("berlin", text) for text in TEXTS]
    expected = ranker.predict(pairs)
    np.testing.assert_array_equal(ranker.predict(pair for pair in pairs), expected)
    np.testing.assert_array_equal(ranker.predict([list(pair) for pair in pairs]), expected)
    np.testing.assert_array_equal(ranker.predict(zip(["berlin"] * 3, TEXTS, strict=True)), expected)
    scores = torch.cat(list(ranker.score_stream(map(tuple, pairs))))
    torch.testing.assert_close(scores, ranker.score("berlin", TEXTS).scores)
    tokenized = ranker.tokenize(iter(["berlin"] * 3), iter(TEXTS))
    torch.testing.assert_close(ranker.score_tokenized(iter(tokenized)), scores)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": "berlin"}, "The texts are a mapping, with the keys 'a'; give a list"),
        (None, "The texts are None, of type NoneType; give a list"),
        (3, "The texts are 3, of type int; give a list"),
    ],
)
def test_what_gives_no_texts_is_named(model: BiEncoderModel, given: Any, message: str) -> None:
    for encode in (model.encode_query, model.encode_document, lambda texts: model.encode_stream(texts, "doc")):
        with pytest.raises(InputError, match=message):
            encode(given)


def test_one_string_is_no_list(model: BiEncoderModel, ranker: CrossEncoderModel) -> None:
    for scorer in (model, ranker):
        with pytest.raises(InputError, match="The documents are one string, 'paris'"):
            scorer.rank("berlin", "paris")
        with pytest.raises(InputError, match="The documents are a mapping, with the keys 'd1'"):
            scorer.score("berlin", {"d1": "paris"})
        with pytest.raises(InputError, match=r"The query is \['berlin'\], of type list; give one string"):
            scorer.rank(["berlin"], TEXTS)  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="The texts are one string, 'paris'"):
        model.encode_stream("paris", "doc")
    with pytest.raises(InputError, match="The documents of query 1 are a mapping"):
        as_lists(["a", "b"], [["c"], {"d": "e"}])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (
            ("ab", "cd"),
            r"Pair 0 of 2 is one string, 'ab'; give \(query, document\). One pair in a list is \[\('ab', 'cd'\)\]",
        ),
        (["ab"], r"Pair 0 of 1 is one string, 'ab'; give \(query, document\)\.$"),
        ([{"query": "a", "doc": "b"}], "Pair 0 of 1 is a mapping, with the keys 'query', 'doc'"),
        ([("a", "b"), ("a", "b", "c")], r"Pair 1 of 2 is \('a', 'b', 'c'\); give \(query, document\)"),
        ([("a", "b"), None], "Pair 1 of 2 is None; give"),
        ("abcd", "The pairs are one string, 'abcd'"),
        (None, "The pairs are None, of type NoneType"),
        ({"a": "b"}, "The pairs are a mapping, with the keys 'a'"),
    ],
)
def test_what_is_no_pair_is_named(ranker: CrossEncoderModel, pairs: Any, message: str) -> None:
    for score in (ranker.predict, lambda given: list(ranker.score_stream(given))):
        with pytest.raises(InputError, match=message):
            score(pairs)
    with pytest.raises(InputError, match=message):
        as_pairs(pairs)


def test_a_pair_that_holds_no_text_is_named(ranker: CrossEncoderModel) -> None:
    with pytest.raises(InputError, match="is 3, of type int, not a string"):
        ranker.predict([("a", "b"), ("a", 3)])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("top_k", [-1, 0, 1.5, "3", True])
def test_a_number_of_documents_that_cannot_be_is_refused(
    model: BiEncoderModel, ranker: CrossEncoderModel, top_k: Any
) -> None:
    for scorer in (model, ranker):
        with pytest.raises(InputError, match=f"top_k is {top_k!r}; it must be a whole number from 1 on, or None"):
            scorer.rank("berlin", TEXTS, top_k)


def test_a_number_of_documents_may_be_of_numpy_and_beyond_what_there_is(model: BiEncoderModel) -> None:
    assert check_top_k(np.int64(2)) == 2
    assert len(model.rank("berlin", TEXTS, 99)) == 3
    assert listed(iter("ab")) == ["a", "b"]
