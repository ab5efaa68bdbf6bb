"""peft's adapters: ``adapter_config.json`` names the model whose weights an adapter's own are added to."""

from pathlib import Path, PurePath

from lir_models.checkpoints.checkpoint import Checkpoint, Source
from lir_models.checkpoints.files import Settings, read_settings
from lir_models.errors import CheckpointError
from lir_models.families.mono import MonoConfig

FILE = "adapter_config.json"


def detect(folder: Path) -> bool:
    """Whether the weights in a folder are an adapter's, as transformers decides it too."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Checkpoint:
    """Say what an adapter without any rule is, as Tevatron and peft save it."""
    if read_settings(folder / FILE).get("task_type") == "SEQ_CLS":
        return Checkpoint(kind="cross-encoder", config=MonoConfig(), folder=folder)
    return Checkpoint(kind="backbone", config=None, folder=folder)


def base_of(folder: Path) -> Source:
    """Return the model that an adapter was trained on: an id of the hub, or the folder where it was on some machine.

    Raises:
        CheckpointError: If it is not named, or named by a path that starts nowhere; or if peft would import a package.
    """
    values = read_settings(folder / FILE)
    _check_imports(values)
    name = values.text("base_model_name_or_path")
    if not name:
        raise CheckpointError(f"'{folder / FILE}' does not name the adapter's base model, as base_model_name_or_path.")
    if ".." in PurePath(name).parts or name.startswith((".", "~")) or not name.isprintable():
        raise CheckpointError(
            f"'{folder / FILE}' names the base model {name!r}; it is an id of the hub, or the whole path of a folder."
        )
    return Source(name, values.text("revision") or None)


def _check_imports(values: Settings) -> None:
    # peft imports the package that this names, whatever it is.
    for key in ("megatron_config", "megatron_core"):
        if values.get(key) not in (None, "megatron.core"):
            raise CheckpointError(f"'{values.path}' has {key} {values[key]!r}; lir has no layers of Megatron's.")
