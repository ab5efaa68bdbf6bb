"""A compiled model gives the numbers of the model as it was."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lir_models import BiEncoderModel, CrossEncoderModel, DprConfig


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_embeddings_of_a_compiled_model_are_the_same(backbone: Path, texts: list[str], dtype: str) -> None:
    model = BiEncoderModel.from_pretrained(backbone, DprConfig(), device="cpu", dtype=dtype)
    expected = model.encode_document(texts)
    names = list(model.state_dict())
    shapes: list[object] = []

    def look(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> object:
        shapes.append(inputs)
        return graph.forward

    model.compile(backend=look)
    tolerance = 1e-5 if dtype == "float32" else 2e-2
    np.testing.assert_allclose(model.encode_document(texts), expected, atol=tolerance, rtol=tolerance)
    assert shapes
    assert list(model.state_dict()) == names


def test_scores_of_a_compiled_model_are_the_same(classifier: Path, texts: list[str]) -> None:
    model = CrossEncoderModel.from_pretrained(classifier, device="cpu")
    expected = model.score(texts[0], texts).scores
    model.compile(backend="eager")
    torch.testing.assert_close(model.score(texts[0], texts).scores, expected, atol=1e-5, rtol=1e-5)
