"""Sources that are ids of ir_datasets."""

import logging
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import ir_datasets
import pytest

from lir_data import (
    DocDataset,
    Documents,
    QueryDataset,
    QuerySample,
    RunDataset,
    TupleDataset,
    evaluate,
    open_documents,
    open_queries,
    read_qrels,
    read_run,
)
from lir_data.errors import (
    ArgumentError,
    MissingPartError,
    SourceNotFoundError,
    UnknownIdError,
    UnreadableSourceError,
)
from lir_data.sources import catalogue
from lir_data.sources.names import is_file_name


@pytest.mark.parametrize("make", [DocDataset, QueryDataset, TupleDataset, RunDataset, read_run, read_qrels])
def test_an_unknown_id_names_the_nearest(make) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no dataset 'vaswanii' in ir_datasets.* Did you mean 'vaswani'\?"):
        make("vaswanii")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QueryDataset("msmarco-passage"), "'msmarco-passage' does not have queries; it has documents"),
        (lambda: RunDataset("vaswani"), "does not have a run; it has documents, queries, judgements"),
        (lambda: read_qrels("msmarco-passage"), "does not have judgements"),
        (lambda: TupleDataset("msmarco-passage"), "neither training pairs nor judgements"),
    ],
)
def test_a_dataset_that_lacks_what_is_asked_says_what_it_has(make, message: str) -> None:
    with pytest.raises(MissingPartError, match=message):
        make()


def test_a_field_that_documents_lack_is_named() -> None:
    with pytest.raises(
        ArgumentError, match=r"'vaswani' have no field 'texts'; they have doc_id, text. Did you mean 'text'"
    ):
        DocDataset("vaswani", text_fields=["texts"])


def test_training_pairs_have_no_scores() -> None:
    with pytest.raises(ArgumentError, match="has no scores"):
        TupleDataset("msmarco-passage/train/triples-v2", targets="score")


def test_no_id_looks_like_a_file() -> None:
    assert [name for name in ir_datasets.registry if is_file_name(name)] == []


def test_what_ir_datasets_does_is_not_reported_but_its_notices_are(caplog: pytest.LogCaptureFixture) -> None:
    catalogue.load("vaswani")
    logger = ir_datasets.log.easy().logger()
    logger.addHandler(caplog.handler)
    try:
        logger.info("[starting] building docstore")
        logger.info("Please confirm you agree to the terms")
    finally:
        logger.removeHandler(caplog.handler)
    assert [record.getMessage() for record in caplog.records] == ["Please confirm you agree to the terms"]


def test_a_failed_download_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def docs_iter():
        raise ConnectionError("no route to host")

    dataset = SimpleNamespace(has_docs=lambda: True, docs_iter=docs_iter)
    monkeypatch.setattr(catalogue, "load", lambda name: dataset)
    with pytest.raises(UnreadableSourceError, match="could not read 'antique': ConnectionError: no route") as error:
        next(iter(DocDataset("antique")))
    assert error.value.hint == "how to get it: https://ir-datasets.com/antique.html"


def catalogue_with(monkeypatch: pytest.MonkeyPatch, **parts: list[object]) -> None:
    """Put a dataset of these parts in place of every other."""
    dataset = SimpleNamespace(
        **{
            f"has_{part}": lambda there=part in parts: there
            for part in ("docs", "queries", "qrels", "scoreddocs", "docpairs")
        },
        **{f"{part}_iter": lambda items=items: iter(items) for part, items in parts.items()},
        docs_store=lambda: SimpleNamespace(
            get_many=lambda ids: {doc.doc_id: doc for doc in parts["docs"] if doc.doc_id in ids}
        ),
    )
    monkeypatch.setattr(catalogue, "load", lambda name: dataset)


def text(**ids: str) -> SimpleNamespace:
    return SimpleNamespace(**ids, default_text=lambda: f"text of {next(iter(ids.values()))}")


