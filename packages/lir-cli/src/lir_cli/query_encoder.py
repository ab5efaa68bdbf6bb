"""Which model embeds the queries of an index, and by which rule: what the index keeps of those that made it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lir_cli.errors import LirCliError, SettingsError
from lir_cli.finite import check_embeddings
from lir_cli.settings import Mapped

if TYPE_CHECKING:
    from lir_models import BiEncoderConfig


def encoded(index: Any, model: str, queries: Sequence[str], *, allow_other_model: bool = False) -> Any:
    """Embed queries by the model that made an index.

    Raises:
        LirCliError: If it is another model, and that is not allowed.
    """
    from lir_models import BiEncoderModel

    encoder = BiEncoderModel.from_pretrained(model, rule_of(index, model, allow_other_model=allow_other_model))
    check_encoder(index, encoder, allow_other_model=allow_other_model)
    return _finite(encoder, queries)


def encoded_as_configured(index: Any, model: Mapped, queries: Sequence[str], *, allow_other_model: bool = False) -> Any:
    """Embed queries by the module of a configuration, which may say more of the model than its name.

    Args:
        index: The index.
        model: The configuration's key ``model``, its rule the index's where it has none.
        queries: The queries.
        allow_other_model: Whether it need not be the model that made the index.

    Raises:
        LirCliError: If it is another model, and that is not allowed.
        SettingsError: If the configuration is wrong.
    """
    from lir_cli.construct import blueprint
    from lir_train import BiEncoderModule

    encoder = blueprint(model, "model", (BiEncoderModule,)).make().model
    check_encoder(index, encoder, allow_other_model=allow_other_model)
    return _finite(encoder, queries)


def _finite(encoder: Any, queries: Sequence[str]) -> Any:
    embeddings = encoder.encode_query(list(queries))
    check_embeddings(encoder.name, queries, embeddings)
    return embeddings


def with_module(settings: Mapped) -> Mapped:
    """Return settings whose model has a class, so that overrides find its arguments."""
    return {**settings, "model": {"class_path": "BiEncoderModule", **(settings.get("model") or {})}}


def with_rule_of(index: Any, settings: Mapped, *, allow_other_model: bool) -> Mapped:
    """Return settings whose model is the index's and has the index's rule, where they do not say otherwise.

    Raises:
        SettingsError: If they name no model, and the index does not either.
    """
    model = settings["model"]
    arguments = dict(model.get("init_args") or {})
    if "model" in arguments:
        return settings
    arguments["model_name_or_path"] = name = arguments.get("model_name_or_path") or model_of(index)
    if "config" not in arguments:
        rule = rule_of(index, name, allow_other_model=allow_other_model)
        arguments |= {} if rule is None else {"config": _as_settings(rule)}
    return {**settings, "model": {**model, "init_args": arguments}}


def check_encoder(index: Any, encoder: Any, *, allow_other_model: bool) -> None:
    """Refuse a model that did not make an index.

    Raises:
        LirCliError: If that is not allowed.
    """
    from lir_index.errors import OtherModelError
    from lir_index.metadata import Metadata

    try:
        told = Metadata(model=encoder.name, fingerprint=encoder.fingerprint)
        index.check_model(told, allow_other_model=allow_other_model)
    except OtherModelError as error:
        raise LirCliError(str(error), hint="--allow-other-model searches all the same") from error


def model_of(index: Any) -> str:
    """Return the name of the model that made an index.

    Raises:
        SettingsError: If it is unknown, or was a folder that is not there any more.
    """
    name: str | None = index.metadata["model"]
    if name is None:
        raise SettingsError(f"The index in '{index.path}' does not say which model made it; name it by --model.")
    if Path(name).is_absolute() and not Path(name).is_dir():
        raise SettingsError(
            f"The index in '{index.path}' was made by the model in '{name}', and there is no such folder any more.",
            hint="--model FOLDER says where it is now; another model is refused",
        )
    return name


def rule_of(index: Any, model: str, *, allow_other_model: bool) -> "BiEncoderConfig | None":
    """Return the rule that a model is to be loaded with for the queries of an index; None for its own.

    Raises:
        LirCliError: If the index does not hold a rule that can be read.
    """
    from lir_models import BiEncoderConfig, read_config
    from lir_models.errors import ConfigError
    from lir_models.loading import as_config_to_load

    kept = index.metadata["rule"]
    if kept is None or (allow_other_model and read_config(model) is not None):
        return None
    try:
        return as_config_to_load(model, BiEncoderConfig.from_json(kept))
    except (ConfigError, TypeError, ValueError) as error:
        raise LirCliError(
            f"The index in '{index.path}' holds a rule that cannot be read: {error}",
            hint="a newer lir may read it; --config gives a rule of your own",
        ) from error


def _as_settings(rule: "BiEncoderConfig") -> Mapped:
    values: Mapped = json.loads(json.dumps(rule.to_json()))  # lists in the place of tuples
    return {"class_path": values.pop("family"), "init_args": values}
