"""``lir evaluate``."""

import click


@click.command("evaluate")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--qrels", required=True, metavar="SOURCE", help="Judgements: an id of ir_datasets, or a TREC file.")
@click.option(
    "-m", "--measure", "measures", multiple=True, metavar="MEASURE", help="For instance AP(rel=2). [default: nDCG@10]"
)
@click.option("--per-query", is_flag=True, help="One line a query.")
def command(runs: tuple[str, ...], qrels: str, measures: tuple[str, ...], per_query: bool) -> None:
    """Measure runs by judgements, with ir-measures.

    \b
    Example:
      lir evaluate run.trec reranked.trec --qrels vaswani -m nDCG@10 -m RR@10
    """
    from lir_cli.output import print_table
    from lir_data import evaluate, parse_measures, read_qrels, read_run

    names = [str(measure) for measure in parse_measures(measures or ("nDCG@10",))]
    judged = read_qrels(qrels)
    loaded = {run: read_run(run) for run in runs}
    rows: list[tuple[object, ...]] = []
    for name, run in loaded.items():
        if per_query:
            values = evaluate(run, judged, names, per_query=True)
            rows += [(name, query_id, *(values[measure][query_id] for measure in names)) for query_id in judged]
        else:
            means = evaluate(run, judged, names)
            rows.append((name, *(means[measure] for measure in names)))
    print_table(("run", "query", *names) if per_query else ("run", *names), rows)
