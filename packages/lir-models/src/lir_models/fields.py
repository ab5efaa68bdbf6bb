"""What the configs are made of: the values that fields take, their checks, and JSON both ways.

Importable without torch.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, get_args

from lir_models.errors import ConfigError, did_you_mean

SimilarityFunction = Literal["dot", "cosine", "l2"]
PoolingMode = Literal["first", "mean", "max", "sum", "last", "weighted_mean", "mean_sqrt_len"]
Pooling = PoolingMode | tuple[PoolingMode, ...] | None
Sparsification = Literal["relu", "relu_log", "relu_2xlog"] | None
Aggregation = Literal["sum", "mean", "max"]
ScoringMask = Literal["punctuation"] | tuple[str, ...] | None
Activation = Literal["identity", "tanh", "relu", "gelu", "silu", "sigmoid"]
ScoringStrategy = Literal["rank", "mono"]
Side = Literal["query", "doc"]
Form = Literal["dense", "sparse", "multi-vector", "coil"]

#: Kinds of transformers, as transformers calls them, that are built as T5.
T5_KINDS = ("t5", "mt5", "umt5")


@dataclass(frozen=True, kw_only=True)
class DenseLayer:
    """One layer of a projection: ``activation(W x + b)``, plus ``x`` where ``residual``.

    Args:
        in_features: Width of what comes in.
        out_features: Width of what goes out.
        bias: Whether there is a ``b``.
        activation: The function applied to the result.
        residual: Whether the input (through a matrix of its own where the widths differ) is added.
    """

    in_features: int
    out_features: int
    bias: bool = True
    activation: Activation = "identity"
    residual: bool = False


Projection = Literal["linear", "linear_no_bias", "mlm"] | tuple[DenseLayer, ...] | None


class JsonConfig:
    """What all configs share: a family name, JSON both ways, and a check of names."""

    families: ClassVar[dict[str, type["JsonConfig"]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        JsonConfig.families[cls.__name__] = cls

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values, with the class's name under ``family``."""
        fields = dataclasses.asdict(self)  # pyright: ignore[reportArgumentType]
        return {"family": type(self).__name__, **fields}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Make the config that ``to_json`` wrote.

        Raises:
            ConfigError: If the family or a field is unknown, or a value is not allowed.
        """
        values = dict(values)
        name = values.pop("family", cls.__name__)
        family = JsonConfig.families.get(name)
        if family is None or not issubclass(family, cls):
            known = sorted(other for other, made in JsonConfig.families.items() if issubclass(made, cls))
            raise ConfigError(f"There is no family '{name}' of {cls.__name__}.{did_you_mean(name, known)}")
        fields = [field.name for field in dataclasses.fields(family)]  # pyright: ignore[reportArgumentType]
        for key in values:
            if key not in fields:
                raise ConfigError(f"{name} has no field '{key}'.{did_you_mean(key, fields)}")
        return family(**{key: _tuples(value) for key, value in values.items()})

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked anew."""
        return type(self).from_json({**self.to_json(), **changes})


def _tuples(value: Any) -> Any:
    """JSON has lists where a config has tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def check_choice(config: object, field: str, allowed: tuple[Any, ...]) -> None:
    """Refuse a value that is not among those allowed."""
    value = getattr(config, field)
    if value not in allowed:
        names = ", ".join("None" if item is None else f"'{item}'" for item in allowed)
        near = did_you_mean(value, [item for item in allowed if item])
        raise ConfigError(f"{type(config).__name__}.{field} is {value!r}; it must be one of {names}.{near}")


def check_length(config: object, field: str) -> None:
    """Refuse what is no number of tokens or components."""
    value = getattr(config, field)
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ConfigError(f"{type(config).__name__}.{field} is {value!r}; it must be at least 1, or None for no limit.")


def check_pooling(config: object, field: str) -> None:
    """Refuse what is neither a pooling mode, nor several, nor None."""
    value = getattr(config, field)
    modes = value if isinstance(value, tuple) else (value,)
    allowed = (*get_args(PoolingMode), None)
    for mode in modes:
        if mode not in allowed or (mode is None and len(modes) > 1):
            names = ", ".join(f"'{mode}'" for mode in get_args(PoolingMode))
            near = did_you_mean(mode, get_args(PoolingMode))
            raise ConfigError(f"{type(config).__name__}.{field} is {value!r}; it must be of {names}, or None.{near}")
    if not modes:
        raise ConfigError(f"{type(config).__name__}.{field} is empty; name a pooling mode, or None.")
