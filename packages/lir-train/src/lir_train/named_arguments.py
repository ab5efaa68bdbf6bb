"""A wrong name of an argument is told with the nearest right one, as in lir-models, by an error of this package."""

from lir_models import named_arguments
from lir_train.errors import ArgumentError


class NamedArguments(named_arguments.NamedArguments):
    """What modules, losses, callbacks and the trainer share."""

    argument_error = ArgumentError
