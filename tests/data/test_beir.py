"""BEIR folders in place of ids."""

import gzip
import json
from pathlib import Path

import pytest

from lir_data import DocDataset, QueryDataset, RunDataset, TupleDataset, evaluate, open_queries, read_qrels
from lir_data.errors import MissingPartError, SourceNotFoundError
from lir_data.sources.names import full_name, is_collection, is_file_name, short_name


@pytest.fixture
def scifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A BEIR folder with two splits; the working folder is the one that holds it."""
    folder = tmp_path / "scifact"
    (folder / "qrels").mkdir(parents=True)
    docs = [{"_id": "4983", "title": "A title", "text": "A text", "metadata": {}}, {"_id": "7", "text": "Other"}]
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(doc) + "\n" for doc in docs)
    queries = [{"_id": str(number), "text": f"claim {number}", "metadata": {}} for number in range(3)]
    (folder / "queries.jsonl").write_text("".join(json.dumps(query) + "\n" for query in queries))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n0\t4983\t1\n0\t7\t0\n")
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n2\t7\t1\n1\t7\t1\n")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("source", ["scifact", "scifact/test", "./scifact"])
def test_documents_are_those_of_the_folder(scifact: Path, source: str) -> None:
    assert [(doc.doc_id, doc.doc) for doc in DocDataset(source)] == [("4983", "A title A text"), ("7", "Other")]


def test_queries_are_those_that_the_split_judges(scifact: Path) -> None:
    assert open_queries("scifact/test") == {"1": "claim 1", "2": "claim 2"}


def test_queries_of_a_split_bring_its_judgements(scifact: Path) -> None:
    assert QueryDataset("scifact/train").qrels == {"0": {"4983": 1, "7": 0}}


def test_all_queries_of_several_splits_bring_no_judgements(scifact: Path) -> None:
    dataset = QueryDataset("scifact")
    assert (len(dataset), dataset.qrels) == (3, None)


def test_the_only_split_is_meant_where_none_is_named(scifact: Path) -> None:
    (scifact / "qrels" / "train.tsv").unlink()
    dataset = QueryDataset("scifact")
    assert (len(dataset), dataset.qrels) == (3, {"1": {"7": 1}, "2": {"7": 1}})


def test_judgements_are_read_of_the_split_and_of_its_file(scifact: Path) -> None:
    assert read_qrels("scifact/test") == read_qrels("scifact/qrels/test.tsv") == {"1": {"7": 1}, "2": {"7": 1}}


def test_a_split_makes_tuples(scifact: Path) -> None:
    (sample,) = TupleDataset("scifact/train")
    assert (sample.query, sample.docs, sample.targets) == ("claim 0", ("A title A text",), (1.0,))


def test_a_run_takes_texts_and_judgements_of_the_folder(scifact: Path) -> None:
    Path("run.trec").write_text("1 Q0 4983 1 2 x\n1 Q0 7 2 1 x\n")
    sample = RunDataset("run.trec", queries="scifact/test", targets="relevance")[0]
    assert (sample.docs, sample.targets) == (("A title A text", "Other"), (0.0, 1.0))
    assert evaluate("run.trec", "scifact/test", ["P@2"])["P@2"] == 0.25


def test_the_source_reopens_from_anywhere(scifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = QueryDataset("scifact/test")
    monkeypatch.chdir("/")
    assert (dataset.name, dataset.source) == ("scifact/test", f"{scifact}/test")
    assert list(QueryDataset(dataset.source)) == list(dataset)


def test_a_folder_wins_over_an_id_of_the_same_name(scifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scifact.parent / "beir").mkdir()
    scifact.rename(scifact.parent / "beir" / "scifact")
    assert len(DocDataset("beir/scifact/test")) == 2


def test_an_id_is_no_split_of_the_working_folder(scifact: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scifact)
    assert (is_file_name("vaswani"), full_name("vaswani"), short_name("vaswani")) == (False, "vaswani", "vaswani")
    assert is_collection("vaswani")


def test_an_unknown_split_names_the_splits(scifact: Path) -> None:
    message = r"'scifact' has no split 'tests'; it has the splits 'test', 'train'\. Did you mean 'test'\?"
    for make in (DocDataset, QueryDataset, TupleDataset, read_qrels):
        with pytest.raises(MissingPartError, match=message):
            make("scifact/tests")


def test_judgements_of_several_splits_have_to_be_chosen(scifact: Path) -> None:
    with pytest.raises(MissingPartError, match=r"which judgements are meant; .* Choose one: 'scifact/test'"):
        read_qrels("scifact")


def test_a_folder_without_judgements_says_so(scifact: Path) -> None:
    for path in (scifact / "qrels").iterdir():
        path.unlink()
    with pytest.raises(MissingPartError, match=r"has no qrels/\*\.tsv"):
        read_qrels("scifact")


def test_a_folder_without_documents_says_what_was_looked_for(scifact: Path) -> None:
    (scifact / "corpus.jsonl.gz").unlink()
    with pytest.raises(MissingPartError, match=r"'scifact' has no corpus\.jsonl, plain or packed"):
        DocDataset("scifact")


def test_a_file_that_a_folder_lacks_is_no_split(scifact: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"There is no file 'scifact/docs\.tsv'"):
        DocDataset("scifact/docs.tsv")


@pytest.mark.parametrize("source", ["other", "./other"])
def test_a_folder_that_is_none_of_beir_says_what_was_looked_for(scifact: Path, source: str) -> None:
    Path("other").mkdir()
    with pytest.raises(SourceNotFoundError, match=r"'other' is a folder, but no BEIR folder: there is neither"):
        DocDataset(source)
