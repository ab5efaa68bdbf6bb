"""``lir rerank``."""

from typing import Any

import click

from lir_cli import options
from lir_cli.command import Command


@click.command("rerank", cls=Command, context_settings=options.CONFIGURABLE)
@options.config
@options.model
@click.option("--run", "run_path", metavar="RUN", help="A TREC run, or an id of ir_datasets that comes with one.")
@options.queries
@options.docs
@click.option(
    "--depth", type=click.IntRange(1), metavar="N", help="Documents of each ranking that are scored. [default: all]"
)
@options.windows
@options.passages
@click.option("--output", metavar="FILE", help="Where the new run is written: TREC, or .jsonl or .parquet by its name.")
@click.option("--late-interaction", is_flag=True, help="Let a bi-encoder score by MaxSim over its token embeddings.")
@options.evaluation
@options.ignore_identical_ids
@options.overwrite
@options.work
@click.pass_context
def command(
    ctx: click.Context,
    configs: tuple[str, ...],
    model: str | None,
    run_path: str | None,
    queries: str | None,
    docs: str | None,
    depth: int | None,
    passage_length: int | None,
    passage_stride: int | None,
    passages: str | None,
    output: str | None,
    late_interaction: bool,
    qrels: str | None,
    measures: tuple[str, ...],
    ignore_identical_ids: bool,
    overwrite: bool,
    batch_size: int | None,
    num_workers: int | None,
) -> None:
    """Re-rank the documents of a run.

    A re-ranking that was interrupted goes on where it was when the command is repeated.

    \b
    Examples:
      lir rerank --model cross-encoder/ms-marco-MiniLM-L6-v2 --run run.trec \\
          --queries vaswani --docs vaswani --output reranked.trec -m nDCG@10
      lir rerank --model M --run run.trec --queries q.tsv --docs long.jsonl \\
          --passage-length 150 --passages max --output reranked.trec
    """
    from lir_cli.errors import SettingsError
    from lir_cli.flags import (
        callback,
        check_outcome,
        data,
        finish,
        model_settings,
        refuse_unused,
        start,
        usual_measures,
        windows,
    )
    from lir_cli.output import print_table, say
    from lir_cli.settings import merge
    from lir_cli.signals import say_on_stop

    settings = start(ctx, configs)
    module = "BiEncoderModule"
    if model is not None:
        from lir_models import detect

        module = "CrossEncoderModule" if detect(model) == "cross-encoder" else "BiEncoderModule"
    settings = merge(settings, model_settings(model, module, usual_measures(settings, qrels, measures)))
    if late_interaction:
        if model is None or module != "BiEncoderModule":
            raise SettingsError("--late-interaction needs a bi-encoder, named by --model.")
        settings["model"]["init_args"]["config"] = late_interaction_config(model)
    dataset: dict[str, Any] | None = None
    cut = windows(passage_length, passage_stride)
    named = {"docs": docs, "queries": queries, "qrels": qrels, "depth": depth, **cut}
    named |= {"ignore_identical_ids": True} if ignore_identical_ids else {}
    if run_path is None:
        refuse_unused({f"--{name.replace('_', '-')}": value for name, value in named.items()}, "needs --run")
    else:
        arguments = {name: value for name, value in named.items() if value is not None}
        dataset = {"class_path": "RunDataset", "init_args": {"run_path_or_id": run_path, **arguments}}
    settings = merge(settings, data(dataset, batch_size, num_workers))
    named = {"run_path": output, "passages": passages}
    arguments = {name: value for name, value in named.items() if value is not None}
    settings = callback(settings, "ReRankCallback", arguments | ({"overwrite": True} if overwrite else {}), needs={})
    pipeline = finish(ctx, settings, "re_rank", "--run")
    check_outcome(pipeline, measures, "--output")
    if pipeline.callback().run_path is not None:
        say_on_stop("What is finished is kept; the same command goes on from there.")
    metrics, _ = pipeline.run()
    if metrics:
        print_table(("measure", "value"), list(metrics.items()))
    if output is not None:
        say(f"The run is in {output}")


def late_interaction_config(model: str) -> dict[str, Any]:
    """Return a bi-encoder's own rule with one embedding a token in place of one a text, as settings."""
    from lir_models import BiEncoderConfig, read_config

    found = read_config(model)
    own = found if isinstance(found, BiEncoderConfig) else BiEncoderConfig()
    values = own.replace(query_pooling_strategy=None, doc_pooling_strategy=None).to_json()
    return {"class_path": values.pop("family"), "init_args": values}
