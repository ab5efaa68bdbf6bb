"""``lir index``."""

from typing import Any

import click

from lir_cli import options
from lir_cli.command import Command
from lir_cli.index_type import KINDS, IndexType, help_type


@click.command("index", cls=Command, context_settings=options.CONFIGURABLE)
@options.config
@options.model
@options.docs
@click.option("--index", "index_dir", metavar="FOLDER", help="Where the index is built.")
@click.option(
    "--type",
    "kind",
    type=IndexType(),
    metavar="KIND",
    help=f"What kind of index: {', '.join(KINDS)}. bm25 needs no model. [default: an exact one of what the model makes, "
    "faiss-flat where that is one vector a text]",
)
@help_type
@options.windows
@click.option("--keep-parts", is_flag=True, help="Keep the embeddings, for an index of another type.")
@options.overwrite
@options.work
@click.pass_context
def command(
    ctx: click.Context,
    configs: tuple[str, ...],
    model: str | None,
    docs: str | None,
    index_dir: str | None,
    kind: str | None,
    passage_length: int | None,
    passage_stride: int | None,
    keep_parts: bool,
    overwrite: bool,
    batch_size: int | None,
    num_workers: int | None,
) -> None:
    """Embed a collection and build an index of it.

    An interrupted command goes on where it was when it is repeated. What a kind of index can be told is an option too,
    --index-config.NAME VALUE; --help-type KIND lists them.

    \b
    Examples:
      lir index --model sentence-transformers/all-MiniLM-L6-v2 --docs vaswani --index idx
      lir index --type bm25 --docs vaswani --index bm25
      lir index --model M --docs vaswani --index idx --type faiss-ivf --index-config.num_centroids 1024
      lir index --model M --docs long.jsonl --passage-length 150 --passage-stride 75 --index idx
    """
    from lir_cli.config_options import put, take
    from lir_cli.errors import SettingsError
    from lir_cli.flags import callback, callback_arguments, data, finish, model_settings, start, windows
    from lir_cli.output import say
    from lir_cli.settings import merge
    from lir_cli.signals import say_on_stop
    from lir_cli.without_model import kind_of_texts, without_model

    say_on_stop("What is encoded is kept; the same command goes on from there.")
    index_options = take(ctx, "index-config")
    settings = start(ctx, configs)
    settings = merge(settings, model_settings(model, "BiEncoderModule"))
    cut = windows(passage_length, passage_stride)
    if docs is None and cut:
        raise SettingsError(f"--{next(iter(cut)).replace('_', '-')} is of documents that are named by --docs.")
    dataset = None if docs is None else {"class_path": "DocDataset", "init_args": {"doc_dataset": docs, **cut}}
    settings = merge(settings, data(dataset, batch_size, num_workers))
    arguments: dict[str, Any] = {} if index_dir is None else {"index_dir": index_dir}
    if kind is not None:
        from lir_index.kinds import config_class

        arguments["index_config"] = {"class_path": config_class(kind).__name__}
    arguments |= {name: True for name, value in (("keep_parts", keep_parts), ("overwrite", overwrite)) if value}
    settings = callback(settings, "IndexCallback", arguments, needs={"index_dir": "--index"})
    arguments = callback_arguments(settings, "IndexCallback")
    index_config = arguments.get("index_config") or {}
    if index_options:
        arguments["index_config"] = put(index_options, "index-config", index_config, _class_of(index_config))
    kind = kind_of_texts(index_config, "IndexCallback.index_config")
    if kind is not None:
        settings = without_model(settings, f"An index of the kind {kind} is built from")
    pipeline = finish(ctx, settings, "index", "--docs")
    pipeline.run()
    say(f"The index is in {pipeline.callback().index_dir}")


def _class_of(index_config: dict[str, Any]) -> type:
    """Return the class of an index's config, on which its options depend."""
    from lir_cli.classes import find_class
    from lir_cli.errors import SettingsError
    from lir_index import IndexConfig

    if "class_path" not in index_config:
        raise SettingsError("--index-config needs --type: which options there are depends on the kind of index.")
    return find_class(index_config["class_path"], "--index-config", (IndexConfig,))
