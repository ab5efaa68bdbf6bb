"""SPLADE: one weight for each term of the vocabulary.

Formal et al. (2021), *SPLADE: Sparse Lexical and Expansion Model for First Stage Ranking*.
https://arxiv.org/abs/2107.05720; with the maximum over tokens, Formal et al. (2021), *SPLADE v2*.
https://arxiv.org/abs/2109.10086
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from lir_models.config import BiEncoderConfig
from lir_models.errors import ConfigError
from lir_models.fields import Pooling, Projection, Side, Sparsification, check_choice, check_length

Weighting = Literal["contextualized", "static"] | None


@dataclass(frozen=True, kw_only=True)
class SpladeConfig(BiEncoderConfig):
    """A bi-encoder of term weights.

    With ``query_expansion=False`` a query's terms are those of its text (SPLADE-lexical); with ``query_weighting``
    ``static`` or None they need no backbone either (inference-free).

    Args:
        query_weighting: ``contextualized``: by the backbone. ``static``: each term has a weight of its own, the same in
            every query. None: each term of the text weighs 1 (SPLADE-doc).
        doc_weighting: The same for documents.
        max_active_dims: Most terms of a text, those of the largest weights; None for all.
    """

    query_pooling_strategy: Pooling = "max"
    doc_pooling_strategy: Pooling = "max"
    projection: Projection = "mlm"
    sparsification_strategy: Sparsification = "relu_log"
    query_expansion: bool = True
    doc_expansion: bool = True
    query_weighting: Weighting = "contextualized"
    doc_weighting: Weighting = "contextualized"
    max_active_dims: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projection != "mlm":
            raise ConfigError(
                f"{type(self).__name__}.projection is {self.projection!r}; term weights come from the masked-language-"
                "model head, 'mlm'."
            )
        check_length(self, "max_active_dims")
        for side in ("query", "doc"):
            check_choice(self, f"{side}_weighting", (*get_args(Weighting.__args__[0]), None))
            weighting = getattr(self, f"{side}_weighting")
            if weighting != "contextualized" and getattr(self, f"{side}_expansion"):
                raise ConfigError(
                    f"{side}_weighting is {weighting!r}, which weighs the terms of the text alone, but {side}_expansion is "
                    f"True. Set {side}_expansion to False, or {side}_weighting to 'contextualized'."
                )
        if self.query_weighting != "contextualized" and self.doc_weighting != "contextualized":
            raise ConfigError(
                "Neither query_weighting nor doc_weighting is 'contextualized', so nothing needs a backbone."
            )

    def uses_backbone(self, side: Side) -> bool:
        """Whether the terms of a side are weighed by the backbone."""
        return (self.query_weighting if side == "query" else self.doc_weighting) == "contextualized"

    def make_static_head(self, side: Side, vocab_size: int) -> Any:
        """Make what weighs the terms of a side without a backbone."""
        from lir_models.heads.vocabulary import StaticHead

        weighting = self.query_weighting if side == "query" else self.doc_weighting
        return StaticHead(vocab_size, learned=weighting == "static")
