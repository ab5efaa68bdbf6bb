"""What lir saves and sentence-transformers loads has the same scores, for each field of each rule; or it is lir's alone."""

import dataclasses
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
    CrossEncoderConfig,
    CrossEncoderModel,
    DenseLayer,
    DprConfig,
    MonoConfig,
    MvrConfig,
    NormLayer,
    SetEncoderConfig,
    SpladeConfig,
    StaticConfig,
    UniCoilConfig,
)
from lir_models.static_backbone import StaticBackbone

sentence_transformers = pytest.importorskip("sentence_transformers")

# Of functions of torch's that sentence-transformers calls.
pytestmark = pytest.mark.filterwarnings("ignore:Sparse .*:UserWarning")

TEXTS = [
    "berlin is the capital of germany",
    "Paris",
    "",
    "the river is long " * 30,
    "how deep is the blue lake, and how long is the river? " * 3,
    "one two three. Paris! paris? " * 2,
]
QUERY = "how deep is the blue lake"
# Of sentence-transformers, of versions before 5.4, and of PyLate.
FILES_OF_OTHERS = (
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "router_config.json",
)

_DENSE = (DenseLayer(in_features=32, out_features=8, activation="tanh"),)
_LAYERS = (NormLayer(norm="l2", features=32), *_DENSE, NormLayer(norm="layer", features=8))

#: For each field, values that differ from the default; True where sentence-transformers has a word for them.
Values = dict[str, list[tuple[dict[str, Any], bool]]]


def each(field: str, *values: Any, said: bool, **others: Any) -> list[tuple[dict[str, Any], bool]]:
    """Return cases of one field."""
    return [({field: value, **others}, said) for value in values]


