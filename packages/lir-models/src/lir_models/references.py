"""From a model's name to its folder: a local folder, a folder inside an installed package, or the Hugging Face hub."""

import importlib.util
import pkgutil
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

from lir_models.errors import ModelNotFoundError

PACKAGE_PREFIX = "package:"

_SETTINGS = ["*.json", "*.txt", "*.model", "artifact.metadata", "model.pt"]
_SAFETENSORS = ["*.safetensors"]
_BIN = ["*.bin"]
# Heads come as .bin beside a backbone's safetensors.
_HEADS = ["*/*.bin"]
# The same weights once more, for other engines.
_OTHER_ENGINES = ["onnx/*", "openvino/*", "coreml/*", "original/*"]


@dataclass(frozen=True, kw_only=True)
class HubOptions:
    """How the Hugging Face hub is asked; all as in `huggingface_hub.snapshot_download`.

    Args:
        revision: A branch, a tag or a commit; None for the main branch.
        token: An access token; None for the one that is logged in.
        cache_dir: Where downloads are kept; None for the usual place.
        local_files_only: Whether nothing is downloaded.
    """

    revision: str | None = None
    token: str | bool | None = None
    cache_dir: str | Path | None = None
    local_files_only: bool = False


_DEFAULT = HubOptions()


def resolve(name_or_path: str | Path, *, weights: bool = True, hub: HubOptions = _DEFAULT) -> Path:
    """Return the folder that a model reference means; from the hub it is downloaded, or found in the cache.

    Args:
        name_or_path: A folder; ``package:NAME``, the model folder inside the installed Python package NAME; or an id
            of the Hugging Face hub.
        weights: Whether the weights are needed, or just the files that say what the model is.
        hub: How the hub is asked.

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
    return _hub_folder(text, weights=weights, hub=hub)


def full_name(name_or_path: str | Path) -> str:
    """Return a name that leads to the same model from any folder: of a local one, the absolute path."""
    folder = Path(name_or_path).expanduser()
    return str(folder.resolve()) if folder.is_dir() else str(name_or_path)


def _package_folder(package: str) -> Path:
    # find_spec does not run the package's code, but a dotted name would run its parents'.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        # What may be published under that name is anybody's, so nobody is told to install it.
        raise ModelNotFoundError(
            f"'{PACKAGE_PREFIX}{package}' names a model inside a Python package, and no package that is installed here has "
            f"the name '{package}'.{_nearest_package(package)}"
        )
    folder = _model_in(Path(next(iter(spec.submodule_search_locations))))
    if folder is None:
        raise ModelNotFoundError(
            f"The Python package '{package}' holds no model: no folder in it has a config.json and weights."
        )
    return folder


def _model_in(root: Path) -> Path | None:
    """Return the folder nearest to a package's root that holds a model."""
    folders = sorted({path.parent for path in root.glob("**/config.json")}, key=lambda path: len(path.parts))
    has_weights = (folder for folder in folders if any(folder.glob("*.safetensors")) or any(folder.glob("*.bin")))
    return next(has_weights, None)


def _nearest_package(package: str) -> str:
    """Return the question whether an installed package was meant that holds a model."""
    installed = {
        found.name: Path(getattr(found.module_finder, "path", "")) / found.name
        for found in pkgutil.iter_modules()
        if found.ispkg
    }
    near = get_close_matches(package.replace("-", "_"), installed, n=5)
    holding = next((name for name in near if _model_in(installed[name]) is not None), None)
    return "" if holding is None else f" Did you mean '{PACKAGE_PREFIX}{holding}'?"


def _hub_folder(name: str, *, weights: bool, hub: HubOptions) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def download(patterns: list[str]) -> Path:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=_OTHER_ENGINES, **asdict(hub)))

    try:
        folder = download(_SETTINGS)
        if weights:
            folder = download(_SETTINGS + _SAFETENSORS + _HEADS)
            if not any(folder.rglob("*.safetensors")):
                folder = download(_SETTINGS + _BIN + _HEADS)
    except RevisionNotFoundError as error:
        raise ModelNotFoundError(
            f"'{name}' is on the Hugging Face hub, but has no revision '{hub.revision}'."
        ) from error
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
