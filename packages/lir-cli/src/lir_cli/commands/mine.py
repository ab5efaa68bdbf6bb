"""``lir mine``."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from lir_cli import options
from lir_cli.command import Command

if TYPE_CHECKING:
    from lir_data import Qrels, Run


@click.command("mine", cls=Command)
@click.option("--run", "run_path", metavar="RUN", help="A TREC run, or an id of ir_datasets that comes with one.")
@click.option("--index", "index_dir", metavar="FOLDER", help="An index to search for candidates, in place of a run.")
@options.model
@options.queries
@options.docs
@options.required_qrels
@click.option("--output", required=True, metavar="FILE", help="Where the tuples are written, as jsonl (.gz).")
@click.option("--num-negatives", type=click.IntRange(1), default=3, show_default=True, metavar="N", help="Of a tuple.")
@click.option(
    "--range-min",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Candidates skipped from the top.",
)
@click.option(
    "--range-max", type=click.IntRange(1), metavar="N", help="Candidates taken from the top. [default: all of a run]"
)
@click.option("--absolute-margin", type=float, metavar="X", help="A negative scores this less than the relevant one.")
@click.option(
    "--relative-margin", type=float, metavar="X", help="The same as a part of its score: 0.05 for five hundredths."
)
@click.option("--max-score", type=float, metavar="X", help="The highest score of a negative.")
@click.option("--min-score", type=float, metavar="X", help="The lowest score of a negative.")
@click.option(
    "--sampling-strategy",
    type=click.Choice(["top", "random"]),
    default="top",
    show_default=True,
    help="Negatives of the highest scores, or any.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of random negatives.")
@click.option(
    "--teacher", metavar="MODEL", help="A model that scores the candidates first; needs --queries and --docs."
)
@click.option("--teacher-run", metavar="RUN", help="A run with such scores, in place of a model.")
@options.ignore_identical_ids
@options.overwrite
@click.pass_context
def command(
    ctx: click.Context,
    run_path: str | None,
    index_dir: str | None,
    model: str | None,
    queries: str | None,
    docs: str | None,
    qrels: str,
    output: str,
    num_negatives: int,
    range_min: int,
    range_max: int | None,
    absolute_margin: float | None,
    relative_margin: float | None,
    max_score: float | None,
    min_score: float | None,
    sampling_strategy: Literal["top", "random"],
    seed: int,
    teacher: str | None,
    teacher_run: str | None,
    ignore_identical_ids: bool,
    overwrite: bool,
) -> None:
    """Mine hard negatives of a run or an index, as training tuples.

    The flags mean what they do in sentence-transformers' mine_hard_negatives. A teacher's scores decide in place of the
    run's, and are written into the tuples.

    \b
    Examples:
      lir mine --run bm25.trec --qrels vaswani --output mined.jsonl --range-min 10 --range-max 100
      lir mine --index idx --queries vaswani --docs vaswani --qrels vaswani --output mined.jsonl \\
          --teacher cross-encoder/ms-marco-MiniLM-L6-v2 --relative-margin 0.05
    """
    from lir_cli.errors import SettingsError
    from lir_cli.flags import refuse_unused
    from lir_cli.output import check_new, say
    from lir_data import mine_negatives, read_qrels, read_run, write_tuples
    from lir_data.mining import check_mining
    from lir_data.selection import without_identical_ids
    from lir_data.tuple_writing import check_tuples_output

    if (run_path is None) == (index_dir is None):
        raise SettingsError("Candidates come from --run or from --index, one of the two.")
    if run_path is not None and model is not None:
        raise SettingsError("--model searches an --index; a --run needs none.")
    if index_dir is not None and queries is None:
        raise SettingsError("--index needs --queries to be searched with.")
    if teacher is not None and teacher_run is not None:
        raise SettingsError("--teacher and --teacher-run exclude each other.")
    if teacher is not None and (queries is None or docs is None):
        lacking = "--queries" if queries is None else "--docs"
        raise SettingsError(f"--teacher reads texts: {lacking} must say where they are.")
    if teacher is None:
        refuse_unused({"--docs": docs}, "needs --teacher, which reads the documents")
        if index_dir is None:
            refuse_unused(
                {"--queries": queries}, "needs --index, which is searched with them, or --teacher, which reads them"
            )
    if sampling_strategy == "top" and ctx.get_parameter_source("seed") is ParameterSource.COMMANDLINE:
        raise SettingsError(
            "--seed needs --sampling-strategy random: the negatives of the highest scores are not drawn."
        )
    check_new(output, overwrite=overwrite)
    check_tuples_output(output, overwrite=overwrite)
    settings: dict[str, Any] = {
        "num_negatives": num_negatives,
        "range_min": range_min,
        "range_max": range_max,
        "absolute_margin": absolute_margin,
        "relative_margin": relative_margin,
        "max_score": max_score,
        "min_score": min_score,
        "sampling_strategy": sampling_strategy,
        "seed": seed,
    }
    check_mining(**settings)
    judged = read_qrels(qrels)
    if teacher is not None:
        from lir_models import detect

        detect(teacher)
    taught = None if teacher_run is None else read_run(teacher_run)
    if index_dir is not None and queries is not None:
        # As many candidates as leave a choice where some are refused.
        num_candidates = (range_max or range_min + 10 * num_negatives) + ignore_identical_ids
        run = _searched(index_dir, model, queries, judged, num_candidates)
    else:
        run = read_run(str(run_path))
    if ignore_identical_ids:
        run = without_identical_ids(run)
    if teacher is not None and queries is not None and docs is not None:
        taught = _taught(teacher, run, judged, range_max, queries, docs)
    write_tuples(output, mine_negatives(run, judged, teacher=taught, **settings), overwrite=overwrite)
    say(f"The tuples are in {output}")


def _searched(index_dir: str, model: str | None, queries: str, qrels: "Qrels", num_candidates: int) -> "Run":
    """Search an index with the queries that have relevant documents."""
    from lir_cli.errors import SettingsError
    from lir_cli.hits import usual_aggregation
    from lir_cli.query_encoder import encoded, model_of
    from lir_cli.without_model import refuse_model
    from lir_data import aggregate_passages, open_queries
    from lir_index import Index

    index = Index.open(index_dir)
    if index.form == "text" and (named := model or index.metadata["model"]) is not None:
        refuse_model(named, f"The index in '{index_dir}' is searched with")
    name = None if index.form == "text" else model or model_of(index)
    relevant = {query: sum(value > 0 for value in judgements.values()) for query, judgements in qrels.items()}
    texts = {query: text for query, text in open_queries(queries).items() if relevant.get(query)}
    if not texts:
        raise SettingsError(f"None of the queries of '{queries}' has a relevant document among the judgements.")
    # Relevant documents are no candidates, and may stand above all that are.
    k = min(len(index), num_candidates + max(relevant.values()))
    asked: Any = list(texts.values()) if name is None else encoded(index, name, list(texts.values()))
    return aggregate_passages(index.search(asked, k).to_run(list(texts)), usual_aggregation(index))


def _taught(
    teacher: str, run: "Run", qrels: "Qrels", range_max: int | None, queries: str, docs: str
) -> Mapping[str, Mapping[str, float]]:
    """Score the candidates and the relevant documents by a model."""
    from lir_cli.teacher import teach
    from lir_data import open_documents, open_queries
    from lir_data.errors import unknown_ids
    from lir_data.mining import candidates

    pairs = {query: relevant + others for query, (relevant, others) in candidates(run, qrels, range_max).items()}
    query_texts, documents = open_queries(queries), open_documents(docs)
    if unknown := [query for query in pairs if query not in query_texts]:
        raise unknown_ids("query", unknown, queries, "the run")
    if unknown := documents.missing(doc_id for doc_ids in pairs.values() for doc_id in doc_ids):
        raise unknown_ids("document", unknown, docs, "the run, or a judgement,")

    def texts(item: tuple[str, Sequence[str]]) -> tuple[str, Sequence[str]]:
        query_id, doc_ids = item
        return query_texts[query_id], list(documents.get_many(doc_ids).values())

    return {
        query_id: dict(zip(doc_ids, scores, strict=True))
        for (query_id, doc_ids), scores in teach(teacher, pairs.items(), texts)
    }
