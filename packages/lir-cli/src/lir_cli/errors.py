"""The errors of lir-cli: each text is a sentence for the user."""

from collections.abc import Iterable
from difflib import get_close_matches


class LirCliError(Exception):
    """Base of every error that lir-cli raises on purpose.

    Args:
        message: What is wrong, the value seen, what would be right.
        hint: A way out, shown on a line of its own.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class SettingsError(LirCliError):
    """Flags or a configuration that cannot mean anything."""

    exit_code = 2


class InterruptedTrainingError(LirCliError):
    """A training that a person stopped."""

    exit_code = 130


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the choice nearest to ``name``, or nothing."""
    near = get_close_matches(str(name), list(choices), n=1)
    return f" Did you mean '{near[0]}'?" if near else ""


def is_ours(error: BaseException) -> bool:
    """Whether a lir package raised it on purpose; known by where the class is defined, without an import."""
    modules = [kind.__module__ for kind in type(error).__mro__]
    return any(module.startswith("lir_") and module.endswith(".errors") for module in modules)
