"""Local files as ids, by YAML and by overrides."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lir_cli.errors import SettingsError
from lir_cli.settings import apply_overrides, read_yaml
from lir_data import read_run

Lir = Callable[..., Any]

DATASETS = """
datasets:
  %s:
    docs: docs.tsv
    queries: queries.tsv
    qrels: qrels.txt
    docpairs: ids.tsv
"""


def test_an_id_of_a_configuration_is_indexed_and_searched(lir: Lir, collection: Path) -> None:
    Path("ids.tsv").write_text("q0\td0\td1\n")
    Path("mine.yaml").write_text(DATASETS % "cli/searched")
    names = ("--config", "mine.yaml")
    assert lir("index", *names, "--type", "bm25", "--docs", "cli/searched", "--index", "idx").code == 0
    searched = lir(
        "search", *names, "--index", "idx", "--queries", "cli/searched", "-k", 3, "--run", "run.trec", "-m", "RR@10"
    )
    assert searched.code == 0, searched.err
    assert searched.out.splitlines()[1].startswith("cli/searched/RR@10\t")
    assert "d0" in read_run("run.trec")["q0"]


def test_an_id_of_a_configuration_is_trained_on_and_reranked(lir: Lir, collection: Path, backbone: Path) -> None:
    Path("ids.tsv").write_text("q0\td0\td1\nq1\td1\td2\n")
    Path("run.trec").write_text("q0 Q0 d1 1 2 x\nq0 Q0 d0 2 1 x\n")
    Path("mine.yaml").write_text(
        DATASETS
        % "cli/trained"
        + "model: {class_path: CrossEncoderModule, init_args: {loss_functions: [{class_path: RankNet}]}}\n"
        "data: {num_workers: 1, train_dataset: {class_path: TupleDataset, init_args: {tuples_dataset: cli/trained}}}\n"
        "optimizer: {class_path: AdamW, init_args: {lr: 0.001}}\n"
        "trainer: {max_steps: 1}\n"
    )
    trained = lir("train", "--config", "mine.yaml", "--model", backbone, "--output", "ce")
    assert trained.code == 0, trained.err
    done = lir(
        "rerank", "--model", "ce", "--run", "run.trec", "--queries", "cli/trained", "--output", "out.trec",
        "--datasets.cli/trained", "{docs: docs.tsv, queries: queries.tsv, qrels: qrels.txt, docpairs: ids.tsv}",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert set(read_run("out.trec")["q0"]) == {"d0", "d1"}


def test_an_override_registers_a_file(lir: Lir, collection: Path) -> None:
    named = ("--datasets.cli/overridden.docs", "docs.tsv", "--docs", "cli/overridden")
    indexed = lir("index", "--type", "bm25", *named, "--index", "idx")
    assert indexed.code == 0, indexed.err


def test_an_override_wins_over_the_file_and_ids_may_have_dots(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("datasets: {v1.0: {docs: a.tsv, queries: b.tsv}}")
    settings = apply_overrides(read_yaml([str(tmp_path / "mine.yaml")]), ["--datasets.v1.0.docs=c.tsv"])
    assert settings == {"datasets": {"v1.0": {"docs": "c.tsv", "queries": "b.tsv"}}}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "--datasets.mine.doc=a.tsv",
            r"datasets\.mine: there is no key 'doc'; there are docs, .* Did you mean 'docs'\?",
        ),
        ("--datasets.mine.docs=3", r"datasets\.mine\.docs is 3; it must be a file, a list of files, a folder or an id"),
        ("--datasets.mine=a.tsv", r"datasets\.mine is 'a\.tsv'; it must have keys of docs, queries"),
        ("--datasets=mine", "datasets: 'mine' has no keys and values"),
    ],
)
def test_a_dataset_that_means_nothing_is_a_sentence(override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        apply_overrides({}, [override])


def test_a_file_that_is_not_there_is_named_before_the_model_loads(lir: Lir, collection: Path) -> None:
    named = ("--datasets.cli/nowhere.docs", "nowhere.tsv", "--docs", "cli/nowhere", "--index", "idx")
    result = lir("index", "--model", "./no-model", *named)
    assert (result.code, result.err.startswith("Error: There is no file 'nowhere.tsv'.")) == (1, True)
