"""Published models whose files do not say by which rule they score; the ids are in ``known_checkpoints.toml``."""

import tomllib
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from lir_models.checkpoints import Checkpoint
from lir_models.config import BiEncoderConfig, CrossEncoderConfig
from lir_models.fields import JsonConfig

_registered: dict[str, BiEncoderConfig | CrossEncoderConfig] = {}


def register_checkpoint(name_or_path: str | Path, config: BiEncoderConfig | CrossEncoderConfig) -> None:
    """Say by which rule a model scores whose files do not.

    Args:
        name_or_path: A folder, or an id of the Hugging Face hub.
        config: The rule; heads are loaded from where the files have them.
    """
    _registered[_key(name_or_path)] = config


@cache
def known_checkpoints() -> dict[str, dict[str, Any]]:
    """Return what is known of published models, by their ids of the hub."""
    text = resources.files("lir_models").joinpath("known_checkpoints.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def complete(name_or_path: str | Path, checkpoint: Checkpoint) -> Checkpoint:
    """Add to what a model's files say what is registered for it."""
    name = _key(name_or_path)
    config = _registered.get(name)
    if config is None:
        known = dict(known_checkpoints().get(name, {}))
        if not (known.pop("over_files", False) or checkpoint.config is None) or not known:
            return checkpoint
        config = _config(known)
    kind = "bi-encoder" if isinstance(config, BiEncoderConfig) else "cross-encoder"
    return replace(checkpoint, kind=kind, config=config)


def _config(values: dict[str, Any]) -> Any:
    # TOML has no null.
    values = {name: None if value == "none" else value for name, value in values.items()}
    return JsonConfig.families[values["family"]].from_json(values)


def _key(name_or_path: str | Path) -> str:
    folder = Path(name_or_path).expanduser()
    return str(folder.resolve()) if folder.is_dir() else str(name_or_path)
