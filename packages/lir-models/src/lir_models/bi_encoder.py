"""Bi-encoders: queries and documents are embedded apart, and their embeddings compared."""

import copy
import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_models.adapters import Adaptable, Adapter, Part
from lir_models.backbone import BackboneOptions, default_device, load_backbone, load_tokenizer
from lir_models.batching import WINDOW_SIZE, BatchRunner, Progress, in_proportion, tokenized_windows
from lir_models.checkpoints import Checkpoint
from lir_models.checkpoints.writing import save_bi_encoder
from lir_models.compilation import Compilable
from lir_models.config import BiEncoderConfig
from lir_models.embeddings import (
    BatchEmbeddings,
    Encoded,
    assemble,
    concatenated,
    empty,
    take,
    to_arrays,
    to_tensors,
    without_zeros,
)
from lir_models.encoder import Encoder, StaticEncoder
from lir_models.errors import ConfigError, InputError, WrongModelKindError
from lir_models.families.static import StaticConfig
from lir_models.fields import Form, Side
from lir_models.fingerprint import fingerprint
from lir_models.heads.dense import DenseHead
from lir_models.heads.vocabulary import VocabularyHead
from lir_models.heads.weights import load_head
from lir_models.hub import Publishable
from lir_models.inputs import as_lists, check_iterable, check_top_k, listed, one_query
from lir_models.loading import open_checkpoint, with_weights
from lir_models.model_card import ModelCard
from lir_models.onnx_runtime import Backend, check_backend
from lir_models.outputs import RankedDocument, ScoreOutput, ranking
from lir_models.precision import as_dtype
from lir_models.references import HubOptions, full_name
from lir_models.scoring import compare, xtr
from lir_models.static_backbone import load_static
from lir_models.token_pooling import pool_tokens
from lir_models.tokenization import TokenBatch, TokenizedText, Tokenizer, check_texts

logger = logging.getLogger(__name__)


