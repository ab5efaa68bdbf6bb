"""``lir search``."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from lir_cli import options
from lir_cli.command import Command

if TYPE_CHECKING:
    from lir_data import Run
    from lir_data.passages import Aggregation

# Passages that are searched for in the place of one document: enough of them for most rankings to have k documents.
_PASSAGES_A_DOC = 10


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
@click.option("--run", "run_path", metavar="FILE", help="Where the TREC run is written.")
@options.evaluation
@options.docs
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
    allow_other_model: bool,
    overwrite: bool,
    batch_size: int | None,
    num_workers: int | None,
) -> None:
    """Search an index, with one query at the terminal or with many.

    One query is answered with the text of the hits; the index knows its model and its documents. Of an index of passages
    -k counts documents: ten times as many passages are searched for, and a run has fewer documents where those are of
    fewer.

    \b
    Examples:
      lir search --index idx "measurement of dielectric constants"
      lir search --index idx --queries vaswani -k 1000 --run run.trec -m nDCG@10
    """
    from lir_cli.errors import SettingsError

    if query is not None and query.startswith("-"):
        ctx.args.insert(0, query)
        query = None
    if query is not None and not configs and queries is None:
        if ctx.args:
            raise SettingsError(f"There is no option '{ctx.args[0]}' beside a query at the terminal.")
        if index_dir is None:
            raise SettingsError("--index is missing.")
        if passages not in (None, "none"):
            raise SettingsError("--passages is of a run; a query at the terminal is answered with passages.")
        _answer(query, index_dir, model, docs, k or 10, allow_other_model=allow_other_model)
        return
    if query is not None:
        ctx.args.insert(0, query)

    from lir_cli.flags import callback, callback_arguments, data, finish, model_settings, start
    from lir_cli.output import print_table, say
    from lir_cli.settings import merge
    from lir_cli.without_model import without_model
    from lir_index import Index

    settings = start(ctx, configs)
    arguments: dict[str, Any] = {} if index_dir is None else {"index_dir": index_dir}
    if run_path is not None:
        arguments["run_path"] = run_path
    arguments |= {
        name: True for name, value in (("overwrite", overwrite), ("allow_other_model", allow_other_model)) if value
    }
    settings = callback(settings, "SearchCallback", arguments, needs={"index_dir": "--index"})
    index = Index.open(callback_arguments(settings, "SearchCallback")["index_dir"])
    if model is None and "model" not in settings:
        model = index.metadata["model"]
    settings = merge(settings, model_settings(model, "BiEncoderModule", measures))
    dataset: dict[str, Any] | None = None
    if queries is not None:
        dataset = {"class_path": "QueryDataset", "init_args": {"query_dataset": queries}}
        if qrels is not None:
            dataset["init_args"]["qrels"] = qrels
    settings = merge(settings, data(dataset, batch_size, num_workers))
    if index.form == "text":
        settings = without_model(settings, f"The index in '{index.path}' is searched with")
    how = passages or usual_aggregation(index)
    arguments = callback_arguments(settings, "SearchCallback")
    num_docs = None
    if how != "none":
        num_docs = k or ((arguments.get("search_config") or {}).get("init_args") or {}).get("k", 100)
        k = min(len(index), _PASSAGES_A_DOC * num_docs)
    _set_k(arguments, index, k)
    pipeline = finish(ctx, settings, "search", "--queries")
    if num_docs is not None:
        aggregate = partial(_of_documents, how=how, depth=num_docs)
        next(item for item in pipeline.callbacks if hasattr(item, "aggregate")).aggregate = aggregate
    metrics, _ = pipeline.run()
    if metrics:
        print_table(("measure", "value"), list(metrics.items()))
    if run_path is not None:
        say(f"The run is in {run_path}")


def usual_aggregation(index: Any) -> "Aggregation":
    """Return how passages are made into documents if nothing is said: the best of each, where lir cut them."""
    from lir_data.passages import parse_source

    documents = index.metadata["documents"]
    return "none" if documents is None or parse_source(documents)[1] is None else "max"


def _of_documents(run: "Run", how: "Aggregation", depth: int) -> "Run":
    from lir_data import aggregate_passages, cut_run

    return cut_run(aggregate_passages(run, how), depth)


def _set_k(arguments: dict[str, Any], index: Any, k: int | None) -> None:
    r"""Give the search config its k, of the class that the index's kind has; a k beyond the collection is refused."""
    from lir_cli.errors import SettingsError

    config = arguments.get("search_config")
    if k is None and config is None:
        k = min(100, len(index))
    if k is not None:
        if k > len(index):
            raise SettingsError(f"k is {k}, but the index in '{index.path}' holds {len(index)} documents.")
        class_path = (config or {}).get("class_path", type(index.search_config).__name__)
        arguments["search_config"] = {
            "class_path": class_path,
            "init_args": {**((config or {}).get("init_args") or {}), "k": k},
        }


def _answer(
    query: str, index_dir: str, model: str | None, docs: str | None, k: int, *, allow_other_model: bool
) -> None:
    from lir_cli.errors import SettingsError
    from lir_cli.without_model import refuse_model
    from lir_index import Index

    index = Index.open(index_dir)
    if k > len(index):
        raise SettingsError(f"k is {k}, but the index in '{index_dir}' holds {len(index)} documents.")
    name = model or index.metadata["model"]
    if index.form == "text" and name is not None:
        refuse_model(name, f"The index in '{index_dir}' is searched with")
    if index.form != "text" and name is None:
        raise SettingsError(f"The index in '{index_dir}' does not say which model made it; name it by --model.")
    answer(index, name, query, k, docs or index.metadata["documents"], allow_other_model=allow_other_model)


def answer(
    index: Any, model: str | None, query: str, k: int, docs: str | None, *, allow_other_model: bool = False
) -> None:
    r"""Print the hits of one query, with their texts where they can be found; an index of texts needs no model."""
    from lir_cli.output import print_table
    from lir_data import open_documents

    documents = None if docs is None else open_documents(docs)
    asked = [query] if model is None else encoded(index, model, [query], allow_other_model=allow_other_model)
    result = index.search(asked, k)
    ids, scores = result.doc_ids[0], result.scores[0]
    texts = {} if documents is None else documents.get_many(ids)
    rows = [
        (rank, float(score), doc_id, " ".join(texts.get(doc_id, "").split()))
        for rank, (doc_id, score) in enumerate(zip(ids, scores, strict=True), start=1)
    ]
    print_table(("rank", "score", "document", "text"), rows)


def encoded(index: Any, model: str, queries: Sequence[str], *, allow_other_model: bool = False) -> Any:
    """Embed queries by the model that made an index.

    Raises:
        SettingsError: If it is another model, and that is not allowed.
    """
    from lir_cli.errors import SettingsError
    from lir_index.errors import OtherModelError
    from lir_index.metadata import Metadata
    from lir_models import BiEncoderModel

    encoder = BiEncoderModel.from_pretrained(model)
    told = Metadata(model=encoder.name, fingerprint=encoder.fingerprint)
    try:
        index.check_model(told, allow_other_model=allow_other_model)
    except OtherModelError as error:
        raise SettingsError(str(error), hint="--allow-other-model searches all the same") from error
    return encoder.encode_query(list(queries))
