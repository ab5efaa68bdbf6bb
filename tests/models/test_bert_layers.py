"""The fast way through the layers of BERT and its kin: transformers' numbers, and its own way wherever something else is asked."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from lir_models import BiEncoderModel, CrossEncoderModel, DprConfig, MonoConfig
from lir_models.bert_layers import KINDS, looked_at

IDS = torch.tensor([[4, 6, 7, 8, 9, 5], [4, 9, 6, 5, 0, 0], [4, 5, 0, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]])


@pytest.fixture(params=KINDS)
def folder(request: pytest.FixtureRequest, tiny_model: Callable[..., Path]) -> Path:
    return tiny_model(request.param)


@pytest.fixture
def reference(folder: Path) -> Any:
    """The same model by transformers alone."""
    return transformers.AutoModel.from_pretrained(folder).eval()


@pytest.fixture
def backbone(folder: Path) -> Any:
    return BiEncoderModel.from_pretrained(folder, DprConfig(), device="cpu").backbone


@pytest.fixture
def layers_of_transformers(backbone: Any, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """One entry for each time that a layer of transformers' is run."""
    calls: list[None] = []
    kind = type(backbone.encoder.layer[0])
    forward = kind.forward

    def counted(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        return forward(*arguments, **options)

    monkeypatch.setattr(kind, "forward", counted)
    return calls


def inputs_of(model: Any) -> dict[str, torch.Tensor]:
    pad = model.config.pad_token_id
    return {"input_ids": torch.where(MASK.bool(), IDS, pad), "attention_mask": MASK}


@torch.no_grad()
def test_the_embeddings_are_those_of_transformers(
    backbone: Any, reference: Any, layers_of_transformers: list[None]
) -> None:
    found = backbone(**inputs_of(backbone)).last_hidden_state
    assert not layers_of_transformers
    expected = reference(**inputs_of(reference)).last_hidden_state
    torch.testing.assert_close(found[MASK.bool()], expected[MASK.bool()], atol=1e-6, rtol=1e-5)
    alone = backbone(IDS[:1]).last_hidden_state
    torch.testing.assert_close(alone, reference(IDS[:1]).last_hidden_state, atol=1e-6, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "relu"])
def test_queries_of_any_length_through_wide_layers_are_as_by_transformers(
    tiny_model: Callable[..., Path], activation: str
) -> None:
    folder = tiny_model("bert", hidden_size=256, intermediate_size=512, initializer_range=0.05, hidden_act=activation)
    backbone = BiEncoderModel.from_pretrained(folder, DprConfig(), device="cpu").backbone
    reference = transformers.AutoModel.from_pretrained(folder).eval()
    for texts, length in (
        (1, 1),
        (1, 10),
        (1, 11),
        (1, 16),
        (1, 63),
        (2, 32),
        (5, 13),
    ):  # few rows, padded ones, and more
        ids = IDS[:1].repeat(texts, 11)[:, :length]
        torch.testing.assert_close(
            backbone(ids).last_hidden_state, reference(ids).last_hidden_state, atol=1e-5, rtol=1e-5
        )


@torch.no_grad()
def test_where_the_first_token_alone_is_looked_at_it_is_the_same(backbone: Any, reference: Any) -> None:
    with looked_at(first_token_only=True):
        found = backbone(**inputs_of(backbone)).last_hidden_state
    expected = reference(**inputs_of(reference)).last_hidden_state
    torch.testing.assert_close(found[:, 0], expected[:, 0], atol=1e-6, rtol=1e-5)
    assert found.shape == expected.shape
    # Elsewhere nothing is left out.
    torch.testing.assert_close(backbone(**inputs_of(backbone)).last_hidden_state[0], expected[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_classifier_has_the_logits_of_transformers(tiny_model: Callable[..., Path], kind: str) -> None:
    folder = tiny_model(kind, "ForSequenceClassification", num_labels=1)
    reference = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    model = CrossEncoderModel.from_pretrained(folder, MonoConfig(), device="cpu")
    docs = ["the river", "the river is long and deep", "berlin"]
    found = model.score("what is long", docs).scores
    pairs = model.tokenizer.tokenizer(["what is long"] * 3, docs, padding=True, return_tensors="pt")
    torch.testing.assert_close(found, reference(**pairs).logits[:, 0], atol=1e-6, rtol=1e-5)


def test_with_gradients_transformers_layers_are_run(backbone: Any, layers_of_transformers: list[None]) -> None:
    output = backbone(**inputs_of(backbone)).last_hidden_state
    assert len(layers_of_transformers) == len(backbone.encoder.layer)
    assert output.requires_grad


@torch.no_grad()
def test_what_is_asked_for_beside_is_there(backbone: Any, reference: Any) -> None:
    found = backbone(**inputs_of(backbone), output_hidden_states=True).hidden_states
    expected = reference(**inputs_of(reference), output_hidden_states=True).hidden_states
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@torch.no_grad()
def test_a_hook_on_any_part_is_called(backbone: Any) -> None:
    seen: list[torch.Tensor] = []
    dense = backbone.encoder.layer[0].intermediate.dense
    hook = dense.register_forward_hook(lambda module, inputs, output: seen.append(output))
    backbone(**inputs_of(backbone))
    assert len(seen) == 1
    hook.remove()
    backbone(**inputs_of(backbone))
    assert len(seen) == 1


@torch.no_grad()
def test_a_layer_of_another_class_is_run_as_it_is(backbone: Any) -> None:
    class Doubled(torch.nn.Linear):
        def forward(self, values: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(values)

    before = backbone(**inputs_of(backbone)).last_hidden_state
    backbone.encoder.layer[0].output.dense.__class__ = Doubled
    assert not torch.allclose(backbone(**inputs_of(backbone)).last_hidden_state, before)


@torch.no_grad()
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_layers_of_its_own(backbone: Any, copied: Callable[[Any], Any]) -> None:
    other = copied(backbone)
    before = backbone(**inputs_of(backbone)).last_hidden_state
    torch.testing.assert_close(other(**inputs_of(other)).last_hidden_state, before)
    other.encoder.layer[0].output.dense.weight.add_(1)
    torch.testing.assert_close(backbone(**inputs_of(backbone)).last_hidden_state, before)
    assert not torch.allclose(other(**inputs_of(other)).last_hidden_state, before)
