"""Reading and writing the small files of a checkpoint, and its heads' weights."""

import json
import pickle
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lir_models.errors import CheckpointError, OutputExistsError

#: What reading a damaged file of weights raises.
DAMAGED = (SafetensorError, OSError, EOFError, RuntimeError, pickle.UnpicklingError)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CheckpointError: If it is damaged; the message gives the line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CheckpointError(f"'{path}' is damaged: it is no JSON ({error}).") from error


def read_json_if_there(path: Path) -> dict[str, Any]:
    """Read a JSON object, or return an empty one where there is no such file."""
    return read_json(path) if path.is_file() else {}


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file that a person can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def read_weights(folder: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, Tensor]:
    """Read the weights that lie in a folder: safetensors, or .bin (tensors only, no code); whole or in shards.

    Args:
        folder: The folder.
        wanted: Which of them, by name; None for all.

    Raises:
        CheckpointError: If there are none, or a file is damaged.
    """
    for stem in ("model.safetensors", "pytorch_model.bin"):
        index = folder / f"{stem}.index.json"
        if (folder / stem).is_file():
            return read_tensors(folder / stem, wanted)
        if index.is_file():
            shards = {file for name, file in read_json(index)["weight_map"].items() if wanted is None or wanted(name)}
            return {
                name: tensor for file in sorted(shards) for name, tensor in read_tensors(folder / file, wanted).items()
            }
    raise CheckpointError(f"'{folder}' has no weights: neither model.safetensors nor pytorch_model.bin.")


def weight_names(folder: Path) -> list[str]:
    """Return the names of the weights in a folder's one file or in the index of its shards; none where there are none."""
    for stem in ("model.safetensors", "pytorch_model.bin"):
        if (folder / f"{stem}.index.json").is_file():
            return list(read_json(folder / f"{stem}.index.json")["weight_map"])
    try:
        if (folder / "model.safetensors").is_file():
            with safe_open(folder / "model.safetensors", framework="pt") as file:
                return list(file.keys())
        if (folder / "pytorch_model.bin").is_file():
            return list(torch.load(folder / "pytorch_model.bin", map_location="meta", weights_only=True))
    except DAMAGED:
        pass  # said when the weights are loaded
    return []


def read_tensors(path: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, Tensor]:
    """Read the tensors of one file, and run no code that may be in it.

    Raises:
        CheckpointError: If the file is damaged, or holds more than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys() if wanted is None or wanted(name)}  # noqa: SIM118
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor for name, tensor in tensors.items() if wanted is None or wanted(name)}
    except DAMAGED as error:
        reason = str(error).strip().partition("\n")[0]
        raise CheckpointError(f"'{path}' is damaged, or holds more than tensors: {reason}") from error


def read_tokenizer(folder: Path) -> Any:
    """Read ``tokenizer.json`` as the tokenizers library does; None where there is none."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    return Tokenizer.from_file(str(path)) if path.is_file() else None


@contextmanager
def written_whole(folder: Path, *, overwrite: bool) -> Generator[Path]:
    """Give a temporary folder that takes the place of ``folder`` when all is written, or vanishes.

    Raises:
        OutputExistsError: If ``folder`` exists and is not to be overwritten.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not overwrite:
        raise OutputExistsError(f"'{folder}' exists already, and is not overwritten unless asked for.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    place = temporary / folder.name
    place.mkdir()  # unlike that of mkdtemp, for whom the umask lets read it
    try:
        yield place
        # safetensors 0.8 writes files for their owner alone (https://github.com/safetensors/safetensors/issues/782).
        for weights in place.rglob("*.safetensors"):
            weights.chmod(place.stat().st_mode & 0o666)
        old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
        if folder.exists():
            folder.rename(old / folder.name)
        place.rename(folder)
        shutil.rmtree(old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
