"""A training from its settings to a saved model: begun, interrupted, gone on with."""

from pathlib import Path
from typing import Any

import yaml

from lir_cli.checkpoints import NAMES, Checkpoints, checkpoint_to_go_on_from, interrupted, refuse_checkpoints
from lir_cli.errors import InterruptedTrainingError, SettingsError
from lir_cli.output import say
from lir_cli.pipeline import Pipeline
from lir_cli.settings import Mapped, has_callback
from lir_cli.signals import say_on_stop
from lir_data.writing import write_lines
from lir_models.checkpoints.ownership import check_replaceable
from lir_train.checkpoint_files import check_checkpoints, remove_checkpoints

#: What a trained model has beside it: the settings that trained it.
SETTINGS_FILE = "train.yaml"


def train(settings: Mapped, output: Path | None, *, resume: bool, overwrite: bool) -> None:
    """Train, and save the model.

    Checkpoints are kept beside the output, unless the settings have a ModelCheckpoint of their own, or say that none shall
    be kept.

    Args:
        settings: With the keys of the YAML.
        output: Where the model is saved; None where the checkpoints of the settings are all that is wanted.
        resume: Whether the training goes on from its last checkpoint.
        overwrite: Whether an output, and checkpoints of a training before, are replaced.

    Raises:
        ForeignFolderError: If the output is anything but a model that lir saved.
        ForeignFileError: If something else than checkpoints would be removed.
    """
    trainer = settings.get("trainer") or {}
    has_own = has_callback(trainer, "ModelCheckpoint")
    keeps = output is not None and not has_own and trainer.get("enable_checkpointing") is not False
    folder = _own_folder(trainer) if has_own or output is None else output.with_name(f"{output.name}-checkpoints")
    checkpoint = checkpoint_to_go_on_from(folder) if resume else None
    if output is not None:
        check_replaceable(output)
    if keeps and not resume:
        if not overwrite:
            refuse_checkpoints(folder)
        check_checkpoints(folder, NAMES)

    pipeline = Pipeline(settings, "fit")
    if output is None and not has_own:
        raise SettingsError("--output is missing, and without it the trained model would be lost.")
    checkpoints = Checkpoints(pipeline, folder) if keeps else None
    is_first: bool = pipeline.trainer.is_global_zero
    if keeps and not resume and is_first:
        remove_checkpoints(folder, NAMES)
    say_on_stop(lambda: _in_words(interrupted(pipeline.trainer.global_step, folder)))
    try:
        _, module = pipeline.run(ckpt_path=checkpoint)
    except SystemExit:  # what Lightning makes of Ctrl-C
        if pipeline.trainer.interrupted:
            raise interrupted(pipeline.trainer.global_step, folder) from None
        raise
    if checkpoints is not None:
        checkpoints.take_best(module)
    if output is not None and is_first:
        save(module, output, settings, overwrite=overwrite)
        say(f"The model is in {output}")


def _in_words(error: InterruptedTrainingError) -> str:
    return f"{error}\nhint: {error.hint}" if error.hint else str(error)


def save(module: Any, output: Path, settings: Mapped, *, overwrite: bool) -> None:
    """Save a trained model with the settings that trained it."""
    module.save_pretrained(output, overwrite=overwrite)
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    write_lines(output / SETTINGS_FILE, text.splitlines(), overwrite=True)


def _own_folder(trainer: Mapped) -> Path:
    """Return where the settings' own ModelCheckpoint keeps what it keeps."""
    callbacks = trainer.get("callbacks") or []
    for item in callbacks if isinstance(callbacks, list) else [callbacks]:
        if has_callback({"callbacks": item}, "ModelCheckpoint"):
            arguments = item.get("init_args") or {}
            return Path(arguments.get("dirpath") or "checkpoints")
    return Path("checkpoints")
