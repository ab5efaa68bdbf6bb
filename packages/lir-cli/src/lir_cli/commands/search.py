"""``lir search``."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from lir_cli import options
from lir_cli.command import Command

if TYPE_CHECKING:
    from lir_data.passages import Aggregation


@click.command("search", cls=Command, context_settings=options.CONFIGURABLE)
@click.argument("query", required=False)
@options.config
@options.model
@click.option("--index", "index_dir", metavar="FOLDER", help="The index.")
@options.queries
@click.option(
    "-k", "k", type=click.IntRange(1), metavar="K", help="Documents a query. [default: 10 at the terminal, else 100]"
)
@options.passages
@click.option(
    "--run", "run_path", metavar="FILE", help="Where the run is written: TREC, or .jsonl or .parquet by its name."
)
@options.evaluation
@options.docs
@options.ignore_identical_ids
@click.option("--allow-other-model", is_flag=True, help="Search with a model that did not make the index.")
@options.overwrite
@options.work
@click.pass_context
def command(
    ctx: click.Context,
    query: str | None,
    configs: tuple[str, ...],
    model: str | None,
    index_dir: str | None,
    queries: str | None,
    k: int | None,
    passages: "Aggregation | None",
    run_path: str | None,
    qrels: str | None,
    measures: tuple[str, ...],
    docs: str | None,
    ignore_identical_ids: bool,
    allow_other_model: bool,
    overwrite: bool,
    batch_size: int | None,
    num_workers: int | None,
) -> None:
    """Search an index, with one query at the terminal or with many.

    One query is answered with the text of the hits; the index knows its model and its documents. Of an index of passages
    -k counts documents: ten times as many passages are searched for, and a run has fewer documents where those are of
    fewer.

    A search that was interrupted goes on where it was when the command is repeated.

    \b
    Examples:
      lir search --index idx "measurement of dielectric constants"
      lir search --index idx --queries vaswani -k 1000 --run run.trec -m nDCG@10
      lir search --index idx --search-config.n_probe 32 "measurement of dielectric constants"
    """
    from lir_cli.config_options import put_search_options, take
    from lir_cli.errors import SettingsError
    from lir_cli.flags import refuse_unused

    if query is not None:
        query, ctx.args = _apart([query, *ctx.args])
    search_options = take(ctx, "search-config")
    if query is not None and queries is None:
        beside = {"--run": run_path, "--qrels": qrels, "-m": measures, "--ignore-identical-ids": ignore_identical_ids}
        beside |= {"--overwrite": overwrite, "--batch-size": batch_size, "--num-workers": num_workers}
        refuse_unused(beside, "needs --queries: a query at the terminal is answered there")
        if configs or ctx.args or search_options:
            _answer_as_configured(
                ctx,
                configs,
                query,
                index_dir,
                model,
                docs,
                k,
                passages,
                search_options,
                allow_other_model=allow_other_model,
            )
            return
        if index_dir is None:
            raise SettingsError("--index is missing.")
        _answer(query, index_dir, model, docs, k, passages, allow_other_model=allow_other_model)
        return
    if query is not None:
        ctx.args.insert(0, query)
    refuse_unused({"--docs": docs}, "is where the texts of hits are, which are shown for a query at the terminal alone")
    if queries is None:
        refuse_unused({"--qrels": qrels}, "needs --queries, which it judges")

    from lir_cli.flags import (
        callback,
        callback_arguments,
        check_outcome,
        data,
        finish,
        model_settings,
        start,
        usual_measures,
        with_overrides,
    )
    from lir_cli.hits import PASSAGES_PER_DOC, has_passages, of_documents, usual_aggregation
    from lir_cli.output import print_table, say
    from lir_cli.query_encoder import with_module, with_rule_of
    from lir_cli.settings import merge
    from lir_cli.signals import say_on_stop
    from lir_cli.without_model import without_model
    from lir_index import Index

    settings = start(ctx, configs)
    arguments: dict[str, Any] = {} if index_dir is None else {"index_dir": index_dir}
    if run_path is not None:
        arguments["run_path"] = run_path
    switches = {
        "overwrite": overwrite,
        "allow_other_model": allow_other_model,
        "ignore_identical_ids": ignore_identical_ids,
    }
    arguments |= {name: True for name, value in switches.items() if value}
    settings = callback(settings, "SearchCallback", arguments, needs={"index_dir": "--index"})
    index = Index.open(callback_arguments(settings, "SearchCallback")["index_dir"])
    settings = merge(settings, model_settings(model, "BiEncoderModule", usual_measures(settings, qrels, measures)))
    dataset: dict[str, Any] | None = None
    if queries is not None:
        dataset = {"class_path": "QueryDataset", "init_args": {"query_dataset": queries}}
        if qrels is not None:
            dataset["init_args"]["qrels"] = qrels
    settings = merge(settings, data(dataset, batch_size, num_workers))
    if index.form == "text":
        settings = without_model(settings, f"The index in '{index.path}' is searched with")
    else:
        settings = with_overrides(ctx, with_module(settings))  # one of them may name the model
        settings = with_rule_of(index, settings, allow_other_model=_allows_other_model(settings))
    how = passages or usual_aggregation(index)
    arguments = callback_arguments(settings, "SearchCallback")
    ignores = bool(arguments.get("ignore_identical_ids"))
    num_docs = k or ((arguments.get("search_config") or {}).get("init_args") or {}).get("k", 100)
    aggregates = how != "none" or (ignores and has_passages(index))
    if how != "none":
        k = PASSAGES_PER_DOC * (num_docs + ignores)
    elif aggregates:
        k = num_docs + PASSAGES_PER_DOC  # the query's own passages are left out of them
    else:
        _say_if_few(index, k)
    _set_k(arguments, index, k)
    put_search_options(search_options, arguments)
    pipeline = finish(ctx, settings, "search", "--queries")
    check_outcome(pipeline, measures, "--run")
    if aggregates:
        pipeline.callback().aggregate = of_documents(how, num_docs, ignore_identical_ids=ignores)
    if pipeline.callback().run_path is not None:
        say_on_stop("What is finished is kept; the same command goes on from there.")
    metrics, _ = pipeline.run()
    if metrics:
        print_table(("measure", "value"), list(metrics.items()))
    if run_path is not None:
        say(f"The run is in {run_path}")


def _apart(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Tell a query from overrides and their values, which may stand before it: click does not know of them."""
    rest = iter(words)
    query, others = None, []
    for word in rest:
        if word.startswith("-"):
            others.append(word)
            if word.startswith("--") and "=" not in word:
                others += [value for value in [next(rest, None)] if value is not None]
        elif query is None:
            query = word
        else:
            others.append(word)
    return query, others


