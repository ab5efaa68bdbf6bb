"""``lir score``."""

import sys

import click

from lir_cli import options
from lir_cli.command import Command


@click.command("score", cls=Command)
@options.model
@click.option("--tuples", metavar="SOURCE", help="Training tuples, whose documents are scored instead.")
@options.queries
@options.docs
@click.option("--output", metavar="FILE", help="With --tuples: where the same tuples with scores are written (jsonl).")
@options.overwrite
@click.argument("query", required=False)
@click.argument("documents", nargs=-1, metavar="[DOC]...")
def command(
    model: str | None,
    tuples: str | None,
    queries: str | None,
    docs: str | None,
    output: str | None,
    overwrite: bool,
    query: str | None,
    documents: tuple[str, ...],
) -> None:
    """Score documents for a query; without documents they are read from standard input, one a line.

    With --tuples the model is a teacher: the tuples are written with its scores, to be learnt from by another.
    --queries and --docs say what their ids name, if they hold ids.

    \b
    Examples:
      lir score --model sentence-transformers/all-MiniLM-L6-v2 "capital of Germany" "Berlin" "Paris"
      lir score --model cross-encoder/ms-marco-MiniLM-L6-v2 --tuples mined.jsonl \\
          --queries vaswani --docs vaswani --output scored.jsonl
    """
    from lir_cli.errors import SettingsError
    from lir_cli.flags import refuse_unused

    if model is None:
        raise SettingsError("--model is missing.")
    if tuples is not None:
        if query is not None:
            raise SettingsError(f"The query '{query}' and --tuples exclude each other.")
        _teach(model, tuples, queries, docs, output, overwrite=overwrite)
        return
    beside = {"--queries": queries, "--docs": docs, "--output": output, "--overwrite": overwrite}
    refuse_unused(beside, "needs --tuples")
    if query is None:
        raise SettingsError("There is no query to score documents for, and no --tuples.")
    from lir_cli.output import print_table, say

    if not documents and sys.stdin.isatty():
        say("Documents, a line each; end with Ctrl-D:")
    texts = list(documents) or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    if not texts:
        raise SettingsError("There is no document to score.")

    from lir_cli.finite import check_scores
    from lir_models import load_model

    scores = load_model(model).score(query, texts).scores.tolist()
    check_scores(model, query, texts, scores)
    print_table(("score", "document"), list(zip(scores, texts, strict=True)))


def _teach(
    model: str, tuples: str, queries: str | None, docs: str | None, output: str | None, *, overwrite: bool
) -> None:
    from lir_cli.errors import SettingsError
    from lir_cli.output import check_new, say
    from lir_cli.teacher import teach
    from lir_data import TrainingTuple, TupleDataset, write_tuples
    from lir_data.sources.names import is_file_name
    from lir_data.tuple_writing import check_tuples_output
    from lir_models import detect

    if output is None:
        raise SettingsError("--output is missing, and without it the scores would be lost.")
    check_new(output, overwrite=overwrite)
    check_tuples_output(output, overwrite=overwrite)
    dataset = TupleDataset(tuples, docs=docs, queries=queries)
    detect(model)
    # Of texts a dataset says that they are their own ids.
    taught = (
        TrainingTuple(sample.query_id, sample.doc_ids, tuple(scores))
        for sample, scores in teach(model, dataset, lambda sample: (sample.query, sample.docs))
    )
    write_tuples(output, taught, by_id=docs is not None or not is_file_name(tuples), overwrite=overwrite)
    say(f"The tuples are in {output}")
