"""Cross-encoders: query and document are read together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lir_models.adapters import Adaptable, Adapter, Part, head_names
from lir_models.backbone import (
    Architecture,
    BackboneOptions,
    add_tokens,
    default_device,
    drop_pooler,
    load_backbone,
    load_tokenizer,
)
from lir_models.batching import WINDOW_SIZE, BatchRunner, Progress, tokenized_windows
from lir_models.bert_layers import looked_at
from lir_models.checkpoints import Checkpoint, sequence_classification
from lir_models.checkpoints.checkpoint import Source
from lir_models.checkpoints.files import read_settings
from lir_models.checkpoints.writing import save_cross_encoder
from lir_models.compilation import Compilable
from lir_models.config import CrossEncoderConfig
from lir_models.errors import ConfigError, WrongModelKindError
from lir_models.families.mono import MonoConfig
from lir_models.families.set_encoder import SetEncoderConfig
from lir_models.fields import T5_KINDS
from lir_models.fingerprint import fingerprint
from lir_models.heads.dense import ACTIVATIONS
from lir_models.heads.ranking import CausalRanker, PooledRanker, T5Ranker
from lir_models.heads.set_attention import register, use_set_attention
from lir_models.heads.weights import load_head
from lir_models.hub import Publishable
from lir_models.inputs import as_lists, as_pairs, check_iterable, check_top_k, listed, one_query
from lir_models.loading import open_checkpoint, with_weights
from lir_models.model_card import ModelCard
from lir_models.onnx_runtime import Backend, check_backend
from lir_models.outputs import RankedDocument, ScoreOutput, ranking
from lir_models.precision import as_dtype
from lir_models.references import HubOptions, full_name
from lir_models.room import check_room
from lir_models.tokenization import PairLayout, TokenBatch, TokenizedText, Tokenizer, check_texts, collate

_INTERACTION = "[INT]"


class CrossEncoderModel(Adaptable, Compilable, Publishable, nn.Module):
    """A transformer that reads pairs, and the rule by which it scores them.

    Args:
        backbone: A transformer: with a classification head, whose output has ``logits``; without, where the rule has a
            pooling strategy; or T5 with its language-model head.
        tokenizer: Its tokenizer.
        config: The rule.
        name: What the model is called.
    """

    def __init__(
        self, backbone: nn.Module, tokenizer: Tokenizer, config: CrossEncoderConfig, *, name: str = ""
    ) -> None:
        super().__init__()
        tokenizer.fit(backbone)
        self.batches = BatchRunner()
        self.head: PooledRanker | T5Ranker | CausalRanker | None = None
        if isinstance(config, MonoConfig):
            if _is_t5(backbone.config):
                self.head = T5Ranker(backbone, config)
            elif config.answers is not None:
                self.head = CausalRanker(tokenizer, config)
            elif config.pooling_strategy is not None:
                drop_pooler(backbone)
                self.head = PooledRanker(backbone.config.hidden_size, config)  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]
        self._inserted: tuple[int, ...] = ()
        self._set_options: dict[str, int] = {}
        if isinstance(config, SetEncoderConfig):
            use_set_attention(backbone)
            self._set_options = {"set_token": tokenizer.num_leading if config.add_extra_token else 0}
            if config.add_extra_token:
                add_tokens(backbone, tokenizer, [_INTERACTION])
                token = tokenizer.token_id(_INTERACTION)
                # Lightning IR's tokenizers put it there themselves.
                self._inserted = () if token in tokenizer.tokenizer("a", "a")["input_ids"] else (token,)
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.config = config
        self.name = name
        self.source: Source | None = None
        self.adapter: Adapter | None = None
        self._check_lengths()
        # Decoders look for the last token of a row by the padding token.
        backbone.config.pad_token_id = tokenizer.pad_id  # pyright: ignore[reportAttributeAccessIssue, reportArgumentType]

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self.scores_sets:
            register()

    @classmethod
    def from_pretrained(
        cls,
        name_or_path: str | Path,
        config: CrossEncoderConfig | None = None,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        backend: Backend = "torch",
        attn_implementation: str | None = None,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
        trust_remote_code: bool = False,
    ) -> Self:
        """Load a model.

        Args:
            name_or_path: A folder, an id of the Hugging Face hub, or ``package:NAME`` for the model folder inside an
                installed Python package. A plain backbone gets a new classification head.
            config: The rule to use instead of the checkpoint's own.
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

        Raises:
            ModelNotFoundError: If there is no such model.
            CheckpointError: If its files cannot be read, or lack weights.
            WrongModelKindError: If it is a bi-encoder.
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
        checkpoint = open_checkpoint(name_or_path, hub)
        if checkpoint.kind == "bi-encoder" and config is None:
            raise WrongModelKindError(
                f"'{name_or_path}' is a bi-encoder: it embeds query and document apart.",
                hint="BiEncoderModel scores with it; a config makes a new cross-encoder of its backbone",
            )
        checkpoint = with_weights(name_or_path, checkpoint, hub)
        found = checkpoint.config if isinstance(checkpoint.config, CrossEncoderConfig) else None
        rule = config or found or MonoConfig()
        if backend == "onnx" and isinstance(rule, SetEncoderConfig):
            raise ConfigError(
                "backend='onnx' has no attention across documents, which a set-encoder needs; 'torch' has."
            )
        settings = checkpoint.settings(checkpoint.folder)
        architecture = _architecture(rule, checkpoint, settings)
        if architecture == "seq2seq-lm" and config is None and found is None:
            raise ConfigError(
                f"'{name_or_path}' is a T5, whose files do not say how it ranks: give config=MonoConfig("
                "scoring_strategy='mono') for monoT5, MonoConfig(scoring_strategy='rank') for RankT5, or register it.",
                hint="register_checkpoint says it once for all calls",
            )
        tokenizer = load_tokenizer(
            checkpoint.tokenizer_folder(checkpoint.folder),
            trust_remote_code=trust_remote_code,
            backbone_config=settings,
        )
        is_classifier = architecture == "sequence-classification"
        is_new_head = found is None or found.num_labels != rule.num_labels or checkpoint.adapter is not None
        backbone = load_backbone(
            checkpoint.folder,
            architecture,
            options=options,
            num_labels=rule.num_labels if is_classifier else None,
            backbone_config=settings,
            new_head=is_classifier and is_new_head,
        )
        model = cls(backbone, tokenizer, rule, name=full_name(name_or_path))
        model.source = checkpoint.source
        if isinstance(model.head, T5Ranker) and not checkpoint.heads("doc") and isinstance(rule, MonoConfig):
            model.head.take_rows(backbone, tokenizer, rule)
        elif model.head is not None:
            load_head(model.head, checkpoint, "doc", is_own=config is None and found is not None)
        if checkpoint.adapter is not None:
            model.adapter = Adapter.load(backbone, checkpoint.adapter, heads=head_names(backbone))
        return model.to(device or default_device(backend)).eval()

    def new_adapter(self, config: Any, source: Source) -> Adapter:
        """Make an adapter; the head is trained with it."""
        if isinstance(self.head, T5Ranker | CausalRanker):
            return Adapter.add(self.backbone, config, source=source, task=None)
        if self.head is not None:
            return Adapter.add(self.backbone, config, source=source, task="FEATURE_EXTRACTION")
        return Adapter.add(self.backbone, config, source=source, task="SEQ_CLS", heads=head_names(self.backbone))

    def _parts(self) -> list[Part]:
        return [self]

    @property
    def backbones(self) -> list[nn.Module]:
        """The transformer, in a list as a bi-encoder has it."""
        return [self.backbone]

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next(self.parameters()).device

    @property
    def scores_sets(self) -> bool:
        """Whether the documents of a query are scored together, so that a score depends on the others."""
        return bool(self._set_options)

    @property
    def fingerprint(self) -> str:
        """What tells this model, as it is now, from one whose scores differ: a scheme and 16 hexadecimal digits.

        Every weight is read each time: it takes a few hundredths of a second per hundred MB.
        """
        rows = self.head.rows_read(self.backbone) if isinstance(self.head, CausalRanker) else None
        return fingerprint(
            self,
            self.config,
            backbones=self.backbones,
            tokenizers=[self.tokenizer],
            adapters=[self.adapter],
            unread=self._unread(),
            rows=rows,
        )

    def _unread(self) -> list[str]:
        """Name the weights that no score depends on: a language model's output layer, but for rows that a head has."""
        if not isinstance(self.head, T5Ranker | CausalRanker):
            return []
        output = self.backbone.get_output_embeddings()  # pyright: ignore[reportCallIssue]
        prefix = next((name for name, part in self.named_modules() if part is output), None)
        return [] if output is None or prefix is None else [f"{prefix}.{name}" for name in output.state_dict()]

    def _check_lengths(self) -> None:
        """Refuse lengths in which a query or a document would have no token of its own."""
        config, tokenizer, name = self.config, self.tokenizer, type(self.config).__name__
        prompts = {"query": tokenizer.count(config.query_prompt), "doc": tokenizer.count(config.doc_prompt)}
        for side, prompt in prompts.items():
            length = getattr(config, f"{side}_length")
            check_room(
                f"{name}.{side}_length", length, length, prompt + 1, f"{prompt} of the prompt, and one of the text"
            )
        if getattr(config, "chat_template", False) and not tokenizer.tokenizer.chat_template:
            return
        text, limit, layout = "a", tokenizer.max_length, PairLayout(inserted=self._inserted)
        tokenizer.max_length = None
        around = len(self._laid_out([text], [text], layout)[0].input_ids) - 2 * tokenizer.count(text)
        tokenizer.max_length = limit
        # Each text is sure of half of the room, so both have what the longer prompt needs.
        half = max(prompts.values()) + 1
        needs = f"{around} tokens around the texts, and {half} for each of them, prompts included"
        check_room(
            f"{name}.max_length", config.max_length, tokenizer.limit(config.max_length), around + 2 * half, needs
        )

    def tokenize(self, queries: Iterable[str], docs: Iterable[str]) -> list[TokenizedText]:
        """Turn pairs of a query and a document into token ids.

        A pair that is too long is cut in its longer text first, so that each keeps half of the room that there is for
        both, or all of itself. What stands around the texts, a chat template's end for instance, stays whole.
        """
        config, queries, docs = self.config, listed(queries, "queries"), listed(docs, "documents")
        queries = [config.query_prompt + query for query in queries] if config.query_prompt else queries
        docs = [config.doc_prompt + doc for doc in docs] if config.doc_prompt else docs
        layout = PairLayout(
            length=config.max_length,
            query_length=config.query_length,
            doc_length=config.doc_length,
            inserted=self._inserted,
        )
        return self._laid_out(queries, docs, layout)

    def _laid_out(self, queries: Sequence[str], docs: Sequence[str], layout: PairLayout) -> list[TokenizedText]:
        config = self.config
        if isinstance(self.head, T5Ranker):
            ending = "Relevant:" if config.scoring_strategy == "mono" else ""
            return self.tokenizer.asked(queries, docs, layout, ending)
        if isinstance(config, MonoConfig) and config.chat_template:
            return self.tokenizer.chats(queries, docs, layout, config.instruction)
        return self.tokenizer.pairs(queries, docs, layout)

    def score_batch(self, batch: TokenBatch, num_docs: Sequence[int] = ()) -> Float[Tensor, " pairs"]:
        """Score a batch of pairs, with gradients: raw scores, float32.

        Args:
            batch: Pairs, those of a query behind each other.
            num_docs: Pairs of each query; only a Set-Encoder asks. Empty if all are one query's.
        """
        logits = self._seen_logits(batch, num_docs)
        if self.config.scoring_strategy == "mono":
            return logits.log_softmax(dim=-1)[:, 1]
        if isinstance(self.config, MonoConfig) and self.config.labels is not None:
            return logits.log_softmax(dim=-1)[:, self.config.scored_label]
        return logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]

    def _seen_logits(self, batch: TokenBatch, num_docs: Sequence[int] = ()) -> Float[Tensor, "pairs labels"]:
        """Return the logits of pairs, by layers that leave out what the head does not look at."""
        # Of the kinds whose layers may leave tokens out, all classify by the first.
        takes_first = self.head is None or (isinstance(self.head, PooledRanker) and self.head.takes_first_token)
        first_only = takes_first and self.tokenizer.padding_side == "right"
        with looked_at(first_token_only=first_only):
            return self._logits(batch, num_docs)

    def _logits(self, batch: TokenBatch, num_docs: Sequence[int]) -> Float[Tensor, "pairs labels"]:
        if self.head is None:
            return self.backbone(**batch.inputs()).logits.float()
        if not self.scores_sets:
            return self.head(self.backbone, batch)
        sizes = tuple(num_docs) or (len(batch.input_ids),)
        return self.head(self.backbone, batch, set_sizes=sizes, **self._set_options)

    def score(
        self,
        query: str | Iterable[str],
        docs: Iterable[str] | Iterable[Iterable[str]],
        *,
        progress: Progress | None = None,
    ) -> ScoreOutput:
        """Score documents for a query, or for each of several queries its own documents; raw scores.

        Args:
            query: One query or several.
            docs: The documents of the one query, or a list of documents for each query.
            progress: Called with the number of documents done since the last call.

        Raises:
            InputError: If something is no text, or lists do not pair up.
        """
        self._check_label()
        queries, lists = as_lists(query, docs)
        docs_of = list(zip(queries, lists, strict=True))
        num_docs = tuple(map(len, lists))
        if self.scores_sets:
            scores = [self._score_set(query, item, progress) for query, item in docs_of if item]
        else:
            pairs = [(query, doc) for query, item in docs_of for doc in item]
            check_texts(queries)
            check_texts([doc for _, doc in pairs])
            scores = list(self.score_stream(pairs, progress=progress))
        return ScoreOutput(torch.cat(scores) if scores else torch.zeros(0), num_docs)

    def score_stream(
        self, pairs: Iterable[tuple[str, str]], *, window_size: int = WINDOW_SIZE, progress: Progress | None = None
    ) -> Iterator[Float[Tensor, " pairs"]]:
        """Score pairs of a query and a document that may be more than fit in memory; raw scores.

        Args:
            pairs: Any number of pairs; each is read when its turn comes.
            window_size: Pairs that are read, and sorted by length, at a time. Larger windows have less padding.
            progress: Called with the number of pairs done since the last call.

        Returns:
            The scores of each window, in the order of the pairs.

        Raises:
            WrongModelKindError: If the model is a Set-Encoder, which scores the documents of a query together.
        """
        if self.scores_sets:
            raise WrongModelKindError(
                f"{self.name or 'The model'} scores the documents of a query together, not pairs one by one.",
                hint="score takes a query with its documents",
            )
        self._check_label()
        check_iterable(pairs, "pairs")
        windows = tokenized_windows(pairs, self._tokenize_pairs, window_size, self.device)
        return (self.score_tokenized(window, progress=progress) for window in windows)

    @property
    def _gives_all_labels(self) -> bool:
        """Whether there are several labels, and none of them is the score."""
        return isinstance(self.config, MonoConfig) and self.config.labels is not None and self.config.label is None

    def _check_label(self) -> None:
        if self._gives_all_labels and isinstance(self.config, MonoConfig):
            _ = self.config.scored_label  # which says that there is none

    def _tokenize_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[TokenizedText]:
        pairs = as_pairs(pairs)
        return self.tokenize([query for query, _ in pairs], [doc for _, doc in pairs])

    @torch.inference_mode()
    def _score_set(self, query: str, docs: Sequence[str], progress: Progress | None) -> Float[Tensor, " docs"]:
        """Score the documents of one query together; float32, on the CPU."""
        tokenizer = self.tokenizer
        pairs = self.tokenize([query] * len(docs), docs)
        batch = collate(pairs, pad_id=tokenizer.pad_id, padding_side=tokenizer.padding_side)
        scores = self.score_batch(batch.to(self.device)).cpu()
        if progress is not None:
            progress(len(docs))
        return scores

    @torch.inference_mode()
    def score_tokenized(
        self, pairs: Iterable[TokenizedText], *, progress: Progress | None = None
    ) -> Float[Tensor, " pairs"]:
        """Score pairs that are token ids already; float32, on the CPU."""
        pairs = listed(pairs, "pairs")
        scores = torch.zeros(len(pairs))
        for positions, values in self.batches.run(
            pairs, self.score_batch, tokenizer=self.tokenizer, device=self.device, progress=progress
        ):
            scores[torch.from_numpy(positions)] = values
        return scores

    def predict(self, pairs: Iterable[tuple[str, str]]) -> Float[np.ndarray, "pairs ..."]:
        """Score pairs of a query and a document, with the checkpoint's activation, a sigmoid for instance.

        As `CrossEncoder.predict` of sentence-transformers. A Set-Encoder takes pairs of the same query that follow each
        other as one set. Of several labels, none of which is the score, there is a column for each.

        Args:
            pairs: A list of pairs, or whatever else gives them one after the other.

        Raises:
            InputError: If an item is no pair of texts, or the pairs are one pair that is not in a list.
        """
        pairs = as_pairs(pairs)
        if self._gives_all_labels:
            return ACTIVATIONS[self.config.activation](self._label_logits(pairs)).numpy()
        groups = [list(group) for _, group in groupby(pairs, key=itemgetter(0))]
        output = self.score([group[0][0] for group in groups], [[doc for _, doc in group] for group in groups])
        return ACTIVATIONS[self.config.activation](output.scores).numpy()

    @torch.inference_mode()
    def _label_logits(self, pairs: Sequence[tuple[str, str]]) -> Float[Tensor, "pairs labels"]:
        logits = torch.zeros(len(pairs), self.config.num_labels)
        for positions, values in self.batches.run(
            self._tokenize_pairs(pairs), self._seen_logits, tokenizer=self.tokenizer, device=self.device
        ):
            logits[torch.from_numpy(positions)] = values
        return logits

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

        lir loads it, and sentence-transformers where it has a word for all that the model does; else a warning says that
        the folder is lir's alone.

        Args:
            folder: Where.
            overwrite: Whether a folder that is there is replaced.
            card: What the model's card says beside what its files do.

        Raises:
            OutputExistsError: If the folder exists and is not to be overwritten.
        """
        save_cross_encoder(self, Path(folder), overwrite=overwrite, card=card or ModelCard())


def _is_t5(settings: Any) -> bool:
    """Whether a backbone is an encoder with a decoder and a language-model head, of the kinds of T5."""
    return settings.model_type in T5_KINDS and bool(settings.is_encoder_decoder)


def _architecture(rule: CrossEncoderConfig, checkpoint: Checkpoint, settings: Mapping[str, Any] | None) -> Architecture:
    values = settings if settings is not None else read_settings(checkpoint.folder / "config.json")
    if values.get("model_type") in T5_KINDS and not sequence_classification.detect(checkpoint.folder):
        return "seq2seq-lm"
    if isinstance(rule, MonoConfig) and rule.answers is not None:
        return "causal-lm"
    pools = isinstance(rule, MonoConfig) and rule.pooling_strategy is not None
    return "base" if pools else "sequence-classification"
