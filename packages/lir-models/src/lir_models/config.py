"""The rule that turns token embeddings into a score, as data: every knob, checked, to and from JSON.

Importable without torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

from lir_models.errors import ConfigError
from lir_models.fields import (
    Activation,
    Aggregation,
    Form,
    JsonConfig,
    Layer,
    Pooling,
    Projection,
    ScoringMask,
    ScoringStrategy,
    Side,
    SimilarityFunction,
    Sparsification,
    check_choice,
    check_length,
    check_pooling,
    check_width,
    layer_from_json,
)

if TYPE_CHECKING:
    from torch import nn

    from lir_models.tokenization import Tokenizer


@dataclass(frozen=True, kw_only=True)
class BiEncoderConfig(JsonConfig):
    """How a bi-encoder embeds queries and documents apart, and compares them.

    The order is: tokens, backbone, projection (of each token) and pooling, sparsification, normalisation, truncation,
    similarity. Of one vector a text, dense layers come after pooling, where they are a matrix product a text instead of
    one a token; the masked-language-model head comes before it.

    Args:
        similarity_function: ``dot``, ``cosine``, or ``l2`` (the negative Euclidean distance).
        query_pooling_strategy: How a query's token embeddings become one vector; several modes are concatenated;
            None keeps one vector a token.
        doc_pooling_strategy: The same for documents. Where either is None, each query vector is compared with each
            document vector, and the two aggregation functions make one score of that.
        pool_prompt: Whether the prompt's tokens take part in pooling.
        embedding_dim: Width of the embeddings; None for what the backbone (or the last dense layer) gives.
        projection: ``linear`` or ``linear_no_bias``: a layer from the backbone's width to ``embedding_dim`` (used only
            if that is set). A chain of layers: `DenseLayer` and `NormLayer`. ``mlm``: the backbone's masked-language-model head, which gives one
            weight for each term of the vocabulary.
        sparsification_strategy: What makes weights sparse: ``relu``; ``relu_log``, log(1 + relu(x)); or ``relu_2xlog``,
            the logarithm applied twice.
        normalization_strategy: ``l2`` to scale each embedding to length 1.
        truncate_dim: Components kept of each embedding, the first ones, for models trained so (Matryoshka). As in
            sentence-transformers they are not scaled anew; ``cosine`` does that by itself.
        query_length: Tokens kept of a query, special ones and markers included; None for as many as the backbone takes.
        doc_length: The same for documents.
        query_prompt: Text put before each query.
        doc_prompt: Text put before each document.
        lowercase: Whether texts are lower-cased before the tokenizer sees them.
        add_marker_tokens: Whether a token that says which side a text is comes after the first special token.
        query_marker: That token for queries; empty for none.
        doc_marker: That token for documents; empty for none.
        query_expansion: Of one vector a token: whether queries are filled up to ``query_length`` with ``expansion_token``,
            whose embeddings take part in scoring. Of term weights: whether terms that the text lacks may have any.
        doc_expansion: The same for documents.
        query_expansion_length: Tokens that a query is filled up to; None for ``query_length``.
        attend_to_query_expanded_tokens: Whether the backbone's attention sees the tokens that fill a query up.
        attend_to_doc_expanded_tokens: The same for documents.
        expansion_token: The token to fill up with; None for the tokenizer's mask token.
        query_mask_scoring_tokens: Tokens of a query that take no part in scoring: a list, or ``punctuation``.
        doc_mask_scoring_tokens: The same for documents.
        query_aggregation_function: How the values of a query's vectors become one score: ``sum``, ``mean`` or ``max``.
        doc_aggregation_function: How a query vector's similarities with a document's vectors become one value.
        shared_encoder: Whether queries and documents share one encoder; if not, there are two of the same rule.
        query_projection: The dense layers of the queries' own encoder, where they differ from ``projection``.
    """

    similarity_function: SimilarityFunction = "dot"
    query_pooling_strategy: Pooling = "mean"
    doc_pooling_strategy: Pooling = "mean"
    pool_prompt: bool = True
    embedding_dim: int | None = None
    projection: Projection = "linear"
    sparsification_strategy: Sparsification = None
    normalization_strategy: Literal["l2"] | None = None
    truncate_dim: int | None = None
    query_length: int | None = 32
    doc_length: int | None = 512
    query_prompt: str = ""
    doc_prompt: str = ""
    lowercase: bool = False
    add_marker_tokens: bool = False
    query_marker: str = "[Q]"
    doc_marker: str = "[D]"
    query_expansion: bool = False
    doc_expansion: bool = False
    query_expansion_length: int | None = None
    attend_to_query_expanded_tokens: bool = False
    attend_to_doc_expanded_tokens: bool = False
    expansion_token: str | None = None
    query_mask_scoring_tokens: ScoringMask = None
    doc_mask_scoring_tokens: ScoringMask = None
    query_aggregation_function: Aggregation = "sum"
    doc_aggregation_function: Aggregation = "max"
    shared_encoder: bool = True
    query_projection: tuple[Layer, ...] | None = None

    elsewhere: ClassVar[Mapping[str, str]] = {
        **{
            name: f"Did you mean 'query_{name}' and 'doc_{name}'?"
            for name in ("pooling_strategy", "aggregation_function", "mask_scoring_tokens")
        },
        **dict.fromkeys(("normalization", "normalize"), "Did you mean 'normalization_strategy'?"),
        "sparsification": "Did you mean 'sparsification_strategy'?",
        **dict.fromkeys(("adapter_config", "use_adapter"), "An adapter is given to the BiEncoderModule, as adapter."),
    }

    def __post_init__(self) -> None:
        check_choice(self, "similarity_function", get_args(SimilarityFunction))
        check_choice(self, "sparsification_strategy", ("relu", "relu_log", "relu_2xlog", None))
        check_choice(self, "normalization_strategy", ("l2", None))
        for side in ("query", "doc"):
            check_pooling(self, f"{side}_pooling_strategy")
            check_choice(self, f"{side}_aggregation_function", get_args(Aggregation))
        for field in ("query_length", "doc_length", "query_expansion_length"):
            check_length(self, field)
        for field in ("embedding_dim", "truncate_dim"):
            check_width(self, field)
        self._check_projection()
        self._check_query_projection()
        for side in ("query", "doc"):
            self._check_side(side)

    def _check_projection(self) -> None:
        if not isinstance(self.projection, tuple):
            check_choice(self, "projection", ("linear", "linear_no_bias", "mlm", None))
            if self.projection in (None, "mlm") and self.embedding_dim is not None:
                makes = "nothing makes that width" if self.projection is None else "the vocabulary is the width"
                raise ConfigError(
                    f"embedding_dim is {self.embedding_dim}, but projection is {self.projection!r}, so {makes}. "
                    "Set projection to 'linear', or embedding_dim to None."
                )
            if self.projection == "mlm" and self.truncate_dim is not None:
                raise ConfigError(
                    "truncate_dim cuts dense embeddings; of term weights it would cut the vocabulary. "
                    "SpladeConfig has max_active_dims."
                )
            return
        layers = _layers(self.projection)
        object.__setattr__(self, "projection", layers or None)
        if layers and self.embedding_dim not in (None, layers[-1].out_features):
            raise ConfigError(
                f"embedding_dim is {self.embedding_dim}, but the last layer makes {layers[-1].out_features}."
            )

    def _check_query_projection(self) -> None:
        if self.query_projection is None:
            return
        layers = _layers(self.query_projection)
        object.__setattr__(self, "query_projection", layers or None)
        docs = self.projection[-1].out_features if isinstance(self.projection, tuple) else self.embedding_dim
        if self.shared_encoder or (docs is not None and layers and layers[-1].out_features != docs):
            raise ConfigError(
                f"query_projection is of a queries' own encoder (shared_encoder is {self.shared_encoder}), and makes as "
                f"many dimensions as projection ({docs})."
            )

    def _check_side(self, side: str) -> None:
        """Refuse what one side's fields cannot mean together."""
        pooled = getattr(self, f"{side}_pooling_strategy") is not None
        expanded, mask = getattr(self, f"{side}_expansion"), getattr(self, f"{side}_mask_scoring_tokens")
        if isinstance(mask, str) and mask != "punctuation":
            raise ConfigError(
                f"{side}_mask_scoring_tokens is {mask!r}; it must be 'punctuation', a list of tokens, or None."
            )
        if self.form == "sparse":
            if not pooled:
                raise ConfigError(
                    f"projection is 'mlm' and {side}_pooling_strategy is None: a vector over the vocabulary for each "
                    "token is not supported; set a pooling strategy, 'max' for instance."
                )
            return
        if pooled and mask is not None:
            raise ConfigError(
                f"{side}_mask_scoring_tokens is {mask!r}, but {side}_pooling_strategy makes one vector a text, so no "
                "token takes part in scoring. Set the one or the other to None."
            )
        if pooled and expanded:
            raise ConfigError(
                f"{side}_expansion fills a text up with tokens whose vectors are scored, but {side}_pooling_strategy "
                "makes one vector a text. Set the pooling strategy to None, or the expansion to False."
            )
        if side == "query" and not expanded and self.query_expansion_length is not None:
            raise ConfigError(
                f"query_expansion_length is {self.query_expansion_length}, but query_expansion is not set."
            )
        own_length = self.query_expansion_length if side == "query" else None
        if expanded and getattr(self, f"{side}_length") is None and own_length is None:
            raise ConfigError(f"{side}_expansion fills a text up to {side}_length, which is None; set a length.")
        if getattr(self, f"attend_to_{side}_expanded_tokens") and not expanded:
            raise ConfigError(f"attend_to_{side}_expanded_tokens is set, but {side}_expansion is not.")

    def inserted_tokens(self, side: Side) -> tuple[str, ...]:
        """Return the tokens that come after the first special token of a side's texts."""
        marker = self.query_marker if side == "query" else self.doc_marker
        return (marker,) if self.add_marker_tokens and marker else ()

    def of_query_encoder(self) -> Self:
        """Return the rule of the queries' own encoder."""
        if self.query_projection is None:
            return self
        return self.replace(projection=self.query_projection, query_projection=None)

    @property
    def takes_first_token(self) -> bool:
        """Whether a text's embedding is that of a token before it."""
        poolings = (self.query_pooling_strategy, self.doc_pooling_strategy)
        return any("first" in (pooling if isinstance(pooling, tuple) else (pooling,)) for pooling in poolings)

    @property
    def adds_special_tokens(self) -> bool:
        """Whether the tokenizer's own special tokens stand around a text."""
        return True

    def uses_backbone(self, side: Side) -> bool:
        """Whether a side's texts go through a backbone."""
        del side
        return True

    def head_parts(self, backbone: "nn.Module", tokenizer: "Tokenizer") -> tuple[Any, ...]:
        """Return what a `DenseHead` is made of."""
        from lir_models.heads.dense import dense_layers

        hidden_size: int = backbone.config.hidden_size  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
        unpooled: dict[Side, int] = {"query": 0, "doc": 0}
        if not self.pool_prompt:
            unpooled = {
                "query": tokenizer.prompt_tokens(self.query_prompt),
                "doc": tokenizer.prompt_tokens(self.doc_prompt),
            }
        masked = {
            "query": tokenizer.scoring_mask_ids(self.query_mask_scoring_tokens),
            "doc": tokenizer.scoring_mask_ids(self.doc_mask_scoring_tokens),
        }
        return self, dense_layers(self, hidden_size), unpooled, masked

    def make_head(self, backbone: "nn.Module", tokenizer: "Tokenizer") -> Any:
        """Make what comes after the backbone: a module from its output to embeddings."""
        from lir_models.heads.dense import DenseHead
        from lir_models.heads.vocabulary import vocabulary_head

        if self.projection == "mlm":
            return vocabulary_head(self, backbone, tokenizer)
        return DenseHead(*self.head_parts(backbone, tokenizer))

    @property
    def form(self) -> Form:
        """What embeddings are: ``dense``, ``sparse`` (term weights) or ``multi-vector``."""
        if self.projection == "mlm":
            return "sparse"
        is_multi_vector = self.query_pooling_strategy is None or self.doc_pooling_strategy is None
        return "multi-vector" if is_multi_vector else "dense"


def _layers(layers: tuple[Any, ...]) -> tuple[Layer, ...]:
    """JSON gives layers as mappings."""
    return tuple(layer_from_json(layer) if isinstance(layer, Mapping) else layer for layer in layers)


@dataclass(frozen=True, kw_only=True)
class CrossEncoderConfig(JsonConfig):
    """How a cross-encoder scores a query and a document read together.

    Args:
        scoring_strategy: ``rank``: one label, the score is its logit. ``mono``: two labels, the score is the
            log-probability of the second (Nogueira and Cho 2019, *Passage Re-ranking with BERT*). ``label``: several
            labels, the score is the log-probability of one of them, which `MonoConfig` names.
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

    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("adapter_config", "use_adapter"), "An adapter is given to the CrossEncoderModule, as adapter."
    )

    def __post_init__(self) -> None:
        check_choice(self, "scoring_strategy", get_args(ScoringStrategy))
        check_choice(self, "activation", get_args(Activation))
        for field in ("max_length", "query_length", "doc_length"):
            check_length(self, field)

    @property
    def num_labels(self) -> int:
        """Outputs of the classification head: 1 for ``rank``, 2 for ``mono``."""
        return 1 if self.scoring_strategy == "rank" else 2
