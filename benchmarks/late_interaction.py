"""Late interaction: ColBERT's scores of a query's documents by lir, sentence-transformers and Lightning IR, by the clock."""

import argparse
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sentence_transformers import MultiVectorEncoder

from benchmarks.measuring import Times, interleaved, timed
from benchmarks.peers import Peer
from benchmarks.ranked_passages import Ranking, rankings
from benchmarks.reranking import ABOUT_LIGHTNING_IR, LIGHTNING_IR
from benchmarks.scoring_rounds import COLUMNS, Measured, check_equal, here, measure
from benchmarks.seeded_models import late_interaction
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_models import BiEncoderModel

PEERS = ("sentence-transformers", "Lightning IR")


def main(arguments: list[str]) -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser("benchmarks late_interaction", description=__doc__)
    parser.add_argument("--queries", type=int, default=10)
    parser.add_argument("--docs", type=int, default=100, help="of each query")
    parser.add_argument("--rounds", type=int, default=7, help="of scoring from embeddings")
    parser.add_argument("--repeats", type=int, default=20, help="of lir in a round; the slower do less")
    parser.add_argument("--parts", type=int, default=5, help="rounds of scoring from texts, that divide the queries")
    options = parser.parse_args(arguments)
    if options.queries % options.parts:
        parser.error(f"--queries must be a multiple of --parts, {options.parts}")
    # Nothing is asked of the hub, by the peer either, whose process inherits this.
    os.environ["HF_HUB_OFFLINE"] = "1"
    ranked = rankings(options.queries, options.docs)
    model = BiEncoderModel.from_pretrained(late_interaction(), device="cpu")
    theirs = MultiVectorEncoder(str(late_interaction()), device="cpu", local_files_only=True)
    with Peer("lightning_ir_scoring", LIGHTNING_IR, torch.get_num_threads()) as peer:
        peer.ask("load_late_interaction", folder=str(late_interaction()))
        contenders = Embedded(model, theirs, peer, ranked)
        times = interleaved(contenders.rounds(options.repeats), options.rounds)
        from_texts = by_texts(model, theirs, peer, ranked, options.parts)
    write(contenders, times, from_texts, options)


class Embedded:
    """The embeddings of all queries and documents, as each contender's encoder returns them, and what it makes of them.

    Args:
        model: Of lir.
        theirs: Of sentence-transformers.
        peer: Lightning IR, which keeps its embeddings.
        ranked: What is embedded.
    """

    def __init__(self, model: BiEncoderModel, theirs: MultiVectorEncoder, peer: Peer, ranked: list[Ranking]) -> None:
        self.count = len(ranked)
        self.peer = peer
        ours = [(model.encode_query([each.query]), model.encode_document(each.docs)) for each in ranked]
        lists = [(theirs.encode_query([each.query]), theirs.encode_document(each.docs)) for each in ranked]
        peer.ask("encode", queries=[each.query for each in ranked], docs=[each.docs for each in ranked])
        self.by_lir = lambda: [model.similarity(*each)[0] for each in ours]
        self.by_sentence_transformers = lambda: [theirs.similarity(*each)[0] for each in lists]
        scores = [
            torch.cat(self.by_lir()),
            torch.cat(self.by_sentence_transformers()),
            peer.ask("compare", repeats=1)[0],
        ]
        self.difference = check_equal(scores)
        packed: list[Any] = [docs for _, docs in ours]
        self.lengths = np.concatenate([docs.lengths for docs in packed])

    def rounds(self, repeats: int) -> dict[str, Any]:
        """Return each contender's round; the slower ones repeat the work less often."""
        fewer = {"lir": repeats, PEERS[0]: -(-repeats // 2), PEERS[1]: -(-repeats // 20)}

        def repeated(work: Callable[[], object], count: int) -> Callable[[], object]:
            return lambda: [work() for _ in range(count)]

        return {
            "lir": (timed(repeated(self.by_lir, repeats)), repeats * self.count),
            PEERS[0]: (timed(repeated(self.by_sentence_transformers, fewer[PEERS[0]])), fewer[PEERS[0]] * self.count),
            PEERS[1]: (
                lambda: tuple(self.peer.ask("compare", repeats=fewer[PEERS[1]])[1]),
                fewer[PEERS[1]] * self.count,
            ),
        }


def by_texts(
    model: BiEncoderModel, theirs: MultiVectorEncoder, peer: Peer, ranked: list[Ranking], parts: int
) -> Measured:
    """Let all score from texts, a query and its documents at a time."""

    def score_by_theirs(part: list[Ranking]) -> torch.Tensor:
        pairs = [(theirs.encode_query([each.query]), theirs.encode_document(each.docs)) for each in part]
        return torch.cat([theirs.similarity(*pair)[0] for pair in pairs])

    contenders = {
        "lir": here(lambda part: torch.cat([model.score(each.query, each.docs).scores for each in part])),
        PEERS[0]: here(score_by_theirs),
        PEERS[1]: lambda part: tuple(
            peer.ask("score", queries=[each.query for each in part], docs=[each.docs for each in part])
        ),
    }
    return measure(contenders, ranked, parts)


def write(embedded: Embedded, times: dict[str, Times], from_texts: Measured, options: argparse.Namespace) -> None:
    """Print and keep the tables."""
    lengths = embedded.lengths
    measured = Measured(times, embedded.difference, options.docs)
    claims = [
        Claim(f"speed of scoring over {name}", measured.over_lir(name), target, at_least=True)
        for name, target in zip(PEERS, (1.2, 20), strict=True)
    ]
    about = (
        f"MiniLM (6 layers) with a projection to 128 dimensions: {options.queries} queries of TREC Deep Learning 2020, "
        f"each filled up to 32 tokens, with the first {options.docs} passages of BM25, of {lengths.min()} to "
        f"{lengths.max()} vectors, {lengths.mean():.0f} on the average. From embeddings, as each library's encoder returns "
        f"them; all scores agree to {embedded.difference:.0e}. {ABOUT_LIGHTNING_IR}"
    )
    about_texts = f"The same from texts, encoding included; all scores agree to {from_texts.difference:.0e}."
    about_times = "By the clock. The contenders take turns; medians of the rounds, x lir is the median of their ratios."
    sections = [about, markdown(COLUMNS, measured.rows), about_texts, markdown(COLUMNS, from_texts.rows), about_times]
    report(
        "late_interaction",
        "Late interaction",
        [*sections, markdown(CLAIMS, [claim.row for claim in claims])],
        ["lir-models", "sentence-transformers", "transformers", "torch"],
        threads="all threads",
    )
