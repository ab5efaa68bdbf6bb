"""Set-Encoder: a listwise cross-encoder, in which the documents of a query attend to each other, in no order.

Schlatt et al. (2025), *Set-Encoder: Permutation-Invariant Inter-Passage Attention for Listwise Passage Re-Ranking with
Cross-Encoders*. https://arxiv.org/abs/2404.06912
"""

from dataclasses import dataclass

from lir_models.errors import ConfigError
from lir_models.families.mono import MonoConfig, RankerPooling


@dataclass(frozen=True, kw_only=True)
class SetEncoderConfig(MonoConfig):
    """A cross-encoder that scores all documents of a query together; their number and their order are free.

    In every layer, the tokens of a document attend to their own and to one token of each other document: the first, or a
    token ``[INT]`` after it.

    Args:
        add_extra_token: Whether there is such a token ``[INT]``.
    """

    pooling_strategy: RankerPooling = "first"
    add_extra_token: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pooling_strategy is None:
            raise ConfigError(
                "SetEncoderConfig.pooling_strategy is None; it scores by a layer of its own: set 'first'."
            )
