"""Whoever installed lir with pip has a configuration to begin with, the recipes, and a training by flags alone."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lir_cli.recipe import read_recipe, recipe_names
from lir_cli.settings import KEYS, read_yaml
from lir_models import load_model

Lir = Callable[..., Any]
CONFIGS = Path(__file__).parents[2] / "configs"
TEXTS = ("--queries", "queries.tsv", "--docs", "docs.tsv")


def test_the_first_configuration_trains_once_names_are_changed(lir: Lir, collection: Path, backbone: Path) -> None:
    printed = lir("train", "--print-config")
    assert (printed.code, printed.err) == (0, "")
    text = printed.out
    for name, here in {
        "bert-base-uncased": str(backbone),
        "        queries: queries.tsv # an id of ir_datasets, or a file; not needed where the tuples hold texts\n": "",
        "        docs: docs.jsonl\n    inference": "    inference",
        "mined.jsonl #": "triples.tsv #",
        "docs.jsonl": "docs.tsv",
        "dev.trec #": "first.trec #",
        "dev.tsv\n": "queries.tsv\n",
        "dev.qrels": "qrels.txt",
        "1000": "2",
        "200": "2",
        "batch_size: 16": "batch_size: 4",
    }.items():
        assert name in text
        text = text.replace(name, here)
    Path("first.yaml").write_text(text)
    trained = lir("train", "--config", "first.yaml", "--output", "my-model", "--lr_scheduler.num_warmup_steps", 1)
    assert trained.code == 0, trained.err
    assert load_model("my-model").form == "dense"


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_printed_and_is_a_configuration(lir: Lir, name: str) -> None:
    printed = lir("train", "--print-config", name)
    assert printed.out == read_recipe(name)
    assert printed.out.startswith("# ")
    assert set(yaml.safe_load(printed.out)) <= set(KEYS)
    assert read_yaml([f"recipe:{name}"])


def test_each_command_prints_a_configuration_of_its_own(lir: Lir) -> None:
    for command, name in (("index", "index"), ("search", "search"), ("re_rank", "re-rank")):
        assert lir(command, "--print-config").out == read_recipe(name)


def test_the_recipes_are_those_of_the_folder_configs() -> None:
    assert sorted(path.stem for path in CONFIGS.glob("*.yaml")) == recipe_names()


def test_a_mistyped_recipe_is_told_with_the_nearest(lir: Lir) -> None:
    for words in (["--print-config", "train-colber"], ["--config", "recipe:train-colber"]):
        told = lir("train", *words)
        assert (told.code, told.err.splitlines()[0]) == (
            2,
            "Error: There is no recipe 'train-colber'. Did you mean 'train-colbert'?",
        )


def test_flags_alone_train(lir: Lir, collection: Path, backbone: Path) -> None:
    lines = [{"query_id": f"q{n}", "doc_ids": [f"d{n}", f"d{n + 1}"]} for n in range(4)]
    Path("mined.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    trained = lir(
        "train", "--model", backbone, "--train-data", "mined.jsonl", *TEXTS, "--loss", "RankNet", "--batch-size", 2,
        "--output", "out",
    )  # fmt: skip
    assert trained.code == 0, trained.err
    settings = yaml.safe_load(Path("out/train.yaml").read_text())
    assert settings["trainer"] == {"max_epochs": 1}
    assert settings["model"]["init_args"]["loss_functions"] == [{"class_path": "RankNet"}]
    assert settings["data"]["init_args"]["train_batch_size"] == 2


@pytest.mark.parametrize(("model", "loss"), [("backbone", "InBatchCrossEntropy"), ("classifier", "InfoNCE")])
def test_without_a_loss_the_usual_one_is_taken(
    lir: Lir, collection: Path, model: str, loss: str, request: pytest.FixtureRequest
) -> None:
    trained = lir(
        "train", "--model", request.getfixturevalue(model), "--train-data", "triples.tsv", "--output", "out",
        "--trainer.max_steps", 1,
    )  # fmt: skip
    assert trained.code == 0, trained.err
    settings = yaml.safe_load(Path("out/train.yaml").read_text())
    assert settings["model"]["init_args"]["loss_functions"] == [{"class_path": loss}]
    assert settings["trainer"] == {"max_steps": 1}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "There is nothing to train by: name a configuration by --config, or tuples by --train-data."),
        (["--train-data", "triples.tsv", "--output", "o"], "There is no model: name one by --model"),
        (["--train-data", "first.trec", "--model", "m"], "--train-data names tuples, and 'first.trec' is a run."),
        (["--config", "recipe:train", "--docs", "docs.tsv"], "--docs says what the ids of --train-data name, which is"),
        (["--config", "recipe:first", "--loss", "RankNett"], "Did you mean 'RankNet'?"),
    ],
)
def test_a_mistake_in_the_flags_is_one_sentence(lir: Lir, collection: Path, words: list[str], message: str) -> None:
    told = lir("train", *words)
    assert told.code == 2
    assert message in told.err
    assert told.err.startswith("Error: ")
