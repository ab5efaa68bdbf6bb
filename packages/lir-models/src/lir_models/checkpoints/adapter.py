"""peft's adapters: ``adapter_config.json`` names the model whose weights an adapter's own are added to."""

from pathlib import Path

from lir_models.checkpoints.checkpoint import Checkpoint, Source
from lir_models.checkpoints.files import read_json
from lir_models.errors import CheckpointError
from lir_models.families.mono import MonoConfig

FILE = "adapter_config.json"


def detect(folder: Path) -> bool:
    """Whether the weights in a folder are an adapter's, as transformers decides it too."""
    return (folder / FILE).is_file()


def read(folder: Path) -> Checkpoint:
    """Say what an adapter without any rule is, as Tevatron and peft save it."""
    if read_json(folder / FILE).get("task_type") == "SEQ_CLS":
        return Checkpoint(kind="cross-encoder", config=MonoConfig(), folder=folder)
    return Checkpoint(kind="backbone", config=None, folder=folder)


def base_of(folder: Path) -> Source:
    """Return the model that an adapter was trained on.

    Raises:
        CheckpointError: If it is not named.
    """
    values = read_json(folder / FILE)
    name = values.get("base_model_name_or_path")
    if not name:
        raise CheckpointError(f"'{folder / FILE}' does not name the adapter's base model, as base_model_name_or_path.")
    return Source(name, values.get("revision"))
