"""A wrong name of an argument is told with the nearest right one, in a sentence."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from lir_index.errors import ArgumentError, did_you_mean


class NamedArguments:
    """What classes share whose arguments people write: unknown names are refused before anything else.

    Attributes:
        elsewhere: What others call an argument, and a sentence that says what it is here.
    """

    elsewhere: ClassVar[Mapping[str, str]] = {}

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        """Look at the names, and make an object that is still to be initialised."""
        del arguments
        known = inspect.signature(cls.__init__).parameters if named else {}
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values()):
            known = named
        for name in named:
            if name not in known:
                near = f" {cls.elsewhere[name]}" if name in cls.elsewhere else did_you_mean(name, list(known)[1:])
                raise ArgumentError(f"{cls.__name__} has no argument '{name}'.{near}")
        return super().__new__(cls)
