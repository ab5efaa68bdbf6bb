# /// script
# requires-python = ">=3.11,<3.15"
# dependencies = ["sentence-transformers==5.3.0", "transformers==4.57.6", "torch==2.15.0"]
# ///
"""What sentence-transformers 5.3.0 saves and computes, the last release before the layout of 5.4."""

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import tiny
import torch
import transformers
from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.models import Dense, Normalize, Pooling, Router, Transformer
from sentence_transformers.sparse_encoder.models import MLMTransformer, SparseStaticEmbedding, SpladePooling

PACKAGES = ["sentence-transformers", "transformers", "tokenizers", "torch"]
PROMPTS = {"query": "how deep: ", "document": "in: "}
FLAGS = ["cls_token", "max_tokens", "mean_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]


def main(temporary: Path) -> None:
    """All goldens of sentence-transformers."""
    transformer = tower(temporary, seed=51)
    modules = [transformer, Pooling(16, "mean"), Dense(16, 8, activation_function=torch.nn.Tanh()), Normalize()]
    embedder("dense", SentenceTransformer(modules=modules, prompts=PROMPTS, device="cpu"), seed=51)

    modules = [tower(temporary, seed=52), pooling("cls_token", "max_tokens", "mean_tokens")]
    embedder("dense-concat", SentenceTransformer(modules=modules, prompts=PROMPTS, device="cpu"), seed=52)

    # Not cls without the prompt: up to 5.3 that is the vector of the first token all the same, from 5.4 on of the first
    # after the prompt, which is lir's. Nor cls and max together: max then writes -1e9 over the vector that cls returns.
    modules = [tower(temporary, seed=53), pooling("max_tokens", "mean_tokens", include_prompt=False)]
    embedder("dense-without-prompt", SentenceTransformer(modules=modules, prompts=PROMPTS, device="cpu"), seed=53)

    modules = [tower(temporary, seed=54), pooling(*FLAGS)]
    embedder(
        "dense-all-poolings",
        SentenceTransformer(modules=modules, similarity_fn_name="euclidean", device="cpu"),
        seed=54,
    )

    router = Router.for_query_document(
        query_modules=[tower(temporary, seed=55), Pooling(16, "cls"), Dense(16, 8, bias=False)],
        document_modules=[tower(temporary, seed=56, intermediate_size=24), Pooling(16, "mean"), Dense(16, 8)],
    )
    modules = [router, Normalize()]
    embedder("dense-router", SentenceTransformer(modules=modules, similarity_fn_name="dot", device="cpu"), seed=55)

    modules = [masked(temporary, seed=57), SpladePooling("max")]
    embedder("splade", SparseEncoder(modules=modules, device="cpu"), seed=57)

    modules = [masked(temporary, seed=58), SpladePooling("sum", activation_function="log1p_relu")]
    embedder("splade-log1p-sum", SparseEncoder(modules=modules, device="cpu"), seed=58)

    document = masked(temporary, seed=59)
    router = Router.for_query_document(
        query_modules=[SparseStaticEmbedding(tokenizer=document.tokenizer)],
        document_modules=[document, SpladePooling("max")],
    )
    embedder("splade-inference-free", SparseEncoder(modules=[router], device="cpu"), seed=59)

    cross_encoder(temporary, "cross-encoder", num_labels=1, seed=60)
    cross_encoder(temporary, "cross-encoder-identity", num_labels=1, activation_fn=torch.nn.Identity(), seed=61)
    cross_encoder(temporary, "cross-encoder-two-labels", num_labels=2, seed=62)


def tower(temporary: Path, *, seed: int, **options: Any) -> Transformer:
    """A random BERT that reads as many tokens as the longest document may have."""
    folder = tiny.save_bert(temporary / f"bert-{seed}", seed=seed, **options)
    return Transformer(str(folder), max_seq_length=tiny.DOC_LENGTH)


def masked(temporary: Path, *, seed: int) -> MLMTransformer:
    """The same with the head of a masked language model."""
    folder = tiny.save_bert(temporary / f"masked-{seed}", "BertForMaskedLM", seed=seed)
    return MLMTransformer(str(folder), max_seq_length=tiny.DOC_LENGTH)


def pooling(*flags: str, **options: Any) -> Pooling:
    """Several poolings, whose vectors are written one after the other."""
    return Pooling(16, **{f"pooling_mode_{flag}": flag in flags for flag in FLAGS}, **options)


def embedder(name: str, model: SentenceTransformer, *, seed: int) -> None:
    """Encode queries and documents as such, and compare each with each."""
    folder = tiny.new_folder(f"sentence-transformers-5.3-{name}")
    tiny.randomise(model, seed)
    model.save_pretrained(str(folder / "checkpoint"), create_model_card=False)
    before = model.state_dict()
    model = type(model)(str(folder / "checkpoint"), device="cpu")
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), f"{name} loads another {key} than it saved."
    encode = {"convert_to_tensor": True, "show_progress_bar": False}
    queries = model.encode_query(tiny.QUERIES, **encode)
    docs = model.encode_document(tiny.DOCS, **encode)
    form = tiny.weights if isinstance(model, SparseEncoder) else tiny.numbers
    expected = {
        "queries": tiny.QUERIES,
        "docs": tiny.DOCS,
        "query_embeddings": form(queries),
        "doc_embeddings": form(docs),
        "scores": tiny.numbers(model.similarity(queries, docs)),
    }
    tiny.write_expected(folder, __file__, PACKAGES, expected)


def cross_encoder(temporary: Path, name: str, *, seed: int, num_labels: int, **options: Any) -> None:
    """The logits, and what ``predict`` makes of them."""
    folder = tiny.new_folder(f"sentence-transformers-5.3-{name}")
    backbone = tiny.save_bert(
        temporary / name, "BertForSequenceClassification", seed=seed, num_labels=num_labels, length=tiny.PAIR_LENGTH
    )
    model = CrossEncoder(str(backbone), device="cpu", **options)
    model.save_pretrained(str(folder / "checkpoint"))
    model = CrossEncoder(str(folder / "checkpoint"), device="cpu")
    scores, logits = [], []
    for query in tiny.QUERIES:
        pairs = [(query, doc) for doc in tiny.DOCS]
        scores.append(tiny.numbers(model.predict(pairs, show_progress_bar=False)))
    for query in tiny.QUERIES:
        pairs = [(query, doc) for doc in tiny.DOCS]
        logits.append(tiny.numbers(model.predict(pairs, show_progress_bar=False, activation_fn=torch.nn.Identity())))
    expected = {"queries": tiny.QUERIES, "docs": tiny.DOCS, "logits": logits, "scores": scores}
    tiny.write_expected(folder, __file__, PACKAGES, expected)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    logging.disable()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder_for_backbones:
        main(Path(folder_for_backbones))
