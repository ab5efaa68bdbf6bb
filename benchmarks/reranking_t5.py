"""Re-ranking by monoT5: lir against the loop that pygaggle has over transformers."""

from typing import Any

import torch
from transformers import AutoTokenizer, T5ForConditionalGeneration

from benchmarks.ranked_passages import Ranking
from benchmarks.scoring_rounds import Measured, here, measure
from benchmarks.seeded_models import mono_t5
from lir_models import CrossEncoderModel, MonoConfig

LOOP = "a loop over batches"
ABOUT = (
    "The loop is pygaggle's: batches of 8 in the order of the ranking, padded to the longest, one step of the decoder with "
    "the logits of all 32,128 tokens, of which it takes two."
)
_BATCH_SIZE = 8


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
