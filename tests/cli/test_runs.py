"""Runs that commands write: in the format of the name, by the callback of the stage, and refused before any work."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lir_data import evaluate, read_run, write_run
from lir_index import Index
from lir_models import BiEncoderModel

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
