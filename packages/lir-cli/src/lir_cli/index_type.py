"""The options ``--type`` and ``--help-type``, whose values are those of lir_index, which is imported when one is given."""

import click
from click.shell_completion import CompletionItem

# What the help lists. To ask lir_index takes the help four times as long; a test compares the two.
KINDS = (
    "faiss-flat",
    "faiss-ivf",
    "faiss-pq",
    "faiss-ivfpq",
    "faiss-hnsw",
    "faiss-sq",
    "faiss-factory",
    "multi-vector",
    "coil",
    "plaid",
    "sparse",
    "sparse-two-step",
    "seismic",
    "bm25",
    "torch-dense",
    "faiss-auto",
    "dense",
)


class IndexType(click.ParamType[str]):
    """A name that `lir_index.kinds.config_class` knows."""

    name = "kind"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is no kind, with the nearest named."""
        from lir_cli.errors import did_you_mean

        known = _names()
        if value not in known:
            nearest = did_you_mean(value, known) or f" There are {', '.join(known)}."
            self.fail(f"There is no index kind '{value}'.{nearest}", param, ctx)
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the names."""
        del ctx, param
        return [CompletionItem(name) for name in _names() if name.startswith(incomplete)]


def _print_parameters(ctx: click.Context, _: click.Parameter, kind: str | None) -> None:
    if kind is not None and not ctx.resilient_parsing:
        from lir_cli.config_options import print_parameters

        print_parameters(kind)
        ctx.exit()


help_type = click.option(
    "--help-type",
    type=IndexType(),
    metavar="KIND",
    is_eager=True,
    expose_value=False,
    callback=_print_parameters,
    help="List what a kind of index can be told, when it is built and when it is searched.",
)


def _names() -> list[str]:
    from lir_index.kinds import config_names

    return config_names()
