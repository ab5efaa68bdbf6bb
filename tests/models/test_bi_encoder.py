"""What a bi-encoder promises, whatever its rule."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lir_models import BiEncoderConfig, BiEncoderModel, CrossEncoderModel, DprConfig
from lir_models.errors import InputError, ModelNotFoundError, OutputExistsError, WrongModelKindError


@pytest.fixture(scope="module")
def model(backbone: Path) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(embedding_dim=8, similarity_function="cosine"))


def test_batch_mates_and_order_change_no_embedding(model: BiEncoderModel, texts: list[str]) -> None:
    together = model.encode_document(texts)
    alone = np.stack([model.encode_document(text) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_padding_on_the_left_changes_no_embedding(decoder: Path, texts: list[str], pooling: str) -> None:
    config = BiEncoderConfig(query_pooling_strategy=pooling, doc_pooling_strategy=pooling)
    model = BiEncoderModel.from_pretrained(decoder, config)
    assert model.tokenizer.padding_side == "left"
    together = model.encode_document(texts)
    np.testing.assert_allclose(together, [model.encode_document(text) for text in texts], atol=1e-5)


def test_a_text_is_cut_at_the_length_of_its_side(backbone: Path) -> None:
    model = BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(query_length=4, doc_length=5))
    # Two of the tokens are the special ones.
    np.testing.assert_allclose(model.encode_query("the river is long"), model.encode_query("the river"), atol=1e-6)
    np.testing.assert_allclose(
        model.encode_document("the river is long"), model.encode_document("the river is"), atol=1e-6
    )


def test_a_model_of_one_vector_a_token_scores_by_max_sim(backbone: Path, texts: list[str]) -> None:
    model = BiEncoderModel.from_pretrained(
        backbone, BiEncoderConfig(query_pooling_strategy=None, doc_pooling_strategy=None, embedding_dim=16)
    )
    query, _ = model.encode_query([texts[0]])
    expected = []
    for text in texts:
        vectors, lengths = model.encode_document([text])
        assert lengths[0] == len(vectors)
        expected.append(
            sum(max(float(token @ other) for other in vectors.astype(np.float64)) for token in query.astype(np.float64))
        )
    np.testing.assert_allclose(model.score(texts[0], texts).scores, expected, rtol=1e-5)


def test_several_queries_score_their_own_documents(model: BiEncoderModel, texts: list[str]) -> None:
    output = model.score(texts[:2], [texts[2:4], texts[4:]])
    first, second = output.per_query()
    torch.testing.assert_close(first, model.score(texts[0], texts[2:4]).scores)
    torch.testing.assert_close(second, model.score(texts[1], texts[4:]).scores)


def test_rank_is_best_first(model: BiEncoderModel, texts: list[str]) -> None:
    ranking = model.rank(texts[0], texts, top_k=3)
    best = model.score(texts[0], texts).scores.sort(descending=True, stable=True)
    assert [document.index for document in ranking] == best.indices[:3].tolist()


def test_no_document_gives_no_score(model: BiEncoderModel) -> None:
    assert model.score("paris", []).scores.shape == (0,)


def test_a_saved_model_is_the_same(model: BiEncoderModel, texts: list[str], tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "saved")
    again = BiEncoderModel.from_pretrained(tmp_path / "saved")
    # Not to the bit: that changes with where in memory the numbers lie.
    np.testing.assert_allclose(again.encode_document(texts), model.encode_document(texts), atol=1e-6)
    assert again.fingerprint == model.fingerprint


def test_different_sides_are_saved(backbone: Path, texts: list[str], tmp_path: Path) -> None:
    config = DprConfig(doc_pooling_strategy="mean", embedding_dim=8)
    model = BiEncoderModel.from_pretrained(backbone, config)
    model.save_pretrained(tmp_path / "saved")
    again = BiEncoderModel.from_pretrained(tmp_path / "saved")
    np.testing.assert_array_equal(again.encode_query(texts), model.encode_query(texts))


def test_a_saved_model_is_not_overwritten(model: BiEncoderModel, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("mine")
    with pytest.raises(OutputExistsError, match="exists already"):
        model.save_pretrained(tmp_path)
    assert (tmp_path / "note").read_text() == "mine"


def test_another_weight_is_another_fingerprint(backbone: Path) -> None:
    model = BiEncoderModel.from_pretrained(backbone)
    other = BiEncoderModel.from_pretrained(backbone)
    with torch.no_grad():
        next(other.backbone.parameters()).mul_(2)
    assert model.fingerprint != other.fingerprint


def test_a_cross_encoder_is_refused(classifier: Path) -> None:
    with pytest.raises(WrongModelKindError, match="is a cross-encoder"):
        BiEncoderModel.from_pretrained(classifier)


def test_what_is_no_text_is_named(model: BiEncoderModel) -> None:
    with pytest.raises(InputError, match="Text 1 of 2 is None, of type NoneType"):
        model.encode_document(["paris", None])


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("./nowhere", "There is no folder './nowhere'"),
        ("package:not_installed_here", "no package that is installed here has the name 'not_installed_here'"),
        ("package:json", "holds no model"),
        ("no-such-org/no-such-model", "There is no folder 'no-such-org/no-such-model', and"),
    ],
)
def test_a_model_that_is_not_there_is_named(reference: str, message: str) -> None:
    with pytest.raises(ModelNotFoundError, match=message):
        BiEncoderModel.from_pretrained(reference)


@pytest.mark.parametrize("docs", [["paris", "paris", "berlin"], []])
def test_progress_adds_up_to_the_documents(model: BiEncoderModel, classifier: Path, docs: list[str]) -> None:
    for scorer in (model, CrossEncoderModel.from_pretrained(classifier)):
        done: list[int] = []
        scorer.score(["what", "how"], [docs, docs], progress=done.append)
        assert sum(done) == 2 * len(docs)