class BiEncoderModel(Adaptable, Compilable, Publishable, nn.Module):
    """A backbone, and the rule by which its token embeddings become scores.

    Args:
        backbone: A transformer whose output has ``last_hidden_state``; of term weights, one with a
            masked-language-model head.
        tokenizer: Its tokenizer.
        config: The rule.
        query_backbone: The queries' own transformer, where the rule says that the encoders are not shared.
        query_tokenizer: The queries' own tokenizer; None for the documents'.
        new_tokens: Whether markers that the vocabulary lacks are added to it.
        name: What the model is called, in an index for instance.
    """

    def __init__(
        self,
        backbone: nn.Module,
        tokenizer: Tokenizer,
        config: BiEncoderConfig,
        *,
        query_backbone: nn.Module | None = None,
        query_tokenizer: Tokenizer | None = None,
        new_tokens: bool = True,
        name: str = "",
    ) -> None:
        super().__init__()
        self.name = name
        self.batches = BatchRunner()
        self.encoder = Encoder(backbone, tokenizer, config, new_tokens=new_tokens)
        self.query_encoder: Encoder | StaticEncoder | None = None
        if query_backbone is not None:
            self.query_encoder = Encoder(
                query_backbone, query_tokenizer or tokenizer, config.of_query_encoder(), new_tokens=new_tokens
            )
        elif not config.uses_backbone("query"):
            self.query_encoder = self._static_encoder(query_tokenizer or tokenizer, config, "query")
        self.doc_encoder = None if config.uses_backbone("doc") else self._static_encoder(tokenizer, config, "doc")
        head = self.encoder.head
        if isinstance(head, DenseHead):
            # Spelled out, so that the rule is the same before saving and after.
            config = config.replace(projection=tuple(layer.layer for layer in head.layers) or None)
        self.config = config

    def _static_encoder(self, tokenizer: Tokenizer, config: Any, side: Side) -> StaticEncoder:
        # sentence-transformers asks the tokenizer for the length, so it is saved there, and is what it was after loading.
        own = copy.copy(tokenizer)
        own.max_length = tokenizer.limit(getattr(config, f"{side}_length"))
        return StaticEncoder(own, config, config.make_static_head(side, self.encoder.head.decoder.out_features))

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        config: BiEncoderConfig | None = None,
        *,
        query_name_or_path: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        backend: Backend = "torch",
        attn_implementation: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        trust_remote_code: bool = False,
        **changes: Any,
    ) -> Self:
        """Load a model.

        Args:
            name_or_path: A folder, an id of the Hugging Face hub, or ``package:NAME`` for the model folder inside an
                installed Python package. The format is recognised from the files.
            config: The rule to use instead of the checkpoint's own; a plain backbone has none, and gets
                ``BiEncoderConfig()``. Heads that the checkpoint lacks are newly made.
            query_name_or_path: The queries' own encoder, where it is published apart; ``name_or_path`` is then the
                documents'. With ``shared_encoder=False`` in ``config`` and no name, it starts as a copy.
            device: Where it runs; a GPU if there is one.
            dtype: In which the backbone's linear layers and attention compute: ``float32`` (default), ``bfloat16`` or
                ``float16``; embeddings, norms, sums of residuals and heads are float32 whatever it is. With
                ``backend="onnx"`` it may be ``int8``, of linear layers alone.
            backend: What runs the backbone's layers: ``torch``, or ``onnx`` for ONNX Runtime, which runs those of
                encoders on the CPU wherever nothing is trained (extra ``onnx``).
            attn_implementation: As in transformers; None for its choice.
            revision: A branch, a tag or a commit of the hub; None for the main branch.
            token: An access token of the hub; None for the one that is logged in.
            cache_dir: Where downloads are kept; None for the usual place.
            local_files_only: Whether nothing is downloaded.
            trust_remote_code: Whether Python code from the checkpoint may run.
            **changes: Fields of the rule that are to differ from the checkpoint's: ``truncate_dim=256``, for instance.

        Raises:
            ModelNotFoundError: If there is no such model.
            CheckpointError: If its files cannot be read, or lack weights.
            WrongModelKindError: If it is a cross-encoder.
            ConfigError: If the rule, the type or the backend does not suit the model.
            MissingExtraError: If the backend's packages are not installed.
        """
        options = BackboneOptions(
            dtype=as_dtype(dtype),
            backend=backend,
            attn_implementation=attn_implementation,
            trust_remote_code=trust_remote_code,
        )
        check_backend(backend, options.dtype, device)
        hub = HubOptions(revision=revision, token=token, cache_dir=cache_dir, local_files_only=local_files_only)
        checkpoint = _bi_encoder_checkpoint(name_or_path, hub)
        found = checkpoint.config if isinstance(checkpoint.config, BiEncoderConfig) else None
        if config is None and found is None:
            logger.warning(
                "'%s' is a plain backbone, whose files name no rule for scores: it gets BiEncoderConfig(), the mean of "
                "its token embeddings, compared by dot product. Give a config for another rule.",
                name_or_path,
            )
        rule = (config or found or BiEncoderConfig()).replace(**changes)
        query_checkpoint = None if query_name_or_path is None else _bi_encoder_checkpoint(query_name_or_path, hub)
        if query_checkpoint is not None:
            rule = rule.replace(shared_encoder=False)
        checkpoint = with_weights(name_or_path, checkpoint, hub)
        query = checkpoint.query or checkpoint
        if query_checkpoint is not None and query_name_or_path is not None:
            query = with_weights(query_name_or_path, query_checkpoint, hub)
        query_folder = query.folder if query is not checkpoint else checkpoint.query_folder
        backbone, tokenizer, adapter = _load(checkpoint, checkpoint.folder, rule, options)
        query_backbone = query_tokenizer = query_adapter = None
        if not rule.shared_encoder:
            query_backbone, query_tokenizer, query_adapter = _load(
                query, query_folder or checkpoint.folder, rule, options
            )
        elif checkpoint.query_folder is not None and not rule.uses_backbone("query"):
            query_tokenizer = load_tokenizer(checkpoint.query_folder, trust_remote_code=trust_remote_code)
        model = cls(
            backbone,
            tokenizer,
            rule,
            query_backbone=query_backbone,
            query_tokenizer=query_tokenizer,
            new_tokens=config is not None or found is None,
            name=full_name(name_or_path),
        )
        model.encoder.loaded_from(checkpoint.source, adapter)
        if isinstance(model.query_encoder, Encoder):
            model.query_encoder.loaded_from(query.source, query_adapter)
        is_own = config is None and found is not None
        load_head(model.encoder.head, checkpoint, "doc", is_own=is_own)
        if model.query_encoder is not None:
            side: Side = (
                "doc" if query is not checkpoint or (rule.uses_backbone("query") and not query_folder) else "query"
            )
            load_head(model.query_encoder.head, query, side, is_own=is_own)
        return model.to(device or default_device(backend)).eval()

    def encoder_of(self, side: Side) -> Encoder | StaticEncoder:
        """Return what embeds a side's texts."""
        own = self.query_encoder if side == "query" else self.doc_encoder
        return self.encoder if own is None else own

    def _parts(self) -> list[Part]:
        return [part for part in (self.encoder, self.query_encoder) if isinstance(part, Encoder)]

    @property
    def backbone(self) -> nn.Module:
        """The transformer; of two, the documents'."""
        return self.encoder.backbone

    @property
    def backbones(self) -> list[nn.Module]:
        """The transformers: one, or the documents' and the queries'."""
        return [part.backbone for part in self._parts()]

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer; of two, the documents'."""
        return self.encoder.tokenizer

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next(self.parameters()).device

    @property
    def form(self) -> Form:
        """What embeddings are: ``dense``, ``sparse``, ``multi-vector`` or ``coil``."""
        return self.config.form

    @property
    def dim(self) -> int:
        """Width of the embeddings; of term weights, the size of the vocabulary."""
        head = self.encoder.head
        if isinstance(head, VocabularyHead):
            return head.decoder.out_features
        if isinstance(head, DenseHead):
            pooling = self.config.doc_pooling_strategy
            width = self.encoder.hidden_size * (len(pooling) if isinstance(pooling, tuple) else 1)
            if len(head.layers):
                width: int = head.layers[-1].layer.out_features  # pyright: ignore[reportAttributeAccessIssue, reportAssignmentType]
            return min(width, self.config.truncate_dim or width)
        return head.dim

    @property
    def fingerprint(self) -> str:
        """What tells this model, as it is now, from one whose embeddings differ: a scheme and 16 hexadecimal digits.

        Every weight is read each time: it takes a few hundredths of a second per hundred MB.
        """
        return fingerprint(
            self,
            self.config,
            backbones=self.backbones,
            tokenizers=[self.encoder_of(side).tokenizer for side in ("query", "doc")],
            adapters=[part.adapter for part in self._parts()],
        )

    def tokenize(self, texts: Iterable[str], side: Side) -> list[TokenizedText]:
        """Turn texts into token ids, with the prompt, the markers and the length of their side."""
        return self.encoder_of(side).tokenize(listed(texts), side)

    def embed(self, batch: TokenBatch, side: Side) -> BatchEmbeddings:
        """Embed a batch, with gradients.

        Args:
            batch: Padded token ids.
            side: Whether these are queries or documents.

        Returns:
            One float32 vector a text, or packed vectors of all texts, as the rule says.
        """
        return self.encoder_of(side)(batch, side)

    def encode_query(self, texts: str | Iterable[str], *, progress: Progress | None = None) -> Encoded:
        """Embed queries.

        Args:
            texts: One text, or several: a list, or whatever else gives them one after the other.
            progress: Called with the number of texts done since the last call.

        Returns:
            float32, by the model's form: dense, an array with one row a text (of one text not in a list, its vector);
            sparse, a ``scipy.sparse.csr_array`` with one row a text; multi-vector, packed: all vectors, and the number of
            each text's.
        """
        return self._encode(texts, "query", progress)

    def encode_document(self, texts: str | Iterable[str], *, progress: Progress | None = None) -> Encoded:
        """Embed documents; arguments and result as in `encode_query`."""
        return self._encode(texts, "doc", progress)

    def _encode(self, texts: str | Iterable[str], side: Side, progress: Progress | None) -> Encoded:
        if isinstance(texts, str):
            embeddings = self.encode_tokenized(self.tokenize([texts], side), side, progress=progress)
            return embeddings[0] if isinstance(embeddings, np.ndarray) else embeddings
        texts = listed(texts)
        check_texts(texts)
        pieces = list(self.encode_stream(texts, side, progress=progress))
        return pieces[0] if len(pieces) == 1 else concatenated(pieces) if pieces else self.encode_tokenized([], side)

    def encode_stream(
        self, texts: Iterable[str], side: Side, *, window_size: int = WINDOW_SIZE, progress: Progress | None = None
    ) -> Iterator[Encoded]:
        """Embed texts that may be more than fit in memory.

        Args:
            texts: Any number of texts; each is read when its turn comes.
            side: Whether these are ``query`` or ``doc``.
            window_size: Texts that are read, and sorted by length, at a time. Larger windows have less padding.
            progress: Called with the number of texts done since the last call.

        Returns:
            The embeddings of each window, in the order of the texts, as `encode_query` gives them.
        """
        check_iterable(texts, "texts")
        windows = tokenized_windows(texts, partial(self.tokenize, side=side), window_size, self.device)
        return (self.encode_tokenized(window, side, progress=progress) for window in windows)

    @torch.inference_mode()
    def encode_tokenized(
        self, texts: Iterable[TokenizedText], side: Side, *, progress: Progress | None = None
    ) -> Encoded:
        """Embed texts that are token ids already; result as in `encode_query`."""
        texts, width = listed(texts), self.dim
        if not texts:
            return empty(self.form, width, getattr(self.config, "cls_embedding_dim", 0))

        def embed(batch: TokenBatch) -> Any:
            embeddings: Any = self.embed(batch, side)
            return without_zeros(embeddings) if self.form == "sparse" else embeddings

        batches = self.batches.run(
            texts, embed, tokenizer=self.encoder_of(side).tokenizer, device=self.device, progress=progress
        )
        return assemble([(positions, self._finish(to_arrays(rows, width), side)) for positions, rows in batches])

    def _finish(self, embeddings: Any, side: Side) -> Any:
        factor = getattr(self.config, "pool_factor", 1)
        if side == "query" or factor == 1:
            return embeddings
        return pool_tokens(embeddings, factor, protected=getattr(self.config, "protected_tokens", 0))

    def compare(self, queries: BatchEmbeddings, docs: BatchEmbeddings) -> Float[Tensor, "queries docs"]:
        """Compare every query of a batch with every document, with gradients."""
        k_train = getattr(self.config, "k_train", None)
        if k_train is not None:
            return xtr(queries, docs, k_train, self.config.similarity_function, missing="leave out")  # pyright: ignore[reportArgumentType]
        return self._compare(queries, docs)

    def _compare(self, queries: Any, docs: Any) -> Float[Tensor, "queries docs"]:
        return compare(
            queries,
            docs,
            self.config.similarity_function,
            query_aggregation=self.config.query_aggregation_function,
            doc_aggregation=self.config.doc_aggregation_function,
        )

    def similarity(self, queries: Encoded, docs: Encoded) -> Float[Tensor, "queries docs"]:
        """Compare every query with every document, from what `encode_query` and `encode_document` gave.

        Raises:
            InputError: If the two are not of one form.
        """
        if isinstance(queries, np.ndarray) and isinstance(docs, np.ndarray):
            queries, docs = np.atleast_2d(queries), np.atleast_2d(docs)
        forms = [type(part).__name__ for part in (queries, docs)]
        if forms[0] != forms[1]:
            raise InputError(f"The queries are embedded as {forms[0]} and the documents as {forms[1]}: not comparable.")
        return self._compare(to_tensors(queries), to_tensors(docs))

    def score(
        self,
        query: str | Iterable[str],
        docs: Iterable[str] | Iterable[Iterable[str]],
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
            if wanted:
                scores.append(self.similarity(take(query_embeddings, [place]), take(doc_embeddings, wanted))[0])
        return ScoreOutput(torch.cat(scores) if scores else torch.zeros(0), tuple(len(item) for item in lists))

    def rank(self, query: str, docs: Iterable[str], top_k: int | None = None) -> list[RankedDocument]:
        """Order documents by their score for a query, best first.

        Args:
            query: One query.
            docs: Documents.
            top_k: How many are kept; None for all.

        Raises:
            InputError: If something is no text, or ``top_k`` is below 1.
        """
        top_k, docs = check_top_k(top_k), listed(docs, "documents")
        return ranking(self.score(one_query(query), docs).scores, docs, top_k)

    def save_pretrained(self, folder: str | Path, *, overwrite: bool = False, card: ModelCard | None = None) -> None:
        """Save the model, whole or not at all.

        lir and transformers load it, and sentence-transformers or PyLate where they have a word for what it does.

        Args:
            folder: Where.
            overwrite: Whether a folder that is there is replaced.
            card: What the model's card says beside what its files do.

        Raises:
            OutputExistsError: If the folder exists and is not to be overwritten.
        """
        save_bi_encoder(self, Path(folder), overwrite=overwrite, card=card or ModelCard())


def _bi_encoder_checkpoint(name_or_path: str | Path, hub: HubOptions) -> Checkpoint:
    checkpoint = open_checkpoint(name_or_path, hub)
    if checkpoint.kind == "cross-encoder":
        raise WrongModelKindError(
            f"'{name_or_path}' is a cross-encoder: it reads query and document together, and embeds neither.",
            hint="CrossEncoderModel scores and re-ranks with it",
        )
    return checkpoint


def _load(
    checkpoint: Checkpoint, folder: Path, rule: BiEncoderConfig, options: BackboneOptions
) -> tuple[nn.Module, Tokenizer, Adapter | None]:
    if isinstance(rule, StaticConfig):
        if options.backend != "torch":
            raise ConfigError(
                f"backend='{options.backend}' runs the layers of a transformer; static embeddings have none."
            )
        return *load_static(folder), None
    backbone = load_backbone(
        folder,
        "masked-lm" if rule.projection == "mlm" else "base",
        options=options,
        backbone_config=checkpoint.backbone_config,
        key_mapping=checkpoint.key_mapping,
    )
    tokenizer = load_tokenizer(
        checkpoint.tokenizer_folder(folder),
        trust_remote_code=options.trust_remote_code,
        backbone_config=checkpoint.settings(folder),
    )
    return backbone, tokenizer, None if checkpoint.adapter is None else Adapter.load(backbone, checkpoint.adapter)


def _unique(texts: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return the distinct texts, and for each text its place among them."""
    places: dict[Any, int] = {}
    found = [places.setdefault(text, len(places)) for text in texts]
    return list(places), found
