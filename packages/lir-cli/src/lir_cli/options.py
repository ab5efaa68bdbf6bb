"""Options that several commands share."""

from collections.abc import Callable
from typing import Any

import click

from lir_cli.classes import allow_imports
from lir_cli.recipe import print_recipe

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

#: Of commands that take a configuration: what is no flag of theirs may be a dotted override.
CONFIGURABLE = {"ignore_unknown_options": True, "allow_extra_args": True}


def together(*options: Decorator) -> Decorator:
    """Make one decorator of several options, shown in this order."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


config = together(
    click.option(
        "--config",
        "configs",
        multiple=True,
        metavar="FILE",
        help="YAML with the keys trainer, model, data, datasets, or recipe:NAME; several are merged in order. A flag wins over "
        "a file, and any key can be overridden: --trainer.max_steps 100.",
    ),
    click.option(
        "--print-config",
        is_flag=False,
        flag_value="",
        metavar="[NAME]",
        is_eager=True,
        expose_value=False,
        callback=print_recipe,
        help="Print a configuration to begin with, or the recipe of that name.",
    ),
    click.option(
        "--allow-imports",
        multiple=True,
        metavar="PACKAGE",
        expose_value=False,
        callback=allow_imports,
        help="Let a configuration name classes of another package than lir, lightning, torch, transformers and peft; its "
        "code is run when it is imported.",
    ),
)
model = click.option("--model", metavar="MODEL", help="A folder, an id of the Hugging Face hub, or package:NAME.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace what is there.")


def _as_one(_: click.Context, __: click.Parameter, names: tuple[str, ...]) -> str | None:
    """Return one name of all that are given: they are one collection."""
    if len(names) < 2:
        return names[0] if names else None
    from lir_data.sources.names import several

    return several(names)


def source(flag: str, text: str, *, required: bool = False) -> Decorator:
    """Make an option that names a source, of which several files are one collection.

    Args:
        flag: The option.
        text: Its help.
        required: Whether it has to be given.
    """
    return click.option(flag, multiple=True, required=required, callback=_as_one, metavar="SOURCE", help=text)


docs = source(
    "--docs",
    "Documents: an id of ir_datasets, a file (jsonl, tsv, csv, parquet; .gz, .zst, .bz2, .xz), a BEIR folder, or hf:NAME. "
    "Several files, a folder of files or a pattern ('part-*.jsonl') are one collection; docs.jsonl?id=docno&text=body "
    "names fields.",
)
queries = source(
    "--queries",
    "Queries: an id of ir_datasets, a file (tsv, jsonl, csv, parquet, topics of TREC), a BEIR folder, or hf:NAME; several as "
    "with --docs.",
)
required_qrels, qrels = (
    source(
        "--qrels",
        "Judgements: an id of ir_datasets, a file (TREC, tsv of BEIR, jsonl, csv, parquet), a BEIR folder, or hf:NAME; several "
        "as with --docs.",
        required=required,
    )
    for required in (True, False)
)
evaluation = together(
    qrels,
    click.option("-m", "--measure", "measures", multiple=True, metavar="MEASURE", help="For instance nDCG@10."),
)
ignore_identical_ids = click.option(
    "--ignore-identical-ids",
    is_flag=True,
    help="Leave out the document that has the query's own id, where queries are documents (ArguAna, Quora).",
)
work = together(
    click.option(
        "--batch-size", type=click.IntRange(1), metavar="N", help="Texts read and tokenized at a time. [default: 1024]"
    ),
    click.option(
        "--num-workers", type=click.IntRange(0), metavar="N", help="Processes that read and tokenize. [default: 0]"
    ),
)
windows = together(
    click.option(
        "--passage-length",
        type=click.IntRange(1),
        metavar="N",
        help="Cut documents into passages of N words, with the ids D#0, D#1, ... [default: whole documents]",
    ),
    click.option(
        "--passage-stride",
        type=click.IntRange(1),
        metavar="N",
        help="Words from the start of a passage to that of the next. [default: half of --passage-length]",
    ),
)
passages = click.option(
    "--passages",
    type=click.Choice(["max", "first", "mean", "sum", "none"]),
    help="How passages' scores become their documents'; none for a run of passages. [default: max where documents were "
    "cut by --passage-length, otherwise none]",
)
