"""MVR's head: the vectors of a document's viewer tokens."""

from typing import Any

from jaxtyping import Bool
from torch import Tensor

from lir_models.fields import Side
from lir_models.heads.dense import DenseHead
from lir_models.tokenization import TokenBatch


class ViewsHead(DenseHead):
    """A dense head for which the tokens after the first ones are all that is scored of a document.

    Args:
        *parts: What a `DenseHead` is made of.
        num_views: Viewer tokens.
        first: Tokens before them.
    """

    def __init__(self, *parts: Any, num_views: int, first: int) -> None:
        super().__init__(*parts)
        self._views = range(first, first + num_views)

    def scored_tokens(self, batch: TokenBatch, side: Side) -> Bool[Tensor, "texts length"]:
        """Say where the viewers are."""
        del side
        place = batch.token_mask.cumsum(dim=1) - 1
        return batch.token_mask & (place >= self._views.start) & (place < self._views.stop)
