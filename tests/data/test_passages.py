"""Long documents: windows that cover every word, and passages' scores as their documents'."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import (
    DocDataset,
    DocSample,
    RankSample,
    RunDataset,
    aggregate_passages,
    open_documents,
    split_passages,
    write_run,
)
from lir_data.errors import ArgumentError, UnknownIdError

# Letters, and white space of several kinds: the no-break space and the ideographic one among them.
TEXTS = st.text(alphabet="abäß漢\U0001f600 \n\t\u00a0\u3000", max_size=60)
WINDOWS = st.integers(1, 6).flatmap(lambda length: st.tuples(st.just(length), st.integers(1, length)))


def by_hand(text: str, length: int, stride: int) -> list[list[str]]:
    """The words of each window, one start after the other until the last word is covered."""
    words = text.split()
    windows, start = [words[:length]], 0
    while start + length < len(words):
        start += stride
        windows.append(words[start : start + length])
    return windows


@given(TEXTS, WINDOWS)
def test_passages_are_the_windows_and_slices_of_the_text(text: str, window: tuple[int, int]) -> None:
    passages = split_passages(text, *window)
    assert [passage.split() for passage in passages] == by_hand(text, *window)
    assert all(passage in text for passage in passages)
    if len(passages) > 1:
        assert all(passage == passage.strip() for passage in passages)


@given(TEXTS, WINDOWS)
def test_every_word_is_covered_and_the_last_passage_has_one_of_its_own(text: str, window: tuple[int, int]) -> None:
    length, stride = window
    count, passages = len(text.split()), split_passages(text, length, stride)
    covered = {
        place * stride + offset for place, passage in enumerate(passages) for offset in range(len(passage.split()))
    }
    assert covered == set(range(count))
    assert max(len(passage.split()) for passage in passages) <= length
    if len(passages) > 1:
        assert (len(passages) - 2) * stride + length < count


@given(TEXTS)
def test_a_short_text_is_one_passage_as_it_is(text: str) -> None:
    assert split_passages(text) == [text]


def test_150_words_every_75_is_the_default() -> None:
    words = [f"w{number}" for number in range(301)]
    assert split_passages(" ".join(words)) == [" ".join(words[start : start + 150]) for start in (0, 75, 150, 225)]


@pytest.fixture
def long_docs(tmp_path: Path) -> str:
    """Three documents, of five, two and no words."""
    path = tmp_path / "docs.tsv"
    path.write_text("a\tone two three four five\nb#7\tsix seven\nc\t \n")
    return str(path)


PASSAGES = [
    DocSample("a#0", "one two three"),
    DocSample("a#1", "three four five"),
    DocSample("b#7#0", "six seven"),
    DocSample("c#0", " "),
]


def test_a_dataset_cuts_its_documents(long_docs: str) -> None:
    assert list(DocDataset(long_docs, passage_length=3, passage_stride=2)) == PASSAGES


def test_half_the_length_is_the_stride_where_none_is_given(long_docs: str) -> None:
    assert [item.doc for item in DocDataset(long_docs, num_docs=1, passage_length=3)] == [
        "one two three", "two three four", "three four five"
    ]  # fmt: skip


@pytest.mark.parametrize("num_shards", [1, 2, 3])
@pytest.mark.parametrize("skipped", [0, 1, 2])
def test_passages_are_what_is_divided_and_skipped(long_docs: str, num_shards: int, skipped: int) -> None:
    dataset = DocDataset(long_docs, passage_length=3, passage_stride=2)
    for index in range(num_shards):
        assert list(dataset.shard(num_shards, index).skip(skipped)) == PASSAGES[index::num_shards][skipped:]


def test_how_many_passages_there_are_is_not_known_before(long_docs: str) -> None:
    with pytest.raises(TypeError, match="The number of passages of 'docs' is not known before they are cut"):
        len(DocDataset(long_docs, passage_length=3))


def test_the_source_of_a_cut_dataset_opens_the_same_passages(long_docs: str) -> None:
    source = DocDataset(long_docs, passage_length=3, passage_stride=2).source
    assert source == f"{long_docs}#passages=3,2"
    documents = open_documents(source)
    assert list(documents) == list(DocDataset(source)) == PASSAGES
    assert DocDataset(source).name == "docs"
    assert DocDataset(source).source == source
    texts = {passage.doc_id: passage.doc for passage in PASSAGES}
    assert documents.get_many(reversed(texts)) == texts
    assert list(documents.get_many(reversed(texts))) == list(reversed(texts))
    assert documents.missing(["a#1", "a#2", "a", "d#0", "a#2"]) == ["a#2", "a", "d#0"]
    with pytest.raises(UnknownIdError, match="There is no passage 'a#2', nor 'd#0', in "):
        documents.get_many(["a#0", "a#2", "d#0"])


def test_documents_are_cut_once(long_docs: str) -> None:
    with pytest.raises(ArgumentError, match="is cut into passages already; leave passage_length out"):
        DocDataset(f"{long_docs}#passages=3,2", passage_length=3)


def ranking_of(long_docs: str, **options: Any) -> RunDataset:
    folder = Path(long_docs).parent
    write_run(folder / "run.trec", {"q": {"b#7": 3.0, "a": 2.0, "c": 1.0}}, overwrite=True)
    (folder / "queries.tsv").write_text("q\tnumbers\n")
    return RunDataset(str(folder / "run.trec"), docs=long_docs, queries=str(folder / "queries.tsv"), **options)


def test_a_ranking_has_in_the_place_of_each_document_its_passages(long_docs: str) -> None:
    ranking = ranking_of(long_docs, passage_length=3, passage_stride=2, depth=2)[0]
    docs = ("six seven", "one two three", "three four five")
    assert ranking == RankSample("q", "numbers", ("b#7#0", "a#0", "a#1"), docs)


def test_a_passage_has_the_target_of_its_document(long_docs: str) -> None:
    ranking = ranking_of(long_docs, passage_length=3, passage_stride=2, targets="rank")[0]
    assert dict(zip(ranking.doc_ids, ranking.targets or (), strict=True)) == {"b#7#0": 3, "a#0": 2, "a#1": 2, "c#0": 1}


def test_how_many_passages_a_run_has_is_not_known_before(long_docs: str) -> None:
    assert ranking_of(long_docs).num_docs == 3
    with pytest.raises(TypeError, match="The number of passages of 'run' is not known before they are cut"):
        _ = ranking_of(long_docs, passage_length=3).num_docs


DOCS = st.sampled_from(["a", "b", "b#7", "#", "c d"])
PASSAGE_RUN = st.dictionaries(
    st.sampled_from(["q1", "q2"]),
    st.dictionaries(st.tuples(DOCS, st.integers(0, 12)), st.integers(-8, 8).map(lambda number: number / 4), min_size=1),
)


@pytest.mark.parametrize("how", ["max", "first", "mean", "sum"])
@given(run=PASSAGE_RUN)
def test_the_score_of_a_document_is_made_of_its_passages(how: Any, run: Any) -> None:
    expected: dict[str, dict[str, float]] = {}
    for query_id, scores in run.items():
        for doc_id in {doc_id for doc_id, _ in scores}:
            numbers = sorted(number for other, number in scores if other == doc_id)
            values = [scores[doc_id, number] for number in numbers]
            expected.setdefault(query_id, {})[doc_id] = {
                "max": max(values), "first": values[0], "mean": sum(values) / len(values), "sum": sum(values)
            }[how]  # fmt: skip
    named = {q: {f"{doc}#{number}": score for (doc, number), score in of.items()} for q, of in run.items()}
    found = aggregate_passages(named, how)
    assert found.keys() == expected.keys()
    for query_id, scores in found.items():
        assert scores == pytest.approx(expected[query_id])
        assert list(scores) == sorted(scores, key=lambda doc_id: (-scores[doc_id], doc_id))


@pytest.mark.parametrize(
    ("passage_id", "doc_id"),
    [("d#0", "d"), ("d#1#12", "d#1"), ("d", "d"), ("d#", "d#"), ("d#x", "d#x"), ("#3", "#3"), ("d#²", "d#²")],
)
def test_a_document_is_what_stands_before_the_last_number(passage_id: str, doc_id: str) -> None:
    assert aggregate_passages({"q": {passage_id: 1.0}}) == {"q": {doc_id: 1.0}}


def test_passages_can_stay_as_they_are() -> None:
    run = aggregate_passages({"q": {"d#1": 1.0, "d#0": 2.0}}, "none")
    assert list(run["q"].items()) == [("d#0", 2.0), ("d#1", 1.0)]


def test_the_order_of_passages_changes_no_sum() -> None:
    scores = {"d#0": 1e16, "d#1": 1.0, "d#2": -1e16}
    turned = dict(reversed(scores.items()))
    assert aggregate_passages({"q": scores}, "sum") == aggregate_passages({"q": turned}, "sum") == {"q": {"d": 1.0}}
    assert math.isclose(aggregate_passages({"q": scores}, "mean")["q"]["d"], 1 / 3)


def test_a_file_is_read(tmp_path: Path) -> None:
    write_run(tmp_path / "run.trec", {"q": {"d#0": 1.0, "d#1": 2.0}})
    assert aggregate_passages(tmp_path / "run.trec") == {"q": {"d": 2.0}}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"passage_length": 0}, "DocDataset: passage_length is 0; a passage has at least 1 word."),
        (
            {"passage_length": 3, "passage_stride": 4},
            "DocDataset: passage_stride is 4; it must be between 1 and the passage_length, 3, so that no word is left out.",
        ),
        ({"passage_length": 3, "passage_stride": 0}, "passage_stride is 0; it must be between 1 and"),
        ({"passage_stride": 2}, "passage_stride is 2, but there is no passage_length."),
    ],
)
def test_windows_that_cannot_be_are_refused_before_a_document_is_read(options: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        DocDataset("nowhere.tsv", **options)


def test_the_same_of_a_text() -> None:
    with pytest.raises(ArgumentError, match="split_passages: stride is 3; it must be between 1 and the length, 2"):
        split_passages("a b c", 2, 3)


def test_an_unknown_aggregation_is_refused_before_a_run_is_read() -> None:
    with pytest.raises(ArgumentError, match=r"how is 'maxp'; it must be one of 'max', .* Did you mean 'max'?"):
        aggregate_passages("nowhere.trec", "maxp")  # type: ignore[arg-type]
