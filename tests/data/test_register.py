"""Local files as ids of ir_datasets."""

import itertools
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import ir_datasets
import pytest
from ir_datasets.formats import GenericDoc, GenericDocPair, GenericQuery, GenericScoredDoc, TrecQrel

from lir_data import (
    DocDataset,
    DocSample,
    QueryDataset,
    RunDataset,
    TupleDataset,
    evaluate,
    open_queries,
    read_qrels,
    read_run,
    read_subtopic_qrels,
    register_dataset,
)
from lir_data.errors import ArgumentError, MalformedLineError, MissingPartError, SourceNotFoundError

# An id lasts as long as the process.
NUMBERS = itertools.count()


@pytest.fixture
def name(collection: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of the whole collection; the working folder is another one."""
    dataset_id = f"local/collection-{next(NUMBERS)}"
    (collection / "tuples.tsv").write_text("q1\td1\td2\td4\nq2\td2\td1\n")
    monkeypatch.chdir(collection)
    register_dataset(
        dataset_id,
        docs="docs.jsonl.gz",
        queries="queries.tsv",
        qrels="qrels.txt",
        scoreddocs="run.trec",
        docpairs="tuples.tsv",
    )
    monkeypatch.chdir("/")
    return dataset_id


class TestIrDatasets:
    """What the users of ir_datasets expect."""

    def test_documents_come_in_order_by_id_and_by_number(self, name: str) -> None:
        dataset = ir_datasets.load(name)
        docs = list(dataset.docs_iter())
        assert docs[1] == GenericDoc("d2", "a river")
        assert (dataset.docs_count(), len(dataset.docs)) == (4, 4)
        assert dataset.docs_store().get("d4") == GenericDoc("d4", "paris")
        assert dataset.docs_store().get_many(["d2", "x"]) == {"d2": docs[1]}
        assert list(dataset.docs_iter()[1:3]) == docs[1:3]
        assert list(dataset.docs_iter()[1:][1:]) == docs[2:]
        assert (dataset.docs_iter()[-1], dataset.docs[2]) == (docs[-1], docs[2])

    def test_a_document_that_is_not_there_is_an_index_error(self, name: str) -> None:
        with pytest.raises(IndexError):
            ir_datasets.load(name).docs_iter()[4]

    def test_queries(self, name: str) -> None:
        dataset = ir_datasets.load(name)
        assert list(dataset.queries_iter()) == [GenericQuery("q1", "capital"), GenericQuery("q2", "water")]
        assert dataset.queries.lookup("q2").default_text() == "water"

    def test_judgements(self, name: str) -> None:
        dataset = ir_datasets.load(name)
        assert next(dataset.qrels_iter()) == TrecQrel("q1", "d1", 2, "0")
        assert dataset.qrels_dict() == {"q1": {"d1": 2, "d2": -1}, "q2": {"d2": 1, "d4": 1}}
        assert (dataset.qrels_cls(), dataset.qrels_defs()) == (TrecQrel, {})

    def test_a_run_comes_best_first(self, name: str) -> None:
        assert list(ir_datasets.load(name).scoreddocs_iter()) == [
            GenericScoredDoc("q1", "d2", 0.5),
            GenericScoredDoc("q1", "d1", 0.25),
            GenericScoredDoc("q2", "d1", 3.0),
        ]

    def test_tuples_are_pairs_of_the_first_document_with_each_other(self, name: str) -> None:
        assert list(ir_datasets.load(name).docpairs_iter()) == [
            GenericDocPair("q1", "d1", "d2"),
            GenericDocPair("q1", "d1", "d4"),
            GenericDocPair("q2", "d2", "d1"),
        ]

    def test_what_is_not_registered_is_not_there(self, collection: Path) -> None:
        name = f"local/docs-{next(NUMBERS)}"
        register_dataset(name, docs=str(collection / "docs.tsv"))
        dataset = ir_datasets.load(name)
        assert (dataset.has_docs(), dataset.has_queries(), dataset.has_docpairs()) == (True, False, False)
        with pytest.raises(MissingPartError, match="does not have queries; it has documents"):
            QueryDataset(name)


def test_every_dataset_takes_the_id(name: str) -> None:
    assert next(iter(DocDataset(name))) == DocSample("d1", "Berlin the capital of Germany")
    assert QueryDataset(name).qrels == read_qrels(name) == {"q1": {"d1": 2, "d2": -1}, "q2": {"d2": 1, "d4": 1}}
    assert next(iter(TupleDataset(name))).docs == ("Berlin the capital of Germany", "a river", "paris")
    assert RunDataset(name, targets="relevance")[0].targets == (0.0, 2.0)
    assert open_queries(name) == {"q1": "capital", "q2": "water"}
    assert evaluate(read_run(name), name, ["P@1"])["P@1"] == 0.0


def test_a_registered_file_keeps_all_documents_and_scores_of_its_tuples(name: str, collection: Path) -> None:
    tuples = f"{name}/tuples"
    (collection / "tuples.jsonl").write_text('{"query_id": "q1", "doc_ids": ["d1", "d2", "d4"], "scores": [3, 1, 2]}\n')
    files = {part: str(collection / file) for part, file in (("docs", "docs.tsv"), ("docpairs", "tuples.jsonl"))}
    register_dataset(tuples, queries=name, **files)
    (sample,) = TupleDataset(tuples, targets="score")
    assert (sample.doc_ids, sample.targets) == (("d1", "d2", "d4"), (3.0, 1.0, 2.0))
    assert len(list(ir_datasets.load(tuples).docpairs_iter())) == 2


def test_subtopics_are_kept(collection: Path) -> None:
    name = f"local/subtopics-{next(NUMBERS)}"
    (collection / "diversity.txt").write_text("q1 2 d1 1\nq1 3 d1 0\n")
    register_dataset(name, qrels=str(collection / "diversity.txt"))
    assert read_subtopic_qrels(name) == {"q1": {"2": {"d1": 1}, "3": {"d1": 0}}}


def test_other_ids_can_be_sources(ir_datasets_home: Path, collection: Path) -> None:
    name = f"local/mixed-{next(NUMBERS)}"
    register_dataset(name, docs="cranfield", queries=str(collection / "queries.tsv"))
    assert next(iter(DocDataset(name))) == next(iter(DocDataset("cranfield")))
    assert len(QueryDataset(name)) == 2


def test_files_are_read_when_they_are_needed(tmp_path: Path) -> None:
    name = f"local/late-{next(NUMBERS)}"
    (tmp_path / "queries.tsv").write_text("no tab\n")
    register_dataset(name, queries=str(tmp_path / "queries.tsv"))
    with pytest.raises(MalformedLineError, match=r"queries\.tsv, line 1: there is no tab"):
        open_queries(name)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # another test's threads, before a fork
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_knows_the_id(name: str, method: str) -> None:
    datasets = DocDataset(name).documents, QueryDataset(name), RunDataset(name), TupleDataset(name)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        asked = (
            pool.submit(datasets[0].get_many, ["d4"]),
            pool.submit(datasets[1].__len__),
            pool.submit(datasets[2].__getitem__, 0),
        )
        results = [future.result() for future in asked]
    assert results == [{"d4": "paris"}, 2, datasets[2][0]]


def test_each_dataset_brings_its_sources_to_a_process_of_its_own(name: str, tmp_path: Path) -> None:
    for number, dataset in enumerate((DocDataset(name), QueryDataset(name), RunDataset(name), TupleDataset(name))):
        (tmp_path / f"{number}.pickle").write_bytes(pickle.dumps(dataset))
        code = f"import pickle; print(next(iter(pickle.load(open({str(tmp_path / f'{number}.pickle')!r}, 'rb')))))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.stdout, done.stderr) == (f"{next(iter(dataset))}\n", "")


def test_the_same_again_changes_nothing(name: str, collection: Path) -> None:
    sources = {part: str(collection / file) for part, file in (("docs", "docs.tsv"), ("queries", "queries.tsv"))}
    other = f"{name}/again"
    register_dataset(other, **sources)
    before = ir_datasets.load(other)
    register_dataset(other, **sources)
    assert ir_datasets.load(other) is before


def test_an_id_cannot_change_what_it_means(name: str, collection: Path) -> None:
    with pytest.raises(
        ArgumentError, match=rf"'{name}' is registered already, with docs='.*docs\.jsonl\.gz', queries="
    ):
        register_dataset(name, docs=str(collection / "docs.tsv"))


def test_the_ids_of_ir_datasets_stay() -> None:
    with pytest.raises(ArgumentError, match="ir_datasets has a dataset 'vaswani' already; choose another id"):
        register_dataset("vaswani", docs="cranfield")


@pytest.mark.parametrize("dataset_id", ["", "docs.tsv", "./mine", "hf:mine"])
def test_an_id_that_looks_like_a_file_is_refused(dataset_id: str) -> None:
    with pytest.raises(ArgumentError, match=f"'{dataset_id}' cannot be an id: it would be taken for a file"):
        register_dataset(dataset_id, docs="cranfield")


def test_an_id_needs_a_source() -> None:
    with pytest.raises(ArgumentError, match="name at least one of docs, queries, qrels, scoreddocs, docpairs"):
        register_dataset("local/nothing")


@pytest.mark.parametrize("part", ["docs", "queries", "qrels", "scoreddocs", "docpairs"])
def test_a_source_that_is_not_there_shows_at_once(part: str) -> None:
    with pytest.raises(SourceNotFoundError, match=r"There is no file '/nowhere\.tsv'"):
        register_dataset("local/nowhere", **{part: "/nowhere.tsv"})
    with pytest.raises(SourceNotFoundError, match="no dataset 'local/nowhere'"):
        DocDataset("local/nowhere")


def test_a_source_that_lacks_the_part_shows_at_once() -> None:
    with pytest.raises(MissingPartError, match="'msmarco-passage' does not have queries"):
        register_dataset("local/lacking", queries="msmarco-passage")
