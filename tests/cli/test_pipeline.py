"""The stages of a pipeline, by flags and by the paper's YAML, give the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lir_data import evaluate, read_run
from lir_models import BiEncoderModel, load_model

Lir = Callable[..., Any]
CONFIGS = Path(__file__).parents[2] / "configs"
TEXTS = ("--queries", "queries.tsv", "--qrels", "qrels.txt")


def test_index_search_rerank_evaluate(lir: Lir, collection: Path, backbone: Path, classifier: Path) -> None:
    assert lir("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx").code == 0
    searched = lir("search", "--index", "idx", *TEXTS, "-k", 5, "--run", "run.trec", "-m", "RR@10")
    assert searched.code == 0
    run = read_run("run.trec")
    model = BiEncoderModel.from_pretrained(backbone)
    docs = [line.split("\t")[1] for line in Path("docs.tsv").read_text().splitlines()]
    scores = model.score("red", docs).scores.tolist()
    assert run["q0"] == pytest.approx(
        dict(sorted(((f"d{n}", s) for n, s in enumerate(scores)), key=lambda x: -x[1])[:5]), rel=1e-4
    )
    assert searched.out.splitlines()[1] == f"queries/RR@10\t{evaluate(run, 'qrels.txt', ['RR@10'])['RR@10']:.4f}"

    reranked = lir(
        "rerank", "--model", classifier, "--run", "run.trec", *TEXTS, "--docs", "docs.tsv", "--output", "out.trec"
    )
    assert reranked.code == 0
    assert "re-rank: 50 docs in" in reranked.err
    again = read_run("out.trec")
    expected = load_model(classifier).score("red", [docs[int(doc_id[1:])] for doc_id in run["q0"]]).scores.numpy()
    np.testing.assert_allclose([again["q0"][doc_id] for doc_id in run["q0"]], expected, atol=1e-5)

    measured = lir("evaluate", "run.trec", "out.trec", "--qrels", "qrels.txt", "-m", "RR@10", "-m", "P@1")
    assert [line.split("\t")[0] for line in measured.out.splitlines()] == ["run", "run.trec", "out.trec"]
    assert len(lir("evaluate", "run.trec", "--qrels", "qrels.txt", "--per-query").out.splitlines()) == 11


def test_a_query_at_the_terminal_is_answered_with_text(lir: Lir, collection: Path, backbone: Path) -> None:
    lir("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx", "--type", "dense")
    answer = lir("search", "--index", "idx", "two", "-k", 3)
    assert answer.code == 0
    lines = [line.split("\t") for line in answer.out.splitlines()]
    assert lines[0] == ["rank", "score", "document", "text"]
    docs = dict(line.split("\t") for line in Path("docs.tsv").read_text().splitlines())
    assert [docs[line[2]] for line in lines[1:]] == [line[3] for line in lines[1:]]
    assert len(lines) == 4


def test_an_index_answers_from_another_folder(
    lir: Lir, collection: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(backbone.parent)
    indexed = lir("index", "--model", backbone.name, "--docs", collection / "docs.tsv", "--index", collection / "idx")
    assert indexed.code == 0, indexed.err
    monkeypatch.chdir(collection)
    assert "two two" in lir("search", "--index", "idx", "two", "-k", 10).out


def test_score_prints_a_line_a_document(lir: Lir, backbone: Path) -> None:
    result = lir("score", "--model", backbone, "red", "red red", "blue")
    expected = BiEncoderModel.from_pretrained(backbone).score("red", ["red red", "blue"]).scores
    assert [float(line.split("\t")[0]) for line in result.out.splitlines()[1:]] == pytest.approx(
        expected.tolist(), abs=1e-3
    )


def test_late_interaction_is_a_rule_of_the_same_model(lir: Lir, collection: Path, backbone: Path) -> None:
    done = lir(
        "rerank",
        "--model",
        backbone,
        "--late-interaction",
        "--run",
        "first.trec",
        *TEXTS,
        "--docs",
        "docs.tsv",
        "--output",
        "o.trec",
    )
    assert done.code == 0
    from lir_models import BiEncoderConfig

    rule = BiEncoderConfig(query_pooling_strategy=None, doc_pooling_strategy=None)
    expected = BiEncoderModel.from_pretrained(backbone, rule).score("red", ["red red"]).scores.item()
    assert read_run("o.trec")["q0"]["d0"] == pytest.approx(expected, rel=1e-5)


def test_the_papers_files_train_index_search_and_rerank(lir: Lir, collection: Path, backbone: Path) -> None:
    trained = lir(
        "train", "--config", CONFIGS / "train.yaml", "--output", "my-model",
        "--trainer.max_steps", 2, "--trainer.precision", "32-true", "--model.model_name_or_path", backbone,
        "--data.init_args.train_dataset.init_args.tuples_dataset", "triples.tsv", "--data.train_batch_size=4",
    )  # fmt: skip
    assert (trained.code, Path("my-model/lir.json").is_file()) == (0, True), trained.err
    indexed = lir("index", "--config", CONFIGS / "index.yaml", "--data.inference_datasets.0.doc_dataset", "docs.tsv")
    assert (indexed.code, Path("index/index.json").is_file()) == (0, True), indexed.err
    searched = lir("search", "--config", CONFIGS / "search.yaml", *TEXTS, "--run", "run.trec")
    assert searched.code == 0, searched.err
    assert searched.out.splitlines()[1].startswith("queries/nDCG@10\t")
    reranked = lir(
        "rerank", "--config", CONFIGS / "re-rank.yaml", "--model", "my-model", "--run", "run.trec", *TEXTS, "--docs", "docs.tsv",
        "--output", "again.trec",
    )  # fmt: skip
    assert reranked.code == 0, reranked.err
    assert read_run("again.trec")["q0"] == pytest.approx(read_run("run.trec")["q0"], rel=1e-4)


def test_the_recipes_of_nfcorpus_run(lir: Lir, collection: Path, backbone: Path) -> None:
    dataset = {"run_path_or_id": "first.trec", "docs": "docs.tsv", "queries": "queries.tsv", "qrels": "qrels.txt"}
    substitutes = [word for key, value in dataset.items() for word in (f"--data.train_dataset.init_args.{key}", value)]
    for name in ("nfcorpus-train", "nfcorpus-train-cross-encoder"):
        trained = lir(
            "train", "--config", CONFIGS / f"{name}.yaml", "--model", backbone, "--trainer.max_steps", 2, *substitutes,
            "--output", name,
        )  # fmt: skip
        assert (trained.code, Path(name, "lir.json").is_file()) == (0, True), trained.err
    done = lir(
        "rerank", "--model", "nfcorpus-train-cross-encoder", "--run", "first.trec", *TEXTS, "--docs", "docs.tsv", "-m", "RR",
    )  # fmt: skip
    assert done.out.startswith("measure\tvalue\nfirst/RR\t")


def test_every_configuration_is_run_by_a_test() -> None:
    named = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert [path.name for path in sorted(CONFIGS.glob("*.yaml")) if f'"{path.stem}' not in named] == []


def test_a_trained_cross_encoder_reranks(lir: Lir, collection: Path, backbone: Path) -> None:
    Path("ce.yaml").write_text(
        "model: {class_path: lightning_ir.CrossEncoderModule, init_args: {loss_functions: [{class_path: RankNet}]}}\n"
        "data: {class_path: LightningIRDataModule, init_args: {train_dataset: {class_path: TupleDataset, "
        "init_args: {tuples_dataset: triples.tsv}}}}\n"
        "optimizer: {class_path: AdamW, init_args: {lr: 0.001}}\n"
        "lr_scheduler: {class_path: LinearLR, init_args: {total_iters: 3}}\n"
    )
    trained = lir("train", "--config", "ce.yaml", "--model", backbone, "--output", "ce", "--trainer.max_steps", 3)
    assert trained.code == 0, trained.err
    assert (
        lir("rerank", "--model", "ce", "--run", "first.trec", *TEXTS, "--docs", "docs.tsv", "--output", "o.trec").code
        == 0
    )


def test_an_interrupted_index_goes_on(
    lir: Lir, collection: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lir_index.parts import PartWriter

    append, calls = PartWriter.append, []

    def failing(self: PartWriter, *arguments: Any) -> None:
        calls.append(len(arguments[0]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        append(self, *arguments)

    command = ("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx", "--batch-size", 2)
    monkeypatch.setattr(PartWriter, "append", failing)
    assert lir(*command).code != 0
    assert lir("search", "--index", "idx", "two").code == 1
    calls.clear()
    monkeypatch.setattr(
        PartWriter, "append", lambda self, *arguments: (calls.append(len(arguments[0])), append(self, *arguments))
    )
    done = lir(*command)
    assert done.code == 0
    assert "4 documents were done before; going on from there.\nindex: 6 docs in" in done.err
    assert sum(calls) == 6
    assert len(lir("search", "--index", "idx", "two").out.splitlines()) == 11
