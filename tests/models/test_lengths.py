"""No text has more tokens than its limit, what stands around it stays whole, and the text itself is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lir_models import (
    BiEncoderConfig,
    BiEncoderModel,
    ColConfig,
    CrossEncoderModel,
    MonoConfig,
    MvrConfig,
    SetEncoderConfig,
)
from lir_models.errors import ConfigError

TEMPLATE = "{% for message in messages %}{{ message.role }} {{ message.content }} {% endfor %}deep blue"
BI_ENCODERS = {
    "mean": BiEncoderConfig(),
    "prompts": BiEncoderConfig(query_prompt="what is ", doc_prompt="the city ", pool_prompt=False),
    "col": ColConfig(embedding_dim=8, add_marker_tokens=True, query_expansion=True, doc_expansion=True),
    "mvr": MvrConfig(num_viewer_tokens=8, add_marker_tokens=True),
}
RANKERS: dict[str, tuple[str, str, Any]] = {
    "mono": ("bert", "Model", MonoConfig(pooling_strategy="mean")),
    "prompts": ("bert", "Model", MonoConfig(pooling_strategy="mean", doc_prompt="what is the city ")),
    "set": ("bert", "Model", SetEncoderConfig(add_extra_token=True)),
    "t5": ("t5", "ForConditionalGeneration", MonoConfig(scoring_strategy="mono", answers=("paris", "berlin"))),
    "decoder": ("llama", "ForCausalLM", MonoConfig(answers=("blue",))),
    "chat": ("llama", "ForCausalLM", MonoConfig(answers=("blue",), chat_template=True, instruction="how long")),
}
LENGTHS = (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 14, 17, 22, 33, 64, 200)
LONG = ("river lake " * 100, "berlin", "")


@pytest.fixture(params=RANKERS)
def ranker(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> Callable[[int], CrossEncoderModel]:
    kind, head, config = RANKERS[request.param]
    loaded = CrossEncoderModel.from_pretrained(tiny_model(kind, head), config)
    loaded.tokenizer.tokenizer.chat_template = TEMPLATE

    def make(length: int) -> CrossEncoderModel:
        return CrossEncoderModel(loaded.backbone, loaded.tokenizer, config.replace(max_length=length))

    return make


@pytest.mark.parametrize("family", BI_ENCODERS)
def test_a_text_is_within_its_limit_and_read_or_the_least_is_named(
    tiny_model: Callable[..., Path], family: str
) -> None:
    loaded = BiEncoderModel.from_pretrained(tiny_model("bert"), BI_ENCODERS[family])
    allowed, refused = [], []
    for length in LENGTHS:
        config = loaded.config.replace(query_length=length, doc_length=length)
        try:
            model = BiEncoderModel(loaded.encoder.backbone, loaded.tokenizer, config)
        except ConfigError as error:
            refused.append(f"length is {length}, but" in str(error) and "are the least here" in str(error))
            continue
        allowed.append(length)
        for side in ("query", "doc"):
            sizes = [len(text.input_ids) for text in model.tokenize(LONG, side)]
            assert max(sizes) <= min(length, 64)
            one, other = model.tokenize(["paris " * 100, "berlin " * 100], side)
            assert one.input_ids != other.input_ids
    assert all(refused)
    assert [*LENGTHS[len(refused) :]] == allowed


def test_a_pair_is_within_its_limit_its_end_whole_and_its_document_read(
    ranker: Callable[[int], CrossEncoderModel],
) -> None:
    ends = {tuple(ranker(64).tokenize(["a"], [doc])[0].input_ids[-1:]) for doc in ("red", "one")}
    allowed, refused = [], []
    for length in LENGTHS:
        try:
            model = ranker(length)
        except ConfigError as error:
            refused.append(f"max_length is {length}, but" in str(error) and "are the least here" in str(error))
            continue
        allowed.append(length)
        for query in LONG:
            for size in (1, 5, 100):
                one, other = model.tokenize([query, query], ["paris " * size, "berlin " * size])
                assert max(len(one.input_ids), len(other.input_ids)) <= min(length, 64)
                assert one.input_ids != other.input_ids
                if len(ends) == 1:
                    assert {tuple(one.input_ids[-1:]), tuple(other.input_ids[-1:])} == ends
    assert all(refused)
    assert [*LENGTHS[len(refused) :]] == allowed


def test_documents_score_differently_beside_a_query_that_fills_the_window(
    ranker: Callable[[int], CrossEncoderModel],
) -> None:
    scores = ranker(64).score("river lake " * 100, ["berlin is blue", "paris " * 100]).scores
    assert abs(float(scores[0] - scores[1])) > 1e-6
