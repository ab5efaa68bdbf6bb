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
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint of a training that was interrupted.")
@options.overwrite
@click.pass_context
def command(
    ctx: click.Context, configs: tuple[str, ...], model: str | None, output: str | None, resume: bool, overwrite: bool
) -> None:
    """Fine-tune a bi-encoder or a cross-encoder.

    What to train, on what and how stands in the YAML; any key can be overridden.

    The best model by the first measure is saved, if there is a run or a search to validate with, otherwise the last; beside it
    train.yaml, the whole configuration, which trains it anew.

    \b
    Examples:
      lir train --config configs/nfcorpus-train.yaml --output my-model --trainer.max_steps 100
      lir train --config configs/nfcorpus-train.yaml --output my-model --resume
    """
    from lir_cli.errors import SettingsError
    from lir_cli.flags import start
    from lir_cli.settings import apply_overrides, merge

    if not configs:
        raise SettingsError("There is nothing to train by: name a configuration by --config.")
    settings = start(ctx, configs)
    if model is not None:
        settings = merge(settings, {"model": {"init_args": {"model_name_or_path": model}}})
    settings = apply_overrides(settings, ctx.args)
    # A training without a seed could not be repeated; null stands for one that shall not be.
    settings = {"seed_everything": 0, **settings}
    if output is not None and Path(output).exists() and not overwrite:
        raise SettingsError(f"'{output}' exists already.", hint="--overwrite replaces it")
    if output is not None:
        from lir_data.writing import check_place

        check_place(output)

    from lir_cli.training import train

    train(settings, None if output is None else Path(output), resume=resume, overwrite=overwrite)