def _set_k(arguments: dict[str, Any], index: Any, k: int | None) -> None:
    """Give the search config its k, of the class that the index's kind has."""
    config = arguments.get("search_config")
    if k is None and config is None:
        k = 100
    if k is not None:
        class_path = (config or {}).get("class_path", type(index.search_config).__name__)
        arguments["search_config"] = {
            "class_path": class_path,
            "init_args": {**((config or {}).get("init_args") or {}), "k": k},
        }


def _say_if_few(index: Any, k: int | None) -> None:
    """Say of a k that was asked for that there are not so many documents."""
    from lir_cli.output import say

    if k is not None and k > len(index):
        say(f"hint: k is {k}, and the index in '{index.path}' holds {len(index)}: each query gets them all.")


def _answer(
    query: str,
    index_dir: str,
    model: str | None,
    docs: str | None,
    k: int | None,
    passages: "Aggregation | None",
    *,
    allow_other_model: bool,
) -> None:
    from lir_cli.hits import answer, has_passages
    from lir_cli.query_encoder import encoded, model_of
    from lir_cli.without_model import refuse_model
    from lir_index import Index

    index = Index.open(index_dir)
    if not has_passages(index):
        _say_if_few(index, k)
    k = k or 10
    if index.form == "text":
        if (name := model or index.metadata["model"]) is not None:
            refuse_model(name, f"The index in '{index_dir}' is searched with")
        answer(index, [query], k, docs, passages)
        return
    asked = encoded(index, model or model_of(index), [query], allow_other_model=allow_other_model)
    answer(index, asked, k, docs, passages)


def _answer_as_configured(
    ctx: click.Context,
    configs: tuple[str, ...],
    query: str,
    index_dir: str | None,
    model: str | None,
    docs: str | None,
    k: int | None,
    passages: "Aggregation | None",
    search_options: dict[str, Any],
    *,
    allow_other_model: bool,
) -> None:
    """Answer one query by the model and the index of a configuration; its data is left aside."""
    from lir_cli.config_options import put_search_options
    from lir_cli.construct import blueprint
    from lir_cli.flags import callback, callback_arguments, model_settings, start, with_overrides
    from lir_cli.hits import answer, has_passages
    from lir_cli.query_encoder import encoded_as_configured, with_module, with_rule_of
    from lir_cli.settings import merge
    from lir_index import Index, SearchCallback

    settings = merge(start(ctx, configs), model_settings(model, "BiEncoderModule"))
    arguments: dict[str, Any] = {} if index_dir is None else {"index_dir": index_dir}
    if allow_other_model:
        arguments["allow_other_model"] = True
    settings = callback(settings, "SearchCallback", arguments, needs={"index_dir": "--index"})
    settings = with_overrides(ctx, with_module(settings))
    arguments = callback_arguments(settings, "SearchCallback")
    put_search_options(search_options, arguments)
    planned = {"class_path": "SearchCallback", "init_args": arguments}
    search_config = blueprint(planned, "SearchCallback", (SearchCallback,)).prepare().arguments.get("search_config")
    index = Index.open(arguments["index_dir"], search_config)
    asked: Any = [query]
    if index.form != "text":
        allowed = _allows_other_model(settings)
        settings = with_rule_of(index, settings, allow_other_model=allowed)
        asked = encoded_as_configured(index, settings["model"], asked, allow_other_model=allowed)
    if not has_passages(index):
        _say_if_few(index, k)
    usual = 10 if search_config is None else index.search_config.k
    answer(index, asked, k or usual, docs, passages)


def _allows_other_model(settings: dict[str, Any]) -> bool:
    from lir_cli.flags import callback_arguments

    return bool(callback_arguments(settings, "SearchCallback").get("allow_other_model"))
