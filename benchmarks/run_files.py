"""A large run: reading and evaluating it by lir, and by ir-measures, from a table of pandas and from its own reader."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from benchmarks.measuring import Times, in_a_process, peak_memory
from benchmarks.tables import CLAIMS, Claim, markdown, report

MEASURES = ("nDCG@10", "AP", "R@1000", "RR@10")
DOCS = 1000
Read = TypeVar("Read")
_CACHE = Path(__file__).parent / ".cache"
# As many as MS MARCO has.
_NUM_PASSAGES = 8_841_823


class Measured(NamedTuple):
    """Seconds of the processor and by the clock, megabytes at most, and what was found, in the order of ``MEASURES``."""

    reading: float
    evaluating: float
    wall: float
    peak: float
    values: list[float]

    @property
    def total(self) -> float:
        """Seconds of the processor, of reading and evaluating."""
        return self.reading + self.evaluating


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks run_files", description=__doc__)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    folder = _CACHE / f"run_files-{options.queries}"
    if not folder.exists():
        write(folder, options.queries)
    (folder / "run.trec").read_bytes()  # nobody waits for the disk
    contenders = {"lir": by_lir, "pandas, ir-measures": by_pandas, "ir-measures": by_ir_measures}
    found: dict[str, list[Measured]] = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, work in contenders.items():
            found[name].append(in_a_process(work, folder / "run.trec", folder / "qrels.txt"))
            print(name, *found[name][-1], flush=True)
            np.testing.assert_allclose(found[name][-1].values, found["lir"][0].values, rtol=0, atol=1e-6)
    tell(found, options.queries)


def tell(found: dict[str, list[Measured]], num_queries: int) -> None:
    """Print and keep the tables."""
    times = {name: Times([run.total for run in runs], [run.wall for run in runs]) for name, runs in found.items()}
    rows = [
        (
            name,
            *(f"{np.median(figures):.1f}" for figures in zip(*(run[:2] for run in runs), strict=True)),
            f"{times[name].median:.1f}",
            f"{times[name].median_wall:.1f}",
            f"{times[name].over(times['lir']):.2f}",
            f"{np.median([run.peak for run in runs]):,.0f}",
        )
        for name, runs in found.items()
    ]
    claim = Claim(
        "speed over pandas and ir-measures", times["pandas, ir-measures"].over(times["lir"]), 3, at_least=True
    )
    about = (
        f"A made-up run of {num_queries * DOCS:,} lines, {DOCS:,} for each of {num_queries:,} queries, in order, and judgements "
        f"of about 40 documents a query; {', '.join(MEASURES)}, of which all find the same to six decimals. Seconds of the "
        "processor, and of the total by the clock: medians of rounds that take turns, each in a process of its own, whose "
        "memory at most stands last, libraries included. Reading is of run and judgements. pandas has its fast parser and "
        "columns of Python's strings; with its own type of strings ir-measures takes longer still. ir-measures alone "
        "reads the lines while it evaluates them."
    )
    columns = ("by", "reading s", "evaluating s", "total s", "by the clock s", "x lir", "peak MB")
    sections = [about, markdown(columns, rows), markdown(CLAIMS, [claim.row])]
    report("run_files", "Reading and evaluating a large run", sections, ["lir-data", "ir-measures", "pandas", "numpy"])


def by_lir(run: Path, qrels: Path) -> Measured:
    """As the documentation of lir does it."""
    from lir_data import evaluate, read_qrels, read_run

    return _measured(
        lambda: (read_run(run), read_qrels(qrels)), lambda read: list(evaluate(*read, list(MEASURES)).values())
    )


def by_pandas(run: Path, qrels: Path) -> Measured:
    """As the documentation of ir-measures does it with tables."""
    import ir_measures
    import pandas as pd

    kinds = {"query_id": object, "doc_id": object, "score": float, "relevance": int}
    measures = [ir_measures.parse_measure(name) for name in MEASURES]

    def read() -> tuple[pd.DataFrame, pd.DataFrame]:
        tables = []
        for path, names in (
            (run, ["query_id", "Q0", "doc_id", "rank", "score", "tag"]),
            (qrels, ["query_id", "iteration", "doc_id", "relevance"]),
        ):
            used = [name for name in names if name in kinds]
            dtypes: Any = {name: kinds[name] for name in used}
            tables.append(pd.read_csv(path, sep=" ", names=names, usecols=used, dtype=dtypes))
        return tables[0], tables[1]

    return _measured(read, lambda read: _by_measure(ir_measures.calc_aggregate(measures, read[1], read[0])))


def by_ir_measures(run: Path, qrels: Path) -> Measured:
    """As the documentation of ir-measures does it with files."""
    import ir_measures

    measures = [ir_measures.parse_measure(name) for name in MEASURES]
    return _measured(
        lambda: (ir_measures.read_trec_run(str(run)), ir_measures.read_trec_qrels(str(qrels))),
        lambda read: _by_measure(ir_measures.calc_aggregate(measures, read[1], read[0])),
    )


def _by_measure(values: dict[Any, float]) -> list[float]:
    by_name = {str(measure): value for measure, value in values.items()}
    return [by_name[name] for name in MEASURES]


def _measured(read: Callable[[], Read], evaluate: Callable[[Read], list[float]]) -> Measured:
    wall, began = time.perf_counter(), time.process_time()
    what = read()
    between = time.process_time()
    values = evaluate(what)
    ended = time.process_time()
    return Measured(between - began, ended - between, time.perf_counter() - wall, peak_memory(), values)


def write(folder: Path, num_queries: int) -> None:
    """Write run and judgements, whole or not at all: scores of four decimals, all different, and most relevant documents early."""
    random = np.random.default_rng(0)
    unfinished = folder.with_name(f".{folder.name}")
    unfinished.mkdir(parents=True, exist_ok=True)
    with (unfinished / "run.trec").open("w") as run, (unfinished / "qrels.txt").open("w") as qrels:
        for query_id in random.choice(1_200_000, num_queries, replace=False):
            doc_ids = random.choice(_NUM_PASSAGES, DOCS + 10, replace=False)
            scores = np.sort(10 + random.choice(200_000, DOCS, replace=False) / 10_000)[::-1]
            run.writelines(
                f"{query_id} Q0 {doc_id} {rank} {score:.4f} bm25\n"
                for rank, (doc_id, score) in enumerate(zip(doc_ids, scores, strict=False), start=1)
            )
            # Of the judged documents the last ten are none that was found.
            places = np.append(np.unique((DOCS * random.random(30) ** 3).astype(int)), np.arange(DOCS, DOCS + 10))
            qrels.writelines(
                f"{query_id} 0 {doc_ids[place]} {grade}\n"
                for place, grade in zip(places, random.integers(4, size=len(places)), strict=True)
            )
    unfinished.rename(folder)
