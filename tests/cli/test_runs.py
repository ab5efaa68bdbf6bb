"""Runs that commands write: in the format of the name, by the callback of the stage, and refused before any work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lir_data import evaluate, read_run, write_run
from lir_index import Index
from lir_models import BiEncoderModel, CrossEncoderModel

Lir = Callable[..., Any]
TEXTS = ("--queries", "queries.tsv", "--qrels", "qrels.txt")
NAMES = ["run.trec", "run.trec.gz", "run.trec.zst", "run.jsonl", "run.jsonl.gz", "run.jsonl.zst", "run.parquet", "run"]


@pytest.fixture
def bm25(lir: Lir, collection: Path) -> Path:
    """An index of the collection that needs no model, in the working folder."""
    assert lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "bm25").code == 0
    return collection


@pytest.mark.usefixtures("bm25")
def test_every_run_is_written_as_its_name_says(lir: Lir, backbone: Path) -> None:
    Path("one.trec").write_text("q0 Q0 d0 1 2 x\nq0 Q0 d1 2 1 x\n")
    commands: dict[str, tuple[tuple[object, ...], str]] = {
        "search": (("search", "--index", "bm25", "--queries", "queries.tsv"), "--run"),
        "rerank": (
            ("rerank", "--model", backbone, "--run", "one.trec", "--queries", "queries.tsv", "--docs", "docs.tsv"),
            "--output",
        ),
        "fuse": (("fuse", "one.trec", "first.trec"), "--output"),
    }
    for command, (words, flag) in commands.items():
        written: list[object] = []
        for name in NAMES if command == "fuse" else ["run.trec", "run.jsonl", "run.parquet", "run.trec.zst"]:
            output = Path(command) / name
            done = lir(*words, flag, output)
            assert done.code == 0, done.err
            measured = lir("evaluate", output, "--qrels", "qrels.txt", "-m", "RR")
            assert measured.code == 0, measured.err
            # The digits of a float32 in text, the number itself in parquet.
            run = {
                query: {doc: np.float32(score) for doc, score in docs.items()}
                for query, docs in read_run(output).items()
            }
            written.append((measured.out.splitlines()[1].split("\t")[1], run))
            content = output.read_bytes()
            assert content.startswith(b"PAR1") == name.endswith("parquet")
            assert content.startswith(b'{"query_id"') == name.endswith("jsonl")
        assert written == [written[0]] * len(written)


@pytest.mark.usefixtures("bm25")
@pytest.mark.parametrize("is_first", [True, False])
def test_each_stage_uses_its_own_callback_in_any_order(lir: Lir, backbone: Path, is_first: bool) -> None:
    rerank = "{class_path: ReRankCallback, init_args: {run_path: reranked.trec}}"
    search = "{class_path: SearchCallback, init_args: {index_dir: bm25, run_path: found.trec}}"
    index = "{class_path: IndexCallback, init_args: {index_dir: other}}"
    order = [rerank, index, search] if is_first else [search, index, rerank]
    Path("c.yaml").write_text(f"trainer: {{callbacks: [{', '.join(order)}]}}\n")
    searched = lir("search", "--config", "c.yaml", *TEXTS, "-m", "RR")
    assert searched.code == 0, searched.err
    expected = evaluate(read_run("found.trec"), "qrels.txt", ["RR"])["RR"]
    assert expected > 0.9
    assert searched.out.splitlines()[1] == f"queries/RR\t{expected:.4f}"
    assert not Path("reranked.trec").exists()
    words = ("--model", backbone, "--run", "found.trec", *TEXTS, "--docs", "docs.tsv", "-m", "RR")
    reranked = lir("rerank", "--config", "c.yaml", *words)
    assert reranked.code == 0, reranked.err
    expected = evaluate(read_run("reranked.trec"), "qrels.txt", ["RR"])["RR"]
    assert reranked.out.splitlines()[1] == f"found/RR\t{expected:.4f}"
    indexed = lir("index", "--config", "c.yaml", "--model", backbone, "--docs", "docs.tsv")
    assert "The index is in other" in indexed.err


@pytest.mark.usefixtures("bm25")
def test_k_is_cut_to_the_documents_that_there_are(lir: Lir) -> None:
    asked = lir("search", "--index", "bm25", "red")
    assert (asked.code, "hint" in asked.err) == (0, False), asked.err
    asked = lir("search", "--index", "bm25", "red", "-k", 50)
    assert asked.code == 0
    hint = "hint: k is 50, and the index in 'bm25' holds 10: each query gets them all.\n"
    assert hint in asked.err
    searched = lir("search", "--index", "bm25", "--queries", "queries.tsv", "-k", 50, "--run", "run.trec")
    assert searched.code == 0, searched.err
    assert hint in searched.err
    assert "hint" not in lir("search", "--index", "bm25", "--queries", "queries.tsv", "--run", "again.trec").err


SPACED = ["my doc", "a\tb", "a\nb", "a\u00a0b"]


@pytest.mark.parametrize("spaced", SPACED)
def test_an_id_with_white_space_is_written_as_a_table_and_refused_as_trec_before_any_query(
    lir: Lir, collection: Path, backbone: Path, spaced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    Path("spaced.jsonl").write_text("".join(json.dumps({"id": i, "text": "red"}) + "\n" for i in ("d1", spaced)))
    Path("q.tsv").write_text("q0\tred\n")
    Path("asked.jsonl").write_text(json.dumps({"id": spaced, "text": "red"}) + "\n")
    assert lir("index", "--type", "bm25", "--docs", "spaced.jsonl", "--index", "bm").code == 0
    assert lir("search", "--index", "bm", "--queries", "q.tsv", "--run", "run.jsonl").code == 0
    assert read_run("run.jsonl")["q0"].keys() == {"d1", spaced}
    write_run("asked-run.jsonl", {spaced: {"d1": 1.0}})
    texts = ("--queries", "q.tsv", "--docs", "spaced.jsonl")
    rerank = ("rerank", "--model", backbone, "--run", "run.jsonl", *texts)
    assert lir(*rerank, "--output", "o.jsonl").code == 0
    monkeypatch.setattr(Index, "search", None)  # whatever searches, fails
    monkeypatch.setattr(BiEncoderModel, "from_pretrained", None)
    for words in (
        ("search", "--index", "bm", "--queries", "q.tsv", "--run", "o.trec"),
        ("search", "--index", "bm", "--queries", "asked.jsonl", "--run", "o.trec.gz"),
        (*rerank, "--output", "o.trec"),
        ("rerank", "--model", backbone, "--run", "asked-run.jsonl", "--queries", "asked.jsonl", *texts[2:], "--output", "o"),
    ):  # fmt: skip
        refused = lir(*words)
        assert refused.code == 1
        assert f"Error: {spaced!r} cannot stand in a TREC file" in refused.err
        assert "hint: a file whose name ends in .jsonl or .parquet holds any id" in refused.err


@pytest.mark.usefixtures("bm25")
def test_a_run_that_cannot_be_written_is_refused_before_any_work(
    lir: Lir, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Index, "search", None)
    monkeypatch.setattr(BiEncoderModel, "from_pretrained", None)
    Path("a-file").write_text("")
    Path("a-folder").mkdir()
    rerank = ("rerank", "--model", backbone, "--run", "first.trec", "--queries", "queries.tsv", "--docs", "docs.tsv")
    for words in (
        ("search", "--index", "bm25", "--queries", "queries.tsv", "--run"),
        (*rerank, "--output"),
        ("fuse", "first.trec", "first.trec", "--output"),
    ):
        refused = lir(*words, "a-file/run.trec")
        assert (refused.code, "'a-file/run.trec' cannot be written: " in refused.err) == (1, True), refused.err
        refused = lir(*words, "run.parquet.gz")
        assert (refused.code, "'run.parquet.gz' would be packed twice" in refused.err) == (1, True), refused.err


SEARCH = ("search", "--index", "bm25")
ASKED = (*SEARCH, "--queries", "queries.tsv")
RERANK = ("rerank", "--model", "BACKBONE", "--run", "first.trec", "--queries", "queries.tsv", "--docs", "docs.tsv")
UNUSED: dict[str, tuple[tuple[object, ...], str]] = {
    "a run beside a query": ((*SEARCH, "red", "--run", "r.trec"), "--run needs --queries: a query at the terminal"),
    "a measure beside a query": ((*SEARCH, "red", "-m", "RR"), "-m needs --queries"),
    "judgements beside a query": ((*SEARCH, "red", "--qrels", "qrels.txt"), "--qrels needs --queries"),
    "a batch beside a query": ((*SEARCH, "red", "--batch-size", 3), "--batch-size needs --queries"),
    "identical ids beside a query": (
        (*SEARCH, "red", "--ignore-identical-ids"),
        "--ignore-identical-ids needs --queries",
    ),
    "a measure without judgements": ((*ASKED, "-m", "RR", "--run", "r.trec"), "-m RR needs judgements: --qrels says"),
    "documents of many queries": (
        (*ASKED, "--docs", "docs.tsv", "--run", "r"),
        "--docs is where the texts of hits are",
    ),
    "no outcome": (ASKED, "--run is missing, and so are -m and --qrels: the rankings would be lost."),
    "a re-ranking's measure without judgements": ((*RERANK, "-m", "RR"), "-m RR needs judgements: --qrels says"),
    "no outcome of a re-ranking": (RERANK, "--output is missing, and so are -m and --qrels"),
    "documents of no run": (("rerank", "--model", "BACKBONE", "--docs", "docs.tsv"), "--docs needs --run."),
    "judgements of no run": (("rerank", "--model", "BACKBONE", "--qrels", "qrels.txt"), "--qrels needs --run."),
    "tuples that are not there": (
        ("score", "--model", "BACKBONE", "red", "red", "--overwrite"),
        "--overwrite needs --tuples.",
    ),
    "hits of no question": (("demo", "-k", 3), "-k needs --ask"),
}


@pytest.mark.usefixtures("bm25")
def test_a_flag_that_would_be_ignored_is_refused(lir: Lir, backbone: Path) -> None:
    for words, message in UNUSED.values():
        refused = lir(*(backbone if word == "BACKBONE" else word for word in words))
        assert message in refused.err
        assert (refused.code, refused.out) == (2, "")


@pytest.mark.usefixtures("bm25")
def test_judgements_alone_measure_as_evaluate_does(lir: Lir) -> None:
    searched = lir("search", "--index", "bm25", *TEXTS, "--run", "run.trec")
    measured = lir("evaluate", "run.trec", "--qrels", "qrels.txt")
    assert searched.out.split()[-2:] == ["queries/nDCG@10", measured.out.split()[-1]]


@pytest.mark.usefixtures("collection")
def test_queries_that_are_documents_can_be_left_out_of_their_hits(lir: Lir, backbone: Path) -> None:
    assert lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "bm25").code == 0
    words = "".join(f"d{place}\tred one {word}\n" for place, word in enumerate(["one", "red", "five", "red"]))
    Path("docs.tsv").write_text(words)
    Path("qrels.txt").write_text("d0 0 d2 1\nd1 0 d3 1\nd3 0 d1 1\nd2 0 d0 1\n")
    assert lir("index", "--type", "bm25", "--docs", "docs.tsv", "--index", "own").code == 0
    texts = ("--queries", "docs.tsv", "--qrels", "qrels.txt")
    search = ("search", "--index", "own", *texts, "-k", 2, "--run")
    assert "which is not judged" in lir(*search, "with.trec").err
    found = lir(*search, "without.trec", "--ignore-identical-ids")
    assert found.code == 0, found.err
    assert "which is not judged" not in found.err
    without = read_run("without.trec")
    assert all(len(docs) == 2 and query_id not in docs for query_id, docs in without.items())
    lir("search", "--index", "own", "--queries", "docs.tsv", "-k", 3, "--run", "three.trec")
    expected = {query: {doc for doc in docs if doc != query} for query, docs in read_run("three.trec").items()}
    assert {query: set(docs) for query, docs in without.items()} == expected
    for command in (("evaluate",), ("evaluate", "--per-query")):
        measured = lir(*command, "three.trec", "--qrels", "qrels.txt", "-m", "RR", "--ignore-identical-ids")
        assert (
            measured.out.splitlines()[1].split("\t")[1:]
            == (lir(*command, "without.trec", "--qrels", "qrels.txt", "-m", "RR").out.splitlines()[1].split("\t")[1:])
        )
    rerank = ("rerank", "--model", backbone, "--run", "three.trec", "--queries", "docs.tsv", "--docs", "docs.tsv")
    reranked = lir(*rerank, "--depth", 2, "--output", "re.trec", "--ignore-identical-ids")
    assert reranked.code == 0, reranked.err
    assert {query: set(docs) for query, docs in read_run("re.trec").items()} == expected


@pytest.mark.usefixtures("collection")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_that_gives_no_finite_numbers_is_named_and_nothing_is_written(
    lir: Lir, backbone: Path, classifier: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    assert lir("index", "--model", backbone, "--docs", "docs.tsv", "--index", "idx").code == 0
    score, encode = CrossEncoderModel.score, BiEncoderModel.encode_tokenized

    def broken_score(self: Any, *arguments: Any, **options: Any) -> Any:
        output = score(self, *arguments, **options)
        output.scores[-1] = value
        return output

    def broken_encode(self: Any, *arguments: Any, **options: Any) -> Any:
        embeddings = encode(self, *arguments, **options)
        embeddings[-1, 3] = value
        return embeddings

    monkeypatch.setattr(CrossEncoderModel, "score", broken_score)
    monkeypatch.setattr(BiEncoderModel, "encode_tokenized", broken_encode)
    reranked = lir(
        "rerank", "--model", classifier, "--run", "first.trec", *TEXTS, "--docs", "docs.tsv", "-m", "nDCG@10",
        "--output", "out.trec",
    )  # fmt: skip
    assert f"classifier' gives the query 'q9' and the document 'd0' the score {value}" in reranked.err
    scored = lir("score", "--model", classifier, "red", "one", "two")
    assert f"classifier' gives the query 'red' and the document 'two' the score {value}" in scored.err
    taught = lir("score", "--model", classifier, "--tuples", "triples.tsv", "--output", "out.jsonl")
    assert f"classifier' gives the query 'five' and the document 'four' the score {value}" in taught.err
    searched = lir("search", "--index", "idx", *TEXTS, "--run", "out.trec")
    assert f"The embedding of the query 'q9' holds the value {value}, by the model '" in searched.err
    asked = lir("search", "--index", "idx", "red")
    assert f"backbone' gives the query 'red' an embedding that holds the value {value}." in asked.err
    for result in (reranked, scored, taught, searched, asked):
        assert (result.code, result.out) == (1, "")
        assert "hint: " in result.err
    assert not list(Path().glob("out.*"))
