"""Term weights: one for each term of the vocabulary, by the backbone's masked-language-model head or without a backbone."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from lir_models.config import BiEncoderConfig
from lir_models.errors import CheckpointError
from lir_models.fields import Pooling, Side, Sparsification
from lir_models.heads.sparsify import sparsify
from lir_models.pooling import pool
from lir_models.precision import linear_dtype
from lir_models.tokenization import TokenBatch, Tokenizer

# Terms whose logits are held at once, for all tokens of a batch: some MB, which stay in the cache.
_TERMS_AT_ONCE = 1024


class _Detached(nn.Module):
    """Stands where a language model had its output layer, so that the model returns what that layer would be given."""

    weight: Any = None
    bias: Any = None

    def forward(self, values: Tensor) -> Tensor:
        return values


def detach_decoder(backbone: nn.Module) -> nn.Linear:
    """Take the output layer, from hidden size to vocabulary, off a masked language model.

    The model's ``logits`` are from then on the input of that layer: so they need not be held for all terms at once.

    Raises:
        CheckpointError: If the model has no such layer.
    """
    model: Any = backbone
    decoder = model.get_output_embeddings()
    if not isinstance(decoder, nn.Linear) or decoder.out_features < model.config.vocab_size:
        raise CheckpointError(
            f"The masked-language-model head of the kind '{model.config.model_type}' has no output layer of its own; "
            "BERT, DistilBERT, RoBERTa, ELECTRA, MPNet, ALBERT and ModernBERT have one."
        )
    model.set_output_embeddings(_Detached())
    return decoder


class VocabularyHead(nn.Module):
    """The output layer of a masked language model, then pooling over the tokens of a text.

    Args:
        decoder: The output layer.
        pooling: How the tokens' weights of one term become one, of each side.
        sparsification: What makes the weights sparse.
        expansion: Whether terms that the text lacks may have a weight, of each side.
        masked_ids: Terms that get no weight, of each side.
        max_active_dims: Most terms of a text, those of the largest weights; None for all.
        dtype: In which the logits are computed.
    """

    def __init__(
        self,
        decoder: nn.Linear,
        *,
        pooling: dict[Side, Pooling],
        sparsification: Sparsification,
        expansion: dict[Side, bool],
        masked_ids: dict[Side, tuple[int, ...]],
        max_active_dims: int | None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self._pooling = pooling
        self._sparsification: Sparsification = sparsification
        self._expansion = expansion
        self._masked_ids = masked_ids
        self._max_active_dims = max_active_dims
        self._dtype = dtype

    def forward(
        self, hidden: Float[Tensor, "texts length hidden"], batch: TokenBatch, side: Side
    ) -> Float[Tensor, "texts vocabulary"]:
        """Weigh the terms of the vocabulary for each text; a head takes its maximum before the logarithm."""
        mask, pooling = batch.attention_mask, self._pooling[side]
        if pooling == "max":
            hidden = _without_padding(hidden, mask)
        hidden = hidden.to(self._dtype)
        chunks = [
            self._pooled(nn.functional.linear(hidden, weight, bias), mask, pooling) for weight, bias in self._chunks()
        ]
        weights = torch.cat(chunks, dim=1)
        if not self._expansion[side]:
            weights = weights * binary(batch.input_ids, mask, weights.shape[1])
        if self._masked_ids[side]:
            weights = weights.index_fill(1, torch.tensor(self._masked_ids[side], device=weights.device), 0.0)
        return keep_largest(weights, self._max_active_dims)

    def _chunks(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        bias: Any = self.decoder.bias
        weights = self.decoder.weight.to(self._dtype).split(_TERMS_AT_ONCE)
        biases = [None] * len(weights) if bias is None else bias.to(self._dtype).split(_TERMS_AT_ONCE)
        yield from zip(weights, biases, strict=True)

    def _pooled(self, logits: Float[Tensor, "texts length terms"], mask: Tensor, pooling: Pooling) -> Tensor:
        # The functions of sparsify never decrease, so the maximum may come first: it leaves them less to do.
        if pooling == "max":
            return sparsify(logits.amax(dim=1).float(), self._sparsification)
        return pool(sparsify(logits.float(), self._sparsification), mask, pooling)


def _without_padding(
    hidden: Float[Tensor, "texts length hidden"], mask: Shaped[Tensor, "texts length"]
) -> Float[Tensor, "texts length hidden"]:
    """Let padding be as the first token, which changes no maximum: so the logits, far more, need not be masked."""
    first = hidden[torch.arange(len(hidden), device=hidden.device), mask.argmax(dim=1)]
    return torch.where(mask.unsqueeze(-1) == 0, first.unsqueeze(1), hidden)


def vocabulary_head(config: BiEncoderConfig, backbone: nn.Module, tokenizer: Tokenizer) -> VocabularyHead:
    """Take a rule's head off its backbone."""
    return VocabularyHead(
        detach_decoder(backbone),
        pooling={"query": config.query_pooling_strategy, "doc": config.doc_pooling_strategy},
        sparsification=config.sparsification_strategy,
        expansion={"query": config.query_expansion, "doc": config.doc_expansion},
        masked_ids={
            "query": tokenizer.scoring_mask_ids(config.query_mask_scoring_tokens),
            "doc": tokenizer.scoring_mask_ids(config.doc_mask_scoring_tokens),
        },
        max_active_dims=getattr(config, "max_active_dims", None),
        dtype=linear_dtype(backbone),
    )


