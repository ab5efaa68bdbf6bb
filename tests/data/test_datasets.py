"""The four datasets, over local files and over ir_datasets."""

import gzip
import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lir_data import (
    DocDataset,
    DocSample,
    QueryDataset,
    QuerySample,
    RankSample,
    RunDataset,
    TupleDataset,
    open_documents,
)
from lir_data.errors import (
    ArgumentError,
    LirDataError,
    MalformedLineError,
    MissingPartError,
    SourceNotFoundError,
    UnknownIdError,
)
from lir_data.order import Shard


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    docs = [
        {"doc_id": "d1", "title": "Berlin", "text": "the capital of Germany"},
        {"doc_id": "d2", "text": "a river"},
        {"doc_id": "d 3", "title": "", "text": "ein Straßenfest"},
        {"doc_id": "d4", "text": "paris"},
    ]
    lines = "".join(json.dumps(doc) + "\n" for doc in docs)
    (tmp_path / "docs.jsonl").write_text(lines, encoding="utf-8")
    with gzip.open(tmp_path / "docs.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    (tmp_path / "docs.tsv").write_text("d1\tBerlin the capital of Germany\nd2\ta river\n", encoding="utf-8")
    (tmp_path / "queries.tsv").write_text("q1\tcapital\nq2\twater\n", encoding="utf-8")
    (tmp_path / "qrels.txt").write_text("q1 0 d1 2\nq1 0 d2 0\nq2 0 d2 1\nq2 0 d4 1\n", encoding="utf-8")
    (tmp_path / "run.trec").write_text("q1 Q0 d2 1 0.5 x\nq1 Q0 d1 2 0.25 x\nq2 Q0 d1 1 3 x\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", ["docs.jsonl", "docs.jsonl.gz"])
def test_a_title_comes_before_the_text(collection: Path, name: str) -> None:
    docs = list(DocDataset(str(collection / name)))
    assert docs[0] == DocSample("d1", "Berlin the capital of Germany")
    assert docs[2] == DocSample("d 3", "ein Straßenfest")


@pytest.mark.parametrize("name", ["docs.jsonl", "docs.jsonl.gz"])
def test_documents_are_found_by_id_in_another_process(collection: Path, name: str) -> None:
    documents = open_documents(str(collection / name))
    documents.get_many(["d1"])
    again = pickle.loads(pickle.dumps(documents))
    assert again.get_many(["d4", "d 3"]) == {"d 3": "ein Straßenfest", "d4": "paris"}


def test_an_unknown_document_is_named(collection: Path) -> None:
    with pytest.raises(UnknownIdError, match=r"no document 'd9' in .*docs\.tsv', nor 1 more"):
        open_documents(str(collection / "docs.tsv")).get_many(["d9", "d1", "d10"])


def test_fields_can_be_chosen(collection: Path) -> None:
    assert next(iter(DocDataset(str(collection / "docs.jsonl"), text_fields=["text"]))).doc == "the capital of Germany"


def test_queries_have_the_judgements_that_are_named(collection: Path) -> None:
    dataset = QueryDataset(str(collection / "queries.tsv"), qrels=str(collection / "qrels.txt"))
    assert list(dataset) == [QuerySample("q1", "capital"), QuerySample("q2", "water")]
    assert dataset.qrels == {"q1": {"d1": 2, "d2": 0}, "q2": {"d2": 1, "d4": 1}}


def test_the_name_is_short_and_the_source_reopens(collection: Path) -> None:
    dataset = DocDataset(str(collection / "docs.jsonl.gz"))
    assert dataset.name == "docs"
    assert list(DocDataset(dataset.source)) == list(dataset)


def test_samples_print_as_in_the_paper() -> None:
    assert repr(QuerySample("121352", "define extreme")) == "QuerySample(query_id='121352', query='define extreme')"
    assert (
        repr(RankSample("1", "q", ("a",), ("b",))) == "RankSample(query_id='1', query='q', doc_ids=('a',), docs=('b',))"
    )


@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 10), st.integers(1, 3))
def test_shards_of_what_is_left_hold_every_item_once(total: int, shards: int, skipped: int, inner: int) -> None:
    class Numbers:
        order = Shard()

    rest = Shard().applied(Numbers(), skip=skipped)
    parts = [rest.order.applied(rest, num_shards=shards, index=index) for index in range(shards)]
    smaller = [part.order.applied(part, num_shards=inner, index=index) for part in parts for index in range(inner)]
    found = [list(part.order.of(range(total))) for part in smaller]
    assert sorted(number for part in found for number in part) == list(range(min(skipped, total), total))
    assert [part.order.count(total) for part in smaller] == [len(part) for part in found]


def run_dataset(collection: Path, **options: object) -> RunDataset:
    return RunDataset(
        str(collection / "run.trec"),
        docs=str(collection / "docs.jsonl"),
        queries=str(collection / "queries.tsv"),
        qrels=str(collection / "qrels.txt"),
        **options,
    )


def test_a_run_comes_with_its_texts(collection: Path) -> None:
    sample = run_dataset(collection)[0]
    assert sample == RankSample("q1", "capital", ("d2", "d1"), ("a river", "Berlin the capital of Germany"))


@pytest.mark.parametrize(
    ("targets", "normalize", "expected"),
    [
        ("relevance", False, (0.0, 2.0)),
        ("rank", False, (2.0, 1.0)),
        ("score", False, (0.5, 0.25)),
        ("score", True, (1.0, 0.0)),
    ],
)
def test_targets_of_a_run(collection: Path, targets: str, normalize: bool, expected: tuple[float, ...]) -> None:
    assert run_dataset(collection, targets=targets, normalize_targets=normalize)[0].targets == expected