MULTI_VECTOR = {"query_pooling_strategy": None, "doc_pooling_strategy": None}
BI_ENCODER: Values = {
    "similarity_function": each("similarity_function", "dot", "cosine", "l2", said=True),
    "query_pooling_strategy": [
        *[({f"{side}_pooling_strategy": mode for side in ("query", "doc")}, True) for mode in ("first", "max", "last")],
        *[
            ({f"{side}_pooling_strategy": mode for side in ("query", "doc")}, True)
            for mode in ("mean_sqrt_len", ("first", "mean"))
        ],
        *[
            ({f"{side}_pooling_strategy": mode for side in ("query", "doc")}, False)
            for mode in ("sum", ("mean", "first"))
        ],
        *each("query_pooling_strategy", "max", said=False),
    ],
    "doc_pooling_strategy": [*each("doc_pooling_strategy", "max", said=False), (MULTI_VECTOR, False)],
    "pool_prompt": each("pool_prompt", False, said=True, query_prompt="what is the "),
    "embedding_dim": each("embedding_dim", 8, said=True),
    "projection": [
        *each("projection", "linear_no_bias", said=True, embedding_dim=8),
        *each("projection", _DENSE, _LAYERS, None, said=True),
    ],
    "sparsification_strategy": each("sparsification_strategy", "relu", "relu_log", "relu_2xlog", said=False),
    "normalization_strategy": each("normalization_strategy", "l2", said=True),
    "truncate_dim": each("truncate_dim", 12, said=True, similarity_function="cosine"),
    "query_length": each("query_length", 8, 20, None, said=True),
    "doc_length": each("doc_length", 8, 32, None, said=True),
    "query_prompt": each("query_prompt", "what is ", said=True),
    "doc_prompt": each("doc_prompt", "the city ", said=True),
    "lowercase": [
        *each("lowercase", True, said=True, doc_prompt="the city "),
        *each("lowercase", True, said=False, doc_prompt="The city "),
    ],
    "add_marker_tokens": each("add_marker_tokens", True, said=False),
    "query_marker": each("query_marker", "[X]", said=True),
    "doc_marker": each("doc_marker", "[X]", said=True),
    # Refused where texts are pooled: of vectors for each token, below.
    "query_expansion": each("query_expansion", True, said=False, **MULTI_VECTOR),
    "doc_expansion": each("doc_expansion", True, said=False, **MULTI_VECTOR),
    "query_expansion_length": each("query_expansion_length", 20, said=False, query_expansion=True, **MULTI_VECTOR),
    "attend_to_query_expanded_tokens": each(
        "attend_to_query_expanded_tokens", True, said=False, query_expansion=True, **MULTI_VECTOR
    ),
    "attend_to_doc_expanded_tokens": each(
        "attend_to_doc_expanded_tokens", True, said=False, doc_expansion=True, **MULTI_VECTOR
    ),
    "expansion_token": each("expansion_token", "[UNK]", said=True),
    "query_mask_scoring_tokens": each("query_mask_scoring_tokens", "punctuation", said=False, **MULTI_VECTOR),
    "doc_mask_scoring_tokens": each("doc_mask_scoring_tokens", "punctuation", said=False, **MULTI_VECTOR),
    "query_aggregation_function": each("query_aggregation_function", "mean", said=True),
    "doc_aggregation_function": each("doc_aggregation_function", "mean", said=True),
    "shared_encoder": each("shared_encoder", False, said=True),
    "query_projection": each("query_projection", _LAYERS, said=True, shared_encoder=False, projection=_DENSE),
}
SPLADE: Values = {
    **{field: [] for field in BI_ENCODER},  # as below, or of no effect on term weights
    "similarity_function": each("similarity_function", "dot", "cosine", said=True),
    "query_pooling_strategy": [
        ({"query_pooling_strategy": "sum", "doc_pooling_strategy": "sum"}, True),
        ({"query_pooling_strategy": "mean", "doc_pooling_strategy": "mean"}, False),
        ({"query_pooling_strategy": "sum"}, False),
    ],
    "sparsification_strategy": [
        *each("sparsification_strategy", "relu_2xlog", said=True),
        *each("sparsification_strategy", "relu", None, said=False),
    ],
    "query_length": [
        *each("query_length", 8, None, said=True),
        *each("query_length", 8, None, said=True, query_weighting="static", query_expansion=False),
    ],
    "doc_length": each("doc_length", 8, 32, None, said=True),
    "query_prompt": each("query_prompt", "what is ", said=True),
    "doc_prompt": each("doc_prompt", "the city ", said=True),
    "lowercase": [
        *each("lowercase", True, said=True),
        *each("lowercase", True, said=False, query_weighting=None, query_expansion=False),
    ],
    "add_marker_tokens": each("add_marker_tokens", True, said=False),
    "query_expansion": each("query_expansion", False, said=False),
    "doc_expansion": each("doc_expansion", False, said=False),
    "query_mask_scoring_tokens": each("query_mask_scoring_tokens", ("the",), said=False),
    "doc_mask_scoring_tokens": each("doc_mask_scoring_tokens", ("the",), said=False),
    "query_weighting": each("query_weighting", None, "static", said=True, query_expansion=False),
    "doc_weighting": each("doc_weighting", None, "static", said=False, doc_expansion=False),
    "max_active_dims": each("max_active_dims", 5, said=True),
    "shared_encoder": each("shared_encoder", False, said=True),
}
COL: Values = {
    **{field: [] for field in BI_ENCODER},
    "similarity_function": [
        *each("similarity_function", "cosine", said=True),
        *each("similarity_function", "l2", said=False),
    ],
    "embedding_dim": each("embedding_dim", 4, said=True),
    "projection": [
        *each("projection", "linear_no_bias", _DENSE, said=True),
        *each("projection", _LAYERS, None, said=False, embedding_dim=None),
    ],
    "sparsification_strategy": each("sparsification_strategy", "relu", said=False),
    "normalization_strategy": each("normalization_strategy", None, said=False),
    "truncate_dim": each("truncate_dim", 4, said=False),
    "query_length": [*each("query_length", 8, said=True), *each("query_length", 8, said=True, query_expansion=True)],
    "doc_length": each("doc_length", 8, said=True),
    "query_prompt": each("query_prompt", "what is ", said=False),
    "doc_prompt": each("doc_prompt", "the city ", said=False),
    "lowercase": each("lowercase", True, said=True),
    "add_marker_tokens": each("add_marker_tokens", True, said=True),
    "query_marker": each("query_marker", "[X]", "", said=True, add_marker_tokens=True),
    "doc_marker": each("doc_marker", "[X]", "", said=True, add_marker_tokens=True),
    "query_expansion": each("query_expansion", True, said=True),
    "doc_expansion": each("doc_expansion", True, said=False),
    "query_expansion_length": each("query_expansion_length", 20, said=False, query_expansion=True),
    "attend_to_query_expanded_tokens": each(
        "attend_to_query_expanded_tokens", True, said=True, query_expansion=True, add_marker_tokens=True
    ),
    "attend_to_doc_expanded_tokens": each("attend_to_doc_expanded_tokens", True, said=False, doc_expansion=True),
    "expansion_token": each("expansion_token", "[UNK]", said=False, query_expansion=True),
    "query_mask_scoring_tokens": each("query_mask_scoring_tokens", "punctuation", said=False),
    "doc_mask_scoring_tokens": each("doc_mask_scoring_tokens", "punctuation", ("the", "?"), said=True),
    "query_aggregation_function": each("query_aggregation_function", "mean", said=False),
    "doc_aggregation_function": each("doc_aggregation_function", "mean", said=False),
    "shared_encoder": each("shared_encoder", False, said=False),
    "k_train": each("k_train", 3, said=True),
    "pool_factor": each("pool_factor", 2, said=False),
    "protected_tokens": each("protected_tokens", 2, said=True),
}
MONO: Values = {
    "scoring_strategy": each("scoring_strategy", "mono", said=True),
    "max_length": [
        *each("max_length", 16, said=True),
        *each("max_length", 16, said=True, pooling_strategy="mean"),
    ],
    "query_length": each("query_length", 4, said=False),
    "doc_length": each("doc_length", 8, said=False),
    "query_prompt": [
        *each("query_prompt", "what is ", said=True),
        *each("query_prompt", "what is ", said=True, pooling_strategy="first"),
    ],
    "doc_prompt": each("doc_prompt", "the city ", said=False),
    "activation": [
        *each("activation", "sigmoid", "tanh", "relu", "gelu", "silu", "log_sigmoid", said=True),
        *each("activation", "sigmoid", said=True, scoring_strategy="mono"),
    ],
    "pooling_strategy": [
        *each("pooling_strategy", "first", "mean", "max", "bert_pool", said=True),
        *each("pooling_strategy", "first", "bert_pool", said=True, scoring_strategy="mono"),
        *each("pooling_strategy", "sum", said=False),
    ],
    "linear_bias": each("linear_bias", True, said=True, pooling_strategy="mean"),
    "answers": [],  # of causal language models, below
    "chat_template": [],
    "instruction": each("instruction", "the", said=True),
    "labels": [
        *each("labels", ("no", "maybe", "yes"), said=True, scoring_strategy="label"),
        *each("labels", ("no", "maybe", "yes"), said=True, scoring_strategy="label", pooling_strategy="mean"),
    ],
    "label": each("label", "yes", said=False, scoring_strategy="label", labels=("no", "maybe", "yes")),
}
CAUSAL: Values = {
    "answers": each("answers", ("blue",), ("red", "blue"), said=True),
    "scoring_strategy": each("scoring_strategy", "mono", said=True, answers=("red", "blue")),
    "max_length": each("max_length", 16, said=True, answers=("red", "blue")),
    "query_prompt": each("query_prompt", "what is ", said=True, answers=("blue",)),
    "activation": each("activation", "sigmoid", said=True, answers=("red", "blue"), scoring_strategy="mono"),
    "chat_template": each("chat_template", True, said=False, answers=("blue",)),
}
# Whole families that sentence-transformers does not have.
ALONE: dict[type[Any], tuple[dict[str, Any], str]] = {
    CoilConfig: ({}, "Model"),
    UniCoilConfig: ({}, "Model"),
    MvrConfig: ({}, "Model"),
    SetEncoderConfig: ({}, "Model"),
}
STATIC: Values = {
    **{field: [] for field in BI_ENCODER},
    "similarity_function": each("similarity_function", "dot", "l2", said=True),
    "embedding_dim": each("embedding_dim", 4, said=True),
    "projection": each("projection", (DenseLayer(in_features=16, out_features=8),), said=True),
    "sparsification_strategy": each("sparsification_strategy", "relu", said=False),
    "normalization_strategy": each("normalization_strategy", "l2", said=True),
    "truncate_dim": each("truncate_dim", 12, said=True),
    "query_length": [*each("query_length", 8, said=False), *each("query_length", 8, said=True, doc_length=8)],
    "query_prompt": each("query_prompt", "what is ", said=True),
    "doc_prompt": each("doc_prompt", "the city ", said=True),
    "lowercase": each("lowercase", True, said=False),
}
TABLES: dict[type[Any], Values] = {
    StaticConfig: STATIC,
    BiEncoderConfig: BI_ENCODER,
    DprConfig: BI_ENCODER,
    SpladeConfig: SPLADE,
    ColConfig: COL,
    CrossEncoderConfig: {field.name: MONO[field.name] for field in dataclasses.fields(CrossEncoderConfig)},
    MonoConfig: MONO,
}


