"""From texts to token ids, once: prompts, markers, expansion, truncation, pairs, padded batches."""

import json
import logging
import re
import string
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from lir_models.errors import CheckpointError, ConfigError, InputError, did_you_mean
from lir_models.fields import ScoringMask
from lir_models.positions import positions_of
from lir_models.room import check_room, shares

logger = logging.getLogger(__name__)

# Some tokenizers say "no limit" with a number of 30 digits.
_NO_LIMIT = 1_000_000

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """The token ids of a text or a pair.

    Args:
        input_ids: Token ids.
        token_type_ids: Their types, where the model has any.
        num_unattended: How many of the last tokens fill the text up without being seen by attention.
    """

    input_ids: Sequence[int]
    token_type_ids: Sequence[int] | None = None
    num_unattended: int = 0


@dataclass(frozen=True)
class TokenBatch:
    """Padded token ids, ready for a backbone.

    Args:
        input_ids: Token ids.
        attention_mask: 1 where attention looks.
        token_mask: True where there is a token, seen by attention or not, and False where there is padding.
        token_type_ids: Types, where the model has any.
    """

    input_ids: Int[Tensor, "texts length"]
    attention_mask: Int[Tensor, "texts length"]
    token_mask: Bool[Tensor, "texts length"]
    token_type_ids: Int[Tensor, "texts length"] | None = None

    def to(self, device: torch.device | str) -> Self:
        """Return the batch on a device."""
        parts = (self.input_ids, self.attention_mask, self.token_mask, self.token_type_ids)
        moved: Any = (None if part is None else _moved(part, torch.device(device)) for part in parts)
        return type(self)(*moved)

    def inputs(self) -> dict[str, Tensor]:
        """Return the arguments of the backbone's forward."""
        values = {"input_ids": self.input_ids, "attention_mask": self.attention_mask}
        return values if self.token_type_ids is None else {**values, "token_type_ids": self.token_type_ids}


def _moved(part: Tensor, device: torch.device) -> Tensor:
    # Only from pinned memory does a copy to a GPU go on beside the computation.
    pinned = part.pin_memory() if device.type == "cuda" and part.device.type == "cpu" else part
    return pinned.to(device, non_blocking=True)


def collate(texts: Sequence[TokenizedText], *, pad_id: int, padding_side: str = "right") -> TokenBatch:
    """Pad texts to the longest of them."""
    lengths = np.array([len(text.input_ids) for text in texts])[:, None]
    attended = lengths - np.array([text.num_unattended for text in texts])[:, None]
    places = np.arange(lengths.max())
    if padding_side == "left":
        places = places - (lengths.max() - lengths)
    mask = (places >= 0) & (places < lengths)
    ids = _filled(mask, (text.input_ids for text in texts), pad_id)
    types = None
    if texts[0].token_type_ids is not None:
        types = _filled(mask, (text.token_type_ids or () for text in texts), 0)
    attention = torch.from_numpy((mask & (places < attended)).astype(np.int64))
    return TokenBatch(ids, attention, torch.from_numpy(mask), types)


