"""Cross-encoders with heads of lir's own: pooled, on T5, and Set-Encoders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_models import CrossEncoderModel, MonoConfig, SetEncoderConfig, register_checkpoint, registry
from lir_models.errors import CheckpointError, ConfigError

from .tiny import KINDS

ENCODERS = [kind for kind in KINDS if kind not in ("t5", "mt5", "llama", "qwen2")]
SETS = ["bert", "electra", "roberta", "xlm-roberta"]


def assert_independent_of_batches(model: CrossEncoderModel, texts: list[str]) -> None:
    scores = model.score(texts[0], texts).scores
    alone = torch.cat([model.score(texts[0], [text]).scores for text in texts])
    torch.testing.assert_close(scores, alone, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.score(texts[0], texts[::-1]).scores.flip(0), scores, atol=1e-5, rtol=1e-5)


def assert_same_when_saved(model: CrossEncoderModel, texts: list[str], folder: Path) -> None:
    model.save_pretrained(folder)
    again = CrossEncoderModel.from_pretrained(folder)
    assert again.config == model.config
    torch.testing.assert_close(
        again.score(texts[0], texts).scores, model.score(texts[0], texts).scores, atol=1e-6, rtol=1e-6
    )


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("pooling", [None, "first", "mean", "bert_pool"])
def test_a_pointwise_cross_encoder_on_every_encoder(
    tiny_model: Callable[..., Path], tmp_path: Path, texts: list[str], kind: str, pooling: Any
) -> None:
    torch.manual_seed(0)
    config = MonoConfig(pooling_strategy=pooling, scoring_strategy="mono" if pooling == "mean" else "rank")
    model = CrossEncoderModel.from_pretrained(tiny_model(kind), config)
    assert_independent_of_batches(model, texts)
    assert_same_when_saved(model, texts, tmp_path / "saved")


@pytest.mark.parametrize("strategy", ["rank", "mono"])
@pytest.mark.parametrize("kind", ["t5", "mt5"])
def test_the_answers_logits_on_t5_equal_those_of_all_logits(
    tiny_model: Callable[..., Path], tmp_path: Path, texts: list[str], kind: str, strategy: str
) -> None:
    import transformers

    folder = tiny_model(kind, "ForConditionalGeneration")
    answers = ("berlin",) if strategy == "rank" else ("paris", "berlin")
    model = CrossEncoderModel.from_pretrained(folder, MonoConfig(scoring_strategy=strategy, answers=answers))
    whole: Any = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    rows = model.tokenizer.tokenizer.convert_tokens_to_ids(list(answers))
    expected = []
    for tokens in model.tokenize([texts[0]] * len(texts), texts):
        with torch.no_grad():
            logits = whole(input_ids=torch.tensor([tokens.input_ids]), decoder_input_ids=torch.tensor([[0]])).logits
        wanted = logits[0, 0, rows]
        expected.append(wanted[0] if strategy == "rank" else wanted.log_softmax(dim=-1)[1])
    torch.testing.assert_close(model.score(texts[0], texts).scores, torch.stack(expected), atol=1e-5, rtol=1e-5)
    assert_independent_of_batches(model, texts)
    assert_same_when_saved(model, texts, tmp_path / "saved")
    again = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "saved")
    assert torch.equal(again.lm_head.weight, whole.lm_head.weight)


def test_a_long_document_is_cut_before_the_ending(tiny_model: Callable[..., Path]) -> None:
    config = MonoConfig(scoring_strategy="mono", answers=("paris", "berlin"))
    model = CrossEncoderModel.from_pretrained(tiny_model("t5", "ForConditionalGeneration"), config)
    (cut,) = model.tokenize(["berlin"], ["the river is long " * 50])
    (short,) = model.tokenize(["berlin"], ["the"])
    assert len(cut.input_ids) == 64
    assert list(cut.input_ids)[-3:] == list(short.input_ids)[-3:]


def test_a_t5_that_does_not_say_how_it_ranks_is_refused(
    tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    folder = tiny_model("t5", "ForConditionalGeneration")
    with pytest.raises(ConfigError, match=r"scoring_strategy='mono'\) for monoT5.* 'rank'|do not say how it ranks"):
        CrossEncoderModel.from_pretrained(folder)
    with pytest.raises(ConfigError, match="no token '▁false'"):
        CrossEncoderModel.from_pretrained(folder, MonoConfig(scoring_strategy="mono"))
    register_checkpoint(folder, MonoConfig(answers=("berlin",)))
    assert CrossEncoderModel.from_pretrained(folder).config.answers == ("berlin",)


def test_answers_that_do_not_fit_the_strategy_are_refused() -> None:
    with pytest.raises(ConfigError, match="the scoring strategy 'mono' takes 2"):
        MonoConfig(scoring_strategy="mono", answers=("a",))


def test_a_classification_head_that_the_weights_lack_is_named(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_model("bert", "ForSequenceClassification", num_labels=1), tmp_path / "copy")
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks weights of its classification head: classifier\.bias"):
        CrossEncoderModel.from_pretrained(folder)


@pytest.fixture(scope="module")
def set_encoder(tiny_model: Callable[..., Path]) -> Callable[..., CrossEncoderModel]:
    made: dict[tuple[str, bool], CrossEncoderModel] = {}

    def make(kind: str = "bert", extra: bool = False) -> CrossEncoderModel:
        if (kind, extra) not in made:
            torch.manual_seed(0)
            made[kind, extra] = CrossEncoderModel.from_pretrained(
                tiny_model(kind), SetEncoderConfig(add_extra_token=extra)
            )
        return made[kind, extra]

    return make


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(7)))
def test_a_set_has_no_order(set_encoder: Callable[..., CrossEncoderModel], texts: list[str], order: list[int]) -> None:
    model = set_encoder()
    scores = model.score(texts[0], texts).scores
    torch.testing.assert_close(
        model.score(texts[0], [texts[place] for place in order]).scores, scores[order], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("kind", SETS)
def test_a_set_depends_on_its_documents_and_on_no_other_query(
    set_encoder: Callable[..., CrossEncoderModel], texts: list[str], tmp_path: Path, kind: str, extra: bool
) -> None:
    model = set_encoder(kind, extra)
    together = model.score(texts[0], texts).scores
    alone = model.score(texts[0], texts[:1]).scores
    assert abs(float(together[0] - alone[0])) > 1e-4
    many = model.score(texts[:3], [texts, texts[:2], []]).per_query()
    torch.testing.assert_close(many[0], together, atol=1e-6, rtol=0)
    torch.testing.assert_close(many[1], model.score(texts[1], texts[:2]).scores, atol=1e-6, rtol=0)
    assert len(many[2]) == 0
    assert_same_when_saved(model, texts, tmp_path / "saved")


def test_sets_in_one_batch_score_as_by_themselves(
    set_encoder: Callable[..., CrossEncoderModel], texts: list[str]
) -> None:
    from lir_models.tokenization import collate

    model = set_encoder()
    pairs = model.tokenize([texts[0]] * 4 + [texts[2]] * 3, texts)
    batch = collate(pairs, pad_id=model.tokenizer.pad_id)
    with torch.no_grad():
        scores = model.score_batch(batch, [4, 3])
    expected = torch.cat([model.score(texts[0], texts[:4]).scores, model.score(texts[2], texts[4:]).scores])
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-5)


def test_little_memory_changes_no_score(
    set_encoder: Callable[..., CrossEncoderModel], texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = set_encoder()
    expected = model.score(texts[0], texts).scores
    monkeypatch.setattr("lir_models.heads.set_attention._WEIGHTS_AT_ONCE", 1)
    torch.testing.assert_close(model.score(texts[0], texts).scores, expected, atol=1e-6, rtol=0)


def test_a_set_on_a_backbone_that_cannot_is_refused(tiny_model: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match=r"one of the kinds bert, electra, .* this one is 'deberta-v2'"):
        CrossEncoderModel.from_pretrained(tiny_model("deberta-v2"), SetEncoderConfig())


def test_predictions_are_of_pairs(tiny_model: Callable[..., Path], texts: list[str]) -> None:
    config = MonoConfig(activation="sigmoid")
    torch.manual_seed(0)
    model = CrossEncoderModel.from_pretrained(tiny_model("bert"), config)
    pairs = [(texts[0], texts[2]), (texts[0], texts[4]), (texts[2], texts[0])]
    expected = [float(torch.sigmoid(model.score(query, [doc]).scores)[0]) for query, doc in pairs]
    np.testing.assert_allclose(model.predict(pairs), expected, atol=1e-6)
    assert model.predict([]).shape == (0,)
