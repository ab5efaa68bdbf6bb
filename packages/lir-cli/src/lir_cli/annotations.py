"""What the annotations of a class say that its arguments may be."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple

from lir_cli.classes import is_trusted

#: Said of an argument, they allow whatever is data; no object is made for them.
ANYTHING: tuple[Any, ...] = (Any, object)

# What comes of resolving an annotation whose names are imported for type checkers alone.
_UNRESOLVED = (NameError, AttributeError, TypeError, SyntaxError)


class Argument(NamedTuple):
    """An argument of a class.

    Attributes:
        hint: Its annotation, resolved; Any if it has none, or none that can be resolved.
        is_required: Whether it has no default.
        default: The default.
    """

    hint: Any
    is_required: bool
    default: Any = None


class Arguments(NamedTuple):
    """The arguments of a class.

    Attributes:
        named: By name.
        takes_others: Whether it takes any other too, as ``**kwargs``.
    """

    named: dict[str, Argument]
    takes_others: bool


def arguments_of(found: type, *, skip: str | None = None) -> Arguments:
    """Return what a class can be made with; what it passes on to its parents as ``**kwargs`` included.

    Args:
        found: The class.
        skip: An argument that is left out.
    """
    named: dict[str, Argument] = {}
    takes_others = False
    for owner in [found, *(parent for parent in found.__mro__[1:] if "__init__" in vars(parent))]:
        try:
            parameters = inspect.signature(owner).parameters.values()
        except (TypeError, ValueError):  # of classes written in C, for instance
            return Arguments(named, takes_others=True)
        hints = _hints(owner)
        for parameter in parameters:
            if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) and parameter.name != skip:
                is_required = parameter.default is parameter.empty and owner is found
                hint = hints.get(parameter.name, Any)
                named.setdefault(parameter.name, Argument(hint, is_required, parameter.default))
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
        takes_others = True
    return Arguments(named, takes_others)


def _hints(found: type) -> dict[str, Any]:
    made: Any = found.__init__
    try:
        return typing.get_type_hints(made)
    except _UNRESOLVED:
        # One name that is imported for type checkers alone, and none is resolved: the others are, each alone.
        return {name: _resolved(made, name, hint) for name, hint in getattr(made, "__annotations__", {}).items()}


def _resolved(made: Any, name: str, annotation: Any) -> Any:
    def alone() -> None: ...

    alone.__annotations__ = {name: annotation}
    try:
        return typing.get_type_hints(alone, globalns=getattr(inspect.unwrap(made), "__globals__", {}))[name]
    except _UNRESOLVED:
        return Any


def alternatives(hint: Any) -> list[Any]:
    """Return what an annotation allows, one by one: of a union its parts, otherwise the annotation alone."""
    hint = _bare(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [choice for part in typing.get_args(hint) for choice in alternatives(part)]
    return [hint]


def _bare(hint: Any) -> Any:
    """Take off what says nothing about the value itself."""
    while True:
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.TypeVar):
            hint = hint.__bound__ or Any
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        elif isinstance(hint, str | typing.ForwardRef):  # inside another that could be resolved
            hint = Any
        else:
            return type(None) if hint is None else hint


def kinds_in(hint: Any) -> tuple[type, ...]:
    """Return the classes whose objects a configuration can have made where an annotation stands.

    They are those of trusted packages: where a text, a number, a path or a function is wanted there are none.
    """
    origins = [typing.get_origin(choice) or choice for choice in alternatives(hint)]
    return tuple(origin for origin in origins if isinstance(origin, type) and _is_kind(origin))


def _is_kind(found: type) -> bool:
    # Every layer and every tensor would do for these: no argument of a configuration means that.
    is_too_wide = f"{found.__module__}.{found.__name__}" in ("torch.Tensor", "torch.nn.modules.module.Module")
    is_protocol = getattr(found, "_is_protocol", False)
    return is_trusted(found.__module__) and not (is_too_wide or is_protocol or issubclass(found, Enum))


def in_words(hint: Any) -> str:
    """Say what an annotation allows."""
    choices = list(dict.fromkeys(map(_choice, alternatives(hint))))
    choices = [word for choice in choices for word in ([choice] if isinstance(choice, str) else choice)]
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"


def _choice(hint: Any) -> str | tuple[str, ...]:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return tuple(repr(item) for item in inner)
    if origin is Callable or hint is Callable:
        return "a function, which only Python can give"
    if isinstance(origin, type) and inner and not issubclass(origin, tuple | Mapping):
        item = in_words(inner[0])
        return f"a list of {_MANY.get(item, item)}" if len(inner) == 1 else origin.__name__
    return _PLAIN.get(origin or hint, getattr(origin or hint, "__name__", str(hint)))


_PLAIN: dict[Any, str] = {
    type(None): "null",
    int: "a whole number",
    float: "a number",
    str: "a text",
    bool: "true or false",
    dict: "keys and values",
    Mapping: "keys and values",
}

_MANY = {"a whole number": "whole numbers", "a number": "numbers", "a text": "texts"}


def texts_in(hint: Any) -> list[str]:
    """Return the texts that an annotation lists, those in lists included."""
    if typing.get_origin(hint) is Literal:
        return [item for item in typing.get_args(hint) if isinstance(item, str)]
    return [text for inner in typing.get_args(hint) for text in texts_in(inner)]
