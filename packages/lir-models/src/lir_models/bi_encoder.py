"""Bi-encoders: queries and documents are embedded apart, and their embeddings compared."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lir_models.backbone import default_device, fingerprint, load_backbone, load_tokenizer, quiet
from lir_models.batching import Progress, in_proportion, run_in_batches
from lir_models.checkpoints import lir, recognise, sentence_transformers
from lir_models.checkpoints.files import written_whole
from lir_models.config import BiEncoderConfig
from lir_models.errors import CheckpointError, WrongModelKindError
from lir_models.heads import Dense, dense_layers
from lir_models.outputs import RankedDocument, ScoreOutput, as_lists, ranking
from lir_models.pooling import pool
from lir_models.references import full_name, resolve
from lir_models.scoring import max_sim, similarity
from lir_models.tokenization import TokenBatch, TokenizedText, Tokenizer

Side = Literal["query", "doc"]

#: One embedding a text.
Embeddings = Float[np.ndarray, "texts dim"]

#: Token embeddings of several texts: all vectors, ``total`` in number, and how many of them are each text's.
Packed = tuple[Float[np.ndarray, "total dim"], Int[np.ndarray, " texts"]]

#: What a model makes of texts: of one text alone, not in a list, one vector.
Encoded = Embeddings | Float[np.ndarray, " dim"] | Packed


class BiEncoderModel(nn.Module):
    """A backbone, and the rule by which its token embeddings become scores.

    Args:
        backbone: A transformer whose output has ``last_hidden_state``.
        tokenizer: Its tokenizer.
        config: The rule.
        name: What the model is called, in an index for instance.
    """

    def __init__(self, backbone: nn.Module, tokenizer: Tokenizer, config: BiEncoderConfig, *, name: str = "") -> None:
        super().__init__()
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.name = name
        self.hidden_size: int = backbone.config.hidden_size  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
        layers = dense_layers(config, self.hidden_size)
        # Spelled out, so that the rule is the same before saving and after.
        self.config = config.replace(projection=layers or None)
        self.layers = nn.ModuleList(Dense(layer) for layer in layers)
        prompts: dict[Side, str] = {"query": config.query_prompt, "doc": config.doc_prompt}
        self._unpooled = {
            side: 0 if config.pool_prompt else tokenizer.prompt_tokens(prompt) for side, prompt in prompts.items()
        }

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        config: BiEncoderConfig | None = None,
        *,
        device: str | torch.device | None = None,
        trust_remote_code: bool = False,
    ) -> Self:
        """Load a model.

        Args:
            name_or_path: A folder, an id of the Hugging Face hub, or ``package:NAME`` for the model folder inside an
                installed Python package. The format is recognised from the files.
            config: The rule to use instead of the checkpoint's own; a plain backbone has none, and gets
                ``BiEncoderConfig()``. Heads that the checkpoint lacks are newly made.
            device: Where it runs; a GPU if there is one.
            trust_remote_code: Whether Python code from the checkpoint may run.

        Raises:
            ModelNotFoundError: If there is no such model.
            CheckpointError: If its files cannot be read.
            WrongModelKindError: If it is a cross-encoder.
        """
        kind, found = recognise(resolve(name_or_path, weights=False))
        if kind == "cross-encoder":
            raise WrongModelKindError(
                f"'{name_or_path}' is a cross-encoder: it reads query and document together, and embeds neither.",
                hint="CrossEncoderModel scores and re-ranks with it",
            )
        folder = resolve(name_or_path)
        if not isinstance(found, BiEncoderConfig):
            found = None
        tokenizer = load_tokenizer(folder, trust_remote_code=trust_remote_code)
        backbone = load_backbone(folder, trust_remote_code=trust_remote_code)
        model = cls(backbone, tokenizer, config or found or BiEncoderConfig(), name=full_name(name_or_path))
        if found is not None and isinstance(found.projection, tuple) and found.projection == model.config.projection:
            model._load_heads(folder)
        return model.to(device or default_device()).eval()

    def _load_heads(self, folder: Path) -> None:
        if sentence_transformers.detect(folder):
            weights = sentence_transformers.read_head_weights(folder)
        else:
            weights = lir.read_head_weights(folder)
        for layer, values in zip(self.layers, weights, strict=True):
            try:
                layer.load_state_dict(values)
            except RuntimeError as error:
                raise CheckpointError(f"A dense layer of '{folder}' does not fit its weights: {error}") from error

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next(self.parameters()).device

    @property
    def similarity(self) -> str:
        """How embeddings are compared: ``dot``, ``cosine`` or ``l2``."""
        return self.config.similarity_function

    @property
    def dim(self) -> int:
        """Width of the embeddings."""
        if len(self.layers):
            return self.layers[-1].layer.out_features  # pyright: ignore[reportAttributeAccessIssue, reportReturnType]
        pooling = self.config.doc_pooling_strategy
        return self.hidden_size * (len(pooling) if isinstance(pooling, tuple) else 1)

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell this model, as it is when first asked for them, from another."""
        return fingerprint(self, self.config.to_json())

    def tokenize(self, texts: Sequence[str], side: Side) -> list[TokenizedText]:
        """Turn texts into token ids, with the prompt and the length of their side."""
        config = self.config
        is_query = side == "query"
        return self.tokenizer.texts(
            texts,
            length=config.query_length if is_query else config.doc_length,
            prompt=config.query_prompt if is_query else config.doc_prompt,
            lowercase=config.lowercase,
        )

    def embed(self, batch: TokenBatch, side: Side) -> Float[Tensor, "texts dim"] | Float[Tensor, "texts length dim"]:
        """Embed a batch, with gradients.

        Args:
            batch: Padded token ids.
            side: Whether these are queries or documents.

        Returns:
            One float32 vector a text; of a multi-vector model one a token, rows of padding included.
        """
        hidden = self.backbone(**batch.inputs()).last_hidden_state
        pooling = self.config.query_pooling_strategy if side == "query" else self.config.doc_pooling_strategy
        if pooling is None:
            values = hidden.float()
        else:
            mask = batch.attention_mask
            if unpooled := self._unpooled[side]:
                seen = mask.cumsum(dim=1)
                mask = mask * (seen > unpooled)
            values = pool(hidden, mask, pooling)
        for layer in self.layers:
            values = layer(values)
        if self.config.normalization_strategy == "l2":
            values = nn.functional.normalize(values, dim=-1, eps=1e-12)
        return values

    def encode_query(self, texts: str | Sequence[str], *, progress: Progress | None = None) -> Encoded:
        """Embed queries.

        Args:
            texts: One text or several.
            progress: Called with the number of texts done since the last call.

        Returns:
            One float32 vector a text; of a multi-vector model, packed: all token embeddings, and the number of each
            text's.
        """
        return self._encode(texts, "query", progress)

    def encode_document(self, texts: str | Sequence[str], *, progress: Progress | None = None) -> Encoded:
        """Embed documents; arguments and result as in `encode_query`."""
        return self._encode(texts, "doc", progress)

    def _encode(self, texts: str | Sequence[str], side: Side, progress: Progress | None) -> Encoded:
        if isinstance(texts, str):
            embeddings = self.encode_tokenized(self.tokenize([texts], side), side, progress=progress)
            return embeddings if isinstance(embeddings, tuple) else embeddings[0]
        return self.encode_tokenized(self.tokenize(texts, side), side, progress=progress)

    @torch.inference_mode()
    def encode_tokenized(
        self, texts: Sequence[TokenizedText], side: Side, *, progress: Progress | None = None
    ) -> Encoded:
        """Embed texts that are token ids already; result as in `encode_query`."""
        lengths = np.array([len(text.input_ids) for text in texts], dtype=np.int64)
        is_packed = self.config.is_multi_vector
        starts = np.cumsum(lengths) - lengths
        rows = np.zeros((int(lengths.sum()) if is_packed else len(texts), self.dim), dtype=np.float32)

        def forward(batch: TokenBatch) -> Tensor:
            values = self.embed(batch, side)
            return values[batch.attention_mask.bool()] if is_packed else values

        tokenizer = self.tokenizer
        for positions, values in run_in_batches(
            texts,
            forward,
            pad_id=tokenizer.pad_id,
            padding_side=tokenizer.padding_side,
            device=self.device,
            progress=progress,
        ):
            values = values.float().cpu().numpy()
            if is_packed:
                targets = np.concatenate(
                    [np.arange(int(starts[text]), int(starts[text] + lengths[text])) for text in positions]
                )
                rows[targets] = values
            else:
                rows[positions] = values
        return (rows, lengths) if is_packed else rows

    def score(
        self,
        query: str | Sequence[str],
        docs: Sequence[str] | Sequence[Sequence[str]],
        *,
        progress: Progress | None = None,
    ) -> ScoreOutput:
        """Score documents for a query, or for each of several queries its own documents.

        Args:
            query: One query or several.
            docs: The documents of the one query, or a list of documents for each query. A text that occurs more than
                once is encoded once.
            progress: Called with the number of documents done since the last call.

        Raises:
            InputError: If something is no text, or lists do not pair up.
        """
        queries, lists = as_lists(query, docs)
        unique_queries, query_places = _unique(queries)
        unique_docs, doc_places = _unique([doc for item in lists for doc in item])
        report = in_proportion(progress, len(doc_places), len(unique_queries) + len(unique_docs))
        query_embeddings = self.encode_query(unique_queries, progress=report)
        doc_embeddings = self.encode_document(unique_docs, progress=report)
        scores: list[Tensor] = []
        start = 0
        for place, item in zip(query_places, lists, strict=True):
            wanted = doc_places[start : start + len(item)]
            start += len(item)
            scores.append(self._compare(_take(query_embeddings, [place]), _take(doc_embeddings, wanted)))
        return ScoreOutput(torch.cat(scores) if scores else torch.zeros(0), tuple(len(item) for item in lists))

    def _compare(self, query: Encoded, docs: Encoded) -> Tensor:
        """Score documents for one query, from embeddings."""
        function = self.config.similarity_function
        if isinstance(query, tuple) or isinstance(docs, tuple):
            vectors, lengths = (torch.from_numpy(part) for part in docs)
            return max_sim(torch.from_numpy(query[0]), vectors, lengths, function)
        return similarity(torch.from_numpy(query), torch.from_numpy(docs), function)[0]

    def rank(self, query: str, docs: Sequence[str], top_k: int | None = None) -> list[RankedDocument]:
        """Order documents by their score for a query, best first."""
        return ranking(self.score(query, docs).scores, docs, top_k)

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False) -> None:
        """Save the model so that lir, transformers and sentence-transformers load it; whole or not at all.

        Raises:
            OutputExistsError: If the folder exists and is not to be overwritten.
        """
        config = self.config
        heads = [
            {name: weight.detach().cpu().contiguous() for name, weight in layer.state_dict().items()}
            for layer in self.layers
        ]
        with written_whole(Path(folder), overwrite=overwrite) as place, quiet():
            self.backbone.save_pretrained(place)  # pyright: ignore[reportCallIssue]
            self.tokenizer.tokenizer.save_pretrained(place)
            lir.write(place, "bi-encoder", config)
            if sentence_transformers.can_write(config):
                sentence_transformers.write(place, config, heads, self.hidden_size)
            else:
                lir.write_head_weights(place, heads)


def _unique(texts: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return the distinct texts, and for each text its place among them."""
    places: dict[Any, int] = {}
    found = [places.setdefault(text, len(places)) for text in texts]
    return list(places), found


def _take(embeddings: Encoded, places: Sequence[int]) -> Encoded:
    """Select texts by position, from either form of embeddings."""
    if not isinstance(embeddings, tuple):
        return embeddings[np.asarray(places, dtype=np.int64)]
    vectors, lengths = embeddings
    ends: np.ndarray = np.cumsum(lengths)
    rows = [np.arange(int(ends[place] - lengths[place]), int(ends[place])) for place in places]
    return vectors[np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)], lengths[
        np.asarray(places, dtype=np.int64)
    ]
