"""Configurations that come with lir: ``--config recipe:NAME`` reads one, ``--print-config NAME`` prints it."""

from importlib.resources import files

import click

from lir_cli.errors import SettingsError, did_you_mean

PREFIX = "recipe:"

# What a command prints where no recipe is named.
_FIRST = {"train": "first", "index": "index", "search": "search", "rerank": "re-rank"}


def recipe_names() -> list[str]:
    """Return the names of all recipes."""
    folder = files("lir_cli") / "recipes"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def read_recipe(name: str) -> str:
    """Return the text of a recipe.

    Raises:
        SettingsError: If there is none of that name; the nearest is told.
    """
    names = recipe_names()
    if name not in names:
        near = did_you_mean(name, names) or f" There are {', '.join(names)}."
        raise SettingsError(f"There is no recipe '{name}'.{near}")
    return (files("lir_cli") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def print_recipe(ctx: click.Context, _: click.Parameter, name: str | None) -> None:
    """Print a recipe, and leave."""
    if name is not None and not ctx.resilient_parsing:
        click.echo(read_recipe(name or _FIRST[str(ctx.command.name)]), nl=False)
        ctx.exit()
