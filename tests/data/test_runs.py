"""Rankings with their texts and targets."""

import pickle
from pathlib import Path

import pytest

from lir_data import RankSample, RunDataset
from lir_data.errors import (
    ArgumentError,
    EmptySourceError,
    MalformedLineError,
    MissingPartError,
    SourceNotFoundError,
    UnknownIdError,
)


def run_dataset(collection: Path, **options: object) -> RunDataset:
    files: dict[str, object] = {
        "docs": str(collection / "docs.jsonl"),
        "queries": str(collection / "queries.tsv"),
        "qrels": str(collection / "qrels.txt"),
    }
    return RunDataset(str(collection / "run.trec"), **(files | options))


@pytest.fixture
def long_run(collection: Path) -> Path:
    """One query and fifty documents, of which two are relevant."""
    (collection / "docs.jsonl").write_text("".join(f'{{"id": "d{n:02}", "text": "text {n}"}}\n' for n in range(50)))
    (collection / "run.trec").write_text("".join(f"q1 Q0 d{n:02} {n + 1} {50 - n} x\n" for n in range(50)))
    (collection / "qrels.txt").write_text("q1 0 d07 1\nq1 0 d30 2\n")
    return collection


def test_a_ranking_comes_with_its_texts(collection: Path) -> None:
    docs = ("a river", "Berlin the capital of Germany")
    assert run_dataset(collection)[0] == RankSample("q1", "capital", ("d2", "d1"), docs)


def test_a_dataset_prints_its_name(collection: Path) -> None:
    assert repr(run_dataset(collection).shard(2, 0)) == "RunDataset('run')"


def test_every_query_of_the_run_is_a_ranking(collection: Path) -> None:
    dataset = run_dataset(collection)
    assert ([sample.query_id for sample in dataset], len(dataset), dataset[-1].query_id) == (["q1", "q2"], 2, "q2")


def test_a_position_behind_the_last_is_an_index_error(collection: Path) -> None:
    with pytest.raises(IndexError, match="no query at 2; the run has 2"):
        run_dataset(collection)[2]


def test_a_shard_is_indexed_from_its_start(collection: Path) -> None:
    shard = run_dataset(collection).shard(2, 1)
    assert (len(shard), shard[0].query_id) == (1, "q2")


def test_depth_cuts_a_run(collection: Path) -> None:
    assert run_dataset(collection, depth=1)[0].doc_ids == ("d2",)


@pytest.mark.parametrize(
    "options", [{}, {"depth": 1}, {"sample_size": 1}, {"add_docs_not_in_ranking": True}, {"depth": 1, "sample_size": 9}]
)
def test_documents_are_counted_as_they_come(collection: Path, options: dict[str, object]) -> None:
    for dataset in (run_dataset(collection, **options), run_dataset(collection, **options).shard(2, 0)):
        assert dataset.num_docs == sum(len(sample.docs) for sample in dataset)


@pytest.mark.parametrize(
    ("targets", "normalize", "expected"),
    [
        ("relevance", False, (0.0, 2.0)),
        ("relevance", True, (0.0, 1.0)),
        ("rank", False, (2.0, 1.0)),
        ("score", False, (0.5, 0.25)),
        ("score", True, (1.0, 0.0)),
        (None, True, None),
    ],
)
def test_targets_are_larger_for_the_better(
    collection: Path, targets: str | None, normalize: bool, expected: tuple[float, ...] | None
) -> None:
    assert run_dataset(collection, targets=targets, normalize_targets=normalize)[0].targets == expected


def test_equal_targets_are_normalized_to_zero(collection: Path) -> None:
    assert run_dataset(collection, targets="score", normalize_targets=True)[1].targets == (0.0,)


