"""From a model's name to its folder: a local folder, a folder inside an installed package, or the Hugging Face hub."""

import importlib.util
from pathlib import Path

from lir_models.errors import ModelNotFoundError

PACKAGE_PREFIX = "package:"

_SETTINGS = ["*.json", "*/*.json", "*.txt", "*.model", "*/*.txt", "artifact.metadata"]
_SAFETENSORS = ["*.safetensors", "*/*.safetensors"]
_BIN = ["*.bin", "*/*.bin"]
# The same weights once more, for other engines.
_OTHER_ENGINES = ["onnx/*", "openvino/*", "coreml/*", "original/*"]


def resolve(name_or_path: str | Path, *, weights: bool = True) -> Path:
    """Return the folder that a model reference means; from the hub it is downloaded, or found in the cache.

    Args:
        name_or_path: A folder; ``package:NAME``, the model folder inside the installed Python package NAME; or an id
            of the Hugging Face hub.
        weights: Whether the weights are needed, or just the files that say what the model is.

    Raises:
        ModelNotFoundError: If there is no such thing; the message says where it was looked for.
    """
    text = str(name_or_path)
    if text.startswith(PACKAGE_PREFIX):
        return _package_folder(text.removeprefix(PACKAGE_PREFIX))
    folder = Path(text).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelNotFoundError(f"'{text}' is a file; a model is a folder with a config.json.")
    if not text or text.startswith((".", "/", "~")) or text.count("/") > 1 or "\\" in text:
        raise ModelNotFoundError(f"There is no folder '{text}'.")
    return _hub_folder(text, weights=weights)


def full_name(name_or_path: str | Path) -> str:
    """Return a name that leads to the same model from any folder: of a local one, the absolute path."""
    folder = Path(name_or_path).expanduser()
    return str(folder.resolve()) if folder.is_dir() else str(name_or_path)


def _package_folder(package: str) -> Path:
    # find_spec does not run the package's code, but a dotted name would run its parents'.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        distribution = package.replace("_", "-")
        raise ModelNotFoundError(
            f"'{PACKAGE_PREFIX}{package}' names a model inside the Python package '{package}', which is not installed.",
            hint=f"pip install {distribution}",
        )
    root = Path(next(iter(spec.submodule_search_locations)))
    folders = sorted({path.parent for path in root.glob("**/config.json")}, key=lambda path: len(path.parts))
    for folder in folders:
        if any(folder.glob("*.safetensors")) or any(folder.glob("*.bin")):
            return folder
    raise ModelNotFoundError(
        f"The Python package '{package}' holds no model: no folder in it has a config.json and weights."
    )


def _hub_folder(name: str, *, weights: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    def download(patterns: list[str]) -> Path:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=_OTHER_ENGINES))

    try:
        folder = download(_SETTINGS)
        if weights:
            folder = download(_SETTINGS + _SAFETENSORS)
            if not any(folder.glob("*.safetensors")):
                folder = download(_SETTINGS + _BIN)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ModelNotFoundError(
            f"There is no folder '{name}', and no model of that name on the Hugging Face hub."
        ) from error
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelNotFoundError(
            f"There is no folder '{name}', and the Hugging Face hub, which may have a model of that name, cannot be "
            "reached; the cache does not hold it either.",
            hint="a model inside an installed Python package is named package:NAME",
        ) from error
    return folder
