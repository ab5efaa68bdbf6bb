"""What the configs are made of: the values that fields take, their checks, and JSON both ways.

Importable without torch.
"""

import dataclasses
import reprlib
import types
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from lir_models.errors import ConfigError, did_you_mean
from lir_models.named_arguments import NamedArguments

SimilarityFunction = Literal["dot", "cosine", "l2"]
PoolingMode = Literal["first", "mean", "max", "sum", "last", "weighted_mean", "mean_sqrt_len"]
Pooling = PoolingMode | tuple[PoolingMode, ...] | None
Sparsification = Literal["relu", "relu_log", "relu_2xlog"] | None
Aggregation = Literal["sum", "mean", "max"]
ScoringMask = Literal["punctuation"] | tuple[str, ...] | None
Activation = Literal["identity", "tanh", "relu", "gelu", "silu", "sigmoid", "log_sigmoid"]
ScoringStrategy = Literal["rank", "mono", "label"]
Side = Literal["query", "doc"]
Form = Literal["dense", "sparse", "multi-vector", "coil"]

#: Kinds of transformers, as transformers calls them, that are built as T5.
T5_KINDS = ("t5", "mt5", "umt5")

# Beyond any model: what a file says of a layer's width is made before its weights are looked at.
_WIDEST = 2**17
_LONGEST = 2**31 - 1


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

    def __post_init__(self) -> None:
        check_types(DenseLayer, vars(self))
        check_choice(self, "activation", get_args(Activation))
        for field in ("in_features", "out_features"):
            check_width(self, field)


@dataclass(frozen=True, kw_only=True)
class NormLayer:
    """A step of a projection that changes no width.

    Args:
        norm: ``l2`` scales to length 1; ``layer`` is LayerNorm, with a learnt scale and shift.
        features: Width of what comes in and goes out.
    """

    norm: Literal["l2", "layer"]
    features: int

    def __post_init__(self) -> None:
        check_types(NormLayer, vars(self))
        check_choice(self, "norm", ("l2", "layer"))
        check_width(self, "features")

    @property
    def in_features(self) -> int:
        """Width of what comes in."""
        return self.features

    @property
    def out_features(self) -> int:
        """Width of what goes out."""
        return self.features


Layer = DenseLayer | NormLayer
Projection = Literal["linear", "linear_no_bias", "mlm"] | tuple[Layer, ...] | None


def layer_from_json(values: Mapping[str, Any]) -> Layer:
    """Make the layer of a projection that a config's JSON holds.

    Raises:
        ConfigError: If a field is unknown or missing, or a value is not allowed.
    """
    made: type[Layer] = NormLayer if "norm" in values else DenseLayer
    fields = dataclasses.fields(made)
    names = [field.name for field in fields]
    for key in values:
        if key not in names:
            raise ConfigError(f"{made.__name__} has no field '{key}'.{did_you_mean(key, names)}")
    for field in fields:
        if field.name not in values and field.default is dataclasses.MISSING:
            raise ConfigError(f"A {made.__name__} of a projection lacks '{field.name}'.")
    return made(**values)


class JsonConfig(NamedArguments):
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
        family = JsonConfig.families.get(name) if isinstance(name, str) else None
        if family is None or not issubclass(family, cls):
            known = sorted(other for other, made in JsonConfig.families.items() if issubclass(made, cls))
            raise ConfigError(f"There is no family '{name}' of {cls.__name__}.{did_you_mean(name, known)}")
        fields = [field.name for field in dataclasses.fields(family)]  # pyright: ignore[reportArgumentType]
        for key in values:
            if key not in fields:
                raise ConfigError(f"{name} has no field '{key}'.{did_you_mean(key, fields)}")
        values = {key: _tuples(value) for key, value in values.items()}
        check_types(family, values)
        return family(**values)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked anew."""
        return type(self).from_json({**self.to_json(), **changes})


def _tuples(value: Any) -> Any:
    """JSON has lists where a config has tuples."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def check_types(made: type[Any], values: Mapping[str, Any]) -> None:
    """Refuse values that are not of the types of a dataclass's fields.

    Raises:
        ConfigError: The message names the field.
    """
    hints = _hints(made)
    for key, value in values.items():
        if key in hints and not _is_of(value, hints[key]):
            raise ConfigError(
                f"{made.__name__}.{key} is {reprlib.repr(value)}, a {type(value).__name__}; {_wanted(hints[key])}."
            )


@cache
def _hints(made: type[Any]) -> dict[str, Any]:
    return get_type_hints(made)


def _is_of(value: Any, hint: Any) -> bool:
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_is_of(value, part) for part in parts)
    if origin is Literal:
        return isinstance(value, str)  # which of them is checked by the config, whose message names the nearest
    if origin is tuple:
        return isinstance(value, tuple) and all(_is_of(item, parts[0]) for item in value)
    if hint in (DenseLayer, NormLayer):
        return isinstance(value, hint | Mapping)
    if hint in (None, types.NoneType):
        return value is None
    return type(value) is hint


def _wanted(hint: Any) -> str:
    names = {str: "a text", int: "a whole number", bool: "true or false", types.NoneType: "None"}
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = [names.get(part, "a list" if get_origin(part) is tuple else "a name") for part in parts]
    return f"it must be {' or '.join(dict.fromkeys(kinds))}"


def check_choice(config: object, field: str, allowed: tuple[Any, ...]) -> None:
    """Refuse a value that is not among those allowed."""
    value = getattr(config, field)
    if value not in allowed:
        names = ", ".join("None" if item is None else f"'{item}'" for item in allowed)
        near = did_you_mean(value, [item for item in allowed if item])
        raise ConfigError(f"{type(config).__name__}.{field} is {value!r}; it must be one of {names}.{near}")


def check_length(config: object, field: str) -> None:
    """Refuse what is no number of tokens."""
    value = getattr(config, field)
    if value is not None and (not isinstance(value, int) or not 1 <= value <= _LONGEST):
        raise ConfigError(
            f"{type(config).__name__}.{field} is {reprlib.repr(value)}; it must be at least 1, or None for no limit."
        )


def check_width(config: object, field: str) -> None:
    """Refuse what is no number of components."""
    value = getattr(config, field)
    if value is not None and (not isinstance(value, int) or not 1 <= value <= _WIDEST):
        raise ConfigError(
            f"{type(config).__name__}.{field} is {reprlib.repr(value)}; it must be at least 1, and at most {_WIDEST}."
        )


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
