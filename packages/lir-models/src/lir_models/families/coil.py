"""COIL: token vectors compared where the tokens are the same; uniCOIL: the same with vectors of one dimension.

Gao et al. (2021), *COIL: Revisit Exact Lexical Match in Information Retrieval with Contextualized Inverted List*,
https://arxiv.org/abs/2104.07186; Lin and Ma (2021), *A Few Brief Notes on DeepImpact, COIL, and a Conceptual Framework
for Information Retrieval Techniques*, https://arxiv.org/abs/2106.14807
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lir_models.config import BiEncoderConfig
from lir_models.errors import ConfigError
from lir_models.fields import Form, Pooling, check_width

if TYPE_CHECKING:
    from torch import nn

    from lir_models.tokenization import Tokenizer

_OWN_LAYERS = ("linear", "linear_no_bias")


@dataclass(frozen=True, kw_only=True)
class CoilConfig(BiEncoderConfig):
    """A bi-encoder that compares texts as wholes, and tokens where they are the same.

    The score is the dot product of the texts' vectors, plus, for each query token, its best match among the document's
    tokens that are the same; 0 where there is none.

    Args:
        token_embedding_dim: Width of the vectors of tokens.
        cls_embedding_dim: Width of the vector of a text, taken at its first token.
    """

    query_pooling_strategy: Pooling = None
    doc_pooling_strategy: Pooling = None
    token_embedding_dim: int = 32
    cls_embedding_dim: int = 768

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_own_layers(self)
        for field in ("token_embedding_dim", "cls_embedding_dim"):
            check_width(self, field)
        if self.similarity_function != "dot":
            raise ConfigError(f"similarity_function is '{self.similarity_function}'; COIL compares by 'dot'.")

    @property
    def form(self) -> Form:
        """``coil``."""
        return "coil"

    @property
    def takes_first_token(self) -> bool:
        """A text's own vector is that of its first token."""
        return True

    def make_head(self, backbone: "nn.Module", tokenizer: "Tokenizer") -> Any:
        """Make the two layers."""
        from lir_models.heads.coil import CoilHead

        del tokenizer
        hidden_size: int = backbone.config.hidden_size  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
        return CoilHead(
            hidden_size,
            token_dim=self.token_embedding_dim,
            text_dim=self.cls_embedding_dim,
            bias=self.projection == "linear",
        )


@dataclass(frozen=True, kw_only=True)
class UniCoilConfig(BiEncoderConfig):
    """A bi-encoder of one weight a token, none of them negative, and 0 for terms that a text lacks.

    The pooling strategies say how the weights of a token that occurs more than once become one: ``max``, ``sum`` or
    ``last``. As in COIL, of which this is the case of one dimension, each of a query's tokens counts, and the best of a
    document's.
    """

    query_pooling_strategy: Pooling = "sum"
    doc_pooling_strategy: Pooling = "max"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_own_layers(self)
        for field in ("query_pooling_strategy", "doc_pooling_strategy"):
            if getattr(self, field) not in ("max", "sum", "last"):
                raise ConfigError(f"UniCoilConfig.{field} is {getattr(self, field)!r}; it is 'max', 'sum' or 'last'.")

    @property
    def form(self) -> Form:
        """``sparse``."""
        return "sparse"

    def make_head(self, backbone: "nn.Module", tokenizer: "Tokenizer") -> Any:
        """Make the layer."""
        from lir_models.heads.coil import UniCoilHead

        config: Any = backbone.config
        return UniCoilHead(
            config.hidden_size,
            vocab_size=config.vocab_size,
            bias=self.projection == "linear",
            pooling={"query": self.query_pooling_strategy, "doc": self.doc_pooling_strategy},
            masked_ids={
                "query": tokenizer.scoring_mask_ids(self.query_mask_scoring_tokens),
                "doc": tokenizer.scoring_mask_ids(self.doc_mask_scoring_tokens),
            },
        )


def _check_own_layers(config: BiEncoderConfig) -> None:
    """Refuse what these families do not do."""
    name = type(config).__name__
    if config.projection not in _OWN_LAYERS or config.embedding_dim is not None:
        raise ConfigError(
            f"{name} has layers of its own: projection is 'linear' or 'linear_no_bias' (not {config.projection!r}), and "
            f"embedding_dim None (not {config.embedding_dim!r})."
        )
    for field in ("sparsification_strategy", "normalization_strategy", "truncate_dim"):
        if getattr(config, field) is not None:
            raise ConfigError(f"{name}.{field} is {getattr(config, field)!r}; this family has none.")