def _filled(mask: np.ndarray, rows: Iterable[Sequence[int]], rest: int) -> Int[Tensor, "texts length"]:
    values = np.full(mask.shape, rest, dtype=np.int64)
    values[mask] = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    return torch.from_numpy(values)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a side lays its texts out as tokens.

    Args:
        length: Most tokens of a text, all others included; None for as many as the backbone takes.
        prompt: Put before each text.
        lowercase: Whether texts are lower-cased.
        special_tokens: Whether the tokenizer's own special tokens are added.
        inserted: Tokens put after the first special token: markers, viewers.
        expansion_id: The token that fills each text up; None if none does.
        expansion_length: Up to how many tokens; None for ``length``.
        attend_to_expansion: Whether attention sees it.
    """

    length: int | None = None
    prompt: str = ""
    lowercase: bool = False
    special_tokens: bool = True
    inserted: tuple[int, ...] = ()
    expansion_id: int | None = None
    expansion_length: int | None = None
    attend_to_expansion: bool = False


@dataclass(frozen=True, kw_only=True)
class PairLayout:
    """How pairs are laid out as tokens.

    Args:
        length: Most tokens of a pair, all others included; None for as many as the backbone takes.
        query_length: Tokens kept of a query before the pair is made; None for all.
        doc_length: The same for a document.
        inserted: Tokens put after the first special token.
    """

    length: int | None = None
    query_length: int | None = None
    doc_length: int | None = None
    inserted: tuple[int, ...] = ()


class Tokenizer:
    """A Hugging Face tokenizer, with the lengths and prompts that a model's rule asks for.

    Args:
        tokenizer: A transformers tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        own = tokenizer.model_max_length
        self.max_length: int | None = own if own < _NO_LIMIT else None
        if tokenizer.pad_token_id is None:
            # Padded positions are masked, so any token will do.
            tokenizer.pad_token = tokenizer.eos_token
        if tokenizer.pad_token_id is None:
            raise CheckpointError("The tokenizer has neither a padding nor an end token, so no batch can be padded.")

    def save(self, folder: Path) -> None:
        """Write the tokenizer's files, so that transformers 4 and 5 read them."""
        self.tokenizer.save_pretrained(folder)
        file = folder / "tokenizer_config.json"
        values = json.loads(file.read_text(encoding="utf-8"))
        # transformers 5 reads either name, 4 this one alone.
        if isinstance(values.get("extra_special_tokens"), list):
            values["additional_special_tokens"] = values.pop("extra_special_tokens")
            file.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    @property
    def pad_id(self) -> int:
        """The token that fills short rows."""
        return self.tokenizer.pad_token_id

    @property
    def padding_side(self) -> str:
        """``right``, or ``left`` as decoders have it."""
        return self.tokenizer.padding_side

    def fit(self, backbone: nn.Module) -> None:
        """Cut texts at what a backbone has positions for, too."""
        self.max_length = self.limit(positions_of(backbone))

    def limit(self, length: int | None) -> int | None:
        """Return the shorter of a wanted length and what the backbone takes."""
        return min((value for value in (length, self.max_length) if value is not None), default=None)

    def texts(self, texts: Sequence[str], layout: Layout) -> list[TokenizedText]:
        """Tokenize single texts."""
        check_texts(texts)
        if not texts:
            return []
        prompted = [layout.prompt + (text.lower() if layout.lowercase else text) for text in texts]
        limit = self.limit(layout.length)
        room = None if limit is None else limit - len(layout.inserted)
        tokenized = self._tokenize(prompted, length=room, special_tokens=layout.special_tokens)
        if layout.special_tokens:
            # Without any token there is nothing to embed.
            tokenized = [text if text.input_ids else self._one_token(text) for text in tokenized]
        if layout.inserted:
            tokenized = [self._insert(text, layout.inserted) for text in tokenized]
        full = self.limit(layout.expansion_length or layout.length)
        if layout.expansion_id is not None and full is not None:
            tokenized = [_expand(text, full, layout) for text in tokenized]
        return tokenized

    def check_layout(self, field: str, layout: Layout) -> None:
        """Refuse a length that leaves a text none of its own tokens.

        Raises:
            ConfigError: The message names the least length.
        """
        special = self.tokenizer.num_special_tokens_to_add(pair=False) if layout.special_tokens else 0
        inserted, prompt = len(layout.inserted), self.count(layout.prompt)
        needs = f"{special} special tokens, {inserted} markers and viewers, {prompt} of the prompt, and one of the text"
        check_room(field, layout.length, self.limit(layout.length), special + inserted + prompt + 1, needs)

    def _one_token(self, text: TokenizedText) -> TokenizedText:
        return TokenizedText([self.pad_id], None if text.token_type_ids is None else [0])

    def _insert(self, text: TokenizedText, inserted: tuple[int, ...]) -> TokenizedText:
        place = self.num_leading
        ids, types = list(text.input_ids), text.token_type_ids
        ids[place:place] = inserted
        return TokenizedText(ids, None if types is None else [*types[:place], *[0] * len(inserted), *types[place:]])

    @cached_property
    def num_leading(self) -> int:
        """Special tokens before a text: one, [CLS] or the like, or none."""
        with_text, without = (
            self.tokenizer("a")["input_ids"],
            self.tokenizer("a", add_special_tokens=False)["input_ids"],
        )
        return next((place for place, token in enumerate(with_text) if token in without[:1]), 0)

    def _tokenize(
        self, *texts: Sequence[str], length: int | None, strategy: str | bool = True, special_tokens: bool = True
    ) -> list[TokenizedText]:
        """Tokenize texts, or pairs of them; what has no UTF-8 form becomes the replacement character."""
        options: dict[str, Any] = {"add_special_tokens": special_tokens}
        options |= {"truncation": strategy if length is not None else False, "max_length": length}
        lists = [list(items) for items in texts]
        try:
            encoded = self.tokenizer(*lists, **options)
        except (TypeError, UnicodeError):  # a lone surrogate
            encoded = self.tokenizer(
                *([_LONE_SURROGATES.sub("\ufffd", text) for text in items] for items in lists), **options
            )
        if length is not None and logger.isEnabledFor(logging.DEBUG):
            cut = sum(bool(encoding.overflowing) for encoding in encoded.encodings or ())
            logger.debug("%d of %d texts were cut to %d tokens.", cut, len(lists[0]), length)
        ids = encoded["input_ids"]
        types = encoded.get("token_type_ids") or [None] * len(ids)
        return [TokenizedText(*pair) for pair in zip(ids, types, strict=True)]

    def pairs(self, queries: Sequence[str], docs: Sequence[str], layout: PairLayout) -> list[TokenizedText]:
        """Tokenize pairs; the longer text of a pair is cut first until the pair fits the length."""
        check_texts(queries)
        check_texts(docs)
        if not queries:
            return []
        queries, docs = self._cut(queries, layout.query_length), self._cut(docs, layout.doc_length)
        limit = self.limit(layout.length)
        room = None if limit is None else limit - len(layout.inserted)
        tokenized = self._tokenize(queries, docs, length=room, strategy="longest_first")
        return [self._insert(pair, layout.inserted) for pair in tokenized] if layout.inserted else tokenized

    def chats(
        self, queries: Sequence[str], docs: Sequence[str], layout: PairLayout, instruction: str
    ) -> list[TokenizedText]:
        """Tokenize pairs as the chat template lays them out; the longer text of a pair is cut first, never the template."""
        check_texts(queries)
        check_texts(docs)
        queries, docs = self._cut(queries, layout.query_length), self._cut(docs, layout.doc_length)
        limit = self.limit(layout.length)
        system = [{"role": "system", "content": instruction}] if instruction else []

        def tokenize(query: str, doc: str) -> list[int]:
            messages = [*system, {"role": "query", "content": query}, {"role": "document", "content": doc}]
            text = self.tokenizer.apply_chat_template(messages, tokenize=False)
            return self._tokenize([text], length=None, special_tokens=False)[0].input_ids  # pyright: ignore[reportReturnType]

        found: list[TokenizedText] = []
        for query, doc in zip(queries, docs, strict=True):
            ids = tokenize(query, doc)
            lengths = self.count(query), self.count(doc)
            room = sum(lengths)
            while limit is not None and len(ids) > limit and room > 0:
                # Texts may fall into other tokens where they are cut, so what does not fit yet is cut once more.
                room = max(0, room - (len(ids) - limit))
                kept = shares(*lengths, room)
                ids = tokenize(self._cut([query], kept[0])[0], self._cut([doc], kept[1])[0])
            found.append(TokenizedText(ids))
        return found

    def asked(
        self, queries: Sequence[str], docs: Sequence[str], layout: PairLayout, ending: str
    ) -> list[TokenizedText]:
        """Tokenize pairs as T5 rankers are asked; the longer text of a pair is cut first, never the ending."""
        check_texts(queries)
        check_texts(docs)
        if not queries:
            return []
        queries, docs = self._cut(queries, layout.query_length), self._cut(docs, layout.doc_length)
        last = [] if not ending else self.tokenizer(ending, add_special_tokens=False)["input_ids"]
        last = [*last, self.tokenizer.eos_token_id]
        limit = self.limit(layout.length)
        room = None if limit is None else limit - len(last)
        if room is not None:
            queries = self._leaving_room(queries, docs, room - self.count("Query: Document:"))
        texts = [f"Query: {query} Document: {doc}" for query, doc in zip(queries, docs, strict=True)]
        tokenized = self._tokenize(texts, length=room, special_tokens=False)
        return [TokenizedText([*text.input_ids, *last]) for text in tokenized]

    def _leaving_room(self, queries: Sequence[str], docs: Sequence[str], room: int) -> Sequence[str]:
        """Cut queries that would leave their documents less than half of a room."""
        counts = {query: self.count(query) for query in dict.fromkeys(queries)}
        if max(counts.values()) <= room // 2:
            return queries
        kept = (shares(counts[query], self.count(doc), room)[0] for query, doc in zip(queries, docs, strict=True))
        return [self._cut([query], length)[0] for query, length in zip(queries, kept, strict=True)]

    def count(self, text: str) -> int:
        """Count the tokens of a text of its own."""
        return len(self._tokenize([text], length=None, special_tokens=False)[0].input_ids)

    def _cut(self, texts: Sequence[str], length: int | None) -> Sequence[str]:
        """Cut texts after so many tokens of their own."""
        if length is None:
            return texts
        if length == 0:
            return [""] * len(texts)
        unique = list(dict.fromkeys(texts))
        offsets = self.tokenizer(
            unique, add_special_tokens=False, truncation=True, max_length=length, return_offsets_mapping=True
        )["offset_mapping"]
        cut = {text: text[: spans[-1][1]] if spans else text for text, spans in zip(unique, offsets, strict=True)}
        return [cut[text] for text in texts]

    def token_id(self, token: str) -> int:
        """Return the id of a token.

        Raises:
            ConfigError: If the vocabulary has no such token.
        """
        found = self.tokenizer.convert_tokens_to_ids(token)
        if found is None or (found == self.tokenizer.unk_token_id and token != self.tokenizer.unk_token):
            near = did_you_mean(token, self.tokenizer.all_special_tokens)
            raise ConfigError(f"The tokenizer's vocabulary has no token '{token}'.{near}")
        return found

    def has_token(self, token: str) -> bool:
        """Whether the vocabulary has a token."""
        found = self.tokenizer.convert_tokens_to_ids(token)
        return found is not None and (found != self.tokenizer.unk_token_id or token == self.tokenizer.unk_token)

    def scoring_mask_ids(self, tokens: ScoringMask) -> tuple[int, ...]:
        """Return the ids of tokens that take no part in scoring; punctuation that the vocabulary lacks is left out."""
        if tokens is None:
            return ()
        if tokens == "punctuation":
            tokens = tuple(mark for mark in string.punctuation if self.has_token(mark))
        return tuple(self.token_id(token) for token in tokens)

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


def _expand(text: TokenizedText, length: int, layout: Layout) -> TokenizedText:
    missing = max(0, length - len(text.input_ids))
    types = None if text.token_type_ids is None else [*text.token_type_ids, *[0] * missing]
    ids = [*text.input_ids, *[layout.expansion_id or 0] * missing]
    return TokenizedText(ids, types, 0 if layout.attend_to_expansion else missing)
