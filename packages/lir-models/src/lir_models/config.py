"""The rule that turns token embeddings into a score, as data: every knob, checked, to and from JSON.

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
Activation = Literal["identity", "tanh", "relu", "gelu", "silu", "sigmoid"]
ScoringStrategy = Literal["rank", "mono"]


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


Projection = Literal["linear", "linear_no_bias"] | tuple[DenseLayer, ...] | None


class _JsonConfig:
    """What all configs share: a family name, JSON both ways, and a check of names."""

    families: ClassVar[dict[str, type["_JsonConfig"]]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        _JsonConfig.families[cls.__name__] = cls

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
        family = _JsonConfig.families.get(name)
        if family is None or not issubclass(family, cls):
            known = sorted(other for other, made in _JsonConfig.families.items() if issubclass(made, cls))
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


def _check_choice(config: object, field: str, allowed: tuple[Any, ...]) -> None:
    value = getattr(config, field)
    if value not in allowed:
        names = ", ".join("None" if item is None else f"'{item}'" for item in allowed)
        near = did_you_mean(value, [item for item in allowed if item])
        raise ConfigError(f"{type(config).__name__}.{field} is {value!r}; it must be one of {names}.{near}")


def _check_length(config: object, field: str) -> None:
    value = getattr(config, field)
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ConfigError(f"{type(config).__name__}.{field} is {value!r}; it must be at least 1, or None for no limit.")


@dataclass(frozen=True, kw_only=True)
class BiEncoderConfig(_JsonConfig):
    """How a bi-encoder embeds queries and documents apart, and compares them.

    The order is: backbone, pooling, projection, normalisation, similarity.

    Args:
        similarity_function: ``dot``, ``cosine``, or ``l2`` (the negative Euclidean distance).
        query_pooling_strategy: How a query's token embeddings become one vector; several modes are concatenated;
            None keeps one vector a token, and the score is then the sum over query tokens of the best match (MaxSim).
        doc_pooling_strategy: The same for documents. Both are None or neither.
        pool_prompt: Whether the prompt's tokens take part in pooling.
        embedding_dim: Width of the embeddings; None for what the backbone (or the last dense layer) gives.
        projection: A linear layer from the backbone's width to ``embedding_dim`` (used only if that is set), or a
            chain of dense layers.
        normalization_strategy: ``l2`` to scale each embedding to length 1.
        query_length: Tokens kept of a query, special ones included; None for as many as the backbone takes.
        doc_length: The same for documents.
        query_prompt: Text put before each query.
        doc_prompt: Text put before each document.
        lowercase: Whether texts are lower-cased before the tokenizer sees them.
    """

    similarity_function: SimilarityFunction = "dot"
    query_pooling_strategy: Pooling = "mean"
    doc_pooling_strategy: Pooling = "mean"
    pool_prompt: bool = True
    embedding_dim: int | None = None
    projection: Projection = "linear"
    normalization_strategy: Literal["l2"] | None = None
    query_length: int | None = 32
    doc_length: int | None = 512
    query_prompt: str = ""
    doc_prompt: str = ""
    lowercase: bool = False

    def __post_init__(self) -> None:
        _check_choice(self, "similarity_function", get_args(SimilarityFunction))
        _check_choice(self, "normalization_strategy", ("l2", None))
        for field in ("query_pooling_strategy", "doc_pooling_strategy"):
            _check_pooling(self, field)
        if (self.query_pooling_strategy is None) != (self.doc_pooling_strategy is None):
            raise ConfigError(
                f"query_pooling_strategy is {self.query_pooling_strategy!r} and doc_pooling_strategy is "
                f"{self.doc_pooling_strategy!r}: either both are None (one vector a token) or neither is."
            )
        for field in ("query_length", "doc_length", "embedding_dim"):
            _check_length(self, field)
        self._check_projection()

    def _check_projection(self) -> None:
        if not isinstance(self.projection, tuple):
            _check_choice(self, "projection", ("linear", "linear_no_bias", None))
            if self.projection is None and self.embedding_dim is not None:
                raise ConfigError(
                    f"embedding_dim is {self.embedding_dim}, but projection is None, so nothing makes that width. "
                    "Set projection to 'linear', or embedding_dim to None."
                )
            return
        # JSON gives the layers as mappings.
        layers = tuple(DenseLayer(**layer) if isinstance(layer, Mapping) else layer for layer in self.projection)
        object.__setattr__(self, "projection", layers or None)
        if layers and self.embedding_dim not in (None, layers[-1].out_features):
            raise ConfigError(
                f"embedding_dim is {self.embedding_dim}, but the last dense layer makes {layers[-1].out_features}."
            )

    @property
    def is_multi_vector(self) -> bool:
        """Whether a text has one embedding a token."""
        return self.doc_pooling_strategy is None


def _check_pooling(config: object, field: str) -> None:
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


@dataclass(frozen=True, kw_only=True)
class CrossEncoderConfig(_JsonConfig):
    """How a cross-encoder scores a query and a document read together.

    Args:
        scoring_strategy: ``rank``: one label, the score is its logit. ``mono``: two labels, the score is the
            log-probability of the second (Nogueira and Cho 2019, *Passage Re-ranking with BERT*).
        max_length: Tokens kept of a pair, special ones included, cut from the longer text first; None for as many as
            the backbone takes.
        query_length: Tokens kept of the query before the pair is made; None for all.
        doc_length: The same for the document.
        query_prompt: Text put before each query.
        doc_prompt: Text put before each document.
        activation: What ``predict`` applies to a score; ``score`` gives raw logits.
    """

    scoring_strategy: ScoringStrategy = "rank"
    max_length: int | None = None
    query_length: int | None = None
    doc_length: int | None = None
    query_prompt: str = ""
    doc_prompt: str = ""
    activation: Activation = "identity"

    def __post_init__(self) -> None:
        _check_choice(self, "scoring_strategy", get_args(ScoringStrategy))
        _check_choice(self, "activation", get_args(Activation))
        for field in ("max_length", "query_length", "doc_length"):
            _check_length(self, field)

    @property
    def num_labels(self) -> int:
        """Outputs of the classification head: 1 for ``rank``, 2 for ``mono``."""
        return 1 if self.scoring_strategy == "rank" else 2


Kind = Literal["bi-encoder", "cross-encoder", "backbone"]

# What a checkpoint is, and its rule; a backbone has none yet.
Recognised = tuple[Kind, BiEncoderConfig | CrossEncoderConfig | None]
