"""From a reference to whichever model it means."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from lir_models import registry
from lir_models.checkpoints import Checkpoint, Kind, adapter, recognise
from lir_models.checkpoints.checkpoint import Source
from lir_models.config import BiEncoderConfig
from lir_models.errors import CheckpointError, ModelNotFoundError
from lir_models.families.mono import MonoConfig
from lir_models.references import PACKAGE_PREFIX, HubOptions, full_name, resolve

_DEFAULT = HubOptions()


def open_checkpoint(name_or_path: str | Path, hub: HubOptions = _DEFAULT) -> Checkpoint:
    """Say what a reference leads to, from its small files, and from the registry what they do not say."""
    return _recognised(name_or_path, resolve(name_or_path, weights=False, hub=hub), hub)


def _recognised(name_or_path: str | Path, folder: Path, hub: HubOptions) -> Checkpoint:
    checkpoint = registry.complete(name_or_path, recognise(folder))
    if adapter.detect(checkpoint.folder):
        return _on_base(checkpoint, hub)
    is_plain = checkpoint.folder == folder and checkpoint.backbone_config is checkpoint.key_mapping is None
    is_plain = is_plain and not str(name_or_path).startswith(PACKAGE_PREFIX)
    return replace(checkpoint, source=Source(full_name(name_or_path), hub.revision, is_plain))


def _on_base(checkpoint: Checkpoint, hub: HubOptions) -> Checkpoint:
    """Put an adapter on the model that it was trained on; without a rule of its own, it has the model's."""
    base = _open_base(checkpoint.folder, hub)
    if checkpoint.config is None:
        return replace(base, adapter=checkpoint.folder)
    query = None
    if checkpoint.query_folder is not None and adapter.detect(checkpoint.query_folder):
        query = _open_base(checkpoint.query_folder, hub)
        query = replace(
            query,
            folder=base.query_folder or query.folder if query.source == base.source else query.folder,
            adapter=checkpoint.query_folder,
            heads=lambda _: checkpoint.heads("query"),
        )
    config = checkpoint.config
    if checkpoint.of_base and isinstance(base.config, MonoConfig):
        config = config.replace(**{name: getattr(base.config, name) for name in checkpoint.of_base})
    return replace(
        base,
        kind=checkpoint.kind,
        config=config,
        heads=checkpoint.heads,
        adapter=checkpoint.folder,
        query_folder=checkpoint.query_folder,
        query=query,
    )


def _open_base(folder: Path, hub: HubOptions) -> Checkpoint:
    source = adapter.base_of(folder)
    try:
        base = open_checkpoint(source.name, replace(hub, revision=source.revision))
    except ModelNotFoundError as error:
        raise ModelNotFoundError(
            f"'{folder}' is an adapter of the model '{source.name}', which is not found: {error}",
            hint=f"if it has another name now, write that into {folder / adapter.FILE}",
        ) from error
    if base.adapter is not None:
        raise CheckpointError(
            f"'{folder}' is an adapter of '{source.name}', which is an adapter too; lir reads one on a whole model."
        )
    return base


def with_weights(name_or_path: str | Path, checkpoint: Checkpoint, hub: HubOptions = _DEFAULT) -> Checkpoint:
    """Have the weights at hand too: of a hub model they come into the folder of the small files."""
    folder = resolve(name_or_path, hub=hub)
    if checkpoint.adapter is not None:
        for part in filter(None, (checkpoint, checkpoint.query)):
            resolve(part.source.name, hub=replace(hub, revision=part.source.revision))
    # The names of weights may say what the small files do not.
    return _recognised(name_or_path, folder, hub) if checkpoint.config is None else checkpoint


def detect(name_or_path: str | Path) -> Kind:
    """Say what a model reference leads to, from its small files alone.

    Returns:
        ``bi-encoder``, ``cross-encoder``, or ``backbone`` for a transformer that has no rule for scores yet.

    Raises:
        ModelNotFoundError: If there is no such model.
        CheckpointError: If its files cannot be read.
    """
    return open_checkpoint(name_or_path).kind


def load_model(name_or_path: str | Path, **options: Any):
    """Load a bi-encoder or a cross-encoder, as the files say; a plain backbone becomes a bi-encoder.

    Args:
        name_or_path: As in `BiEncoderModel.from_pretrained`, whose other arguments are understood as well.
        **options: ``device``, ``dtype``, ``revision``, and so on.
    """
    from lir_models.bi_encoder import BiEncoderModel
    from lir_models.cross_encoder import CrossEncoderModel

    kind = CrossEncoderModel if detect(name_or_path) == "cross-encoder" else BiEncoderModel
    return kind.from_pretrained(name_or_path, **options)


def read_config(name_or_path: str | Path):
    """Read the rule of a model without its weights; None for a plain backbone."""
    return open_checkpoint(name_or_path).config


def as_config_to_load(name_or_path: str | Path, rule: BiEncoderConfig) -> BiEncoderConfig | None:
    """Return what to give `BiEncoderModel.from_pretrained` as ``config``, for a model to have a rule that it had before.

    Args:
        name_or_path: The model.
        rule: The config of a model that was loaded, whose projection is spelled out.

    Returns:
        None where the files say that rule themselves: heads that they lack are then an error, and not made anew.
    """
    own = read_config(name_or_path)
    if own is None:
        return rule
    told, wanted = own.to_json(), rule.to_json()
    if not isinstance(told.get("projection"), tuple):
        told["projection"] = wanted["projection"]
    return None if told == wanted else rule
