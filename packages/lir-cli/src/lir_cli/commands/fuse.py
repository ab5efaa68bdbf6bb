"""``lir fuse``."""

from typing import Literal

import click

from lir_cli import options
from lir_cli.command import Command


@click.command("fuse", cls=Command)
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...")
@click.option("--output", required=True, metavar="FILE", help="Where the fused TREC run is written.")
@click.option(
    "--method",
    type=click.Choice(["rrf", "weighted"]),
    default="rrf",
    show_default=True,
    help="rrf: reciprocal rank fusion, by ranks alone; weighted: the weighted sum of the scores.",
)
@click.option(
    "--weights", metavar="W,W,...", help="How much each run counts, in the order of the runs. [default: 1 each]"
)
@click.option(
    "--normalize",
    type=click.Choice(["min-max", "z-score", "none"]),
    help="With --method weighted: how the scores of a run's query are made comparable. [default: min-max]",
)
@click.option(
    "--rrf-k",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help="With --method rrf: how much the lead of the first ranks is weakened. [default: 60]",
)
@click.option("-k", "k", type=click.IntRange(1), metavar="K", help="Documents a query. [default: all]")
@options.overwrite
def command(
    runs: tuple[str, ...],
    output: str,
    method: Literal["rrf", "weighted"],
    weights: str | None,
    normalize: Literal["min-max", "z-score", "none"] | None,
    rrf_k: float | None,
    k: int | None,
    overwrite: bool,
) -> None:
    """Make one run of several, by ranks or by scores: hybrid retrieval.

    \b
    Examples:
      lir fuse bm25.trec dense.trec --output fused.trec -k 1000
      lir fuse bm25.trec dense.trec --output fused.trec --method weighted --weights 1,2
    """
    from lir_cli.errors import SettingsError
    from lir_cli.output import check_new, say

    if len(runs) == 1:
        raise SettingsError(f"There is one run, '{runs[0]}'; two at least are needed to fuse them.")
    if normalize is not None and method == "rrf":
        raise SettingsError("--normalize is of --method weighted; reciprocal rank fusion does not look at scores.")
    if rrf_k is not None and method == "weighted":
        raise SettingsError("--rrf-k is of --method rrf; a weighted sum has none.")
    numbers = None if weights is None else _numbers(weights)
    check_new(output, overwrite=overwrite)

    from lir_data import reciprocal_rank_fusion, weighted_fusion, write_run
    from lir_data.trec import check_run_output

    check_run_output(output, overwrite=overwrite)

    if method == "rrf":
        fused = reciprocal_rank_fusion(runs, k=rrf_k or 60, weights=numbers, depth=k)
    else:
        fused = weighted_fusion(runs, weights=numbers, normalize=normalize or "min-max", depth=k)
    write_run(output, fused, overwrite=overwrite)
    say(f"The run is in {output}")


def _numbers(weights: str) -> list[float]:
    from lir_cli.errors import SettingsError

    try:
        return [float(weight) for weight in weights.split(",")]
    except ValueError:
        raise SettingsError(f"--weights is '{weights}'; it must be numbers and commas, as in 1,0.5.") from None
