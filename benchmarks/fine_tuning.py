"""Real fine-tuning of each family on a real collection: before, after, BM25; and the same recipe by sentence-transformers."""

import argparse
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import fine_tuning_lir, fine_tuning_peer
from benchmarks.fine_tuning_data import Collection, write_training_tuples
from benchmarks.fine_tuning_recipes import CACHE, RECIPES, Recipe
from benchmarks.fine_tuning_tables import Results, write
from benchmarks.measuring import in_a_process

TRAINERS = {"lir": fine_tuning_lir.train, "sentence-transformers": fine_tuning_peer.train}
#: How far the losses of the first batch may differ, of what is meant to be the same.
TOLERANCE = 1e-4


def main(arguments: list[str]) -> None:
    """Do what is not done yet, and write the tables of all that is; what was interrupted goes on."""
    parser = argparse.ArgumentParser("benchmarks fine_tuning", description=__doc__)
    parser.add_argument("--only", choices=RECIPES, nargs="+", default=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=3, help="at most so many of each")
    parser.add_argument(
        "--steps", type=int, help="in place of the recipes' own: a trial, whose tables are only printed"
    )
    options = parser.parse_args(arguments)
    is_trial = options.steps is not None
    recipes = {name: _trial(recipe, options.steps) if is_trial else recipe for name, recipe in RECIPES.items()}
    for family in options.only:
        recipe = recipes[family]
        for seed in range(min(options.seeds, recipe.num_seeds)):
            run(family, recipe, seed)
    found = {family: collected(family, recipe) for family, recipe in recipes.items()}
    done = {family: results for family, results in found.items() if results.is_complete}
    write({family: recipes[family] for family in done}, done, is_trial=is_trial)


def _trial(recipe: Recipe, steps: int) -> Recipe:
    return replace(
        recipe,
        num_steps=steps,
        num_warmup_steps=min(recipe.num_warmup_steps, steps // 2),
        num_docs=64,
        num_test_queries=8,
    )


def run(family: str, recipe: Recipe, seed: int) -> None:
    """Train with a seed by lir and, where it does the same, by sentence-transformers, one right after the other."""
    folder = place(family, recipe, seed)
    tuples, start = folder / "tuples.jsonl", folder / "start"
    systems = list(TRAINERS) if recipe.with_peer else ["lir"]
    needed = [*systems, *(["start-tested"] if seed == 0 else [])]
    if all((folder / system / "result.json").exists() for system in needed):
        return
    write_training_tuples(tuples, recipe, seed)
    in_a_process(fine_tuning_lir.write_start, family, recipe, seed, start)

    def before(own: Path) -> dict[str, float]:
        return {"ndcg": in_a_process(fine_tuning_lir.test, family, recipe, start, own / "run.trec")}

    def after(own: Path) -> dict[str, float]:
        trained = in_a_process(TRAINERS[own.name], family, recipe, seed, tuples, start, own / "model")
        return trained | {"ndcg": in_a_process(fine_tuning_lir.test, family, recipe, own / "model", own / "run.trec")}

    # Of the start the first seed's alone: it is the same for all, or random.
    if seed == 0:
        finished(folder / "start-tested", before)
    results = {system: finished(folder / system, after) for system in systems}
    losses = [result["loss"] for result in results.values() if "loss" in result]
    assert not losses or max(losses) - min(losses) <= TOLERANCE, f"The first losses of {family} differ: {losses}."
    shutil.rmtree(start)


def finished(folder: Path, work: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    """Do work, unless its result is there; what it leaves beside the result and the run is removed."""
    result = folder / "result.json"
    if not result.exists():
        folder.mkdir(parents=True, exist_ok=True)
        values = work(folder)
        for left in ("model", "index"):
            shutil.rmtree(folder / left, ignore_errors=True)
        unfinished = result.with_suffix(".tmp")
        unfinished.write_text(json.dumps(values), encoding="utf-8")
        unfinished.rename(result)
        print(f"{folder.parent.name}, {folder.name}: {values}", flush=True)
    return json.loads(result.read_text(encoding="utf-8"))


def collected(family: str, recipe: Recipe) -> Results:
    """Read the results that there are."""

    def of(system: str) -> list[dict[str, Any]]:
        paths = [place(family, recipe, seed) / system / "result.json" for seed in range(recipe.num_seeds)]
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths if path.exists()]

    collection = Collection(recipe.num_test_queries)
    bm25 = collection.measured(collection.bm25("test"))
    return Results(bm25, of("start-tested"), {system: found for system in TRAINERS if (found := of(system))})


def place(family: str, recipe: Recipe, seed: int) -> Path:
    """Where the results of a training are kept."""
    return CACHE / f"fine_tuning-{family}-{recipe.digest}" / f"seed-{seed}"
