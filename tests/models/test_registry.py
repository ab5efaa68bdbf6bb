"""What is known of published models, and what users register."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lir_models import (
    BiEncoderModel,
    ColConfig,
    CrossEncoderConfig,
    MonoConfig,
    SpladeConfig,
    read_config,
    register_checkpoint,
    registry,
)
from lir_models.checkpoints import Checkpoint
from lir_models.config import BiEncoderConfig

#: The ids that Lightning IR registers, and those of the paper's tables.
IDS = [
    "colbert-ir/colbertv2.0",
    "lightonai/GTE-ModernColBERT-v1",
    "google/xtr-base-en",
    "naver/splade-v3",
    "naver/splade-v3-distilbert",
    "naver/splade-v3-doc",
    "naver/splade-v3-lexical",
    "naver/splade_v2_distil",
    "opensearch-project/opensearch-neural-sparse-encoding-v2-distill",
    "opensearch-project/opensearch-neural-sparse-encoding-doc-v2-distill",
    "opensearch-project/opensearch-neural-sparse-encoding-doc-v2-mini",
    "opensearch-project/opensearch-neural-sparse-encoding-doc-v3-distill",
    "sentence-transformers/msmarco-bert-base-dot-v5",
    "sentence-transformers/msmarco-distilbert-dot-v5",
    "sentence-transformers/msmarco-MiniLM-L-6-v3",
    "castorini/monot5-base-msmarco",
    "castorini/monot5-base-msmarco-10k",
    "castorini/monot5-large-msmarco",
    "castorini/monot5-large-msmarco-10k",
    "castorini/monot5-3b-msmarco",
    "castorini/monot5-3b-msmarco-10k",
    "Soyoung97/RankT5-base",
    "Soyoung97/RankT5-large",
    "Soyoung97/RankT5-3b",
    "castorini/monobert-large-msmarco",
    "castorini/monobert-large-msmarco-finetune-only",
    "fschlatt/coil-with-hn",
    "castorini/unicoil-noexp-msmarco-passage",
    "webis/bert-bi-encoder",
    "webis/splade",
    "webis/colbert",
    "webis/monoelectra-base",
    "webis/monoelectra-large",
]

BACKBONE = Checkpoint(kind="backbone", config=None, folder=Path())


def test_every_id_of_the_paper_and_of_lightning_ir_is_known() -> None:
    assert set(IDS) <= set(registry.known_checkpoints())


@pytest.mark.parametrize("name", sorted(registry.known_checkpoints()))
def test_every_entry_is_a_rule_or_leaves_it_to_the_files(name: str) -> None:
    config = registry.complete(name, BACKBONE).config
    assert config is None or isinstance(config, BiEncoderConfig | CrossEncoderConfig)


def test_a_plain_masked_language_model_gets_the_rule_of_its_id() -> None:
    found = registry.complete("naver/splade-v3-doc", BACKBONE)
    assert found.kind == "bi-encoder"
    assert found.config == SpladeConfig(query_length=256, doc_length=256, query_expansion=False, query_weighting=None)
    assert registry.complete("castorini/monot5-base-msmarco", BACKBONE).config == MonoConfig(scoring_strategy="mono")


def test_files_that_say_what_they_are_are_believed() -> None:
    said = Checkpoint(kind="bi-encoder", config=SpladeConfig(query_length=128), folder=Path())
    assert registry.complete("naver/splade-v3", said) is said


def test_files_that_seem_to_be_something_else_are_not_believed() -> None:
    said = Checkpoint(kind="bi-encoder", config=BiEncoderConfig(), folder=Path())
    assert isinstance(registry.complete("google/xtr-base-en", said).config, ColConfig)


def test_a_folder_scores_by_the_rule_that_is_registered(
    tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    folder = tiny_model("bert", "ForMaskedLM")
    register_checkpoint(folder, SpladeConfig(doc_length=16))
    assert read_config(folder) == SpladeConfig(doc_length=16)
    assert BiEncoderModel.from_pretrained(folder).form == "sparse"


def test_xtr_is_read_from_a_folder_laid_out_as_if_its_tokens_were_pooled(
    tiny_model: Callable[..., Path], tmp_path: Path, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    monkeypatch.setattr(registry, "_registered", {})
    torch.manual_seed(1)
    chain = [
        modules.Transformer(str(tiny_model("t5", "EncoderModel"))),
        modules.Pooling(32),
        modules.Dense(32, 8, bias=False, activation_function=torch.nn.Identity()),
    ]
    sentence_transformers.SentenceTransformer(modules=chain, device="cpu").save(str(tmp_path / "xtr"))
    register_checkpoint(
        tmp_path / "xtr", ColConfig(embedding_dim=8, projection="linear_no_bias", normalization_strategy="l2")
    )
    model = BiEncoderModel.from_pretrained(tmp_path / "xtr")
    tokens = chain[0].tokenizer(texts[0], return_tensors="pt")
    with torch.no_grad():
        hidden = chain[0].model(**tokens).last_hidden_state[0] @ chain[2].linear.weight.T
    np.testing.assert_allclose(
        model.encode_query([texts[0]]).vectors, torch.nn.functional.normalize(hidden, dim=-1), atol=1e-5
    )
