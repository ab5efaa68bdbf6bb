"""Real collections and a real model give the figures that sentence-transformers and ir-measures give.

The figures are those of the README beside the collections: nDCG@10, RR@10, R@100 and AP over all judged test queries.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from lir_data import DocDataset, QueryDataset, RunDataset
from lir_index import FaissSearchConfig, IndexCallback, SearchCallback
from lir_train import BiEncoderModule, LightningIRDataModule, LightningIRTrainer

MEASURES = ["nDCG@10", "RR@10", "R@100", "AP"]
REFERENCE = {
    "vaswani": [0.4335, 0.6772, 0.6074, 0.2793],
    "cranfield": [0.3536, 0.5380, 0.7724, 0.3272],
    "nfcorpus": [0.3159, 0.5077, 0.3115, 0.1568],
    "scifact": [0.6451, 0.6047, 0.9250, 0.6034],
}
RE_RANKED = {"19": 0.6424, "20": 0.6081}
#: Ids of ir_datasets: documents, and queries with judgements.
IDS = {
    "vaswani": ("vaswani", "vaswani"),
    "cranfield": ("cranfield", "cranfield"),
    "nfcorpus": ("beir/nfcorpus", "beir/nfcorpus/test"),
    "scifact": ("beir/scifact", "beir/scifact/test"),
}
YEARS = [pytest.param(year, marks=pytest.mark.long) for year in RE_RANKED]


def files(shared: Path, name: str) -> tuple[Path, Path, Path]:
    """Return the local files of documents, queries and judgements."""
    folder = shared / "data" / name
    part = ".test" if (folder / "qrels.test.txt").is_file() else ""
    return folder / "docs.jsonl.gz", folder / f"queries{part}.tsv", folder / f"qrels{part}.txt"


def values(table: str) -> list[float]:
    """Read the values that ``lir evaluate`` printed of one run."""
    return [float(cell) for cell in table.splitlines()[1].split("\t")[1:]]


def on_the_command_line(
    lir: Callable[..., str], model: str, docs: object, queries: object, qrels: object
) -> list[float]:
    lir("index", "--model", model, "--docs", docs, "--index", "idx")
    lir("search", "--index", "idx", "--queries", queries, "-k", 1000, "--run", "run.trec")
    return values(lir("evaluate", "run.trec", "--qrels", qrels, *(word for name in MEASURES for word in ("-m", name))))


@pytest.mark.long
@pytest.mark.parametrize("name", REFERENCE)
def test_files_on_the_command_line(lir: Callable[..., str], model: str, shared: Path, name: str) -> None:
    assert on_the_command_line(lir, model, *files(shared, name)) == pytest.approx(REFERENCE[name], abs=1e-3)


@pytest.mark.long
@pytest.mark.usefixtures("ir_datasets_home")
@pytest.mark.parametrize("name", REFERENCE)
def test_ids_on_the_command_line(lir: Callable[..., str], model: str, name: str) -> None:
    docs, queries = IDS[name]
    assert on_the_command_line(lir, model, docs, queries, queries) == pytest.approx(REFERENCE[name], abs=1e-3)


def in_python(model: str, docs: str, queries: QueryDataset) -> list[float]:
    module = BiEncoderModule(model, evaluation_metrics=MEASURES)
    options = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    trainer = LightningIRTrainer(callbacks=[IndexCallback("idx")], **options)
    trainer.index(module, LightningIRDataModule(inference_datasets=[DocDataset(docs)]))
    trainer = LightningIRTrainer(callbacks=[SearchCallback("idx", FaissSearchConfig(k=1000))], **options)
    metrics = trainer.search(module, LightningIRDataModule(inference_datasets=[queries]))
    return [metrics[f"{queries.name}/{measure}"] for measure in MEASURES]


@pytest.mark.long
@pytest.mark.parametrize("name", REFERENCE)
def test_files_in_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, shared: Path, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    docs, queries, qrels = map(str, files(shared, name))
    assert in_python(model, docs, QueryDataset(queries, qrels=qrels)) == pytest.approx(REFERENCE[name], abs=1e-3)


@pytest.mark.long
@pytest.mark.usefixtures("ir_datasets_home")
@pytest.mark.parametrize("name", REFERENCE)
def test_ids_in_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: str, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    docs, queries = IDS[name]
    assert in_python(model, docs, QueryDataset(queries)) == pytest.approx(REFERENCE[name], abs=1e-3)


@pytest.mark.parametrize("year", YEARS)
def test_re_ranking_on_the_command_line(lir: Callable[..., str], model: str, shared: Path, year: str) -> None:
    folder = shared / "data" / "msmarco-dl"
    lir(
        "rerank", "--model", model, "--run", folder / "runs" / f"bm25.dl{year}.run", "--depth", 100,
        "--queries", folder / f"queries.dl{year}.tsv", "--docs", folder / "docs.jsonl.gz", "--output", "out.trec",
    )  # fmt: skip
    table = lir("evaluate", "out.trec", "--qrels", folder / f"qrels.dl{year}.txt", "-m", "nDCG@10")
    assert values(table) == pytest.approx([RE_RANKED[year]], abs=1e-3)


@pytest.mark.long
@pytest.mark.usefixtures("ir_datasets_home")
@pytest.mark.parametrize("year", RE_RANKED)
def test_re_ranking_in_python(model: str, shared: Path, year: str) -> None:
    run = str(shared / "data" / "msmarco-dl" / "runs" / f"bm25.dl{year}.run")
    dataset = RunDataset(run, depth=100, queries=f"msmarco-passage/trec-dl-20{year}/judged")
    trainer = LightningIRTrainer(logger=False, enable_progress_bar=False, enable_checkpointing=False)
    module = BiEncoderModule(model, evaluation_metrics=["nDCG@10"])
    metrics = trainer.re_rank(module, LightningIRDataModule(inference_datasets=[dataset]))
    assert metrics == {f"{dataset.name}/nDCG@10": pytest.approx(RE_RANKED[year], abs=1e-3)}
