"""Help is quick, and every mistake gets one clear sentence."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lir_cli.main import COMMANDS

Lir = Callable[..., Any]
README = Path(__file__).parents[2] / "packages" / "lir-cli" / "README.md"
TEXTS = ("--queries", "queries.tsv", "--docs", "docs.tsv")


@pytest.mark.parametrize("words", [[], *([command] for command in COMMANDS)])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom lir_cli.main import main\n"
        f"try:\n    main({[*words, '--help']})\nexcept SystemExit as leaving:\n    assert not leaving.code\n"
        "heavy = {'torch', 'transformers', 'lightning', 'faiss', 'bm25s', 'scipy', 'numpy'}\n"
        "heavy |= {'lir_models', 'lir_data', 'lir_index', 'lir_train'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: lir" in done.stdout
    assert "\n  Example" in done.stdout
    assert "\\b" not in done.stdout


def test_every_command_is_in_the_readme() -> None:
    if not README.is_file():
        pytest.skip("the checkout is not here")
    assert all(f"lir {command}" in README.read_text() for command in COMMANDS)


def test_the_version_names_every_package(lir: Lir) -> None:
    assert [line.split()[0] for line in lir("--version").out.splitlines()] == [
        "lir-cli", "lir-train", "lir-index", "lir-models", "lir-data"
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "means"), [("fit", "train"), ("re_rank", "rerank")])
def test_the_papers_names_of_stages_work(lir: Lir, name: str, means: str) -> None:
    assert lir(name, "--help").out.replace(f"lir {name}", f"lir {means}") == lir(means, "--help").out


def test_completion_knows_the_commands() -> None:
    environment = {"_LIR_COMPLETE": "bash_complete", "COMP_WORDS": "lir in", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", "from lir_cli.main import main; main()"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert "plain,index" in done.stdout


def test_completion_knows_files() -> None:
    environment = {"_LIR_COMPLETE": "bash_complete", "COMP_WORDS": "lir index --docs thr", "COMP_CWORD": "3"}
    done = subprocess.run(
        [sys.executable, "-c", "from lir_cli.main import main; main()"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.stdout == "file,thr\n"


def test_lir_alone_shows_its_help_and_no_error(lir: Lir) -> None:
    result = lir()
    assert result.err.startswith("Usage: lir")
    assert "Error" not in result.err
    assert result.code == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_knows_how_much_to_say(lir: Lir, command: str) -> None:
    shown = lir(command, "--help").out
    assert all(f"--{name} " in shown for name in ("quiet", "verbose", "debug"))


def test_debug_shows_where_an_error_comes_from(lir: Lir) -> None:
    result = lir("search", "--index", "nowhere", "red", "--debug")
    assert result.err.startswith("Traceback")
    assert "Error: There is no index in 'nowhere'" in result.err
    assert result.code == 1


def test_quiet_leaves_out_notes_and_keeps_results(lir: Lir, collection: Path) -> None:
    assert lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "b", "--quiet").err == ""
    result = lir("search", "--index", "b", "red", "-q", "-k", "1")
    assert "d0" in result.out


def test_an_error_that_quotes_data_does_not_write_to_the_terminal(lir: Lir, tmp_path: Path) -> None:
    name = f"{tmp_path}/\x1b]0;owned\x07\nError: forged"
    result = lir("search", "--index", name, "red")
    assert result.err.count("\n") == 2
    assert all(character.isprintable() or character == "\n" for character in result.err)


MISTAKES = {
    "an option of one value given twice": (
        ["search", "--index", "idx", "--index", "bm25", "red"],
        2,
        "--index is given twice, and it has one value.",
    ),
    "several that are missing": (["mine", "--run", "first.trec"], 2, "--qrels and --output are missing."),
    "unknown command": (["serch"], 2, "There is no command 'serch'. Did you mean 'search'?"),
    "unknown dataset": (
        ["index", "--model", "BACKBONE", "--docs", "vaswanii", "--index", "i"],
        1,
        "Did you mean 'vaswani'?",
    ),
    "missing documents": (
        ["index", "--model", "BACKBONE", "--docs", "nowhere.tsv", "--index", "i"],
        1,
        "There is no file 'nowhere.tsv'.",
    ),
    "missing queries": (
        ["search", "--index", "idx", "--queries", "nowhere.tsv", "-k", "1"],
        1,
        "There is no file 'nowhere.tsv'.",
    ),
    "unknown measure of a search": (
        ["search", "--index", "idx", "--queries", "queries.tsv", "-k", "1", "-m", "ndgc@10"],
        1,
        "Did you mean 'nDCG@10'?",
    ),
    "malformed documents": (
        ["index", "--model", "BACKBONE", "--docs", "first.trec.tsv", "--index", "i"],
        1,
        "first.trec.tsv, line 1: there is no tab. A line is an id, a tab and a text.",
    ),
    "unknown measure": (
        ["evaluate", "first.trec", "--qrels", "qrels.txt", "-m", "ndgc@10"],
        1,
        "Did you mean 'nDCG@10'?",
    ),
    "missing file": (["evaluate", "nowhere.trec", "--qrels", "qrels.txt"], 1, "There is no file 'nowhere.trec'."),
    "malformed line": (
        ["evaluate", "bad.trec", "--qrels", "qrels.txt"],
        1,
        "bad.trec, line 1: the score 'n/a' is not a number.",
    ),
    "empty run": (["rerank", "--model", "BACKBONE", "--run", "empty.trec", *TEXTS], 1, "empty.trec' is empty."),
    "unknown document": (
        ["rerank", "--model", "BACKBONE", "--run", "unknown.trec", *TEXTS, "--output", "r"],
        1,
        "There is no document 'd99'",
    ),
    "cross-encoder to search": (
        ["search", "--model", "CLASSIFIER", "--index", "idx", "--queries", "queries.tsv", "-k", "1"],
        2,
        "is a cross-encoder",
    ),
    "cross-encoder to index": (
        ["index", "--model", "CLASSIFIER", "--docs", "docs.tsv", "--index", "i"],
        2,
        "is a cross-encoder",
    ),
    "cross-encoder for a bi-encoder's module": (
        ["train", "--config", "train.yaml", "--model", "CLASSIFIER"],
        2,
        "is a cross-encoder, and the module is a BiEncoderModule.",
    ),
    "output exists": (["index", "--model", "BACKBONE", "--docs", "docs.tsv", "--index", "idx"], 1, "idx"),
    "run exists": (
        ["rerank", "--model", "BACKBONE", "--run", "first.trec", *TEXTS, "--output", "first.trec"],
        1,
        "'first.trec' exists already",
    ),
    "model output exists": (["train", "--config", "train.yaml", "--output", "idx"], 2, "'idx' exists already."),
    "no such model": (["score", "--model", "./nowhere", "a", "b"], 1, "There is no folder './nowhere'."),
    "unknown kind of index": (
        ["index", "--model", "x", "--docs", "docs.tsv", "--index", "i", "--type", "faiss-flt"],
        2,
        "There is no index kind 'faiss-flt'. Did you mean 'faiss-flat'?",
    ),
    "a kind of another form": (
        ["index", "--model", "BACKBONE", "--docs", "docs.tsv", "--index", "i", "--type", "sparse"],
        1,
        "An index of the kind sparse is built from sparse embeddings, not from dense embeddings.",
    ),
    "a model for an index of texts": (
        ["index", "--model", "./nowhere", "--docs", "docs.tsv", "--index", "i", "--type", "bm25"],
        2,
        "An index of the kind bm25 is built from the texts themselves, without a model; './nowhere' is named.",
    ),
    "a module for an index of texts": (
        ["index", "--config", "bm25.yaml", "--docs", "docs.tsv", "--index", "i"],
        2,
        "An index of the kind bm25 is built from the texts themselves, without a model; 'BiEncoderModule' is named.",
    ),
    "a model to search an index of texts": (
        ["search", "--model", "./nowhere", "--index", "bm25", "--queries", "queries.tsv", "-k", "1"],
        2,
        "The index in 'bm25' is searched with the texts themselves, without a model; './nowhere' is named.",
    ),
    "a model to ask an index of texts": (
        ["search", "--model", "./nowhere", "--index", "bm25", "red", "-k", "1"],
        2,
        "The index in 'bm25' is searched with the texts themselves, without a model; './nowhere' is named.",
    ),
    "no model for an index of embeddings": (
        ["index", "--docs", "docs.tsv", "--index", "i", "--type", "faiss-hnsw"],
        2,
        "--model is missing, or 'model' in a configuration",
    ),
    "no model to train": (
        ["train", "--config", "train.yaml", "--model.class_path", "TextModule", "--model.init_args", "{}"],
        2,
        "A TextModule has no model, so it neither trains nor re-ranks.",
    ),
    "a stemmer that does not exist": (
        [
            "index",
            "--docs",
            "docs.tsv",
            "--index",
            "i",
            "--type",
            "bm25",
            "--trainer.callbacks.0.index_config.stemmer",
            "englisch",
        ],
        1,
        "PyStemmer has no stemmer 'englisch'. Did you mean 'english'?",
    ),
    "a method that does not exist": (
        [
            "index",
            "--docs",
            "docs.tsv",
            "--index",
            "i",
            "--type",
            "bm25",
            "--trainer.callbacks.0.index_config.method",
            "lucen",
        ],
        2,
        "'atire', 'bm25l' or 'bm25+'. Did you mean 'lucene'?",
    ),
    "no index": (["search", "--index", "nowhere", "red"], 1, "There is no index in 'nowhere'"),
    "unknown flag": (["index", "--modle", "x"], 2, "There is no option '--modle' here. Did you mean '--model'?"),
    "missing flag": (["index", "--model", "BACKBONE", "--docs", "docs.tsv"], 2, "--index is missing"),
    "wrong top key": (["train", "--config", "top.yaml"], 2, "top.yaml: there is no key 'modle'. Did you mean 'model'?"),
    "wrong key": (
        ["train", "--config", "key.yaml"],
        2,
        "data.init_args: LightningIRDataModule has no argument 'train_datset'. Did you mean 'train_dataset'?",
    ),
    "wrong trainer key": (
        ["train", "--config", "train.yaml", "--trainer.max_step", "3"],
        2,
        "trainer: LightningIRTrainer has no argument 'max_step'. Did you mean 'max_steps'?",
    ),
    "wrong class": (
        ["train", "--config", "class.yaml"],
        2,
        "model: there is no class 'BiEncoderModul'. Did you mean 'BiEncoderModule'?",
    ),
    "wrong type": (
        ["train", "--config", "train.yaml", "--trainer.max_steps", "many"],
        2,
        "trainer: max_steps is 'many'; it must be a whole number.",
    ),
    "wrong type far inside": (
        [
            "train",
            "--config",
            "train.yaml",
            "--model.config",
            "{class_path: DprConfig, init_args: {query_length: long}}",
        ],
        2,
        "model.init_args.config.init_args: query_length is 'long'; it must be a whole number or null.",
    ),
    "wrong key of a config": (
        ["train", "--config", "train.yaml", "--model.config.query_lenght", "32"],
        2,
        "model.init_args.config.init_args: BiEncoderConfig has no argument 'query_lenght'. Did you mean 'query_length'?",
    ),
    "wrong choice": (
        ["train", "--config", "train.yaml", "--model.config.similarity_function", "cosin"],
        2,
        "'dot', 'cosine' or 'l2'. Did you mean 'cosine'?",
    ),
    "wrong kind of data": (
        [
            "train",
            "--config",
            "train.yaml",
            "--data.train_dataset",
            "{class_path: DocDataset, init_args: {doc_dataset: docs.tsv}}",
        ],
        2,
        "data.init_args: train_dataset is a DocDataset; it must be RunDataset, TupleDataset, MixedDataset or null.",
    ),
    "wrong kind of class": (
        ["train", "--config", "train.yaml", "--model", "BACKBONE", "--optimizer", "RankNet"],
        2,
        "optimizer: the class must be an Optimizer; RankNet is none.",
    ),
    "no class of the optimizer": (
        ["train", "--config", "train.yaml", "--optimizer.lr", "1"],
        2,
        "optimizer: there is no class_path; it must name an Optimizer.",
    ),
    "override that is no YAML": (
        ["train", "--config", "train.yaml", "--data.seed", "{"],
        2,
        "--data.seed: '{' is no YAML",
    ),
    "missing argument": (
        ["train", "--config", "train.yaml", "--data.train_dataset", "{class_path: TupleDataset}"],
        2,
        "data.init_args.train_dataset.init_args: TupleDataset needs tuples_dataset.",
    ),
    "config that contradicts itself": (
        [
            "train",
            "--config",
            "train.yaml",
            "--model.config",
            "{class_path: BiEncoderConfig, init_args: {query_length: 0}}",
        ],
        1,
        "BiEncoderConfig.query_length is 0; it must be at least 1, or None for no limit.",
    ),
    "no length of the training": (["train", "--config", "endless.yaml"], 2, "does not say how long to train"),
    "no output": (
        ["train", "--config", "train.yaml", "--model", "BACKBONE"],
        2,
        "--output is missing, and without it the trained model would be lost.",
    ),
    "a list for a key": (
        ["train", "--config", "train.yaml", "--trainer", "[1]"],
        2,
        "trainer: [1] has no keys and values.",
    ),
    "a seed that is none": (["train", "--config", "train.yaml", "--seed_everything", "x"], 2, "seed_everything is 'x'"),
    "no model": (["train", "--config", "data.yaml"], 2, "The configuration has no 'model'."),
    "no class": (
        ["train", "--config", "train.yaml", "--model", "x", "--model.class_path", "null"],
        2,
        "model: there is no class 'None'.",
    ),
    "no YAML": (["train", "--config", "first.trec"], 2, "first.trec"),
}


@pytest.fixture
def mistakes(lir: Lir, collection: Path, backbone: Path) -> Path:
    """A folder with all that can be wrong."""
    Path("bad.trec").write_text("q0 Q0 d0 1 n/a x\n")
    Path("empty.trec").write_text("")
    Path("unknown.trec").write_text("q0 Q0 d99 1 1 x\n")
    data = "data: {class_path: LightningIRDataModule, init_args: {train_%s: {class_path: TupleDataset, init_args: {tuples_dataset: triples.tsv}}}}\n"
    # Were a model loaded before the mistake is found, this one would be what is complained about.
    model = (
        "model: {class_path: %s, init_args: {model_name_or_path: ./nowhere, loss_functions: [{class_path: RankNet}]}}\n"
    )
    Path("endless.yaml").write_text("trainer:\n" + model % "BiEncoderModule" + data % "dataset")
    Path("train.yaml").write_text("trainer: {max_steps: 1}\n" + model % "BiEncoderModule" + data % "dataset")
    Path("key.yaml").write_text(model % "BiEncoderModule" + data % "datset")
    Path("class.yaml").write_text(model % "BiEncoderModul" + data % "dataset")
    Path("top.yaml").write_text("modle: {}\n")
    Path("data.yaml").write_text(data % "dataset")
    Path("bm25.yaml").write_text(
        "trainer: {callbacks: {class_path: IndexCallback, init_args: {index_config: {class_path: Bm25IndexConfig}}}}\n"
        "model: {class_path: BiEncoderModule}\n"
    )
    Path("first.trec.tsv").write_text("q0 Q0 d0 1 1 x\n")
    assert lir("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx").code == 0
    assert lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "bm25").code == 0
    return collection


@pytest.mark.usefixtures("mistakes")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_sentence(lir: Lir, backbone: Path, classifier: Path, mistake: str) -> None:
    words, code, message = MISTAKES[mistake]
    names = {"BACKBONE": str(backbone), "CLASSIFIER": str(classifier)}
    result = lir(*(names.get(word, word) for word in words))
    assert message in result.err
    assert result.code == code
    assert result.out == ""
    error, *rest = [line for line in result.err.splitlines() if not line.startswith("warning: ")]
    assert error.startswith("Error: ")
    assert [line.partition(" ")[0] for line in rest] in ([], ["hint:"])


@pytest.mark.usefixtures("mistakes")
def test_an_index_of_another_dimension_is_refused(lir: Lir, backbone: Path) -> None:
    wide = ("--model.init_args.config", "{class_path: BiEncoderConfig, init_args: {embedding_dim: 8}}")
    result = lir("search", "--model", backbone, "--index", "idx", "--queries", "queries.tsv", "--run", "r", *wide)
    assert "The index holds vectors of 32 dimensions, the model makes 8." in result.err
    assert result.code == 1
