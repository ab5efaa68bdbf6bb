"""What models are fine-tuned and tested on: collections, the rankings of BM25, and training tuples with hard negatives."""

import random
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from benchmarks.fine_tuning_recipes import CACHE, COLLECTION, SHARED, Recipe
from lir_data import (
    DocDataset,
    QueryDataset,
    TrainingTuple,
    evaluate,
    filter_run,
    mine_negatives,
    read_qrels,
    read_run,
    write_run,
    write_tuples,
)
from lir_index import Bm25IndexConfig, PartWriter, build

MEASURE = "nDCG@10"
# Those of the reference figures beside the collections.
BM25 = Bm25IndexConfig(k1=1.2, b=0.75, stemmer="english", stopwords="english")
DEPTH = 100


@dataclass(frozen=True)
class Collection:
    """A collection in the folder ``shared`` beside the checkout.

    Args:
        num_test_queries: Test queries, spread evenly over the split; None for all.
        name: Of its folder.
    """

    num_test_queries: int | None = None
    name: str = COLLECTION

    @property
    def docs(self) -> Path:
        """The file of the documents."""
        return SHARED / "data" / self.name / "docs.jsonl.gz"

    def queries(self, split: str) -> Path:
        """Return the file of the queries of a split."""
        return SHARED / "data" / self.name / f"queries.{split}.tsv"

    def qrels_file(self, split: str) -> Path:
        """Return the file of the judgements of a split."""
        return SHARED / "data" / self.name / f"qrels.{split}.txt"

    def qrels(self, split: str) -> dict[str, dict[str, int]]:
        """Read the judgements of a split; of the test split, those of the chosen queries."""
        qrels = read_qrels(self.qrels_file(split))
        if split != "test" or self.num_test_queries is None:
            return qrels
        query_ids, count = list(qrels), min(self.num_test_queries, len(qrels))
        return {query_id: qrels[query_id] for query_id in (query_ids[i * len(qrels) // count] for i in range(count))}

    def measured(self, run: Path) -> float:
        """Measure a run of the test queries."""
        return evaluate(filter_run(run, queries=self.qrels("test")), self.qrels("test"), [MEASURE])[MEASURE]

    def bm25(self, split: str) -> Path:
        """Rank the documents for the queries of a split by BM25, unless that is done; return the run."""
        folder = CACHE / f"fine_tuning-bm25-{self.name}"
        path = folder / f"{split}.trec"
        if not path.exists():
            shutil.rmtree(folder / "parts", ignore_errors=True)
            docs = list(DocDataset(self.docs))
            with PartWriter(folder / "parts") as writer:
                writer.append([doc.doc_id for doc in docs], [doc.doc for doc in docs])
            index = build(folder / "parts", folder / "index", BM25, overwrite=True)
            queries = list(QueryDataset(self.queries(split)))
            found = index.search([query.query for query in queries], DEPTH)
            rankings = zip(queries, found.doc_ids, found.scores, strict=True)
            run = {query.query_id: dict(zip(ids, map(float, scores), strict=True)) for query, ids, scores in rankings}
            write_run(path, run)
        return path


def write_training_tuples(path: Path, recipe: Recipe, seed: int) -> None:
    """Write as many tuples as a training learns from, of ids, in the order in which it sees them."""
    collection = Collection()
    mined = mine_negatives(
        read_run(collection.bm25("train")),
        collection.qrels("train"),
        num_negatives=recipe.num_negatives,
        range_max=recipe.num_candidates,
        sampling_strategy="random",
        seed=seed,
    )
    complete = [item for item in mined if len(item.docs) == 1 + recipe.num_negatives]
    batches = islice(without_doubles(evenly(complete, seed), recipe.batch_size), recipe.num_steps)
    write_tuples(path, chain.from_iterable(batches), overwrite=True)


def evenly(tuples: Sequence[TrainingTuple], seed: int) -> Iterator[TrainingTuple]:
    """Yield, in each round, one tuple of each query, so that a few with hundreds of relevant documents do not lead the rest."""
    of_query: defaultdict[str, list[TrainingTuple]] = defaultdict(list)
    for item in tuples:
        of_query[item.query].append(item)
    draw = random.Random(seed)
    while of_query:
        for query_id in draw.sample(list(of_query), len(of_query)):
            yield draw.choice(of_query[query_id])


def without_doubles(tuples: Iterator[TrainingTuple], size: int) -> Iterator[list[TrainingTuple]]:
    """Yield batches without a query or a document that is there twice; what would be waits for the next.

    With in-batch negatives such a document would be a negative of the query that it is relevant for. lir leaves that out,
    MultipleNegativesRankingLoss does not: of these batches both learn the same.
    """
    while True:
        batch: list[TrainingTuple] = []
        waiting: list[TrainingTuple] = []
        queries: set[str] = set()
        docs: set[str] = set()
        while len(batch) < size:
            item = next(tuples, None)
            if item is None:
                return
            if item.query in queries or not docs.isdisjoint(item.docs):
                waiting.append(item)
                continue
            batch.append(item)
            queries.add(item.query)
            docs.update(item.docs)
        yield batch
        tuples = chain(waiting, tuples)