class StaticHead(nn.Module):
    """Term weights without a backbone: each token of the text counts once, by its own weight or 1.

    Args:
        vocab_size: Terms.
        learned: Whether each has a weight of its own.
    """

    def __init__(self, vocab_size: int, *, learned: bool) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.weight = nn.Parameter(torch.ones(vocab_size)) if learned else None
        self.register_buffer("_here", torch.zeros(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the head runs, whether it has weights or not."""
        return self._here.device  # pyright: ignore[reportReturnType, reportAttributeAccessIssue]

    def padded(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return weights with a 0 for terms that only the other side's vocabulary has, whose size is often rounded up."""
        missing = {name: self.vocab_size - len(weight) for name, weight in weights.items()}
        return {name: nn.functional.pad(weight, (0, max(0, missing[name]))) for name, weight in weights.items()}

    def forward(self, batch: TokenBatch, side: Side) -> Float[Tensor, "texts vocabulary"]:
        """Weigh the tokens of each text."""
        del side
        present = binary(batch.input_ids, batch.attention_mask, self.vocab_size)
        return present if self.weight is None else present * self.weight.float()


def binary(
    ids: Int[Tensor, "texts length"], mask: Shaped[Tensor, "texts length"], vocab_size: int
) -> Float[Tensor, "texts vocabulary"]:
    """Return 1 for each term that a text has, else 0."""
    return scatter_max(torch.ones_like(ids, dtype=torch.float32), ids, mask, vocab_size)


def scatter_max(
    weights: Float[Tensor, "texts length"],
    ids: Int[Tensor, "texts length"],
    mask: Shaped[Tensor, "texts length"],
    vocab_size: int,
) -> Float[Tensor, "texts vocabulary"]:
    """Give each term the largest of its tokens' weights, none of them negative; 0 where a text lacks the term."""
    rows = weights.new_zeros(len(ids), vocab_size)
    return rows.scatter_reduce(1, ids, weights * mask, "amax", include_self=True)


def keep_largest(weights: Float[Tensor, "texts vocabulary"], count: int | None) -> Float[Tensor, "texts vocabulary"]:
    """Set all but the largest weights of each text to 0."""
    if count is None or count >= weights.shape[1]:
        return weights
    values, terms = weights.topk(count, dim=1)
    return torch.zeros_like(weights).scatter(1, terms, values)
