"""The card of a saved model, and its way to the hub."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lir_models import (
    BiEncoderConfig,
    BiEncoderModel,
    ColConfig,
    CrossEncoderModel,
    ModelCard,
    MonoConfig,
    SpladeConfig,
)
from lir_models.errors import ModelNotFoundError

CARD = ModelCard(
    training_data=["msmarco-passage/train"],
    metrics={"nfcorpus": {"nDCG@10": 0.31592, "RR@10": 0.5077}, "cranfield": {"nDCG@10": 0.3536}},
    base_model="bert-base-uncased",
    license="apache-2.0",
    notes="Trained for a test.",
)
EXPECTED = """\
---
base_model: bert-base-uncased
datasets:
- msmarco-passage/train
library_name: sentence-transformers
license: apache-2.0
metrics:
- RR@10
- nDCG@10
pipeline_tag: feature-extraction
tags:
- lir
- information-retrieval
- biencoder
---

# a-model

A bi-encoder: it embeds queries and documents apart, with one vector a text, compared by cosine.

## Use

With lir:

```python
from lir_models import BiEncoderModel

model = BiEncoderModel.from_pretrained("a-model")
model.score("What is the capital of Germany?", ["Berlin is its capital.", "Paris is in France."]).scores
```

With sentence-transformers:

```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("a-model")
```

## Rule

| field | value |
|---|---|
| family | `BiEncoderConfig` |
| similarity_function | `cosine` |
| projection | `None` |

## Training data

- msmarco-passage/train

## Metrics

| collection | nDCG@10 | RR@10 |
|---|---|---|
| nfcorpus | 0.3159 | 0.5077 |
| cranfield | 0.3536 |  |

Trained for a test.
"""


@pytest.fixture
def model(backbone: Path) -> BiEncoderModel:
    return BiEncoderModel.from_pretrained(backbone, BiEncoderConfig(similarity_function="cosine"))


def test_a_card_says_what_the_model_is_and_how_to_use_it(model: BiEncoderModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path / "a-model", card=CARD)
    assert (tmp_path / "a-model" / "README.md").read_text() == EXPECTED


@pytest.mark.parametrize(
    ("kind", "head", "config", "libraries"),
    [
        (BiEncoderModel, "ForMaskedLM", SpladeConfig(), ["SparseEncoder("]),
        (
            BiEncoderModel,
            "Model",
            ColConfig(embedding_dim=8, normalization_strategy="l2"),
            ["models.ColBERT(", "MultiVectorEncoder("],
        ),
        (BiEncoderModel, "Model", ColConfig(embedding_dim=8), []),
        (CrossEncoderModel, "Model", MonoConfig(), ["CrossEncoder("]),
        (CrossEncoderModel, "Model", MonoConfig(pooling_strategy="mean"), ["CrossEncoder("]),
        (CrossEncoderModel, "Model", MonoConfig(pooling_strategy="sum"), []),
    ],
)
def test_a_card_names_the_libraries_that_load_the_folder(
    tiny_model: Callable[..., Path], tmp_path: Path, kind: Any, head: str, config: Any, libraries: list[str]
) -> None:
    kind.from_pretrained(tiny_model("bert", head), config).save_pretrained(tmp_path / "saved")
    text = (tmp_path / "saved" / "README.md").read_text()
    calls = ["SentenceTransformer(", "SparseEncoder(", "models.ColBERT(", "MultiVectorEncoder(", " CrossEncoder("]
    found = [call for call in calls if f'{call}"' in text]
    assert [call.strip() for call in found] == libraries


def test_a_model_is_pushed_whole(model: BiEncoderModel, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    class Api:
        def __init__(self, token: Any) -> None:
            calls.append(token)

        def create_repo(self, name: str, **options: Any) -> None:
            calls.append((name, options))

        def upload_folder(self, *, folder_path: Path, **options: Any) -> Any:
            text = (folder_path / "README.md").read_text()
            calls.append((sorted(path.name for path in folder_path.iterdir()), "# me/a-model" in text, options))
            return SimpleNamespace(commit_url="https://hub/commit")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    assert model.push_to_hub("me/a-model", private=True, token="secret", card=CARD) == "https://hub/commit"
    token, created, (files, is_named, options) = calls
    assert token == "secret"
    assert created == ("me/a-model", {"private": True, "exist_ok": True})
    assert {"README.md", "lir.json", "model.safetensors", "modules.json", "tokenizer.json"} <= set(files)
    assert is_named
    assert options == {"repo_id": "me/a-model", "revision": None, "commit_message": "Add a model saved by lir"}


def test_a_hub_that_cannot_be_reached_is_told_of(model: BiEncoderModel, monkeypatch: pytest.MonkeyPatch) -> None:
    class Api:
        def __init__(self, token: Any) -> None: ...

        def create_repo(self, name: str, **options: Any) -> None:
            raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    with pytest.raises(ModelNotFoundError, match="'me/a-model' was not uploaded to the Hugging Face hub: no network"):
        model.push_to_hub("me/a-model")
