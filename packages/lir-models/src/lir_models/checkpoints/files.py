"""Reading and writing the small files of a checkpoint, and its heads' weights."""

import json
import reprlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import safe_open
from torch import Tensor

from lir_models.errors import CheckpointError, LirModelsError

# Of what files say of sizes and lengths; what is larger no library takes.
_LARGEST = 2**31 - 1

T = TypeVar("T")


class Settings(dict[str, Any]):
    """A JSON object that knows its file: a value is read as the type that it must have.

    Args:
        values: The object.
        path: Its file.
        place: Where in that file, if it is not all of it.
    """

    def __init__(self, values: Mapping[str, Any], path: Path, place: str = "") -> None:
        super().__init__(values)
        self.path = path
        self._place = place

    def _of(self, name: str, kind: type[T], default: Any, what: str) -> T:
        value = self.get(name)
        if value is None:
            return default
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise CheckpointError(f"'{self.path}' has {self._place}{name} {reprlib.repr(value)}; it must be {what}.")
        return value

    def text(self, name: str, default: str = "") -> str:
        """Return a text; null is as if it were not there."""
        return self._of(name, str, default, "a text")

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        return self._of(name, bool, default, "true or false")

    def number(self, name: str, default: T = None, *, least: int = 1) -> int | T:
        """Return a whole number."""
        what = f"a whole number from {least} to {_LARGEST}"
        value = self._of(name, int, default, what)
        if name in self and value is not default and not least <= value <= _LARGEST:
            raise CheckpointError(f"'{self.path}' has {self._place}{name} {reprlib.repr(value)}; it must be {what}.")
        return value

    def items_of(self, name: str) -> list[Any]:
        """Return a list, empty where there is none."""
        return self._of(name, list, [], "a list")

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, empty where there is none."""
        values = self.items_of(name)
        if not all(isinstance(value, str) for value in values):
            raise CheckpointError(
                f"'{self.path}' has {self._place}{name} {reprlib.repr(values)}; it must be a list of texts."
            )
        return values

    def inner(self, name: str) -> "Settings":
        """Return an object inside of this one, empty where there is none."""
        return Settings(self._of(name, dict, {}, "an object"), self.path, f"{self._place}{name}.")


@contextmanager
def readable(place: Path | str, what: str = "cannot be loaded") -> Generator[None]:
    """Say in one sentence what a library stumbles over in somebody's files.

    The libraries check few of the values that they read, so a wrong one may raise anything, of Rust's a panic as well.

    Args:
        place: The file or folder.
        what: What is wrong with it.

    Raises:
        CheckpointError: If anything was raised.
    """
    try:
        yield
    except LirModelsError:
        raise
    except BaseException as error:
        # A panic is no Exception, so that nobody catches it by chance.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CheckpointError(f"'{place}' {what}: {reason}") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        CheckpointError: If it cannot be read, is damaged, or holds what no program can use; the message names it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise CheckpointError(f"'{path}' is damaged: its brackets are nested too deeply.") from error
    except ValueError as error:  # no JSON, no UTF-8, or a number of thousands of digits
        raise CheckpointError(f"'{path}' is damaged: it is no JSON ({error}).") from error


def read_settings(path: Path) -> Settings:
    """Read a JSON object.

    Raises:
        CheckpointError: As `read_json`; and if it is no object.
    """
    values = read_json(path)
    if not isinstance(values, dict):
        raise CheckpointError(f"'{path}' is damaged: it is no JSON object.")
    return Settings(values, path)


def read_settings_if_there(path: Path) -> Settings:
    """Read a JSON object, or return an empty one where there is no such file."""
    return read_settings(path) if path.is_file() else Settings({}, path)


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
            shards = {file for name, file in _weight_map(index).items() if wanted is None or wanted(name)}
            return {
                name: tensor for file in sorted(shards) for name, tensor in read_tensors(folder / file, wanted).items()
            }
    raise CheckpointError(f"'{folder}' has no weights: neither model.safetensors nor pytorch_model.bin.")


def weight_names(folder: Path) -> list[str]:
    """Return the names of the weights in a folder's one file or in the index of its shards; none where there are none."""
    for stem in ("model.safetensors", "pytorch_model.bin"):
        if (folder / f"{stem}.index.json").is_file():
            return list(_weight_map(folder / f"{stem}.index.json"))
    try:
        with readable(folder):
            if (folder / "model.safetensors").is_file():
                with safe_open(folder / "model.safetensors", framework="pt") as file:
                    return list(file.keys())
            if (folder / "pytorch_model.bin").is_file():
                return list(torch.load(folder / "pytorch_model.bin", map_location="meta", weights_only=True))
    except CheckpointError:
        pass  # said when the weights are loaded
    return []


def _weight_map(index: Path) -> dict[str, str]:
    """Return the file of each weight; that the files lie in the folder is checked before (`safety.check_folder`)."""
    return read_settings(index).inner("weight_map")


def read_tensors(path: Path, wanted: Callable[[str], bool] | None = None) -> dict[str, Tensor]:
    """Read the tensors of one file, and run no code that may be in it.

    Raises:
        CheckpointError: If the file is damaged, or holds more than tensors.
    """
    with readable(path, "is damaged, or holds more than tensors"):
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys() if wanted is None or wanted(name)}  # noqa: SIM118
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor for name, tensor in tensors.items() if wanted is None or wanted(name)}


def read_tokenizer(folder: Path) -> Any:
    """Read ``tokenizer.json`` as the tokenizers library does; None where there is none."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    with readable(path):
        return Tokenizer.from_file(str(path)) if path.is_file() else None
