"""One way from texts to embeddings: layout, backbone, head."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from lir_models.adapters import Adapter
from lir_models.backbone import add_tokens, drop_pooler
from lir_models.bert_layers import looked_at
from lir_models.checkpoints.checkpoint import Source
from lir_models.config import BiEncoderConfig
from lir_models.embeddings import BatchEmbeddings
from lir_models.errors import CheckpointError, ConfigError
from lir_models.fields import Side
from lir_models.heads.dense import DenseHead
from lir_models.heads.vocabulary import StaticHead, VocabularyHead
from lir_models.tokenization import Layout, TokenBatch, TokenizedText, Tokenizer

logger = logging.getLogger(__name__)


class Encoder(nn.Module):
    """A backbone and a head, for one side of a bi-encoder or for both.

    Args:
        backbone: A transformer; of term weights, one with a masked-language-model head.
        tokenizer: Its tokenizer.
        config: The rule.
        new_tokens: Whether the rule is a new one for the backbone: markers and viewers that the vocabulary lacks are
            added to it.
    """

    def __init__(
        self, backbone: nn.Module, tokenizer: Tokenizer, config: BiEncoderConfig, *, new_tokens: bool = True
    ) -> None:
        super().__init__()
        if new_tokens:
            _check_first_tokens(backbone, config)
        drop_pooler(backbone)
        tokenizer.fit(backbone)
        self._new_tokens = _add_tokens(backbone, tokenizer, config, allowed=new_tokens)
        self.tokenizer = tokenizer
        self.backbone = backbone
        self.head = config.make_head(backbone, tokenizer)
        self._layouts = _layouts(config, tokenizer, special_tokens=config.adds_special_tokens)
        self.source: Source | None = None
        self.adapter: Adapter | None = None

    def loaded_from(self, source: Source, adapter: Adapter | None) -> None:
        """Note what the backbone is called, and what was put on it."""
        self.source, self.adapter = source, adapter
        if adapter is not None:
            self._freeze_vocabulary()

    def new_adapter(self, config: Any, source: Source) -> Adapter:
        """Make an adapter; the head is trained with it, but for an output layer of the backbone's."""
        is_sparse = isinstance(self.head, VocabularyHead)
        if is_sparse and self._new_tokens:
            raise ConfigError(
                "The markers are new to the vocabulary, and so are their terms; an adapter of term weights cannot train "
                "them. Train without an adapter, or without add_marker_tokens."
            )
        task = None if is_sparse else "FEATURE_EXTRACTION"
        adapter = Adapter.add(self.backbone, config, source=source, task=task, new_tokens=self._new_tokens)
        self._freeze_vocabulary()
        return adapter

    def _freeze_vocabulary(self) -> None:
        for name, parameter in self.head.named_parameters():
            parameter.requires_grad_(not name.startswith("decoder."))

    @property
    def hidden_size(self) -> int:
        """Width of the backbone."""
        return self.backbone.config.hidden_size  # pyright: ignore[reportAttributeAccessIssue, reportReturnType]

    def tokenize(self, texts: Sequence[str], side: Side) -> list[TokenizedText]:
        """Turn texts into token ids as their side lays them out."""
        return self.tokenizer.texts(texts, self._layouts[side])

    def forward(self, batch: TokenBatch, side: Side) -> BatchEmbeddings:
        """Embed a batch, with gradients."""
        takes_first = isinstance(self.head, DenseHead) and self.head.takes_first_token(side)
        with looked_at(first_token_only=takes_first and self.tokenizer.padding_side == "right"):
            output = self.backbone(**batch.inputs())
        # Of a masked language model whose output layer sits in the head, the logits are the input of that layer.
        hidden: Tensor = output.logits if isinstance(self.head, VocabularyHead) else output.last_hidden_state
        return self.head(hidden, batch, side)

    @property
    def device(self) -> torch.device:
        """Where the encoder runs."""
        return next(self.backbone.parameters()).device


class StaticEncoder(nn.Module):
    """Term weights of texts without a backbone.

    Args:
        tokenizer: Whose tokens are the terms.
        config: The rule.
        head: What weighs them.
    """

    def __init__(self, tokenizer: Tokenizer, config: BiEncoderConfig, head: StaticHead) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.head = head
        self._layouts = _layouts(config, tokenizer, special_tokens=False)

    def tokenize(self, texts: Sequence[str], side: Side) -> list[TokenizedText]:
        """Turn texts into token ids, without special ones."""
        return self.tokenizer.texts(texts, self._layouts[side])

    def forward(self, batch: TokenBatch, side: Side) -> BatchEmbeddings:
        """Weigh the terms of a batch."""
        return self.head(batch, side)

    @property
    def device(self) -> torch.device:
        """Where the encoder runs."""
        return self.head.device


def _layouts(config: BiEncoderConfig, tokenizer: Tokenizer, *, special_tokens: bool = True) -> dict[Side, Layout]:
    def layout(side: Side) -> Layout:
        fills = config.form == "multi-vector" and getattr(config, f"{side}_expansion")
        return Layout(
            length=getattr(config, f"{side}_length"),
            prompt=getattr(config, f"{side}_prompt"),
            lowercase=config.lowercase,
            special_tokens=special_tokens,
            inserted=tuple(map(tokenizer.token_id, config.inserted_tokens(side))) if special_tokens else (),
            expansion_id=_expansion_id(config, tokenizer) if fills else None,
            expansion_length=config.query_expansion_length if side == "query" else None,
            attend_to_expansion=getattr(config, f"attend_to_{side}_expanded_tokens"),
        )

    layouts: dict[Side, Layout] = {"query": layout("query"), "doc": layout("doc")}
    for side, made in layouts.items():
        tokenizer.check_layout(f"{type(config).__name__}.{side}_length", made)
    return layouts


def _expansion_id(config: BiEncoderConfig, tokenizer: Tokenizer) -> int:
    if config.expansion_token is not None:
        return tokenizer.token_id(config.expansion_token)
    inner = tokenizer.tokenizer
    # Decoders have no mask token; sentence-transformers takes the end token then.
    return (
        tokenizer.pad_id
        if inner.mask_token_id is inner.eos_token_id is None
        else inner.mask_token_id or inner.eos_token_id
    )


def _check_first_tokens(backbone: nn.Module, config: BiEncoderConfig) -> None:
    """Refuse a new rule that takes what stands before a text, on a backbone whose attention does not look ahead."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind: str = backbone.config.model_type  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
    looks_ahead = kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES
    if config.takes_first_token and not (looks_ahead or getattr(backbone.config, "use_bidirectional_attention", False)):
        raise ConfigError(
            f"{type(config).__name__} takes the embedding of a token before the text, which sees nothing of the text on a "
            f"decoder such as '{kind}'. Set the pooling strategies to 'last' or 'mean', or choose an encoder, BERT for "
            "instance."
        )


def _add_tokens(
    backbone: nn.Module, tokenizer: Tokenizer, config: BiEncoderConfig, *, allowed: bool
) -> tuple[int, ...]:
    wanted = [*config.inserted_tokens("query"), *config.inserted_tokens("doc")]
    missing = [token for token in dict.fromkeys(wanted) if not tokenizer.has_token(token)]
    if not missing:
        return ()
    if not allowed:
        raise CheckpointError(
            f"The checkpoint's rule puts the token '{missing[0]}' before texts, but its vocabulary has no such token."
        )
    add_tokens(backbone, tokenizer, missing)
    return tuple(map(tokenizer.token_id, missing))
