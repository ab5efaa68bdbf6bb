"""``--index-config.num_centroids 4`` and ``--search-config.n_probe 4``: what an index's kind can be told, as options.

Which there are depends on the kind, so that they are no options of a command: ``lir index --help-type KIND`` lists them.
"""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import click

from lir_cli.errors import SettingsError
from lir_cli.settings import Mapped, load

_ARGUMENT = re.compile(r"\s{4}(\w+): (.*)")


def take(ctx: click.Context, option: str) -> Mapped:
    """Take the options that begin with ``--index-config.``, for instance, from what a command does not know as its own.

    Args:
        ctx: The command's.
        option: ``index-config`` or ``search-config``.

    Raises:
        SettingsError: If one has no value, or is given twice.
    """
    words, others = list(ctx.args), list[str]()
    given: Mapped = {}
    while words:
        word = words.pop(0)
        if not word.startswith(f"--{option}."):
            others.append(word)
            continue
        key, equals, value = word.partition("=")
        if not equals:
            if not words:
                raise SettingsError(f"The option '{word}' has no value.")
            value = words.pop(0)
        name = key.removeprefix(f"--{option}.").replace("-", "_")
        if name in given:
            raise SettingsError(f"{key} is given twice, and it has one value.")
        given[name] = load(value, f"{key}: {value!r}")
    ctx.args[:] = others
    return given


def put(given: Mapped, option: str, config: Mapping[str, Any] | None, found: type) -> Mapped:
    """Put what was given into the settings of a config.

    Args:
        given: Values by name.
        option: ``index-config`` or ``search-config``, for errors.
        config: The settings so far.
        found: Its class.

    Raises:
        SettingsError: If the class has no such argument, or a value is of another type; the nearest name is told.
    """
    from lir_cli.classes import full_name
    from lir_cli.construct import Blueprint

    Blueprint(found, given, f"--{option}")
    known = (config or {}).get("init_args") or {}
    return {"class_path": full_name(found), "init_args": {**known, **given}}


def put_search_options(given: Mapped, arguments: Mapped) -> None:
    """Put what was given as ``--search-config`` into the arguments of a SearchCallback, whose index says of which kind it is."""
    from lir_index import Index

    if given:
        kind = type(Index.open(arguments["index_dir"]).search_config)
        arguments["search_config"] = put(given, "search-config", arguments.get("search_config"), kind)


def print_parameters(kind: str) -> None:
    """Print what a kind of index can be told when it is built, and when it is searched."""
    from lir_cli.annotations import arguments_of, in_words
    from lir_cli.output import print_table
    from lir_index.kinds import KINDS, config_class, segment_class

    built = config_class(kind)
    classes: list[tuple[str, type]] = [("index-config", built)]
    if built.kind in KINDS:  # another chooses one when the vectors are counted
        classes.append(("search-config", segment_class(built.kind).search_config_class))
    rows = [
        (
            f"--{option}.{name}",
            in_words(one.hint),
            "null" if one.default is None else str(one.default),
            told.get(name, ""),
        )
        for option, found in classes
        for told in [_told(found)]
        for name, one in arguments_of(found).named.items()
    ]
    print_table(("option", "value", "default", "meaning"), rows)


def _told(found: type) -> dict[str, str]:
    """Return what the docstrings of a class and its parents say of each argument."""
    told: dict[str, str] = {}
    for owner in reversed(found.__mro__):
        _, _, section = (inspect.getdoc(owner) or "").partition("Args:\n")
        name = ""
        for line in section.splitlines():
            if not line.startswith("    "):
                break
            if begun := _ARGUMENT.fullmatch(line):
                name, told[begun[1]] = begun[1], begun[2]
            elif name:
                told[name] += f" {line.strip()}"
    return {name: text.replace("``", "") for name, text in told.items()}
