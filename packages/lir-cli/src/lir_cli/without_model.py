"""Indexes of the texts themselves, which need no model."""

from typing import Any

from lir_cli.errors import SettingsError
from lir_cli.settings import Mapped, short_name

_MODULE = "TextModule"


def kind_of_texts(index_config: Mapped, path: str) -> str | None:
    """Return the kind of index that the settings of a config mean, if it is one of texts."""
    from lir_cli.classes import find_class, is_one_of
    from lir_index import IndexConfig
    from lir_index.kinds import takes_texts

    if "class_path" not in index_config:
        return None
    found: Any = find_class(index_config["class_path"], path, (IndexConfig,))
    return found.kind if is_one_of(found, (IndexConfig,)) and takes_texts(found) else None


def without_model(settings: Mapped, subject: str) -> Mapped:
    """Put what hands texts over in the place of a model.

    Args:
        settings: The settings; of a model they may hold the measures alone.
        subject: What does without a model, as the begin of a sentence.

    Raises:
        SettingsError: If a model is named.
    """
    model = settings.get("model") or {}
    arguments = model.get("init_args") or {}
    name = arguments.get("model_name_or_path")
    if name is not None or short_name(model) not in ("", _MODULE):
        refuse_model(name or short_name(model), subject)
    return {**settings, "model": {"class_path": _MODULE, "init_args": arguments}}


def refuse_model(name: str, subject: str) -> None:
    """Refuse a model that was named for nothing."""
    raise SettingsError(
        f"{subject} the texts themselves, without a model; '{name}' is named.", hint="leave --model out"
    )