def test_depth_cuts_a_run(collection: Path) -> None:
    assert run_dataset(collection, depth=1)[0].doc_ids == ("d2",)


def test_relevant_documents_can_be_added(collection: Path) -> None:
    assert run_dataset(collection, add_docs_not_in_ranking=True)[1].doc_ids == ("d1", "d2", "d4")


def test_a_single_relevant_document_leads_and_the_epoch_decides_which(collection: Path) -> None:
    dataset = run_dataset(
        collection,
        add_docs_not_in_ranking=True,
        sample_size=2,
        sampling_strategy="single_relevant",
        targets="relevance",
    )
    drawn = set()
    for epoch in range(20):
        dataset.set_epoch(epoch)
        sample = dataset[1]
        assert sample.targets == (1.0, 0.0)
        drawn.add(sample.doc_ids)
    assert drawn == {("d2", "d1"), ("d4", "d1")}


def test_unknown_documents_of_a_run_are_found_beforehand(collection: Path) -> None:
    (collection / "run.trec").write_text("q1 Q0 dx 1 0.5 x\n")
    with pytest.raises(UnknownIdError, match="no document 'dx'"):
        run_dataset(collection).check_documents()


def test_unknown_queries_of_a_run_are_found_beforehand(collection: Path) -> None:
    (collection / "run.trec").write_text("qx Q0 d1 1 0.5 x\n")
    with pytest.raises(UnknownIdError, match="query 'qx'"):
        run_dataset(collection).check_documents()


def test_judgements_make_tuples(collection: Path) -> None:
    dataset = TupleDataset(
        str(collection / "qrels.txt"), docs=str(collection / "docs.jsonl"), queries=str(collection / "queries.tsv")
    )
    assert [(sample.query_id, sample.doc_ids, sample.targets) for sample in dataset] == [
        ("q1", ("d1",), (1.0,)),
        ("q2", ("d2",), (1.0,)),
        ("q2", ("d4",), (1.0,)),
    ]


def test_tuples_of_text(tmp_path: Path) -> None:
    (tmp_path / "triples.tsv").write_text("capital\tberlin\ta river\n")
    assert next(iter(TupleDataset(str(tmp_path / "triples.tsv")))).docs == ("berlin", "a river")


def test_tuples_with_scores(tmp_path: Path) -> None:
    (tmp_path / "tuples.jsonl").write_text('{"query": "capital", "docs": ["berlin", "a", "b"], "scores": [3, 2, 1]}\n')
    sample = next(iter(TupleDataset(str(tmp_path / "tuples.jsonl"), targets="score", num_docs=2)))
    assert (sample.docs, sample.targets) == (("berlin", "a"), (3.0, 2.0))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: DocDataset("vaswanii"), SourceNotFoundError, "Did you mean 'vaswani'"),
        (lambda: DocDataset("nowhere.tsv"), SourceNotFoundError, "There is no file 'nowhere.tsv'"),
        (lambda: QueryDataset("msmarco-passage"), MissingPartError, "has no queries; it has: documents"),
        (lambda: RunDataset("vaswani"), MissingPartError, "has no run"),
        (lambda: TupleDataset("vaswani", targets="scores"), ArgumentError, "Did you mean 'score'"),
        (lambda: DocDataset("vaswani", num_docs=0), ArgumentError, "num_docs is 0"),
        (
            lambda: DocDataset("vaswani", text_fields=["title"]),
            ArgumentError,
            "no field 'title'; they have doc_id, text",
        ),
    ],
)
def test_a_wrong_argument_is_a_sentence(make: object, error: type[LirDataError], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("docs.jsonl", '{"doc_id": "1", "text": "a"}\n{"doc_id"\n', "line 2: it is no JSON"),
        ("docs.jsonl", "[1]\n", "line 1: it is list"),
        ("docs.jsonl", '{"doc_id": "1"}\n', "line 1: there is no text"),
        ("docs.tsv", "d1\ttext\nd2 text\n", "line 2: there is no tab"),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(MalformedLineError, match=message):
        list(DocDataset(str(tmp_path / name)))


def test_a_damaged_gzip_is_named(collection: Path) -> None:
    path = collection / "docs.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(MalformedLineError, match="the gzip file is damaged"):
        list(DocDataset(str(path)))


@pytest.mark.usefixtures("ir_datasets_home")
class TestCatalogue:
    def test_documents_queries_and_judgements(self) -> None:
        assert len(DocDataset("vaswani")) == 11429
        assert next(iter(DocDataset("vaswani"))).doc.startswith("compact memories have flexible capacities")
        dataset = QueryDataset("vaswani")
        assert (len(dataset), len(dataset.qrels or {})) == (93, 93)

    @pytest.mark.parametrize("name", ["nfcorpus", "scifact"])
    def test_texts_equal_the_local_files(self, shared: Path, name: str) -> None:
        local = {
            doc.doc_id: " ".join(doc.doc.split()) for doc in DocDataset(str(shared / "data" / name / "docs.jsonl.gz"))
        }
        assert {doc.doc_id: " ".join(doc.doc.split()) for doc in DocDataset(f"beir/{name}")} == local

    def test_judgements_make_tuples(self) -> None:
        sample = next(iter(TupleDataset("beir/scifact/train")))
        assert (len(sample.docs), sample.targets) == (1, (1.0,))
