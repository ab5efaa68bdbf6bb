"""The README.md of a saved model: what it is, how to load it with each library, what it learnt from, how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lir_models.checkpoints.files import read_settings_if_there
from lir_models.checkpoints.sentence_transformers.modules import FILE, SETTINGS
from lir_models.config import BiEncoderConfig, CrossEncoderConfig


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a card says that the files do not.

    Args:
        name: What the model is called; empty for its folder's name.
        training_data: Names of what the model learnt from, ids of the hub for instance.
        metrics: Measures and their values, by the name of a collection: ``{"nfcorpus": {"nDCG@10": 0.33}}``.
        base_model: What it was made of.
        license: As the hub names it: ``apache-2.0``, …; empty where it is not known.
        notes: Anything else, as Markdown.
    """

    name: str = ""
    training_data: Sequence[str] = ()
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    base_model: str = ""
    license: str = ""
    notes: str = ""


def write_model_card(
    folder: Path, name: str, config: BiEncoderConfig | CrossEncoderConfig, card: ModelCard, *, not_said: str = ""
) -> None:
    """Write ``README.md`` beside a model's files; which libraries load the folder is seen from them.

    Args:
        folder: The model's folder, with everything else in it.
        name: What the model is called where the card does not say.
        config: Its rule.
        card: What else there is to say.
        not_said: What sentence-transformers has no word for, so that the folder is lir's alone.
    """
    name = card.name or name
    libraries = _libraries(folder, config)
    text = f"---\n{_header(config, card, libraries)}---\n\n# {name}\n\n{_what(config)}\n\n## Use\n"
    for library, code in libraries.items():
        text += f"\nWith {library}:\n\n```python\n{code.format(name=name)}\n```\n"
    if not_said:
        text += f"\nThis folder is lir's alone: sentence-transformers has no word for {not_said}, and would score otherwise.\n"
    text += f"\n## Rule\n\n{_rule(config)}\n"
    if card.training_data:
        text += "\n## Training data\n\n" + "".join(f"- {data}\n" for data in card.training_data)
    if card.metrics:
        text += f"\n## Metrics\n\n{_metrics(card.metrics)}\n"
    if card.notes:
        text += f"\n{card.notes.strip()}\n"
    (folder / "README.md").write_text(text, encoding="utf-8")


def _header(config: BiEncoderConfig | CrossEncoderConfig, card: ModelCard, libraries: Mapping[str, str]) -> str:
    from huggingface_hub import ModelCardData

    is_cross = isinstance(config, CrossEncoderConfig)
    tags = ["lir", "information-retrieval", type(config).__name__.removesuffix("Config").lower()]
    values: dict[str, Any] = {
        "library_name": "sentence-transformers" if "sentence-transformers" in libraries else "lir",
        "pipeline_tag": "text-ranking" if is_cross else "feature-extraction",
        "tags": tags,
    }
    values |= {"license": card.license} if card.license else {}
    values |= {"base_model": card.base_model} if card.base_model else {}
    values |= {"datasets": list(card.training_data)} if card.training_data else {}
    values |= (
        {"metrics": sorted({measure for found in card.metrics.values() for measure in found})} if card.metrics else {}
    )
    return ModelCardData(**values).to_yaml() + "\n"


def _what(config: BiEncoderConfig | CrossEncoderConfig) -> str:
    if isinstance(config, CrossEncoderConfig):
        return "A cross-encoder: it reads a query and a document together, and scores the document."
    form = {
        "dense": "one vector a text",
        "sparse": "one weight for each term of the vocabulary",
        "multi-vector": "several vectors a text",
        "coil": "one vector a text, and one a token",
    }[config.form]
    return (
        f"A bi-encoder: it embeds queries and documents apart, with {form}, compared by {config.similarity_function}."
    )


def _libraries(folder: Path, config: BiEncoderConfig | CrossEncoderConfig) -> dict[str, str]:
    """Return, for each library that loads the folder with the same scores, the code that does."""
    kind = "CrossEncoderModel" if isinstance(config, CrossEncoderConfig) else "BiEncoderModel"
    found = {
        "lir": f'from lir_models import {kind}\n\nmodel = {kind}.from_pretrained("{{name}}")\n'
        'model.score("What is the capital of Germany?", ["Berlin is its capital.", "Paris is in France."]).scores'
    }
    if not (folder / FILE).is_file():
        return found
    model_type = read_settings_if_there(folder / SETTINGS).text("model_type", "SentenceTransformer")
    if model_type == "ColBERT":
        found["PyLate"] = 'from pylate import models\n\nmodel = models.ColBERT("{name}")'
        model_type = "MultiVectorEncoder"
    found["sentence-transformers"] = (
        f'from sentence_transformers import {model_type}\n\nmodel = {model_type}("{{name}}")'
    )
    return found


def _rule(config: BiEncoderConfig | CrossEncoderConfig) -> str:
    default = type(config)()
    lines = [
        f"| {name} | `{value}` |"
        for name, value in config.to_json().items()
        if name == "family" or getattr(config, name) != getattr(default, name)
    ]
    return "\n".join(["| field | value |", "|---|---|", *lines])


def _metrics(metrics: Mapping[str, Mapping[str, float]]) -> str:
    measures = list(dict.fromkeys(measure for found in metrics.values() for measure in found))
    rows = [
        f"| {name} | " + " | ".join(f"{found[measure]:.4f}" if measure in found else "" for measure in measures) + " |"
        for name, found in metrics.items()
    ]
    return "\n".join([f"| collection | {' | '.join(measures)} |", "|---" * (len(measures) + 1) + "|", *rows])