@pytest.mark.parametrize(
    ("normalize", "expected"),
    [
        (False, [((0.0, 0.0, 1.0), (4.0, 2.0, 0.0)), ((0.0,),)]),
        (True, [((0.0, 0.0, 0.25), (1.0, 0.5, 0.0)), ((0.0,),)]),
    ],
)
def test_each_subtopic_has_a_target_in_the_order_of_their_ids(
    collection: Path, normalize: bool, expected: list[tuple[tuple[float, ...], ...]]
) -> None:
    (collection / "qrels.txt").write_text("q1 c d2 1\nq1 b d1 2\nq1 a d1 4\nq1 a d2 -1\nq1 b d4 1\n")
    dataset = run_dataset(collection, targets="subtopic_relevance", normalize_targets=normalize)
    assert [sample.targets for sample in dataset] == expected


def test_a_ranking_with_fewer_documents_than_are_drawn_comes_whole(collection: Path) -> None:
    for strategy in ("top", "random", "log_random", "top_and_random", "single_relevant"):
        dataset = run_dataset(collection, sample_size=5, sampling_strategy=strategy, targets="score")
        samples = {sample.query_id: dict(zip(sample.doc_ids, sample.targets, strict=True)) for sample in dataset}
        assert samples == {"q1": {"d2": 0.5, "d1": 0.25}, "q2": {"d1": 3.0}}


def test_fields_of_documents_can_be_chosen(collection: Path) -> None:
    (collection / "docs.jsonl").write_text(
        '{"id": "d1", "title": "A", "text": "x"}\n{"id": "d2", "title": "B", "text": "y"}\n'
    )
    assert run_dataset(collection, text_fields=["title"])[0].docs == ("B", "A")


def test_samples_of_a_shuffled_run_are_those_of_its_iteration(long_run: Path) -> None:
    (long_run / "queries.tsv").write_text("".join(f"q{n}\tquery\n" for n in range(9)))
    (long_run / "run.trec").write_text("".join(f"q{n} Q0 d{n:02} 1 1 x\n" for n in range(9)))
    dataset = run_dataset(long_run).shuffle(4).skip(2)
    dataset.set_epoch(1)
    assert [dataset[place] for place in range(len(dataset))] == list(dataset)
    assert [sample.query_id for sample in dataset] != [f"q{n}" for n in range(2, 9)]


def test_relevant_documents_can_be_added_with_the_last_score(collection: Path) -> None:
    sample = run_dataset(collection, add_docs_not_in_ranking=True, targets="score")[1]
    assert (sample.doc_ids, sample.targets) == (("d1", "d2", "d4"), (3.0, 3.0, 3.0))


def test_targets_belong_to_the_documents_that_are_drawn(long_run: Path) -> None:
    dataset = run_dataset(long_run, sample_size=10, sampling_strategy="random", targets="rank")
    sample = dataset[0]
    assert sample.targets == tuple(50.0 - int(doc_id[1:]) for doc_id in sample.doc_ids)


def test_what_is_drawn_depends_on_seed_epoch_and_query_alone(long_run: Path) -> None:
    first = run_dataset(long_run, sample_size=5, sampling_strategy="random")
    again = pickle.loads(pickle.dumps(first.shard(1, 0)))
    for epoch in range(3):
        first.set_epoch(epoch)
        again.set_epoch(epoch)
        assert first[0] == again[0]


@pytest.mark.parametrize("change", ["seed", "epoch"])
def test_another_seed_or_epoch_draws_anew(long_run: Path, change: str) -> None:
    first = run_dataset(long_run, sample_size=5, sampling_strategy="random")
    other = run_dataset(long_run, sample_size=5, sampling_strategy="random", seed=int(change == "seed"))
    other.set_epoch(int(change == "epoch"))
    assert first[0].doc_ids != other[0].doc_ids


def test_one_relevant_document_leads(long_run: Path) -> None:
    dataset = run_dataset(long_run, sample_size=4, sampling_strategy="single_relevant", targets="relevance")
    leading = set()
    for epoch in range(20):
        dataset.set_epoch(epoch)
        sample = dataset[0]
        assert sample.targets is not None
        assert sample.targets[1:] == (0.0, 0.0, 0.0)
        leading.add((sample.doc_ids[0], sample.targets[0]))
    assert leading == {("d07", 1.0), ("d30", 2.0)}


