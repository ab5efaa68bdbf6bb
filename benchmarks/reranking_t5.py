"""Re-ranking by monoT5: lir against the loop that pygaggle has over transformers."""

import argparse
import os
from typing import Any

import torch
from transformers import AutoTokenizer, T5ForConditionalGeneration

from benchmarks.ranked_passages import Ranking, rankings
from benchmarks.scoring_rounds import COLUMNS, Measured, about_times, here, measure
from benchmarks.seeded_models import mono_t5
from benchmarks.tables import CLAIMS, Claim, markdown, report
from lir_models import CrossEncoderModel, MonoConfig

LOOP = "a loop over batches"
_BATCH_SIZE = 8


def main(arguments: list[str]) -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser("benchmarks reranking_t5", description=__doc__)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--docs", type=int, default=100, help="of each query")
    parser.add_argument("--rounds", type=int, default=5, help="that the queries are divided into")
    options = parser.parse_args(arguments)
    if options.queries % options.rounds:
        parser.error(f"--queries must be a multiple of --rounds, {options.rounds}")
    os.environ["HF_HUB_OFFLINE"] = "1"
    found = measured(rankings(options.queries, options.docs), options.rounds)
    claim = Claim("monoT5, speed over the loop", found.over_lir(LOOP), 1.5, at_least=True)
    about = (
        f"The first {options.docs} passages of BM25 for {options.queries} queries of TREC Deep Learning 2020, scored by a T5 "
        f"of the shape of t5-small, as monoT5. The loop is pygaggle's: batches of {_BATCH_SIZE} in the order of the "
        "ranking, padded to the longest, one step of the decoder with the logits of all 32,128 tokens, of which it takes "
        f"two. All scores agree to {found.difference:.0e}."
    )
    sections = [about, markdown(COLUMNS, found.rows), about_times(options.rounds), markdown(CLAIMS, [claim.row])]
    report(
        "reranking_t5", "Re-ranking by monoT5", sections, ["lir-models", "transformers", "torch"], threads="all threads"
    )


def measured(ranked: list[Ranking], rounds: int) -> Measured:
    """Let both score."""
    model = CrossEncoderModel.from_pretrained(mono_t5(), MonoConfig(scoring_strategy="mono"), device="cpu")
    theirs = T5ForConditionalGeneration.from_pretrained(mono_t5()).eval()
    tokenizer = AutoTokenizer.from_pretrained(mono_t5())
    contenders = {
        "lir": here(lambda part: model.score([each.query for each in part], [each.docs for each in part]).scores),
        LOOP: here(lambda part: torch.cat([score(theirs, tokenizer, each) for each in part])),
    }
    return measure(contenders, ranked, rounds)


@torch.no_grad()
def score(model: Any, tokenizer: Any, ranking: Ranking) -> torch.Tensor:
    """Score the documents of a query, batch by batch."""
    answers = tokenizer.convert_tokens_to_ids(["▁false", "▁true"])
    texts = [f"Query: {ranking.query} Document: {doc} Relevant:" for doc in ranking.docs]
    found: list[torch.Tensor] = []
    for start in range(0, len(texts), _BATCH_SIZE):
        batch = tokenizer(
            texts[start : start + _BATCH_SIZE], padding=True, truncation=True, max_length=512, return_tensors="pt"
        )
        begin = torch.full((len(batch.input_ids), 1), model.config.decoder_start_token_id)
        output = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask, decoder_input_ids=begin)
        found.append(output.logits[:, 0, answers].log_softmax(dim=-1)[:, 1])
    return torch.cat(found)
