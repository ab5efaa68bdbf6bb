"""``lir train``."""

from pathlib import Path

import click

from lir_cli import options
from lir_cli.command import Command


@click.command("train", cls=Command, context_settings=options.CONFIGURABLE)
@options.config
@options.model
@click.option(
    "--output",
    metavar="FOLDER",
    help="Where the trained model is saved; its checkpoints are kept in FOLDER-checkpoints.",
)
@click.option(
    "--train-data",
    metavar="SOURCE",
    help="Tuples to learn from, without a configuration: a file (triples.tsv, mined.jsonl), or an id of ir_datasets.",
)
@options.queries
@options.docs
@click.option(
    "--loss",
    "losses",
    multiple=True,
    metavar="LOSS",
    help="For instance RankNet; several are added. [default: InBatchCrossEntropy, of a cross-encoder InfoNCE]",
)
@click.option("--batch-size", type=click.IntRange(1), metavar="N", help="Queries of a training batch. [default: 8]")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of a training that was interrupted.")
@options.overwrite
@click.pass_context
def command(
    ctx: click.Context,
    configs: tuple[str, ...],
    model: str | None,
    output: str | None,
    train_data: str | None,
    queries: str | None,
    docs: str | None,
    losses: tuple[str, ...],
    batch_size: int | None,
    resume: bool,
    overwrite: bool,
) -> None:
    """Fine-tune a bi-encoder or a cross-encoder.

    What to train, on what and how stands in the YAML; any key can be overridden. --print-config prints one to begin with.
    Flags alone will do, too: one epoch, with AdamW at 2e-5.

    The best model by the first measure is saved, if there is a run or a search to validate with, otherwise the last; beside it
    train.yaml, the whole configuration, which trains it anew.

    \b
    Examples:
      lir train --print-config > first.yaml
      lir train --config recipe:nfcorpus-train --output my-model --trainer.max_steps 100
      lir train --config recipe:nfcorpus-train --output my-model --resume
      lir train --model bert-base-uncased --train-data mined.jsonl --queries q.tsv --docs d.jsonl --output my-model
    """
    from lir_cli.errors import SettingsError
    from lir_cli.flags import start, training_settings, with_an_end
    from lir_cli.settings import apply_overrides, merge

    if not configs and train_data is None:
        raise SettingsError(
            "There is nothing to train by: name a configuration by --config, or tuples by --train-data.",
            hint="lir train --print-config prints a configuration to begin with",
        )
    settings = start(ctx, configs)
    if model is not None:
        settings = merge(settings, {"model": {"init_args": {"model_name_or_path": model}}})
    settings = merge(settings, training_settings(settings, train_data, queries, docs, losses, batch_size))
    settings = apply_overrides(settings, ctx.args)
    if train_data is not None:
        settings = with_an_end(settings)
    # A training without a seed could not be repeated; null stands for one that shall not be.
    settings = {"seed_everything": 0, **settings}
    if output is not None and Path(output).exists() and not overwrite:
        raise SettingsError(f"'{output}' exists already.", hint="--overwrite replaces it")
    if output is not None:
        from lir_data.writing import check_place

        check_place(output)

    from lir_cli.training import train

    train(settings, None if output is None else Path(output), resume=resume, overwrite=overwrite)
