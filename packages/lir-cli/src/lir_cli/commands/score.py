"""``lir score``."""

import sys

import click

from lir_cli import options


@click.command("score")
@options.model
@click.argument("query")
@click.argument("docs", nargs=-1, metavar="[DOC]...")
def command(model: str | None, query: str, docs: tuple[str, ...]) -> None:
    """Score documents for a query; without documents they are read from standard input, one a line.

    \b
    Example:
      lir score --model sentence-transformers/all-MiniLM-L6-v2 "capital of Germany" "Berlin" "Paris"
    """
    from lir_cli.errors import SettingsError
    from lir_cli.output import print_table

    if model is None:
        raise SettingsError("--model is missing.")
    texts = list(docs) or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    if not texts:
        raise SettingsError("There is no document to score.")

    from lir_models import load_model

    scores = load_model(model).score(query, texts).scores.tolist()
    print_table(("score", "document"), list(zip(scores, texts, strict=True)))
