"""From texts to token ids, once: prompts, truncation, pairs, padded batches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Int
from torch import Tensor

from lir_models.errors import CheckpointError, InputError

# Some tokenizers say "no limit" with a number of 30 digits.
_NO_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """The token ids of a text or a pair, and their types where the model has any."""

    input_ids: Sequence[int]
    token_type_ids: Sequence[int] | None = None


@dataclass(frozen=True)
class TokenBatch:
    """Padded token ids, ready for a backbone."""

    input_ids: Int[Tensor, "texts length"]
    attention_mask: Int[Tensor, "texts length"]
    token_type_ids: Int[Tensor, "texts length"] | None = None

    def to(self, device: torch.device | str) -> Self:
        """Return the batch on a device."""
        types = None if self.token_type_ids is None else self.token_type_ids.to(device, non_blocking=True)
        ids = self.input_ids.to(device, non_blocking=True)
        return type(self)(ids, self.attention_mask.to(device, non_blocking=True), types)

    def inputs(self) -> dict[str, Tensor]:
        """Return the arguments of the backbone's forward."""
        values = {"input_ids": self.input_ids, "attention_mask": self.attention_mask}
        return values if self.token_type_ids is None else {**values, "token_type_ids": self.token_type_ids}


def collate(texts: Sequence[TokenizedText], *, pad_id: int, padding_side: str = "right") -> TokenBatch:
    """Pad texts to the longest of them."""
    shape = (len(texts), max(len(text.input_ids) for text in texts))
    ids = torch.full(shape, pad_id)
    mask = torch.zeros(shape, dtype=torch.long)
    types = None if texts[0].token_type_ids is None else torch.zeros(shape, dtype=torch.long)
    for row, text in enumerate(texts):
        length = len(text.input_ids)
        place = slice(shape[1] - length, None) if padding_side == "left" else slice(length)
        ids[row, place] = torch.tensor(text.input_ids)
        mask[row, place] = 1
        if types is not None and text.token_type_ids is not None:
            types[row, place] = torch.tensor(text.token_type_ids)
    return TokenBatch(ids, mask, types)


class Tokenizer:
    """A Hugging Face tokenizer, with the lengths and prompts that a model's rule asks for.

    Args:
        tokenizer: A transformers tokenizer.
        max_length: Most tokens that the backbone takes, or None.
    """

    def __init__(self, tokenizer: Any, max_length: int | None) -> None:
        self.tokenizer = tokenizer
        own = tokenizer.model_max_length
        limits = [limit for limit in (max_length, own if own < _NO_LIMIT else None) if limit is not None]
        self.max_length = min(limits, default=None)
        if tokenizer.pad_token_id is None:
            # Padded positions are masked, so any token will do.
            tokenizer.pad_token = tokenizer.eos_token
        if tokenizer.pad_token_id is None:
            raise CheckpointError("The tokenizer has neither a padding nor an end token, so no batch can be padded.")

    @property
    def pad_id(self) -> int:
        """The token that fills short rows."""
        return self.tokenizer.pad_token_id

    @property
    def padding_side(self) -> str:
        """``right``, or ``left`` as decoders have it."""
        return self.tokenizer.padding_side

    def limit(self, length: int | None) -> int | None:
        """Return the shorter of a wanted length and what the backbone takes."""
        return min((value for value in (length, self.max_length) if value is not None), default=None)

    def texts(
        self, texts: Sequence[str], *, length: int | None, prompt: str = "", lowercase: bool = False
    ) -> list[TokenizedText]:
        """Tokenize single texts; ``length`` is the most tokens kept, special ones included."""
        check_texts(texts)
        if not texts:
            return []
        prompted = [prompt + (text.lower() if lowercase else text) for text in texts]
        limit = self.limit(length)
        return _tokenized(self.tokenizer(prompted, truncation=limit is not None, max_length=limit))

    def pairs(
        self,
        queries: Sequence[str],
        docs: Sequence[str],
        *,
        length: int | None,
        query_length: int | None = None,
        doc_length: int | None = None,
    ) -> list[TokenizedText]:
        """Tokenize pairs; the longer text of a pair is cut first until the pair fits ``length``."""
        check_texts(queries)
        check_texts(docs)
        if not queries:
            return []
        queries, docs = self._cut(queries, query_length), self._cut(docs, doc_length)
        limit = self.limit(length)
        strategy = "longest_first" if limit is not None else False
        return _tokenized(self.tokenizer(list(queries), list(docs), truncation=strategy, max_length=limit))

    def _cut(self, texts: Sequence[str], length: int | None) -> Sequence[str]:
        """Cut texts after so many tokens of their own."""
        if length is None:
            return texts
        unique = list(dict.fromkeys(texts))
        offsets = self.tokenizer(
            unique, add_special_tokens=False, truncation=True, max_length=length, return_offsets_mapping=True
        )["offset_mapping"]
        cut = {text: text[: spans[-1][1]] if spans else text for text, spans in zip(unique, offsets, strict=True)}
        return [cut[text] for text in texts]

    def prompt_tokens(self, prompt: str) -> int:
        """Count the tokens that a prompt takes at the start of a text, leading special ones included."""
        if not prompt:
            return 0
        ids = self.tokenizer(prompt)["input_ids"]
        return len(ids) - (ids[-1] in (self.tokenizer.sep_token_id, self.tokenizer.eos_token_id))


def check_texts(texts: Sequence[Any]) -> None:
    """Refuse what is no text.

    Raises:
        InputError: If an item is not a string; the message gives its position.
    """
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(
                f"Text {position} of {len(texts)} is {text!r}, of type {type(text).__name__}, not a string."
            )


def _tokenized(encoded: Any) -> list[TokenizedText]:
    ids = encoded["input_ids"]
    types = encoded.get("token_type_ids") or [None] * len(ids)
    return [TokenizedText(*pair) for pair in zip(ids, types, strict=True)]