def cases(made: type[Any], table: Values, **usual: Any) -> list[Any]:
    """Return a test for each value of each field."""
    return [
        pytest.param(made(**{**usual, **changes}), said, id=f"{field}-{place}")
        for field, values in table.items()
        for place, (changes, said) in enumerate(values)
    ]


@pytest.mark.parametrize("made", TABLES)
def test_every_field_is_sorted(made: type[Any]) -> None:
    assert {field.name for field in dataclasses.fields(made)} == set(TABLES[made])


def assert_alone(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert [file.name for file in folder.rglob("*") if file.name in FILES_OF_OTHERS] == []
    assert not [file for file in folder.glob("config.json") if "sentence_transformers" in file.read_text()]
    card = (folder / "README.md").read_text()
    assert "This folder is lir's alone: sentence-transformers has no word for " in card
    assert "from sentence_transformers import" not in card
    assert "is lir's alone: sentence-transformers has no word for" in caplog.text


@pytest.mark.parametrize(("config", "said"), cases(BiEncoderConfig, BI_ENCODER))
def test_a_dense_encoder_scores_the_same_or_is_alone(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, config: BiEncoderConfig, said: bool
) -> None:
    model = BiEncoderModel.from_pretrained(tiny_model("bert"), config)
    assert_bi_encoder(model, sentence_transformers.SentenceTransformer, tmp_path / "saved", caplog, said)


@pytest.mark.parametrize(("config", "said"), cases(StaticConfig, STATIC))
def test_static_embeddings_score_the_same_or_are_alone(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, config: StaticConfig, said: bool
) -> None:
    torch.manual_seed(1)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "tokenizer.json").write_bytes((tiny_model("bert") / "tokenizer.json").read_bytes())
    StaticBackbone(torch.randn(100, 16)).save_pretrained(tmp_path / "made")
    (tmp_path / "made" / "config.json").write_text('{"model_type": "model2vec"}')
    model = BiEncoderModel.from_pretrained(tmp_path / "made", config)
    assert_bi_encoder(model, sentence_transformers.SentenceTransformer, tmp_path / "saved", caplog, said)


