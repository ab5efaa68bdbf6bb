"""DPR: one vector a text, taken at the first token.

Karpukhin et al. (2020), *Dense Passage Retrieval for Open-Domain Question Answering*. https://arxiv.org/abs/2004.04906
"""

from dataclasses import dataclass

from lir_models.config import BiEncoderConfig
from lir_models.fields import Pooling


@dataclass(frozen=True, kw_only=True)
class DprConfig(BiEncoderConfig):
    """A single-vector bi-encoder that takes the first token's embedding and compares by dot product."""

    query_pooling_strategy: Pooling = "first"
    doc_pooling_strategy: Pooling = "first"
