"""Which class a name in a YAML file means: short, in full, or as in the paper's framework."""

import inspect
from importlib import import_module
from typing import Any

from lir_cli.errors import SettingsError, did_you_mean

_PACKAGES = ("lir_train", "lir_data", "lir_index", "lir_models")

# Asked in this order for a short name that no lir package has.
_OTHERS = ("lightning.pytorch.callbacks", "lightning.pytorch.loggers", "torch.optim", "torch.optim.lr_scheduler")

_PAPER = "lightning_ir"


def find_class(name: object, expected: tuple[type, ...], key: str) -> type[Any]:
    """Return the class that a name means.

    Args:
        name: ``BiEncoderModule``, ``lir_train.BiEncoderModule``, ``lightning_ir.BiEncoderModule``, or the full name of
            any class that can be imported.
        expected: It must be one of these, or an heir.
        key: Where the name stands, for the message.

    Raises:
        SettingsError: If there is no such class, or it is none of those expected; the message names the nearest.
    """
    if not isinstance(name, str):
        raise SettingsError(f"{key} is {name!r}, and must be the name of a class.")
    found = _resolve(name, expected, key)
    if not issubclass(found, expected):
        wanted = " or ".join(kind.__name__ for kind in expected)
        near = did_you_mean(found.__name__, short_names(expected))
        raise SettingsError(f"{key} is {found.__name__}, and must be a {wanted}.{near}")
    return found


def short_names(expected: tuple[type, ...]) -> list[str]:
    """Return the short names of all classes that are one of those expected."""
    names: list[str] = []
    for module in (*_PACKAGES, *_OTHERS):
        for short, found in _classes(module).items():
            if issubclass(found, expected) and short not in names and not inspect.isabstract(found):
                names.append(short)
    return names


def _classes(module: str) -> dict[str, type[Any]]:
    loaded = import_module(module)
    names: list[str] = getattr(loaded, "__all__", None) or [name for name in dir(loaded) if not name.startswith("_")]
    found = {name: getattr(loaded, name, None) for name in names}
    return {name: value for name, value in found.items() if isinstance(value, type)}


def _resolve(name: str, expected: tuple[type, ...], key: str) -> type[Any]:
    path, _, short = name.rpartition(".")
    if path.split(".")[0] in ("", _PAPER):
        for module in (*_PACKAGES, *_OTHERS):
            found = _classes(module).get(short)
            # torch.optim.lr_scheduler and Lightning have names in common with others; the place decides.
            if found is not None and (issubclass(found, expected) or module in _PACKAGES):
                return found
        raise SettingsError(f"{key}: there is no class '{name}'.{did_you_mean(short, short_names(expected))}")
    try:
        found = getattr(import_module(path), short)
    except ModuleNotFoundError as error:
        if not path.startswith(str(error.name)):
            raise
        near = did_you_mean(short, short_names(expected))
        raise SettingsError(f"{key}: there is no module '{error.name}' for the class '{name}'.{near}") from None
    except (AttributeError, ValueError):
        near = did_you_mean(short, short_names(expected))
        raise SettingsError(f"{key}: '{path}' has no class '{short}'.{near}") from None
    if not isinstance(found, type):
        raise SettingsError(f"{key}: '{name}' is no class.{did_you_mean(short, short_names(expected))}")
    return found
