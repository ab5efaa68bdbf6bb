"""ColBERT: one vector a token, compared by late interaction.

Khattab and Zaharia (2020), *ColBERT*, https://arxiv.org/abs/2004.12832; trained as XTR where ``k_train`` is set:
Lee et al. (2023), *Rethinking the Role of Token Retrieval in Multi-Vector Retrieval*, https://arxiv.org/abs/2304.01982
"""

from dataclasses import dataclass

from lir_models.config import BiEncoderConfig
from lir_models.errors import ConfigError
from lir_models.fields import Pooling, check_length


@dataclass(frozen=True, kw_only=True)
class ColConfig(BiEncoderConfig):
    """A bi-encoder of one vector a token; the score is the sum over query tokens of the best match (MaxSim).

    Args:
        k_train: While training, the document tokens of a batch that each query token may match, the most similar ones;
            a document's score is the mean over the query tokens that match any of its own (XTR). None for all.
        pool_factor: Documents keep one vector for so many tokens: similar ones become their mean (Clavié et al. 2024,
            *Reducing the Footprint of Multi-Vector Retrieval with Minimal Performance Impact via Token Pooling*,
            https://arxiv.org/abs/2409.14683). 1 keeps all.
        protected_tokens: The first tokens of a document, which are never pooled.
    """

    query_pooling_strategy: Pooling = None
    doc_pooling_strategy: Pooling = None
    embedding_dim: int | None = 128
    k_train: int | None = None
    pool_factor: int = 1
    protected_tokens: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.query_pooling_strategy is not None or self.doc_pooling_strategy is not None:
            raise ConfigError(
                f"query_pooling_strategy is {self.query_pooling_strategy!r} and doc_pooling_strategy "
                f"{self.doc_pooling_strategy!r}; ColConfig keeps one vector a token: both are None."
            )
        check_length(self, "k_train")
        if self.pool_factor < 1 or self.protected_tokens < 0:
            raise ConfigError(
                f"pool_factor is {self.pool_factor} and protected_tokens is {self.protected_tokens}; they must be at "
                "least 1 and 0."
            )