def test_training_pairs_make_tuples_with_the_relevant_document_first(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue_with(
        monkeypatch,
        docs=[text(doc_id="a"), text(doc_id="b")],
        queries=[text(query_id="q")],
        docpairs=[SimpleNamespace(query_id="q", doc_id_a="b", doc_id_b="a")],
    )
    (sample,) = TupleDataset("any/train")
    assert (sample.query, sample.doc_ids, sample.docs, sample.targets) == (
        "text of q",
        ("b", "a"),
        ("text of b", "text of a"),
        (1.0, 0.0),
    )


@pytest.mark.parametrize(("scores", "order"), [((1.0, 2.0), ["a", "b"]), ((0.0, 0.0), ["b", "a"])])
def test_a_run_without_scores_keeps_its_order(
    monkeypatch: pytest.MonkeyPatch, scores: tuple[float, float], order: list[str]
) -> None:
    lines = [SimpleNamespace(query_id="q", doc_id=name, score=score) for name, score in zip("ba", scores, strict=True)]
    catalogue_with(monkeypatch, scoreddocs=lines)
    assert list(read_run("any/run")["q"]) == order


def test_an_id_with_a_run_needs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue_with(
        monkeypatch,
        docs=[text(doc_id="a")],
        queries=[text(query_id="q")],
        qrels=[SimpleNamespace(query_id="q", doc_id="a", relevance=2)],
        scoreddocs=[SimpleNamespace(query_id="q", doc_id="a", score=1.0)],
    )
    dataset = RunDataset("any/judged", targets="relevance")
    dataset.check_documents()
    assert (dataset[0].docs, dataset[0].targets) == (("text of a",), (2.0,))


def texts_of(documents: Documents) -> dict[str, str]:
    return documents.get_many(["10", "1"])


@pytest.mark.usefixtures("ir_datasets_home")
class TestOffline:
    """Collections that load without a network."""

    def test_documents_are_counted_and_read(self) -> None:
        dataset = DocDataset("vaswani")
        assert (len(dataset), next(iter(dataset)).doc_id) == (11429, "1")

    def test_texts_are_those_of_ir_datasets_line_ends_included(self) -> None:
        first = next(iter(ir_datasets.load("vaswani").docs_iter()))
        assert "\n" in first.default_text()
        assert next(iter(DocDataset("vaswani"))).doc == first.default_text()

    def test_fields_can_be_chosen(self) -> None:
        first = next(iter(ir_datasets.load("cranfield").docs_iter()))
        sample = next(iter(DocDataset("cranfield", text_fields=["author", "title"])))
        assert sample.doc == f"{first.author} {first.title}"

    def test_queries_bring_their_judgements(self) -> None:
        dataset = QueryDataset("vaswani", num_queries=2)
        assert [sample.query_id for sample in dataset] == ["1", "2"]
        assert len(dataset.qrels or {}) == 93

    def test_a_subset_has_the_documents_of_the_whole(self) -> None:
        assert next(iter(DocDataset("beir/scifact/test"))) == next(iter(DocDataset("beir/scifact")))

    @pytest.mark.parametrize("name", ["nfcorpus", "scifact"])
    def test_documents_equal_the_local_files(self, shared: Path, name: str) -> None:
        local = {sample.doc_id: sample.doc for sample in DocDataset(str(shared / "data" / name / "docs.jsonl.gz"))}
        # The local files have white space collapsed.
        assert {sample.doc_id: " ".join(sample.doc.split()) for sample in DocDataset(f"beir/{name}")} == local

    @pytest.mark.parametrize("name", ["nfcorpus", "scifact"])
    def test_queries_and_judgements_equal_the_local_files(self, shared: Path, name: str) -> None:
        folder = shared / "data" / name
        local = open_queries(str(folder / "queries.test.tsv"))
        assert {query: " ".join(text.split()) for query, text in open_queries(f"beir/{name}/test").items()} == local
        assert read_qrels(f"beir/{name}/test") == read_qrels(folder / "qrels.test.txt")

    def test_judgements_make_tuples(self) -> None:
        sample = next(iter(TupleDataset("beir/scifact/train")))
        assert (len(sample.docs), sample.targets) == (1, (1.0,))

    def test_a_run_file_takes_its_texts_and_judgements_from_the_queries_id(self, shared: Path) -> None:
        run = str(shared / "data" / "msmarco-dl" / "runs" / "bm25.dl19.run")
        dataset = RunDataset(run, depth=3, queries="msmarco-passage/trec-dl-2019/judged", targets="relevance")
        dataset.check_documents()
        assert (len(dataset), len(dataset[0].docs), len(dataset.qrels or {})) == (43, 3, 43)

    def test_unknown_documents_are_named(self) -> None:
        with pytest.raises(UnknownIdError, match="There is no document 'x', nor 'y', in 'cranfield'"):
            open_documents("cranfield").get_many(["1", "x", "y"])

    def test_what_is_missing_is_told_apart(self) -> None:
        assert open_documents("cranfield").missing(["1", "x", "2"]) == ["x"]

    def test_documents_can_be_sent_to_another_process(self) -> None:
        documents = open_documents("cranfield")
        documents.get_many(["1"])
        assert texts_of(pickle.loads(pickle.dumps(documents))) == texts_of(documents)

    def test_a_spawned_process_finds_documents(self) -> None:
        documents = open_documents("cranfield")
        expected = texts_of(documents)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert pool.submit(documents.get_many, list(expected)).result() == expected

    def test_threads_find_documents_at_once(self) -> None:
        documents = open_documents("cranfield")
        expected = texts_of(documents)
        with ThreadPoolExecutor(8) as pool:
            assert all(texts == expected for texts in pool.map(texts_of, [documents] * 200))

    def test_a_run_is_measured_by_an_id(self, shared: Path) -> None:
        run = shared / "data" / "msmarco-dl" / "runs" / "bm25.dl20.run"
        value = evaluate(run, "msmarco-passage/trec-dl-2020/judged", ["nDCG@10"])["nDCG@10"]
        assert value == pytest.approx(0.4796, abs=5e-5)

    def test_a_query_is_its_default_text(self) -> None:
        assert next(iter(QueryDataset("msmarco-passage/trec-dl-2019/judged"))) == QuerySample(
            "19335", "anthropological definition of environment"
        )

    def test_nothing_is_written_but_progress(self, capfd: pytest.CaptureFixture[str]) -> None:
        logging.getLogger("ir_datasets")
        texts_of(open_documents("cranfield"))
        next(iter(QueryDataset("beir/nfcorpus/test")))
        assert "[INFO]" not in capfd.readouterr().err
