"""Vectors and scores equal those of sentence-transformers' MultiVectorEncoder, which reads PyLate's folders too."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import BiEncoderModel, ColConfig

sentence_transformers = pytest.importorskip("sentence_transformers")
base = pytest.importorskip("sentence_transformers.base.modules")
multi_vector = pytest.importorskip("sentence_transformers.multi_vector_encoder.modules")

Maker = Callable[..., Any]
PROMPTS = {"query": "[Q] ", "document": "[D] "}
TOKENS = {"module_input_name": "token_embeddings", "module_output_name": "token_embeddings"}


@pytest.fixture
def encoder(tiny_bert: Callable[..., Path], tmp_path: Path) -> Maker:
    """What saves and returns a multi-vector encoder of sentence-transformers."""

    def make(
        *,
        normalize: bool = True,
        masked: str = "",
        pool_factor: int | None = None,
        similarity: str | None = None,
        **options: Any,
    ) -> Any:
        words = [
            "berlin",
            "is",
            "the",
            "capital",
            "of",
            "paris",
            "river",
            "long",
            "[Q]",
            "[D]",
            *"!,.?abcdeghiklnoptuw",
        ]
        folder = tiny_bert(tmp_path / "bert", words=words, length=64, initializer_range=0.2)
        torch.manual_seed(3)
        chain = [
            base.Transformer(str(folder), **options),
            base.Dense(32, 8, bias=False, activation_function=torch.nn.Identity(), **TOKENS),
            multi_vector.MultiVectorMask(skiplist_words=list(masked)),
        ]
        chain += [base.Normalize(**TOKENS)] * normalize
        if pool_factor is not None:
            chain.append(multi_vector.HierarchicalTokenPooling(pool_factor=pool_factor))
        model = sentence_transformers.MultiVectorEncoder(
            modules=chain, device="cpu", prompts=PROMPTS, similarity_fn_name=similarity
        )
        model.save(str(tmp_path / "st"))
        return model

    return make


def assert_same(model: BiEncoderModel, reference: Any, texts: list[str]) -> None:
    """Both sides' vectors, and all scores."""
    queries, docs = reference.encode_query(texts), reference.encode_document(texts)
    for ours, theirs in ((model.encode_query(texts), queries), (model.encode_document(texts), docs)):
        assert ours.lengths.tolist() == [len(vectors) for vectors in theirs]
        np.testing.assert_allclose(ours.vectors, np.concatenate(theirs), atol=1e-5)
    scores = torch.stack(model.score(texts, [texts] * len(texts)).per_query())
    torch.testing.assert_close(scores, reference.similarity(queries, docs).float(), atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"normalize": False},
        {"masked": "!,.?;"},
        {"query_expansion": {"strategy": "fixed", "length": 12}},
        {"query_expansion": {"strategy": "fixed", "length": 12, "attend": True}, "masked": "!,.?"},
        {"query_expansion": {"strategy": "fixed", "length": 9, "token": "paris"}},
        {"query_expansion": {"strategy": "min", "length": 9}},
        {"query_expansion": {"strategy": "min", "length": 9}, "query_length": 12},
        {"query_length": 6, "document_length": 9},
        {"similarity": "meanmaxsim"},
        {"pool_factor": 2},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*")
def test_vectors_and_scores_equal(encoder: Maker, tmp_path: Path, texts: list[str], options: dict[str, Any]) -> None:
    reference = encoder(**options)
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    assert_same(model, reference, texts)
    model.save_pretrained(tmp_path / "saved")
    assert_same(BiEncoderModel.from_pretrained(tmp_path / "saved"), reference, texts)


@pytest.mark.parametrize(
    "config",
    [
        ColConfig(embedding_dim=8, normalization_strategy="l2", query_length=16, doc_length=20),
        ColConfig(
            embedding_dim=8,
            projection="linear_no_bias",
            normalization_strategy="l2",
            similarity_function="cosine",
            query_length=16,
            doc_length=20,
            add_marker_tokens=True,
            query_expansion=True,
            doc_mask_scoring_tokens="punctuation",
        ),
        ColConfig(
            embedding_dim=8,
            normalization_strategy="l2",
            query_length=16,
            add_marker_tokens=True,
            query_expansion=True,
            attend_to_query_expanded_tokens=True,
            doc_mask_scoring_tokens=("the", "of"),
        ),
    ],
    ids=["plain", "expanded", "attended"],
)
def test_a_new_model_saved_as_pylate_has_it_loads(
    backbone: Path, tmp_path: Path, texts: list[str], config: ColConfig
) -> None:
    torch.manual_seed(4)
    model = BiEncoderModel.from_pretrained(backbone, config)
    model.save_pretrained(tmp_path / "saved")
    assert_same(model, sentence_transformers.MultiVectorEncoder(str(tmp_path / "saved"), device="cpu"), texts)
    (tmp_path / "saved" / "lir.json").unlink()
    assert_same(BiEncoderModel.from_pretrained(tmp_path / "saved"), model_as_reference(model), texts)


def model_as_reference(model: BiEncoderModel) -> Any:
    """A lir model with the methods of sentence-transformers."""

    class Reference:
        def encode_query(self, texts: list[str]) -> list[np.ndarray]:
            embeddings = model.encode_query(texts)
            return np.split(embeddings.vectors, np.cumsum(embeddings.lengths)[:-1])

        def encode_document(self, texts: list[str]) -> list[np.ndarray]:
            embeddings = model.encode_document(texts)
            return np.split(embeddings.vectors, np.cumsum(embeddings.lengths)[:-1])

        def similarity(self, queries: list[np.ndarray], docs: list[np.ndarray]) -> torch.Tensor:
            return torch.tensor([[float((q @ d.T).max(axis=1).sum()) for d in docs] for q in queries])

    return Reference()
