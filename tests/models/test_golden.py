"""Checkpoints of other libraries score as these libraries did when they made the golden files.

``golden/README.md`` says what each pins and which script made it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lir_models import BiEncoderModel, CrossEncoderModel, detect
from lir_models.embeddings import CoilEmbeddings, Packed

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.parent.name for path in GOLDEN.glob("*/expected.json"))

#: Lightning IR cuts a text by decoding its tokens and encoding that anew, which here puts a space beside 東京.
RE_ENCODED = {"lightning-ir-mono-t5": 3}


@pytest.fixture(scope="module")
def golden() -> dict[str, tuple[Path, dict[str, Any]]]:
    return {
        name: (GOLDEN / name / "checkpoint", json.loads((GOLDEN / name / "expected.json").read_text()))
        for name in NAMES
    }


BI_ENCODERS = [name for name in NAMES if detect(GOLDEN / name / "checkpoint") == "bi-encoder"]
CROSS_ENCODERS = [name for name in NAMES if detect(GOLDEN / name / "checkpoint") == "cross-encoder"]


def assert_same_embeddings(ours: Any, expected: list[Any], model: BiEncoderModel) -> None:
    """Compare embeddings of any form with those of the file."""
    if isinstance(ours, CoilEmbeddings):
        ours = Packed(ours.vectors, ours.lengths)
    if isinstance(ours, Packed):
        assert ours.lengths.tolist() == [len(vectors) for vectors in expected]
        np.testing.assert_allclose(ours.vectors, np.concatenate(expected), atol=1e-5)
    elif model.form == "sparse":
        dense = np.zeros(ours.shape, dtype=np.float32)
        for row, weights in enumerate(expected):
            for term, weight in weights.items():
                dense[row, int(term)] = weight
        np.testing.assert_allclose(ours.toarray(), dense, atol=1e-5)
    else:
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.parametrize("name", BI_ENCODERS)
def test_a_bi_encoder_equals(golden: dict[str, tuple[Path, dict[str, Any]]], name: str) -> None:
    folder, expected = golden[name]
    model = BiEncoderModel.from_pretrained(folder)
    queries, docs = expected["queries"], expected["docs"]
    assert_same_embeddings(model.encode_query(queries), expected["query_embeddings"], model)
    assert_same_embeddings(model.encode_document(docs), expected["doc_embeddings"], model)
    scores = torch.stack(model.score(queries, [docs] * len(queries)).per_query())
    torch.testing.assert_close(scores, torch.tensor(expected["scores"]), atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("name", CROSS_ENCODERS)
def test_a_cross_encoder_equals(golden: dict[str, tuple[Path, dict[str, Any]]], name: str) -> None:
    folder, expected = golden[name]
    model = CrossEncoderModel.from_pretrained(folder)
    queries, docs = expected["queries"], expected["docs"]
    scores = torch.stack(model.score(queries, [docs] * len(queries)).per_query())
    wanted = torch.tensor(expected.get("logits", expected["scores"]))
    if wanted.ndim == 3:  # two labels, not relevant and relevant
        wanted = wanted.log_softmax(dim=-1)[..., 1]
    same = [place for place in range(len(docs)) if place != RE_ENCODED.get(name)]
    scores, wanted = scores[:, same], wanted[:, same]
    torch.testing.assert_close(scores, wanted, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_when_saved_and_loaded(
    golden: dict[str, tuple[Path, dict[str, Any]]], name: str, tmp_path: Path
) -> None:
    folder, expected = golden[name]
    kind = CrossEncoderModel if name in CROSS_ENCODERS else BiEncoderModel
    model = kind.from_pretrained(folder)
    model.save_pretrained(tmp_path / "saved")
    again = kind.from_pretrained(tmp_path / "saved")
    assert again.config == model.config
    query, docs = expected["queries"][0], expected["docs"]
    assert torch.equal(again.score(query, docs).scores, model.score(query, docs).scores)
