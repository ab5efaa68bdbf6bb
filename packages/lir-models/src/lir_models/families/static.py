"""Static embeddings: a vector for each token, whatever stands beside it, and their mean for a text.

Tulkens and van Dongen (2024), *Model2Vec: Fast State-of-the-Art Static Embeddings*. https://github.com/MinishLab/model2vec
"""

from dataclasses import dataclass

from lir_models.config import BiEncoderConfig
from lir_models.errors import ConfigError
from lir_models.fields import SimilarityFunction


@dataclass(frozen=True, kw_only=True)
class StaticConfig(BiEncoderConfig):
    """A single-vector bi-encoder without a transformer: the mean of the vectors of a text's tokens."""

    similarity_function: SimilarityFunction = "cosine"
    query_length: int | None = None
    doc_length: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        wanted = {
            "query_pooling_strategy": "mean",
            "doc_pooling_strategy": "mean",
            "pool_prompt": True,
            "shared_encoder": True,
            "add_marker_tokens": False,
        }
        for field, value in wanted.items():
            if getattr(self, field) != value:
                raise ConfigError(
                    f"StaticConfig.{field} is {getattr(self, field)!r}; of static embeddings it is {value!r}."
                )

    @property
    def adds_special_tokens(self) -> bool:
        """A text is its own tokens."""
        return False
