"""Mono: a pointwise cross-encoder, one score a pair.

Nogueira and Cho (2019), *Passage Re-ranking with BERT*. https://arxiv.org/abs/1901.04085
"""

from dataclasses import dataclass

from lir_models.config import CrossEncoderConfig


@dataclass(frozen=True, kw_only=True)
class MonoConfig(CrossEncoderConfig):
    """A pointwise cross-encoder: the classification head of the backbone scores each pair by itself."""
