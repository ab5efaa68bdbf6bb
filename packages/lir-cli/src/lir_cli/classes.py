"""Which class a name in a configuration means, and whether a configuration may name it.

A configuration is data, and often someone else's: one is stored with every trained model. So a class is taken only from
packages that are trusted, and only where the annotation of an argument asks for one of its kind.
"""

import inspect
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import click

from lir_cli.errors import SettingsError, did_you_mean

#: Packages whose classes a configuration may name.
TRUSTED = (
    "lir_cli",
    "lir_data",
    "lir_index",
    "lir_models",
    "lir_train",
    "lightning",
    "torch",
    "transformers",
    "peft",
)

# Where a class is looked for by its short name.
_MODULES = (
    "lir_models",
    "lir_train",
    "lir_data",
    "lir_index",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "lightning.pytorch.callbacks",
    "lightning.pytorch.loggers",
)
_PAPER = "lightning_ir"

# The package that was Lightning's own name once, and what it is now.
_OLD_LIGHTNING = "pytorch_lightning"

_ALLOWED = "lir_cli.allowed_imports"


def allow_imports(ctx: click.Context, _: click.Parameter, packages: tuple[str, ...]) -> None:
    """Trust packages that the user names, for this command."""
    ctx.meta[_ALLOWED] = packages


def is_trusted(module: str) -> bool:
    """Whether classes of a module may be named: by the package that it belongs to, without importing it."""
    context = click.get_current_context(silent=True)
    allowed: tuple[str, ...] = () if context is None else context.meta.get(_ALLOWED, ())
    return any(module == package or module.startswith(f"{package}.") for package in (*TRUSTED, *allowed))


def find_class(name: object, path: str, kinds: tuple[type, ...] = ()) -> type:
    """Find a class by its short or full name, or by its name in the paper's framework.

    Args:
        name: The name.
        path: The dotted key, for errors.
        kinds: What is wanted: of several classes with one short name, the first of such a kind is taken.

    Raises:
        SettingsError: If there is no such class, or its module is not trusted, in which case it is not imported.
    """
    module, _, short = str(name).rpartition(".")
    if module.partition(".")[0] == _OLD_LIGHTNING:
        module = f"lightning.pytorch{module.removeprefix(_OLD_LIGHTNING)}"
    if module and module.partition(".")[0] != _PAPER:
        if not is_trusted(module):
            raise _not_trusted(path, str(name), module)
        places = [_imported(module, path)]
    else:
        places = [import_module(place) for place in _MODULES]
    try:
        found = [item for item in (getattr(place, short, None) for place in places) if isinstance(item, type)]
    except ImportError as error:  # a name of the paper's framework: the package says what is written here
        raise SettingsError(f"{path}: {error}", hint=getattr(error, "hint", None)) from error
    if not found:
        raise SettingsError(f"{path}: there is no class '{name}'.{did_you_mean(short, _known(kinds))}")
    best = next((item for item in found if is_one_of(item, kinds)), found[0])
    # A trusted module has names of others, such as lightning's 'os' or 'Path': those are theirs.
    if not is_trusted(best.__module__):
        raise _not_trusted(path, f"{best.__module__}.{best.__qualname__}", best.__module__)
    return best


def is_one_of(found: type, kinds: tuple[type, ...]) -> bool:
    """Whether a class is of a kind, or anything is asked for at all."""
    return not kinds or any(kind in inspect.getmro(found) for kind in kinds)


def full_name(found: type) -> str:
    """Return the name by which a class is found again."""
    return f"{found.__module__}.{found.__qualname__}"


def _imported(module: str, path: str) -> Any:
    """Import a module that is trusted; None if there is none."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            return None
        raise SettingsError(f"{path}: '{module}' needs the module '{error.name}', which is not installed.") from error
    except Exception as error:
        raise SettingsError(f"{path}: '{module}' cannot be imported: {error}") from error


def _not_trusted(path: str, name: str, module: str) -> SettingsError:
    package = module.partition(".")[0]
    return SettingsError(
        f"{path}: '{name}' is not imported: a configuration names classes of lir, lightning, torch, transformers and peft.",
        hint=f"--allow-imports {package} allows another package, whose code you trust",
    )


def _known(kinds: tuple[type, ...]) -> Iterator[str]:
    """Yield the names of classes of some kinds."""
    for place in _MODULES:
        module = import_module(place)
        for name in getattr(module, "__all__", None) or dir(module):
            found = getattr(module, name)
            if isinstance(found, type) and is_one_of(found, kinds):
                yield name
