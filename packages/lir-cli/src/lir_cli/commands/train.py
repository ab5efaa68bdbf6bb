"""``lir train``."""

from pathlib import Path

import click

from lir_cli import options


@click.command("train", context_settings=options.CONFIGURABLE)
@options.config
@options.model
@click.option("--output", metavar="FOLDER", help="Where the trained model is saved.")
@options.overwrite
@click.pass_context
def command(
    ctx: click.Context, configs: tuple[str, ...], model: str | None, output: str | None, overwrite: bool
) -> None:
    """Fine-tune a bi-encoder or a cross-encoder.

    What to train, on what and how stands in the YAML; any key can be overridden.

    \b
    Example:
      lir train --config configs/nfcorpus-train.yaml --output my-model --trainer.max_steps 100
    """
    from lir_cli.errors import SettingsError
    from lir_cli.flags import start
    from lir_cli.output import say
    from lir_cli.settings import apply_overrides, merge

    if not configs:
        raise SettingsError("There is nothing to train by: name a configuration by --config.")
    settings = start(ctx, configs)
    if model is not None:
        settings = merge(settings, {"model": {"init_args": {"model_name_or_path": model}}})
    settings = apply_overrides(settings, ctx.args)
    if output is not None and Path(output).exists() and not overwrite:
        raise SettingsError(f"'{output}' exists already.", hint="--overwrite replaces it")

    from lir_cli.pipeline import Pipeline

    pipeline = Pipeline(settings, "fit")
    if output is None and not pipeline.trainer.checkpoint_callbacks:
        raise SettingsError("--output is missing, and without it the trained model would be lost.")
    _, module = pipeline.run()
    if output is not None:
        module.save_pretrained(output, overwrite=overwrite)
        say(f"The model is in {output}")
