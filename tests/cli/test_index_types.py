"""What --type means, and what is built without it."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lir_cli.construct import fitted, made
from lir_cli.index_type import KINDS
from lir_data import evaluate, read_run
from lir_index import Bm25IndexConfig, Index, IndexConfig, PartWriter, build
from lir_index.kinds import config_class, config_names
from lir_models import BiEncoderConfig, BiEncoderModel, CoilConfig, ColConfig, MvrConfig, UniCoilConfig

Lir = Callable[..., Any]
CONFIGS = Path(__file__).parents[2] / "configs"
FILES = ("queries.tsv", "docs.tsv")
TEXTS = ("--queries", "queries.tsv", "--qrels", "qrels.txt")


@pytest.fixture
def texts(collection: Path) -> Path:
    """The collection, and documents that share words."""
    words = [line.split("\t")[1].split()[0] for line in Path("docs.tsv").read_text().splitlines()]
    lines = [f"d{n}\t{' '.join([word] * (n + 1))} {words[n - 1]}\n" for n, word in enumerate(words)]
    Path("docs.tsv").write_text("".join(lines))
    return collection


def expected_run(config: Bm25IndexConfig, k: int) -> dict[str, Any]:
    """The run of an index that is built and searched without the command."""
    docs = dict(line.split("\t") for line in Path("docs.tsv").read_text().splitlines())
    queries = dict(line.split("\t") for line in Path("queries.tsv").read_text().splitlines())
    with PartWriter("expected/parts") as writer:
        writer.append(list(docs), list(docs.values()))
    run = build("expected/parts", "expected/idx", config).search(list(queries.values()), k).to_run(list(queries))
    return {query_id: pytest.approx(ranking, rel=1e-6) for query_id, ranking in run.items()}


def test_the_types_that_are_listed_are_those_of_lir_index() -> None:
    assert list(KINDS) == config_names()


def test_every_type_is_offered(lir: Lir) -> None:
    told = " ".join(lir("index", "--help").out.replace("-\n", "-").split())
    assert all(name in told.replace("- ", "-") for name in config_names())


@pytest.mark.parametrize("name", [name for name in config_names() if name != "bm25"])
def test_every_type_but_bm25_needs_a_model(lir: Lir, collection: Path, name: str) -> None:
    told = lir("index", "--type", name, "--docs", "docs.tsv", "--index", "idx")
    assert (told.code, told.err.partition(",")[0]) == (2, "Error: --model is missing")


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ([], "faiss-flat"),
        (["--type", "faiss-flat"], "faiss-flat"),
        (["--type", "faiss-auto"], "faiss-flat"),
        (["--type", "dense"], "torch-dense"),
        (["--type", "torch-dense"], "torch-dense"),
        (["--type", "faiss-hnsw"], "faiss-hnsw"),
    ],
)
def test_vectors_are_indexed_by_the_type(
    lir: Lir, collection: Path, backbone: Path, arguments: list[str], kind: str
) -> None:
    done = lir("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx", *arguments)
    assert done.code == 0, done.err
    assert Index.open("idx").kind == kind


def test_without_a_type_term_weights_become_a_sparse_index(lir: Lir, collection: Path, masked_lm: Path) -> None:
    splade = ("--model", masked_lm, "--model.config", "{class_path: SpladeConfig}")
    done = lir("index", *splade, "--docs", "docs.tsv", "--index", "idx")
    assert done.code == 0, done.err
    assert Index.open("idx").kind == "sparse"


def test_without_a_type_vectors_of_tokens_become_an_index_of_such(lir: Lir, collection: Path, backbone: Path) -> None:
    rule = json.dumps(
        {"class_path": "ColConfig", "init_args": {"embedding_dim": 8, "query_aggregation_function": "mean"}}
    )
    done = lir("index", "--model", backbone, "--model.config", rule, "--docs", "docs.tsv", "--index", "idx")
    assert done.code == 0, done.err
    manifest = Index.open("idx").manifest
    told = (manifest.kind, manifest.form, manifest.query_aggregation, manifest.doc_aggregation)
    assert told == ("multi-vector", "multi-vector", "mean", "max")


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        (ColConfig(embedding_dim=8), "multi-vector"),
        (MvrConfig(), "multi-vector"),
        (CoilConfig(token_embedding_dim=4, cls_embedding_dim=8), "coil"),
        (UniCoilConfig(), "sparse"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_without_a_type_the_scores_are_those_of_the_model(
    lir: Lir, texts: Path, backbone: Path, config: BiEncoderConfig, kind: str
) -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        model = BiEncoderModel.from_pretrained(backbone, config=config)
        # Term weights of a head drawn at random may all be 0.
        if kind != "sparse" or model.score("red", ["red red"]).scores.max() > 0:
            break
    model.save_pretrained("model")
    indexed = lir("index", "--model", "model", "--docs", "docs.tsv", "--index", "idx")
    assert indexed.code == 0, indexed.err
    assert Index.open("idx").kind == kind
    searched = lir("search", "--model", "model", "--index", "idx", *TEXTS, "--run", "run.trec", "-k", 10)
    assert searched.code == 0, searched.err
    queries, docs = (dict(line.split("\t") for line in Path(name).read_text().splitlines()) for name in FILES)
    scores = model.score(list(queries.values()), [list(docs.values())] * len(queries))
    rows = [row.tolist() for row in scores.per_query()]
    expected = {query_id: dict(zip(docs, row, strict=True)) for query_id, row in zip(queries, rows, strict=True)}
    if kind == "sparse":
        # A document that shares no term with the query is not found.
        expected = {query: {doc: score for doc, score in row.items() if score} for query, row in expected.items()}
        expected = {query: row for query, row in expected.items() if row}
    assert read_run("run.trec") == {query_id: pytest.approx(row, abs=1e-4) for query_id, row in expected.items()}


def test_bm25_goes_the_way_of_every_index(lir: Lir, texts: Path) -> None:
    indexed = lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "idx")
    assert indexed.code == 0, indexed.err
    assert "index: 10 docs in" in indexed.err
    searched = lir("search", "--index", "idx", *TEXTS, "-k", 5, "--run", "run.trec", "-m", "RR@10")
    assert searched.code == 0, searched.err
    run = read_run("run.trec")
    assert run == expected_run(Bm25IndexConfig(), 5)
    assert {len(ranking) for ranking in run.values()} == {2}  # no other document has the word
    assert searched.out.splitlines() == [
        "measure\tvalue",
        f"queries/RR@10\t{evaluate(run, 'qrels.txt', ['RR@10'])['RR@10']:.4f}",
    ]


def test_bm25_answers_a_query_at_the_terminal_with_text(lir: Lir, texts: Path) -> None:
    lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "idx")
    docs = dict(line.split("\t") for line in Path("docs.tsv").read_text().splitlines())
    lines = [line.split("\t") for line in lir("search", "--index", "idx", "two reds").out.splitlines()]
    assert lines[0] == ["rank", "score", "document", "text"]
    assert {line[2] for line in lines[1:]} == {"d6", "d7", "d0", "d1"}
    assert all(docs[line[2]] == line[3] for line in lines[1:])


def test_bm25_goes_on_where_it_was_interrupted(lir: Lir, texts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append, calls = PartWriter.append, []

    def failing(self: PartWriter, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        append(self, *arguments)

    command = ("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "idx", "--batch-size", 2)
    monkeypatch.setattr(PartWriter, "append", failing)
    assert lir(*command).code != 0
    monkeypatch.undo()
    monkeypatch.chdir(texts)
    assert "4 documents were done before; going on from there.\nindex: 6 docs in" in lir(*command).err
    assert len(Index.open("idx")) == 10


def test_bm25_by_a_configuration_without_a_model(lir: Lir, texts: Path) -> None:
    name = CONFIGS / "bm25-index.yaml"
    indexed = lir("index", "--config", name, "--data.inference_datasets.0.doc_dataset", "docs.tsv")
    assert indexed.code == 0, indexed.err
    assert Index.open("bm25").info()["parameters"]["k1"] == 0.9
    Path("search.yaml").write_text(
        "trainer: {callbacks: [{class_path: SearchCallback, init_args: {index_dir: bm25, run_path: run.trec, "
        "search_config: {class_path: Bm25SearchConfig, init_args: {k: 3}}}}]}\n"
        "model: {init_args: {evaluation_metrics: [RR@10]}}\n"
    )
    searched = lir("search", "--config", "search.yaml", *TEXTS)
    assert searched.code == 0, searched.err
    assert searched.out.splitlines()[1].startswith("queries/RR@10\t")
    assert read_run("run.trec") == expected_run(Bm25IndexConfig(k1=0.9, b=0.4), 3)


@pytest.mark.parametrize(
    "name",
    [
        "FaissFlatIndexConfig",
        "FaissIVFIndexConfig",
        "FaissPQIndexConfig",
        "FaissIVFPQIndexConfig",
        "FaissSearchConfig",
        "TorchDenseIndexConfig",
        "TorchDenseSearchConfig",
        "TorchSparseIndexConfig",
        "TorchSparseSearchConfig",
        "Bm25IndexConfig",
        "Bm25SearchConfig",
    ],
)
@pytest.mark.parametrize("module", ["", "lightning_ir."])
def test_the_papers_names_of_configs_are_known(name: str, module: str) -> None:
    import lir_index

    planned = fitted({"class_path": f"{module}{name}"}, lir_index.IndexConfig | lir_index.SearchConfig, "config")
    assert type(made(planned)) is getattr(lir_index, name)


@pytest.mark.parametrize("name", [name for name in config_names() if name != "faiss-factory"])
def test_the_config_of_every_type_can_be_named_in_yaml(name: str) -> None:
    found = config_class(name)
    assert made(fitted({"class_path": found.__name__}, IndexConfig, "config")) == found()


IVF = ("--type", "faiss-ivf", "--docs", "docs.tsv", "--index", "idx")


def test_what_a_kind_can_be_told_is_an_option(lir: Lir, collection: Path, backbone: Path) -> None:
    done = lir("index", "--model", backbone, *IVF, "--index-config.num-centroids", 2, "--index-config.truncate_dim=16")
    assert done.code == 0, done.err
    parameters = json.loads(Path("idx/index.json").read_text())["parameters"]
    assert (parameters["num_centroids"], parameters["truncate_dim"]) == (2, 16)


def test_an_option_of_a_kind_wins_over_the_file(lir: Lir, collection: Path, backbone: Path) -> None:
    Path("ivf.yaml").write_text(
        "trainer: {callbacks: [{class_path: IndexCallback, init_args: {index_dir: idx, index_config: "
        "{class_path: FaissIVFIndexConfig, init_args: {num_centroids: 3, truncate_dim: 16}}}}]}\n"
    )
    told = lir(
        "index", "--config", "ivf.yaml", "--model", backbone, "--docs", "docs.tsv", "--index-config.num_centroids", 2
    )
    assert told.code == 0, told.err
    parameters = json.loads(Path("idx/index.json").read_text())["parameters"]
    assert (parameters["num_centroids"], parameters["truncate_dim"]) == (2, 16)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [*IVF, "--index-config.num_centroid", 2],
            "--index-config: FaissIVFIndexConfig has no argument 'num_centroid'. Did you mean 'num_centroids'?",
        ),
        (
            [*IVF, "--index-config.num_centroids", "many"],
            "--index-config: num_centroids is 'many'; it must be a whole number or null.",
        ),
        ([*IVF, "--index-config.num_centroids"], "The option '--index-config.num_centroids' has no value."),
        (
            [*IVF, "--index-config.num_centroids", 2, "--index-config.num_centroids=3"],
            "--index-config.num_centroids is given twice, and it has one value.",
        ),
        (
            [*IVF[2:], "--index-config.num_centroids", 2],
            "--index-config needs --type: which options there are depends on the kind of index.",
        ),
    ],
)
def test_a_mistake_in_an_option_of_a_kind_is_one_sentence(lir: Lir, words: list[Any], message: str) -> None:
    told = lir("index", "--model", "./nowhere", *words)
    assert (told.code, told.err.splitlines()[0]) == (2, f"Error: {message}")


@pytest.mark.parametrize("kind", config_names())
def test_what_a_kind_can_be_told_is_listed_with_defaults_and_meanings(lir: Lir, kind: str) -> None:
    told = lir("index", "--help-type", kind)
    rows = [line.split("\t") for line in told.out.splitlines()[1:]]
    listed = {row[0].removeprefix("--index-config."): row[2] for row in rows if row[0].startswith("--index-config.")}
    assert set(listed) == {field.name for field in dataclasses.fields(config_class(kind))}  # type: ignore[arg-type]
    assert all(len(row) == 4 and all(row) for row in rows), rows


@pytest.mark.parametrize(
    "words",
    [
        ["red", "--search-config.n_probe", "many"],
        ["--search-config.n_probe=many", "red"],
        ["--queries", "queries.tsv", "--run", "run.trec", "--search-config.n_probe", "many"],
    ],
)
def test_how_an_index_is_searched_is_an_option(lir: Lir, collection: Path, backbone: Path, words: list[str]) -> None:
    assert lir("index", "--model", backbone, *IVF, "--index-config.num_centroids", 2).code == 0
    told = lir("search", "--index", "idx", *words)
    assert (told.code, told.err) == (
        2,
        "Error: --search-config: n_probe is 'many'; it must be a whole number or null.\n",
    )
    found = lir("search", "--index", "idx", *(word.replace("many", "2") for word in words), "--search-config.k", 3)
    assert found.code == 0, found.err
    if "--queries" not in words:
        assert len(found.out.splitlines()) == 4


def test_a_mistake_in_how_an_index_is_searched_names_the_nearest(lir: Lir, collection: Path) -> None:
    assert lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "idx").code == 0
    told = lir("search", "--index", "idx", "red", "--search-config.num_thread", 1)
    assert "--search-config: Bm25SearchConfig has no argument 'num_thread'. Did you mean 'num_threads'?" in told.err
