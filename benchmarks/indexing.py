"""Indexing short texts end to end (reading, encoding, building) against the bare encoding of the same texts; and its memory."""

import argparse
import gzip
import json
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np

from benchmarks.fine_tuning_recipes import CACHE, MINILM
from benchmarks.measuring import PrivateMemory, in_a_process
from benchmarks.ranked_passages import passages
from benchmarks.tables import CLAIMS, Claim, markdown, report

WORDS = 8
DIM = 384
COLUMNS = ("what", "documents", "s", "documents/s", "peak MB")
Measured = tuple[float, float]
"""Seconds by the clock, and megabytes at most."""


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks indexing", description=__doc__)
    parser.add_argument("--docs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args(arguments)
    small = options.docs // 2
    files = {count: write_docs(count) for count in (options.docs, small)}
    seconds: dict[str, list[float]] = {"bare encoding": [], "indexing": []}
    peaks: dict[str, float] = {}
    for _ in range(options.rounds):
        for name, work in (("bare encoding", encode), ("indexing", index)):
            measured, peaks[name] = in_a_process(work, files[options.docs])
            seconds[name].append(measured)
            print(name, measured, peaks[name], flush=True)
    small_seconds, small_peak = in_a_process(index, files[small])
    rows = [
        (
            name,
            f"{options.docs:,}",
            f"{np.median(times):.1f}",
            f"{options.docs / np.median(times):.0f}",
            f"{peaks[name]:.0f}",
        )
        for name, times in seconds.items()
    ]
    rows.append(("indexing", f"{small:,}", f"{small_seconds:.1f}", f"{small / small_seconds:.0f}", f"{small_peak:.0f}"))
    ratio = float(np.median(np.array(seconds["indexing"]) / np.array(seconds["bare encoding"])))
    vectors = (options.docs - small) * DIM * 4 / 2**20
    about = (
        f"Texts of {WORDS} words of MS MARCO, by all-MiniLM-L6-v2 in float32. Indexing is what `lir index` does, from a packed "
        "file of JSON lines to a complete faiss-flat index; the bare encoding has the texts in memory, and gives one array. "
        f"Without loading the model, by the clock, in processes of their own that take turns, {options.rounds} of each. Peak is "
        f"the process's private memory, libraries included, without files that are memory-mapped; the vectors of the "
        f"{options.docs - small:,} further documents alone take {vectors:.0f} MB. The index finds documents by their embeddings with a score of 1 within 1e-5."
    )
    claims = [
        Claim("indexing: time over the bare encoding of the same texts", ratio, 1.05, False),
        Claim("indexing: peak memory over that of half of the documents", peaks["indexing"] / small_peak, 1.1, False),
    ]
    sections = [about, markdown(COLUMNS, rows), markdown(CLAIMS, [claim.row for claim in claims])]
    packages = ["lir-train", "lir-index", "lightning", "transformers", "torch", "faiss-cpu"]
    report("indexing", "Indexing end to end", sections, packages, threads="all threads")


def write_docs(count: int) -> Path:
    """Write short texts, all of the same number of words; one that is there is kept."""
    file = CACHE / f"short-texts-{WORDS}-{count}.jsonl.gz"
    if not file.exists():
        CACHE.mkdir(exist_ok=True)
        words = " ".join(passages().values()).split()
        texts = (" ".join(words[start : start + WORDS]) for start in range(0, len(words) - WORDS, WORDS))
        lines = [json.dumps({"doc_id": str(number), "text": text}) for number, text in enumerate(islice(texts, count))]
        assert len(lines) == count, f"There are {len(lines)} texts, not {count}."
        with gzip.open(file, "wt", encoding="utf-8") as opened:
            opened.write("\n".join(lines) + "\n")
    return file


def encode(file: Path) -> Measured:
    """Encode the texts, which are in memory."""
    from lir_data import DocDataset
    from lir_models import BiEncoderModel

    texts = [doc.doc for doc in DocDataset(file)]
    model = BiEncoderModel.from_pretrained(MINILM, device="cpu")
    model.encode_document(texts[:64])
    start = time.perf_counter()
    with PrivateMemory() as memory:
        embeddings = model.encode_document(texts)
    seconds = time.perf_counter() - start
    assert embeddings.shape == (len(texts), DIM)
    return seconds, memory.peak


def index(file: Path) -> Measured:
    """Read, encode and build, as ``lir index`` does."""
    from benchmarks.fine_tuning_lir import QUIET
    from lir_data import DocDataset
    from lir_index import Index, IndexCallback
    from lir_train import BiEncoderModule, LightningIRDataModule, LightningIRTrainer

    module = BiEncoderModule(MINILM)
    module.model.encode_document(["warm"] * 64)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        start = time.perf_counter()
        trainer = LightningIRTrainer(callbacks=[IndexCallback(Path(folder) / "index")], **QUIET)
        with PrivateMemory() as memory:
            trainer.index(module, LightningIRDataModule(inference_datasets=[DocDataset(file)]))
        seconds = time.perf_counter() - start
        texts = [doc.doc for doc in islice(DocDataset(file), 1000)]
        found = Index.open(Path(folder) / "index").search(np.asarray(module.model.encode_document(texts)), 1)
        assert np.abs(np.concatenate(found.scores) - 1).max() < 1e-5, (
            "The documents are not found by their own embeddings."
        )
    return seconds, memory.peak