@pytest.mark.parametrize(("config", "said"), cases(SpladeConfig, SPLADE))
def test_a_sparse_encoder_scores_the_same_or_is_alone(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, config: SpladeConfig, said: bool
) -> None:
    model = BiEncoderModel.from_pretrained(tiny_model("bert", "ForMaskedLM"), config)
    assert_bi_encoder(model, sentence_transformers.SparseEncoder, tmp_path / "saved", caplog, said)


@pytest.mark.parametrize(("config", "said"), cases(ColConfig, COL, embedding_dim=8, normalization_strategy="l2"))
def test_a_multi_vector_encoder_scores_the_same_or_is_alone(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, config: ColConfig, said: bool
) -> None:
    model = BiEncoderModel.from_pretrained(tiny_model("bert"), config)
    assert_bi_encoder(model, sentence_transformers.MultiVectorEncoder, tmp_path / "saved", caplog, said)


def assert_bi_encoder(model: BiEncoderModel, kind: Any, folder: Path, caplog: Any, said: bool) -> None:
    model.save_pretrained(folder)
    assert BiEncoderModel.from_pretrained(folder).fingerprint == model.fingerprint
    if not said:
        assert_alone(folder, caplog)
        return
    other = kind(str(folder), device="cpu")
    expected = other.similarity(other.encode_query([QUERY, *TEXTS]), other.encode_document(TEXTS))
    expected = expected.to_dense() if expected.is_sparse else expected
    scores = model.similarity(model.encode_query([QUERY, *TEXTS]), model.encode_document(TEXTS))
    # The distance of two vectors that are nearly the same has few digits.
    atol = 1e-3 if model.config.similarity_function == "l2" else 1e-5
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=atol)


