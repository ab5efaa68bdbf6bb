"""``lir evaluate``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from lir_cli import options
from lir_cli.command import Command

if TYPE_CHECKING:
    from lir_data import Run


@click.command("evaluate", cls=Command)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@options.required_qrels
@click.option(
    "-m", "--measure", "measures", multiple=True, metavar="MEASURE", help="For instance AP(rel=2). [default: nDCG@10]"
)
@click.option("--per-query", is_flag=True, help="One line a query.")
@click.option(
    "--test",
    type=click.Choice(["t-test", "randomization"]),
    help="Test, query by query, whether each run differs from the baseline.",
)
@click.option("--baseline", metavar="RUN", help="With --test: what the others are compared with. [default: the first]")
@click.option(
    "--correction",
    type=click.Choice(["holm", "bonferroni", "none"]),
    help="With --test: for several runs compared by one measure. [default: holm]",
)
@options.ignore_identical_ids
def command(
    runs: tuple[str, ...],
    qrels: str,
    measures: tuple[str, ...],
    per_query: bool,
    test: Literal["t-test", "randomization"] | None,
    baseline: str | None,
    correction: Literal["holm", "bonferroni", "none"] | None,
    ignore_identical_ids: bool,
) -> None:
    """Measure runs by judgements, with ir-measures, and test whether they differ.

    \b
    Examples:
      lir evaluate run.trec reranked.trec --qrels vaswani -m nDCG@10 -m RR@10
      lir evaluate bm25.trec dense.trec fused.trec --qrels vaswani --test t-test
    """
    from lir_cli.errors import SettingsError
    from lir_cli.output import print_table
    from lir_data import evaluate, parse_measures, read_qrels, read_run
    from lir_data.selection import without_identical_ids

    if test is None:
        for flag, value in (("--baseline", baseline), ("--correction", correction)):
            if value is not None:
                raise SettingsError(f"{flag} needs --test, which says by which test the runs are compared.")
    elif per_query:
        raise SettingsError("--per-query and --test exclude each other: a test is of all queries together.")
    names = [str(measure) for measure in parse_measures(measures or ("nDCG@10",))]
    if test is not None:
        compared = {run: without_identical_ids(read_run(run)) if ignore_identical_ids else run for run in runs}
        _compare(compared, qrels, names, test, baseline, correction or "holm")
        return
    judged = read_qrels(qrels)
    loaded = {run: read_run(run) for run in runs}
    rows: list[tuple[object, ...]] = []
    for name, run in loaded.items():
        if per_query:
            values = evaluate(run, judged, names, per_query=True, ignore_identical_ids=ignore_identical_ids)
            rows += [(name, query_id, *(values[measure][query_id] for measure in names)) for query_id in judged]
        else:
            means = evaluate(run, judged, names, ignore_identical_ids=ignore_identical_ids)
            rows.append((name, *(means[measure] for measure in names)))
    print_table(("run", "query", *names) if per_query else ("run", *names), rows)


def _compare(
    runs: Mapping[str, "str | Run"],
    qrels: str,
    measures: Sequence[str],
    test: Literal["t-test", "randomization"],
    baseline: str | None,
    correction: Literal["holm", "bonferroni", "none"],
) -> None:
    """Print a line for each run but the baseline and each measure."""
    from lir_cli.output import print_table
    from lir_data import compare_runs

    corrected = correction != "none"
    found = compare_runs(
        runs, qrels, measures, baseline=baseline, test=test, correction=None if correction == "none" else correction
    )
    columns = ["run", "baseline", "measure", "mean", "baseline mean", "difference", "p"]
    columns += [f"p ({correction})"] if corrected else []
    rows: list[list[Any]] = [
        [
            *(item.run, item.baseline, item.measure, item.mean, item.baseline_mean, item.difference),
            f"{item.p_value:.3g}",  # in the four decimals of a measure a small one would be 0
            *([f"{item.corrected_p_value:.3g}"] if corrected else []),
            *(item.wins, item.ties, item.losses),
        ]
        for item in found
    ]
    print_table([*columns, "wins", "ties", "losses"], rows)