def test_a_run_that_fits_passes_the_check(collection: Path) -> None:
    assert run_dataset(collection).check_documents() is None


def test_unknown_documents_are_found_beforehand(collection: Path) -> None:
    (collection / "run.trec").write_text("q1 Q0 dx 1 0.5 x\nq2 Q0 dy 1 0.5 x\n")
    with pytest.raises(
        UnknownIdError, match=r"no document 'dx', nor 'dy', in .*, but the run '.*run\.trec' names them"
    ):
        run_dataset(collection).check_documents()


def test_documents_below_the_depth_are_not_looked_up(collection: Path) -> None:
    (collection / "run.trec").write_text("q1 Q0 d1 1 2 x\nq1 Q0 dx 2 1 x\n")
    assert run_dataset(collection, depth=1).check_documents() is None


@pytest.mark.parametrize("look_up", [RunDataset.check_documents, list])
def test_unknown_queries_are_named(collection: Path, look_up) -> None:
    (collection / "run.trec").write_text("qx Q0 d1 1 0.5 x\n")
    with pytest.raises(UnknownIdError, match=r"no query 'qx' in '.*queries\.tsv', but the run"):
        look_up(run_dataset(collection))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling_strategy": "tops"}, "sampling_strategy is 'tops'; it must be one of 'top', .* Did you mean 'top'"),
        ({"targets": "relevanc"}, "targets is 'relevanc'; it must be one of .* Did you mean 'relevance'"),
        (
            {"targets": "subtopic"},
            "'subtopic'; it must be one of 'relevance', 'subtopic_relevance', 'rank', 'score', None",
        ),
        ({"depth": 0}, "depth is 0; it must be at least 1"),
        ({"sample_size": -2}, "sample_size is -2; it must be at least 1"),
        ({"seed": -1}, "seed is -1; it must be 0 or more"),
        ({"queries": None}, "holds ids; queries must say where the texts are"),
        ({"docs": None}, "holds ids; docs must say where the texts are"),
    ],
)
def test_a_wrong_argument_is_a_sentence(collection: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        run_dataset(collection, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": "relevance"}, "targets is 'relevance', but there are no judgements"),
        ({"targets": "subtopic_relevance"}, "targets is 'subtopic_relevance', but there are no judgements"),
        (
            {"sampling_strategy": "single_relevant"},
            "sampling_strategy is 'single_relevant', but there are no judgements",
        ),
        ({"add_docs_not_in_ranking": True}, "add_docs_not_in_ranking is set, but there are no judgements"),
    ],
)
def test_what_needs_judgements_says_so(collection: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(MissingPartError, match=message):
        run_dataset(collection, qrels=None, **options)


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        ("run.trec", "", EmptySourceError, r"The run '.*run\.trec' is empty"),
        ("run.trec", "q1 Q0 d1 1 n/a x\n", MalformedLineError, r"run\.trec, line 1: the score 'n/a' is not a number"),
        ("queries.tsv", "q1\n", MalformedLineError, r"queries\.tsv, line 1: there is no tab"),
        ("qrels.txt", "q1 0 d1\n", MalformedLineError, r"qrels\.txt, line 1: there are 3 columns"),
    ],
)
def test_mistakes_of_files_show_at_once(
    collection: Path, file: str, text: str, error: type[Exception], message: str
) -> None:
    (collection / file).write_text(text)
    with pytest.raises(error, match=message):
        run_dataset(collection)


def test_a_run_that_is_not_there_is_named(collection: Path) -> None:
    (collection / "run.trec").unlink()
    with pytest.raises(SourceNotFoundError, match="There is no file"):
        run_dataset(collection)
