"""What a folder of somebody else may not do: lead to files outside it, or ask for more than any model has.

A folder is read by lir, transformers, peft and tokenizers. What those follow of its own words is checked here, before any of
them reads it.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from lir_models.checkpoints.files import Settings, read_settings, readable
from lir_models.errors import CheckpointError

_SHARDS = ("model.safetensors.index.json", "pytorch_model.bin.index.json", "adapter_model.safetensors.index.json")
# Each is a loop that builds layers, one by one: a number that no model has would never come to an end.
_MOST_LAYERS = 2_000
# Tables of positions and the like are filled before anybody compares them with the weights.
_LARGEST_SIZE = 100_000_000
# Folders beside a model's files that transformers looks into by itself.
_KNOWN_FOLDERS = ("additional_chat_templates",)


def inside(folder: Path, name: object) -> Path:
    """Return a file or folder that a checkpoint names, which lies inside the checkpoint's own.

    Args:
        folder: Of the file that names it.
        name: As that file has it; empty for the folder itself.

    Raises:
        CheckpointError: If the name, or a link under that name, leads outside.
    """
    if not isinstance(name, str) or not _is_relative(name):
        raise CheckpointError(f"'{folder}' names {name!r} as a part of it; a part is a path inside that folder.")
    path = folder / name
    with readable(path):
        _check_link(path, folder)
        if path != folder and path.is_dir():
            _check_links(path)
    return path


def check_folder(folder: Path) -> None:
    """Refuse a folder whose files lead outside, or ask for more layers or places than any model has.

    Raises:
        CheckpointError: The message names the file and the word in it.
    """
    _check_links(folder)
    for name in _SHARDS:
        if (folder / name).is_file():
            for shard in read_settings(folder / name).inner("weight_map").values():
                inside(folder, shard)
    if (folder / "tokenizer_config.json").is_file():
        _check_tokenizer(folder, read_settings(folder / "tokenizer_config.json"))
    if (folder / "config.json").is_file():
        settings = read_settings(folder / "config.json")
        _check_names(folder, settings)
        _check_sizes(folder / "config.json", settings)


def _is_relative(name: str) -> bool:
    """Whether a name is a path below a folder, on any system."""
    windows, posix = PureWindowsPath(name), PurePosixPath(name)
    is_rooted = bool(windows.drive or windows.root or posix.root)
    return not is_rooted and ".." not in windows.parts and "\\" not in name and name.isprintable()


def _check_links(folder: Path) -> None:
    with readable(folder), os.scandir(folder) as entries:
        for entry in entries:
            # A link to a folder leads somewhere only if a file names it, which `inside` is asked about.
            if entry.is_symlink() and (entry.name in _KNOWN_FOLDERS or not entry.is_dir()):
                _check_link(Path(entry.path), folder)


def _check_link(path: Path, folder: Path) -> None:
    real, root = path.resolve(), folder.resolve()
    if real.is_relative_to(root) or real.parent in _blobs(root):
        return
    raise CheckpointError(
        f"'{path}' is a link to '{real}', outside the model's folder; lir reads what lies inside.",
        hint="copy the file to where the link is",
    )


def _blobs(root: Path) -> list[Path]:
    """Return where the Hugging Face cache keeps the files of which its snapshots hold links."""
    return [place.parent.parent / "blobs" for place in (root, *root.parents) if place.parent.name == "snapshots"]


def _check_tokenizer(folder: Path, settings: Settings) -> None:
    for name in settings.items_of("fast_tokenizer_files"):
        if not isinstance(name, str) or len(PurePosixPath(name).parts) != 1 or not _is_relative(name):
            raise CheckpointError(f"'{settings.path}' names the tokenizer's file {name!r}; it is a file in '{folder}'.")


def _check_names(folder: Path, settings: Settings) -> None:
    weights = settings.get("transformers_weights")
    if weights is not None:
        inside(folder, weights)
    for name in ("attn_implementation", "_attn_implementation"):
        value = settings.get(name)
        # A name with a slash is code from the hub.
        if isinstance(value, str) and "/" in value:
            raise CheckpointError(
                f"'{settings.path}' asks for the attention '{value}', which is code from the hub; lir does not run it.",
                hint="attn_implementation='sdpa' in from_pretrained, and the line taken out of the file",
            )
    for name in ("use_pretrained_backbone", "use_timm_backbone"):
        if settings.get(name):
            raise CheckpointError(f"'{settings.path}' asks for another model inside of this one ({name}).")


def _check_sizes(path: Path, values: Any, name: str = "") -> None:
    if isinstance(values, Mapping):
        for key, value in values.items():
            _check_sizes(path, value, str(key))
    elif isinstance(values, list):
        _check_all(path, values, name)
    elif isinstance(values, int) and not isinstance(values, bool):
        is_layers = "layer" in name.lower() and name.lower().startswith(("num", "n_", "encoder", "decoder", "depth"))
        most = _MOST_LAYERS if is_layers else _LARGEST_SIZE
        if values > most:
            raise CheckpointError(f"'{path}' has {name} {values}; lir takes at most {most}, more than any model has.")


def _check_all(path: Path, values: Iterable[Any], name: str) -> None:
    for value in values:
        _check_sizes(path, value, name)
