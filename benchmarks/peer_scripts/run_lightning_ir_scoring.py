"""Lightning IR: re-ranking by its modules' ``score``, and its late interaction given embeddings."""

import warnings
from pathlib import Path

import torch
import transformers
from lightning_ir import BiEncoderModule, CrossEncoderModule
from lightning_ir.bi_encoder.bi_encoder_model import BiEncoderOutput
from lightning_ir.models import ColConfig, MonoConfig
from safetensors.torch import load_file
from serving import serve, timed

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
state = {}


def load_cross_encoder(folder):
    """Of BERT with a classification head."""
    config = MonoConfig(pooling_strategy="bert_pool", linear_bias=True)
    module = CrossEncoderModule(model_name_or_path=folder, config=config).eval()
    # It finds the backbone's weights alone.
    weights = load_file(Path(folder) / "model.safetensors")
    with torch.no_grad():
        for part in ("weight", "bias"):
            getattr(module.model.linear, part).copy_(weights[f"classifier.{part}"])
            getattr(module.model.bert_pool[0], part).copy_(weights[f"bert.pooler.dense.{part}"])
    state["module"] = module


def load_late_interaction(folder):
    """Of BERT with a linear layer after it."""
    config = ColConfig(
        projection="linear_no_bias",
        normalization_strategy="l2",
        query_expansion=True,
        doc_mask_scoring_tokens="punctuation",
    )
    module = BiEncoderModule(model_name_or_path=folder, config=config).eval()
    weights = load_file(Path(folder) / "1_Dense" / "model.safetensors")
    with torch.no_grad():
        module.model.projection.weight.copy_(weights["linear.weight"])
    state["module"] = module


def score(queries, docs, at_once=1):
    """Score each query's documents, all those of so many queries in one batch; return the scores and the seconds."""
    score_some = state["module"].score
    batches = [slice(start, start + at_once) for start in range(0, len(queries), at_once)]
    found, seconds = timed(lambda: [score_some(queries[batch], docs[batch]).scores for batch in batches])
    return torch.cat(found).tolist(), seconds


def encode(queries, docs):
    """Keep the embeddings of each query and of its documents."""
    score_one = state["module"].score
    outputs = [score_one(query, item) for query, item in zip(queries, docs, strict=True)]
    state["embeddings"] = [(output.query_embeddings, output.doc_embeddings) for output in outputs]


@torch.no_grad()
def compare(repeats):
    """Score from the embeddings that are kept, so many times; return the scores and the seconds."""
    score_one = state["module"].model.score

    def score_all():
        return [
            score_one(BiEncoderOutput(query_embeddings=query, doc_embeddings=docs)).scores
            for query, docs in state["embeddings"]
        ]

    found, seconds = timed(lambda: [score_all() for _ in range(repeats)])
    return torch.cat(found[-1]).tolist(), seconds


actions = (load_cross_encoder, load_late_interaction, score, encode, compare)
serve({action.__name__: action for action in actions})
