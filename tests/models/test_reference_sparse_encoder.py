"""Term weights and scores equal those of sentence-transformers' SparseEncoder, on folders of its own making."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import BiEncoderModel, SpladeConfig

sentence_transformers = pytest.importorskip("sentence_transformers")
base = pytest.importorskip("sentence_transformers.base.modules")
sparse = pytest.importorskip("sentence_transformers.sparse_encoder.modules")

Maker = Callable[..., Any]


@pytest.fixture
def masked_lm(random_bert: Callable[..., Path], masked_lms: dict[str, Path]) -> Path:
    """A masked language model."""
    if "bert" not in masked_lms:
        masked_lms["bert"] = random_bert("masked-lm", "BertForMaskedLM", seed=5)
    return masked_lms["bert"]


@pytest.fixture(scope="module")
def masked_lms() -> dict[str, Path]:
    return {}


@pytest.fixture
def splade(masked_lm: Path, tmp_path: Path) -> Maker:
    """What saves and returns a SPLADE of sentence-transformers."""

    def make(pooling: str = "max", activation: str = "relu", **options: Any) -> Any:
        chain = [
            base.Transformer(str(masked_lm), transformer_task="fill-mask"),
            sparse.SpladePooling(pooling, activation_function=activation),
        ]
        model = sentence_transformers.SparseEncoder(modules=chain, device="cpu", **options)
        model.save(str(tmp_path / "st"))
        return model

    return make


@pytest.fixture
def inference_free(masked_lm: Path, tmp_path: Path) -> Maker:
    """What saves and returns a model whose queries need no backbone."""

    def make(frozen: bool = False) -> Any:
        torch.manual_seed(6)
        doc = base.Transformer(str(masked_lm), transformer_task="fill-mask")
        query = sparse.SparseStaticEmbedding(
            tokenizer=doc.tokenizer, weight=torch.rand(len(doc.tokenizer)), frozen=frozen
        )
        router = base.Router.for_query_document(
            query_modules=[query], document_modules=[doc, sparse.SpladePooling("max")]
        )
        model = sentence_transformers.SparseEncoder(modules=[router], device="cpu", similarity_fn_name="dot")
        model.save(str(tmp_path / "st"))
        return model

    return make


def assert_same(model: BiEncoderModel, reference: Any, texts: list[str]) -> None:
    """Both sides' weights, and all scores."""
    options = {"convert_to_sparse_tensor": False}
    queries, docs = reference.encode_query(texts, **options), reference.encode_document(texts, **options)
    np.testing.assert_allclose(model.encode_query(texts).toarray(), queries, atol=1e-5, rtol=1e-6)
    np.testing.assert_allclose(model.encode_document(texts).toarray(), docs, atol=1e-5, rtol=1e-6)
    scores = torch.stack(model.score(texts, [texts] * len(texts)).per_query())
    torch.testing.assert_close(scores, reference.similarity(queries, docs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "sum"])
@pytest.mark.parametrize("activation", ["relu", "log1p_relu"])
def test_every_pooling_and_activation_equals(
    splade: Maker, tmp_path: Path, texts: list[str], pooling: str, activation: str
) -> None:
    reference = splade(pooling, activation)
    assert_same(BiEncoderModel.from_pretrained(tmp_path / "st"), reference, texts)


@pytest.mark.parametrize("similarity", ["dot", "cosine", "euclidean"])
def test_scores_equal(splade: Maker, tmp_path: Path, texts: list[str], similarity: str) -> None:
    reference = splade(similarity_fn_name=similarity)
    queries, docs = reference.encode_query(texts), reference.encode_document(texts[:3])
    scores = torch.stack(
        BiEncoderModel.from_pretrained(tmp_path / "st").score(texts, [texts[:3]] * len(texts)).per_query()
    )
    # A distance of a text to itself loses half of the digits.
    atol = 2e-2 if similarity == "euclidean" else 1e-5
    torch.testing.assert_close(scores, reference.similarity(queries, docs), atol=atol, rtol=1e-5)


def test_prompts_and_the_most_active_dimensions_equal(splade: Maker, tmp_path: Path, texts: list[str]) -> None:
    reference = splade(max_active_dims=9, prompts={"query": "what is ", "document": "the city "})
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    assert_same(model, reference, texts)
    assert max(np.diff(model.encode_document(texts).indptr)) == 9


def test_queries_without_a_backbone_equal(inference_free: Maker, tmp_path: Path, texts: list[str]) -> None:
    reference = inference_free()
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    assert model.config.query_weighting == "static"
    assert_same(model, reference, texts)


def test_weights_of_query_terms_in_a_json_file_equal(inference_free: Maker, tmp_path: Path, texts: list[str]) -> None:
    inference_free()
    folder = tmp_path / "st" / "query_0_SparseStaticEmbedding"
    (folder / "model.safetensors").unlink()
    (folder / "idf.json").write_text('{"berlin": 1.5, "the": 0.25, "nowhere": 3.0}')
    (folder / "config.json").write_text('{"path": "idf.json", "frozen": true}')
    queries = BiEncoderModel.from_pretrained(tmp_path / "st").encode_query(["the the berlin", "paris"]).toarray()
    assert sorted(queries[0][queries[0] > 0]) == [0.25, 1.5]
    assert not queries[1].any()


@pytest.mark.parametrize("kind", ["splade", "inference_free"])
def test_what_lir_saves_sentence_transformers_loads(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, texts: list[str]
) -> None:
    request.getfixturevalue(kind)()
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    model.save_pretrained(tmp_path / "saved")
    assert_same(model, sentence_transformers.SparseEncoder(str(tmp_path / "saved"), device="cpu"), texts)


def test_a_new_model_of_documents_alone_loads_with_binary_queries(
    masked_lm: Path, tmp_path: Path, texts: list[str]
) -> None:
    model = BiEncoderModel.from_pretrained(
        masked_lm, SpladeConfig(query_weighting=None, query_expansion=False, query_length=None)
    )
    queries = model.encode_query(texts)
    assert set(queries.data) == {1.0}
    model.save_pretrained(tmp_path / "saved")
    assert_same(model, sentence_transformers.SparseEncoder(str(tmp_path / "saved"), device="cpu"), texts)


def test_two_encoders_equal(
    masked_lm: Path, random_bert: Callable[..., Path], tmp_path: Path, texts: list[str]
) -> None:
    other = random_bert("another-masked-lm", "BertForMaskedLM", seed=8)
    chains = [
        [base.Transformer(str(folder), transformer_task="fill-mask"), sparse.SpladePooling("max")]
        for folder in (other, masked_lm)
    ]
    router = base.Router.for_query_document(query_modules=chains[0], document_modules=chains[1])
    reference = sentence_transformers.SparseEncoder(modules=[router], device="cpu", similarity_fn_name="dot")
    reference.save(str(tmp_path / "st"))
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    assert_same(model, reference, texts)
    model.save_pretrained(tmp_path / "saved")
    assert_same(model, sentence_transformers.SparseEncoder(str(tmp_path / "saved"), device="cpu"), texts)
    together = BiEncoderModel.from_pretrained(
        masked_lm, SpladeConfig(query_length=None, doc_length=None), query_name_or_path=other
    )
    assert_same(together, reference, texts)
