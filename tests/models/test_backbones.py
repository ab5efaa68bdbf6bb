"""Every family of bi-encoders on every kind of backbone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import (
    BiEncoderConfig,
    BiEncoderModel,
    CoilConfig,
    ColConfig,
    DprConfig,
    MvrConfig,
    SpladeConfig,
    UniCoilConfig,
)
from lir_models.embeddings import take
from lir_models.errors import CheckpointError, ConfigError

from .tiny import KINDS, MASKED_LM

FAMILIES = {
    "mean": BiEncoderConfig(),
    "last": BiEncoderConfig(query_pooling_strategy="last", doc_pooling_strategy="last"),
    "dpr": DprConfig(embedding_dim=8, normalization_strategy="l2"),
    "col": ColConfig(embedding_dim=8, add_marker_tokens=True, query_expansion=True, normalization_strategy="l2"),
    "splade": SpladeConfig(),
    "coil": CoilConfig(token_embedding_dim=4, cls_embedding_dim=8),
    "unicoil": UniCoilConfig(),
    "mvr": MvrConfig(num_viewer_tokens=3),
}


@pytest.fixture(scope="session")
def made(tiny_model: Callable[..., Path]) -> Callable[[str, str], BiEncoderModel]:
    """What makes a family's model of a backbone, once."""
    models: dict[tuple[str, str], BiEncoderModel] = {}

    def make(kind: str, family: str) -> BiEncoderModel:
        if (kind, family) not in models:
            folder = tiny_model(
                kind, "ForMaskedLM" if family == "splade" else "EncoderModel" if kind in ("t5", "mt5") else "Model"
            )
            torch.manual_seed(1)
            models[kind, family] = BiEncoderModel.from_pretrained(folder, config=FAMILIES[family])
        return models[kind, family]

    return make


DECODERS = ("llama", "qwen2")
FIRST_TOKEN = ("dpr", "coil", "mvr")
CASES = [
    (kind, family)
    for kind in KINDS
    for family in FAMILIES
    if (family != "splade" or kind in MASKED_LM) and not (kind in DECODERS and family in FIRST_TOKEN)
]


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_a_score_is_the_same_alone_in_a_batch_and_in_any_order(
    made: Callable[[str, str], BiEncoderModel], kind: str, family: str, texts: list[str]
) -> None:
    model = made(kind, family)
    scores = model.score(texts[0], texts).scores
    alone = torch.cat([model.score(texts[0], [text]).scores for text in texts])
    backwards = model.score(texts[0], texts[::-1]).scores.flip(0)
    scale = max(1.0, float(scores.abs().max()))
    torch.testing.assert_close(scores / scale, alone / scale, atol=1e-5, rtol=0)
    torch.testing.assert_close(scores / scale, backwards / scale, atol=1e-5, rtol=0)
    assert scores.std() > 1e-3


@pytest.mark.parametrize(("kind", "family"), CASES)
def test_what_is_saved_scores_the_same_when_loaded(
    made: Callable[[str, str], BiEncoderModel], kind: str, family: str, texts: list[str], tmp_path: Path
) -> None:
    model = made(kind, family)
    model.save_pretrained(tmp_path / "saved")
    again = BiEncoderModel.from_pretrained(tmp_path / "saved")
    assert again.config == model.config
    assert again.fingerprint == model.fingerprint
    assert torch.equal(again.score(texts[0], texts).scores, model.score(texts[0], texts).scores)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_width_is_told_and_that_of_no_texts(
    made: Callable[[str, str], BiEncoderModel], family: str, texts: list[str]
) -> None:
    model = made("bert", family)
    some, none = model.encode_document(texts), model.encode_document([])
    parts = (some, none) if model.form in ("dense", "sparse") else (some.vectors, none.vectors)
    assert [part.shape[1] for part in parts] == [model.dim, model.dim]


@pytest.mark.parametrize("kind", MASKED_LM)
def test_term_weights_equal_those_of_all_logits(
    tiny_model: Callable[..., Path], made: Callable[[str, str], BiEncoderModel], kind: str, texts: list[str]
) -> None:
    import transformers

    masked_lm: Any = transformers.AutoModelForMaskedLM.from_pretrained(tiny_model(kind, "ForMaskedLM")).eval()
    model = made(kind, "splade")
    for text in texts:
        tokens = model.tokenizer.tokenizer(text, return_tensors="pt", truncation=True)
        with torch.no_grad():
            expected = torch.log1p(torch.relu(masked_lm(**tokens).logits)).amax(dim=1)
        np.testing.assert_allclose(model.encode_document([text]).toarray(), expected, atol=1e-5)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(MASKED_LM)))
def test_term_weights_on_a_backbone_without_the_head_are_refused(tiny_model: Callable[..., Path], kind: str) -> None:
    with pytest.raises(CheckpointError, match=r"has no masked-language-model head; .* as BERT, DistilBERT"):
        BiEncoderModel.from_pretrained(
            tiny_model(kind, "EncoderModel" if kind in ("t5", "mt5") else "Model"), SpladeConfig()
        )


@pytest.mark.parametrize("family", FIRST_TOKEN)
def test_a_token_before_the_text_is_refused_on_a_decoder(tiny_model: Callable[..., Path], family: str) -> None:
    with pytest.raises(ConfigError, match=r"sees nothing of the text on a decoder such as 'llama'.* 'last' or 'mean'"):
        BiEncoderModel.from_pretrained(tiny_model("llama"), FAMILIES[family])


def test_a_head_that_the_weights_lack_is_named(tiny_model: Callable[..., Path]) -> None:
    with pytest.raises(CheckpointError, match=r"lacks weights of its masked-language-model head: cls\.predictions"):
        BiEncoderModel.from_pretrained(tiny_model("bert", "Model"), SpladeConfig())


@pytest.mark.parametrize("family", ["col", "coil", "mvr"])
def test_packed_embeddings_are_taken_text_by_text(
    made: Callable[[str, str], BiEncoderModel], family: str, texts: list[str]
) -> None:
    model = made("bert", family)
    embeddings = model.encode_document(texts)
    one = model.encode_document([texts[3]])
    for part, expected in zip(take(embeddings, [3]), one, strict=True):
        np.testing.assert_allclose(part, expected, atol=1e-5)
