"""Re-ranking by cross-encoders: lir against sentence-transformers and Lightning IR."""

import argparse
import os

import numpy as np
import torch
from sentence_transformers import CrossEncoder

from benchmarks.peers import Peer
from benchmarks.ranked_passages import Ranking, rankings
from benchmarks.scoring_rounds import COLUMNS, Measured, about_times, here, measure
from benchmarks.seeded_models import cross_encoder
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_models import CrossEncoderModel

LIGHTNING_IR = ("lightning-ir==0.0.6", "transformers==4.57.6", "torch==2.15.0")
ABOUT_LIGHTNING_IR = f"Lightning IR has an environment of its own, of {', '.join(LIGHTNING_IR)}."


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks reranking", description=__doc__)
    parser.add_argument("--queries", type=int, default=50)
    parser.add_argument("--docs", type=int, default=100, help="of each query")
    parser.add_argument("--rounds", type=int, default=5, help="that the queries are divided into")
    parser.add_argument("--at-once", type=int, default=1, help="queries whose documents are a batch of Lightning IR")
    options = parser.parse_args(arguments)
    if options.queries % options.rounds:
        parser.error(f"--queries must be a multiple of --rounds, {options.rounds}")
    # Nothing is asked of the hub, by the peer either, whose process inherits this.
    os.environ["HF_HUB_OFFLINE"] = "1"
    ranked = rankings(options.queries, options.docs)
    model = CrossEncoderModel.from_pretrained(cross_encoder(), device="cpu")
    measured = by_bert(model, ranked, options.rounds, options.at_once)
    claims = [
        Claim("speed over sentence-transformers", measured.over_lir("sentence-transformers"), 1.4, at_least=True),
        Claim("speed over Lightning IR", measured.over_lir("Lightning IR"), 4, at_least=True),
    ]
    at_once = "a query" if options.at_once == 1 else f"{options.at_once} queries"
    about = (
        f"The first {options.docs} passages of BM25 for {options.queries} queries of TREC Deep Learning 2020, scored by "
        f"MiniLM (6 layers, width 384) with a classification head: pairs of {tokens(model, ranked):.0f} tokens on the "
        f"average. sentence-transformers takes batches of 32 by default, Lightning IR the documents of {at_once} as one "
        f"batch; the whole call counts, from texts to scores. {ABOUT_LIGHTNING_IR} All scores agree to "
        f"{measured.difference:.0e}."
    )
    table = markdown(COLUMNS, measured.rows)
    sections = [about, table, about_times(options.rounds), markdown(CLAIMS, [claim.row for claim in claims])]
    packages = ["lir-models", "sentence-transformers", "transformers", "torch"]
    report("reranking", "Re-ranking", sections, packages, threads="all threads")


def by_bert(model: CrossEncoderModel, ranked: list[Ranking], rounds: int, at_once: int) -> Measured:
    """Let all score; sentence-transformers without its sigmoid, and the peer in an environment of its own."""
    theirs = CrossEncoder(str(cross_encoder()), device="cpu", local_files_only=True, activation_fn=torch.nn.Identity())

    def score_by_peer(part: list[Ranking]) -> tuple[list[float], tuple[float, float]]:
        queries, docs = [each.query for each in part], [each.docs for each in part]
        return tuple(peer.ask("score", queries=queries, docs=docs, at_once=at_once))

    with Peer("lightning_ir_scoring", LIGHTNING_IR, torch.get_num_threads()) as peer:
        peer.ask("load_cross_encoder", folder=str(cross_encoder()))
        contenders = {
            "lir": here(lambda part: model.score([each.query for each in part], [each.docs for each in part]).scores),
            "sentence-transformers": here(
                lambda part: theirs.predict([(each.query, doc) for each in part for doc in each.docs])
            ),
            "Lightning IR": score_by_peer,
        }
        return measure(contenders, ranked, rounds)


def tokens(model: CrossEncoderModel, ranked: list[Ranking]) -> float:
    """Count the tokens of a pair, on the average."""
    pairs = [(each.query, doc) for each in ranked for doc in each.docs]
    tokenized = model.tokenize([query for query, _ in pairs], [doc for _, doc in pairs])
    return float(np.mean([len(pair.input_ids) for pair in tokenized]))
