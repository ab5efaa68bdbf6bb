"""The shapes in annotations are checked while the tests run."""

import pytest

torch = pytest.importorskip("torch")


def test_a_tensor_of_another_shape_is_refused() -> None:
    from jaxtyping import TypeCheckError

    from lir_models.scoring import similarity

    with pytest.raises(TypeCheckError, match="docs"):
        similarity(torch.zeros(2, 3), torch.zeros(4, 5))
