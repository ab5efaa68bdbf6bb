"""COIL and uniCOIL score as their authors' and Pyserini's code does, written here as loops over tokens."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from lir_models import BiEncoderModel, CoilConfig, UniCoilConfig, detect


@pytest.fixture
def hidden(backbone: Path):
    """From a text to its tokens' ids and the backbone's vectors."""
    tokenizer, model = AutoTokenizer.from_pretrained(backbone), AutoModel.from_pretrained(backbone).eval()

    @torch.no_grad()
    def embed(text: str) -> tuple[list[int], torch.Tensor]:
        tokens = tokenizer(text, return_tensors="pt", truncation=True)
        return tokens["input_ids"][0].tolist(), model(**tokens).last_hidden_state[0]

    return embed


@pytest.fixture
def layers() -> dict[str, torch.Tensor]:
    torch.manual_seed(2)
    return {
        "tok_proj.weight": torch.randn(4, 32),
        "tok_proj.bias": torch.randn(4),
        "cls_proj.weight": torch.randn(8, 32),
        "cls_proj.bias": torch.randn(8),
    }


@pytest.fixture
def coil(backbone: Path, layers: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    """A folder as COIL's authors save it."""
    for file in backbone.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(layers, tmp_path / "model.pt")
    return tmp_path


@pytest.fixture
def unicoil(coil: Path, layers: dict[str, torch.Tensor]) -> Path:
    """A folder as Pyserini reads it."""
    (coil / "model.pt").unlink()
    weights = {f"coil_encoder.bert.{name}": weight for name, weight in load_file(coil / "model.safetensors").items()}
    weights |= {
        f"coil_encoder.tok_proj.{part}": layers[f"tok_proj.{part}"][:1].contiguous() for part in ("weight", "bias")
    }
    save_file(weights, coil / "model.safetensors", metadata={"format": "pt"})
    return coil


def test_coil_equals(coil: Path, hidden, layers: dict[str, torch.Tensor], texts: list[str]) -> None:
    def embed(text: str) -> tuple[torch.Tensor, list[int], torch.Tensor]:
        ids, vectors = hidden(text)
        whole = layers["cls_proj.weight"] @ vectors[0] + layers["cls_proj.bias"]
        return whole, ids[1:], vectors[1:] @ layers["tok_proj.weight"].T + layers["tok_proj.bias"]

    expected = []
    whole, query_ids, query = embed(texts[0])
    for text in texts:
        doc_whole, doc_ids, doc = embed(text)
        score = float(whole @ doc_whole)
        for token, vector in zip(query_ids, query, strict=True):
            score += max(float(vector @ other) * (token == same) for same, other in zip(doc_ids, doc, strict=True))
        expected.append(score)
    model = BiEncoderModel.from_pretrained(coil)
    assert model.config == CoilConfig(token_embedding_dim=4, cls_embedding_dim=8)
    np.testing.assert_allclose(model.score(texts[0], texts).scores, expected, atol=1e-5, rtol=1e-5)


def test_unicoil_equals(unicoil: Path, hidden, layers: dict[str, torch.Tensor], texts: list[str]) -> None:
    def weigh(text: str, merge) -> dict[int, float]:
        weights: dict[int, float] = {}
        ids, vectors = hidden(text)
        for token, vector in list(zip(ids, vectors, strict=True))[1:]:
            weight = max(0.0, float(layers["tok_proj.weight"][0] @ vector + layers["tok_proj.bias"][0]))
            weights[token] = merge(weights[token], weight) if token in weights else weight
        return weights

    def add(first: float, second: float) -> float:
        return first + second

    query = weigh("paris paris the capital", add)
    docs = [weigh(text, max) for text in texts]
    expected = [sum(weight * doc.get(token, 0.0) for token, weight in query.items()) for doc in docs]
    model = BiEncoderModel.from_pretrained(unicoil)
    assert isinstance(model.config, UniCoilConfig)
    np.testing.assert_allclose(model.score("paris paris the capital", texts).scores, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["coil", "unicoil"])
def test_it_is_recognised_and_saved(
    kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    folder = request.getfixturevalue(kind)
    assert detect(folder) == "bi-encoder"
    model = BiEncoderModel.from_pretrained(folder)
    saved = tmp_path_factory.mktemp(kind) / "saved"
    model.save_pretrained(saved)
    again = BiEncoderModel.from_pretrained(saved)
    assert torch.equal(again.score(texts[0], texts).scores, model.score(texts[0], texts).scores)
