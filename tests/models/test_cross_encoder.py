"""What a cross-encoder promises, whatever its backbone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from lir_models import CrossEncoderModel, MonoConfig, load_model, read_config
from lir_models.errors import ConfigError, InputError, WrongModelKindError


@pytest.fixture(scope="module")
def model(classifier: Path) -> CrossEncoderModel:
    return CrossEncoderModel.from_pretrained(classifier)


def logits(folder: Path, query: str, doc: str) -> np.ndarray:
    """Score one pair by transformers alone."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    backbone = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        return backbone(**tokenizer([query], [doc], truncation=True, return_tensors="pt")).logits[0].double().numpy()


def test_the_score_of_one_label_is_its_logit(model: CrossEncoderModel, classifier: Path, texts: list[str]) -> None:
    expected = [logits(classifier, texts[0], text)[0] for text in texts]
    np.testing.assert_allclose(model.score(texts[0], texts).scores, expected, atol=1e-5)


def test_the_score_of_two_labels_is_the_log_probability_of_the_second(two_labels: Path, texts: list[str]) -> None:
    model = CrossEncoderModel.from_pretrained(two_labels)
    assert model.config.scoring_strategy == "mono"
    both = [logits(two_labels, texts[0], text) for text in texts]
    expected = [second - np.log(np.exp(first) + np.exp(second)) for first, second in both]
    np.testing.assert_allclose(model.score(texts[0], texts).scores, expected, atol=1e-5)


def test_batch_mates_and_order_change_no_score(model: CrossEncoderModel, texts: list[str]) -> None:
    together = model.score(texts[0], texts).scores
    alone = torch.cat([model.score(texts[0], [text]).scores for text in texts])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


def test_several_queries_score_their_own_documents(model: CrossEncoderModel, texts: list[str]) -> None:
    first, second = model.score(texts[:2], [texts[2:4], texts[4:]]).per_query()
    torch.testing.assert_close(first, model.score(texts[0], texts[2:4]).scores, atol=1e-6, rtol=0)
    torch.testing.assert_close(second, model.score(texts[1], texts[4:]).scores, atol=1e-6, rtol=0)


def test_rank_is_best_first(model: CrossEncoderModel, texts: list[str]) -> None:
    best = model.score(texts[0], texts).scores.sort(descending=True, stable=True)
    assert [document.index for document in model.rank(texts[0], texts, top_k=3)] == best.indices[:3].tolist()


def test_texts_are_cut_at_their_own_lengths_before_the_pair_is_made(classifier: Path) -> None:
    model = CrossEncoderModel.from_pretrained(classifier, MonoConfig(query_length=2, doc_length=3))
    cut = model.score("what is the capital", ["berlin is the capital of germany"]).scores
    whole = CrossEncoderModel.from_pretrained(classifier)
    torch.testing.assert_close(cut, whole.score("what is", ["berlin is the"]).scores, atol=1e-6, rtol=0)


def test_prompts_precede_the_texts(classifier: Path) -> None:
    model = CrossEncoderModel.from_pretrained(classifier, MonoConfig(query_prompt="what is ", doc_prompt="the city "))
    expected = CrossEncoderModel.from_pretrained(classifier).score("what is paris", ["the city berlin"]).scores
    torch.testing.assert_close(model.score("paris", ["berlin"]).scores, expected, atol=1e-6, rtol=0)


def test_a_saved_model_is_the_same(two_labels: Path, texts: list[str], tmp_path: Path) -> None:
    model = CrossEncoderModel.from_pretrained(two_labels)
    model.save_pretrained(tmp_path / "saved")
    again = load_model(tmp_path / "saved")
    assert (again.config, again.fingerprint) == (model.config, model.fingerprint)
    assert torch.equal(again.score(texts[0], texts).scores, model.score(texts[0], texts).scores)


def test_a_bi_encoder_is_refused(backbone: Path, tmp_path: Path) -> None:
    from lir_models import BiEncoderModel

    BiEncoderModel.from_pretrained(backbone).save_pretrained(tmp_path / "saved")
    with pytest.raises(WrongModelKindError, match="is a bi-encoder"):
        CrossEncoderModel.from_pretrained(tmp_path / "saved")


def test_of_many_labels_predict_gives_all_and_the_score_is_the_one_that_is_named(
    tiny_model: Callable[..., Path], texts: list[str]
) -> None:
    folder = tiny_model("bert", "ForSequenceClassification", num_labels=3, seed=4)
    model = CrossEncoderModel.from_pretrained(folder)
    logits = model.predict([(texts[0], text) for text in texts])
    assert logits.shape == (len(texts), 3)
    with pytest.raises(ConfigError, match=r"labels LABEL_0, LABEL_1, LABEL_2, and nobody has said which"):
        model.score(texts[0], texts)
    rule = read_config(folder).replace(label="LABEL_1")
    scores = CrossEncoderModel.from_pretrained(folder, rule).score(texts[0], texts).scores
    torch.testing.assert_close(scores, torch.tensor(logits).log_softmax(dim=-1)[:, 1])


def test_a_label_that_the_model_has_not_is_named() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'entailment'"):
        MonoConfig(scoring_strategy="label", labels=("entailment", "neutral"), label="entailement")


@pytest.mark.parametrize(
    ("query", "docs", "message"),
    [
        ("q", "one text", "The documents are one string, 'one text'; give a list of strings."),
        (["q", "r"], ["one", "two"], "give one list of documents per query"),
        (["q", "r"], [["one"]], "There are 2 queries but 1 lists of documents"),
        ("q", ["one", 2], "Text 1 of 2 is 2, of type int, not a string."),
    ],
)
def test_texts_that_do_not_pair_up_are_named(
    model: CrossEncoderModel, query: object, docs: object, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        model.score(query, docs)
