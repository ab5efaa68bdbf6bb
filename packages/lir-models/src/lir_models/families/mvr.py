"""MVR: several vectors a document, each from a token of its own that looks at the text; one vector a query.

Zhang et al. (2022), *Multi-View Document Representation Learning for Open-Domain Dense Retrieval*.
https://arxiv.org/abs/2203.08372
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lir_models.config import BiEncoderConfig
from lir_models.errors import ConfigError
from lir_models.fields import Pooling, Side, check_width

if TYPE_CHECKING:
    from torch import nn

    from lir_models.tokenization import Tokenizer


@dataclass(frozen=True, kw_only=True)
class MvrConfig(BiEncoderConfig):
    """A bi-encoder whose score is the best match of the query's vector among the document's views.

    Args:
        num_viewer_tokens: Views of a document: tokens ``[VIE0]``, ``[VIE1]``, … before its text. With marker tokens the
            marker comes first and is a view, in the place of the last viewer, as in Lightning IR.
    """

    query_pooling_strategy: Pooling = "first"
    doc_pooling_strategy: Pooling = None
    num_viewer_tokens: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_width(self, "num_viewer_tokens")
        if self.query_pooling_strategy is None or self.doc_pooling_strategy is not None:
            raise ConfigError(
                f"query_pooling_strategy is {self.query_pooling_strategy!r} and doc_pooling_strategy "
                f"{self.doc_pooling_strategy!r}; MvrConfig pools queries and takes documents' views: set a mode, and None."
            )

    def inserted_tokens(self, side: Side) -> tuple[str, ...]:
        """Return the marker, if there is one, and a document's viewers."""
        viewers = tuple(f"[VIE{view}]" for view in range(self.num_viewer_tokens)) if side == "doc" else ()
        return super().inserted_tokens(side) + viewers

    def make_head(self, backbone: "nn.Module", tokenizer: "Tokenizer") -> Any:
        """Make a head that keeps the views of a document alone."""
        from lir_models.heads.views import ViewsHead

        parts = self.head_parts(backbone, tokenizer)
        return ViewsHead(*parts, num_views=self.num_viewer_tokens, first=tokenizer.num_leading)
