"""From a backbone's output to the logits of pairs, where transformers' own classification head does not make them."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_models.families.mono import MonoConfig
from lir_models.heads.t5_step import first_step
from lir_models.pooling import pool
from lir_models.tokenization import TokenBatch, Tokenizer


class PooledRanker(nn.Module):
    """Pooling and one linear layer; the weights have the names that Lightning IR gives them.

    Args:
        hidden_size: Width of the backbone.
        config: The rule.
    """

    def __init__(self, hidden_size: int, config: MonoConfig) -> None:
        super().__init__()
        self._pooling: Any = "first" if config.pooling_strategy == "bert_pool" else config.pooling_strategy
        self.linear = nn.Linear(hidden_size, config.num_labels, bias=config.linear_bias)
        self.bert_pool = None
        if config.pooling_strategy == "bert_pool":
            self.bert_pool = nn.Sequential(nn.Linear(hidden_size, hidden_size), nn.Tanh())

    @property
    def takes_first_token(self) -> bool:
        """Whether of a pair's tokens the first alone is looked at."""
        return self._pooling == "first"

    def forward(self, backbone: nn.Module, batch: TokenBatch, **options: Any) -> Float[Tensor, "pairs labels"]:
        """Return the logits of pairs, float32; options go to the backbone."""
        hidden = backbone(**batch.inputs(), **options).last_hidden_state
        values = pool(hidden, batch.attention_mask, self._pooling)
        return self.linear(values if self.bert_pool is None else self.bert_pool(values))


class CausalRanker(nn.Module):
    """The logits of the answers at the last position of a causal language model; it has no weights of its own.

    Args:
        tokenizer: The tokenizer, which pads on the left from now on.
        config: The rule.
    """

    def __init__(self, tokenizer: Tokenizer, config: MonoConfig) -> None:
        super().__init__()
        self._rows = [tokenizer.token_id(token) for token in config.answer_tokens]
        tokenizer.tokenizer.padding_side = "left"  # the last position is then a text's last token

    def forward(self, backbone: nn.Module, batch: TokenBatch, **options: Any) -> Float[Tensor, "pairs labels"]:
        """Return the logits of the answers, float32."""
        del options
        model: Any = backbone
        hidden = model.base_model(**batch.inputs(), use_cache=False).last_hidden_state[:, -1]
        logits = nn.functional.linear(hidden, **self.rows_read(backbone)).float()
        cap = getattr(model.config, "final_logit_softcapping", None)
        return logits if not cap else cap * torch.tanh(logits / cap)

    def rows_read(self, backbone: nn.Module) -> dict[str, Tensor]:
        """Return those rows of the output layer that are the answers': its ``weight``, and ``bias`` if it has one."""
        output: Any = backbone.get_output_embeddings()  # pyright: ignore[reportCallIssue]
        parts = {"weight": output.weight, "bias": getattr(output, "bias", None)}
        return {name: part[self._rows] for name, part in parts.items() if part is not None}


class T5Ranker(nn.Module):
    """One step of T5's decoder, and those rows of the language-model head that are needed.

    Args:
        backbone: A T5 with decoder and language-model head.
        config: The rule.
    """

    def __init__(self, backbone: nn.Module, config: MonoConfig) -> None:
        super().__init__()
        model: Any = backbone
        hidden_size: int = model.config.d_model
        self.linear = nn.Linear(hidden_size, len(config.answer_tokens), bias=False)
        # T5 and those that share its embeddings with the head scale before it; T5 1.1 and mT5 do not.
        default = model.config.model_type == "umt5" and model.config.tie_word_embeddings
        self._scale = hidden_size**-0.5 if getattr(model.config, "scale_decoder_outputs", default) else 1.0

    def take_rows(self, backbone: nn.Module, tokenizer: Tokenizer, config: MonoConfig) -> None:
        """Copy the rows of the answers from the language-model head.

        Raises:
            ConfigError: If the vocabulary lacks an answer.
        """
        rows = [tokenizer.token_id(token) for token in config.answer_tokens]
        weight: Any = backbone.lm_head.weight  # pyright: ignore[reportAttributeAccessIssue]
        with torch.no_grad():
            self.linear.weight.copy_(weight[rows].float())

    def forward(self, backbone: nn.Module, batch: TokenBatch, **options: Any) -> Float[Tensor, "pairs labels"]:
        """Return the logits of the answers, float32."""
        del options
        model: Any = backbone
        encoded = model.encoder(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
        start_id: int = model.config.decoder_start_token_id
        decoded = first_step(model.decoder, encoded, batch.attention_mask, start_id)
        return self.linear(decoded * self._scale)
