# /// script
# requires-python = ">=3.11,<3.15"
# dependencies = ["pylate==1.6.0", "transformers==4.57.6", "torch==2.15.0"]
# [tool.uv]
# # Only PyLate's indexes use fast-plaid, whose wheels are bound to older releases of torch.
# override-dependencies = ["fast-plaid; sys_platform == 'never'"]
# ///
"""What PyLate 1.6.0 saves and computes."""

import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import tiny
import torch
import transformers
from pylate import models, scores

PACKAGES = ["pylate", "sentence-transformers", "transformers", "tokenizers", "torch"]
LENGTHS = {"query_length": tiny.QUERY_LENGTH, "document_length": tiny.DOC_LENGTH}


def main() -> None:
    """All goldens of PyLate."""
    golden("pylate", seed=31)
    golden(
        "pylate-attend",
        seed=32,
        attend_to_expansion_tokens=True,
        query_prefix="[unused0]",
        document_prefix="[unused1]",
        skiplist_words=[],
    )
    # Here most signs are unknown: a word of the skiplist that is unknown makes PyLate skip every [UNK].
    golden("pylate-no-expansion", seed=33, punctuation=".,?", do_query_expansion=False)
    golden("pylate-no-prefix", seed=34, query_prefix="", document_prefix="")
    golden("pylate-two-dense", seed=35, dense=two_dense())


def two_dense() -> list[models.Dense]:
    """What newer checkpoints have: a wide layer with a residual connection, then the one that makes vectors small."""
    wide = models.Dense(16, 24, bias=True, activation_function=torch.nn.GELU(), use_residual=True)
    return [wide, models.Dense(24, 8, bias=False, use_residual=True)]


def golden(
    name: str, *, seed: int, punctuation: str | None = None, dense: list[models.Dense] | None = None, **options: Any
) -> None:
    """Save a random model, load it again, encode and score."""
    folder = tiny.new_folder(name)
    with tempfile.TemporaryDirectory() as temporary:
        signs = {} if punctuation is None else {"punctuation": punctuation}
        backbone = tiny.save_bert(Path(temporary) / "backbone", seed=seed, **signs)
        if dense is None:
            model = models.ColBERT(str(backbone), embedding_size=8, device="cpu", **LENGTHS, **options)
        else:
            transformer = models.ColBERT(str(backbone), device="cpu")[0]
            model = models.ColBERT(modules=[transformer, *dense], device="cpu", **LENGTHS, **options)
    tiny.randomise(model, seed)
    model.save(str(folder / "checkpoint"), create_model_card=False)
    before = model.state_dict()
    model = models.ColBERT(str(folder / "checkpoint"), device="cpu")
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), f"{name} loads another {key} than it saved."

    encode = {"convert_to_tensor": True, "show_progress_bar": False}
    queries = model.encode(tiny.QUERIES, is_query=True, **encode)
    docs = model.encode(tiny.DOCS, is_query=False, **encode)
    pooled = model.encode(tiny.DOCS, is_query=False, pool_factor=2, **encode)
    expected = {
        "queries": tiny.QUERIES,
        "docs": tiny.DOCS,
        "query_tokens": tokens(model, tiny.QUERIES, is_query=True),
        "doc_tokens": tokens(model, tiny.DOCS, is_query=False),
        "query_embeddings": tiny.numbers(queries),
        "doc_embeddings": tiny.numbers(docs),
        "scores": max_sim(queries, docs),
        "pool_factor": 2,
        "pooled_doc_embeddings": tiny.numbers(pooled),
        "pooled_scores": max_sim(queries, pooled),
    }
    tiny.write_expected(folder, __file__, PACKAGES, expected)


def tokens(model: models.ColBERT, texts: list[str], *, is_query: bool) -> list[str]:
    """What the backbone can attend to; those that take no part in scoring are among them."""
    features = model.tokenize(texts, is_query=is_query)
    return tiny.tokens(model.tokenizer, features["input_ids"], features["attention_mask"])


def max_sim(queries: list[torch.Tensor], docs: list[torch.Tensor]) -> list[list[float]]:
    """Each pair alone: in a batch, padding counts as a similarity of 0."""
    return tiny.numbers([[scores.colbert_scores(query[None], doc[None]).item() for doc in docs] for query in queries])


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    logging.disable()
    torch.set_num_threads(1)
    main()