@pytest.mark.parametrize(("config", "said"), cases(MonoConfig, MONO))
def test_a_cross_encoder_scores_the_same_or_is_alone(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, config: MonoConfig, said: bool
) -> None:
    model = CrossEncoderModel.from_pretrained(tiny_model("bert", seed=3), config)
    assert_cross_encoder(model, tmp_path / "saved", caplog, said)


@pytest.mark.parametrize(("config", "said"), cases(MonoConfig, CAUSAL))
def test_a_causal_ranker_scores_the_same_or_is_alone(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, config: MonoConfig, said: bool
) -> None:
    model = CrossEncoderModel.from_pretrained(tiny_model("llama", "ForCausalLM"), config)
    assert_cross_encoder(model, tmp_path / "saved", caplog, said)


def assert_cross_encoder(model: CrossEncoderModel, folder: Path, caplog: Any, said: bool) -> None:
    model.save_pretrained(folder)
    if not said:
        assert_alone(folder, caplog)
        return
    pairs = [(query, doc) for query in (QUERY, TEXTS[3]) for doc in TEXTS]
    other = sentence_transformers.CrossEncoder(str(folder), device="cpu")
    np.testing.assert_allclose(model.predict(pairs), other.predict(pairs), rtol=1e-5, atol=1e-5)
    # Saved by sentence-transformers, it is read with the same scores.
    other.save(str(folder.parent / "again"))
    again = CrossEncoderModel.from_pretrained(folder.parent / "again")
    np.testing.assert_allclose(again.predict(pairs), model.predict(pairs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("made", ALONE)
def test_families_that_others_do_not_have_are_alone(
    tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, made: type[Any]
) -> None:
    options, head = ALONE[made]
    kind: Any = CrossEncoderModel if issubclass(made, CrossEncoderConfig) else BiEncoderModel
    kind.from_pretrained(tiny_model("bert", head), made(**options)).save_pretrained(tmp_path / "saved")
    assert_alone(tmp_path / "saved", caplog)


@pytest.mark.parametrize("strategy", ["rank", "mono"])
def test_rankers_on_t5_are_alone(tiny_model: Callable[..., Path], tmp_path: Path, caplog: Any, strategy: Any) -> None:
    answers = ("red", "blue") if strategy == "mono" else ("blue",)
    config = MonoConfig(scoring_strategy=strategy, answers=answers)
    model = CrossEncoderModel.from_pretrained(tiny_model("t5", "ForConditionalGeneration"), config)
    model.save_pretrained(tmp_path / "saved")
    assert_alone(tmp_path / "saved", caplog)
