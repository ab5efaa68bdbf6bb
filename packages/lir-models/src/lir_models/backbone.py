"""Loading a transformer and its tokenizer, quietly, with errors that a person can use."""

import inspect
import logging
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from lir_models.bert_layers import use_fast_layers
from lir_models.checkpoints.files import readable
from lir_models.errors import CheckpointError
from lir_models.onnx_runtime import Backend, check_encoder, use_onnx_runtime
from lir_models.precision import HALF, check_precision, use_half_precision
from lir_models.tokenization import Tokenizer

logger = logging.getLogger(__name__)

#: What sits on top of a transformer's layers: nothing, or a head that its checkpoint brings.
Architecture = Literal["base", "masked-lm", "sequence-classification", "seq2seq-lm", "causal-lm"]

_AUTO_CLASSES: dict[Architecture, str] = {
    "base": "AutoModel",
    "masked-lm": "AutoModelForMaskedLM",
    "sequence-classification": "AutoModelForSequenceClassification",
    "seq2seq-lm": "AutoModelForSeq2SeqLM",
    "causal-lm": "AutoModelForCausalLM",
}
_HEAD_NAMES: dict[Architecture, str] = {
    "base": "layers",
    "masked-lm": "masked-language-model head",
    "sequence-classification": "classification head",
    "seq2seq-lm": "language-model head",
    "causal-lm": "language-model head",
}


@dataclass(frozen=True, kw_only=True)
class BackboneOptions:
    """How a transformer is loaded.

    Args:
        dtype: In which the linear layers and attention compute.
        backend: What runs the layers at inference.
        attn_implementation: As in transformers: ``eager``, ``sdpa``, ``flash_attention_2``, …; None for its choice.
        trust_remote_code: Whether Python code from the folder may run.
    """

    dtype: torch.dtype = torch.float32
    backend: Backend = "torch"
    attn_implementation: str | None = None
    trust_remote_code: bool = False


def load_backbone(
    folder: Path,
    architecture: Architecture = "base",
    *,
    options: BackboneOptions,
    num_labels: int | None = None,
    backbone_config: Mapping[str, Any] | None = None,
    key_mapping: Mapping[str, str] | None = None,
    new_head: bool = False,
) -> nn.Module:
    """Load a folder's transformer, in evaluation mode.

    Args:
        folder: A Hugging Face model folder.
        architecture: Which head of transformers' own comes with it.
        options: Type, attention, trust.
        num_labels: Outputs of a sequence classifier.
        backbone_config: Settings to use instead of the folder's ``config.json``.
        key_mapping: Regular expressions for names of weights, and what replaces them.
        new_head: Whether the head may be newly made where the weights have none.

    Raises:
        CheckpointError: If transformers cannot read it, or weights are missing; a head is never random in silence.
    """
    import transformers

    with quiet(), readable(folder):
        config = _config(folder, backbone_config, options.trust_remote_code)
        auto = getattr(transformers, _AUTO_CLASSES[architecture])
        if architecture == "base" and _has_an_encoder_apart(config):
            auto = transformers.AutoModelForTextEncoding
        if architecture == "masked-lm":
            _check_masked_lm(folder, config)
        if num_labels is not None:
            config.num_labels = num_labels
        check_precision(config.model_type, options.dtype)
        if options.backend == "onnx":
            check_encoder(config)
        # Numbers stored in half precision need not be float32 on their way to it.
        dtype = "auto" if options.dtype in HALF else torch.float32 if options.dtype == torch.int8 else options.dtype
        keywords: dict[str, Any] = {"dtype": dtype, "trust_remote_code": options.trust_remote_code}
        if options.attn_implementation is not None:
            keywords["attn_implementation"] = options.attn_implementation
        if key_mapping is not None:
            keywords["key_mapping"] = dict(key_mapping)
        model, report = auto.from_pretrained(folder, config=config, output_loading_info=True, **keywords)
    _check_complete(folder, model, report["missing_keys"], architecture, new_head=new_head)
    # transformers would save under the names it found, which after a key_mapping nobody could load.
    model._weight_conversions = None  # noqa: SLF001
    if architecture != "sequence-classification":
        drop_pooler(model)
    model.config.use_cache = False  # keys and values are kept for generation, which a retriever never does
    use_fast_layers(model)
    if options.dtype in HALF:
        use_half_precision(model, options.dtype)
    if options.backend == "onnx":
        use_onnx_runtime(model, int8=options.dtype == torch.int8)
    return model.eval()


def _config(folder: Path, values: Mapping[str, Any] | None, trust_remote_code: bool) -> Any:
    import transformers

    if values is None:
        return transformers.AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    values = dict(values)
    return transformers.AutoConfig.for_model(values.pop("model_type"), **values)


def _has_an_encoder_apart(config: Any) -> bool:
    """Whether the kind has a decoder that an encoder does not need, as T5 has."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES

    return MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES.get(config.model_type, "").endswith("EncoderModel")


def _check_masked_lm(folder: Path, config: Any) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if config.model_type not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise CheckpointError(
            f"'{folder}' is of the kind '{config.model_type}', which has no masked-language-model head; "
            "term weights need one, as BERT, DistilBERT, RoBERTa, ELECTRA, MPNet, ALBERT and ModernBERT have."
        )


def _check_complete(
    folder: Path, model: nn.Module, missing: Collection[str], architecture: Architecture, *, new_head: bool
) -> None:
    """Refuse weights that transformers made at random, but for those that nothing uses or that may be new."""
    # What `drop_pooler` takes off; many checkpoints come without.
    unused = ("pooler.",) if architecture in ("base", "masked-lm") else ()
    missing = sorted(name for name in missing if not any(f".{part}" in f".{name}" for part in unused))
    if new_head:
        prefix = getattr(model, "base_model_prefix", "")
        missing = [name for name in missing if name.startswith(f"{prefix}.") and ".pooler." not in name]
    if missing:
        names = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        raise CheckpointError(
            f"'{folder}' lacks weights of its {_HEAD_NAMES[architecture]}: {names}. They would be random numbers."
        )


def drop_pooler(backbone: nn.Module) -> None:
    """Take off what makes one vector of a text for transformers' own classifiers: no rule of lir's on top reads it.

    So its weights, which transformers makes at random where a checkpoint has none, are neither part of a model's
    fingerprint, nor trained, nor saved.
    """
    trunk: Any = getattr(backbone, "base_model", backbone)
    if not isinstance(getattr(trunk, "pooler", None), nn.Module):
        return
    may_be_none = "add_pooling_layer" in inspect.signature(type(trunk).__init__).parameters
    trunk.pooler = None if may_be_none else _NoPooler()


class _NoPooler(nn.Module):
    """Stands where a transformer's class insists on a pooler."""

    def forward(self, hidden_states: torch.Tensor) -> None:
        del hidden_states


def load_tokenizer(
    folder: Path, *, trust_remote_code: bool = False, backbone_config: Mapping[str, Any] | None = None
) -> Tokenizer:
    """Load a folder's tokenizer; how many tokens a backbone takes, it is told by the backbone itself (`Tokenizer.fit`)."""
    from transformers import AutoTokenizer

    with quiet(), readable(folder):
        values = {} if backbone_config is None else {"config": _config(folder, backbone_config, trust_remote_code)}
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code, **values)
        # A tokenizer of a class of Lightning IR's is read as one that knows of no token types.
        if "backbone_model_type" in (backbone_config or {}) and (backbone_config or {}).get("type_vocab_size", 0) > 1:
            tokenizer.model_input_names = [*dict.fromkeys([*tokenizer.model_input_names, "token_type_ids"])]
            tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names  # what is saved
        return Tokenizer(tokenizer)


def add_tokens(backbone: nn.Module, tokenizer: Tokenizer, tokens: Collection[str]) -> None:
    """Add special tokens that the vocabulary lacks, with new embeddings where the backbone has no rows for them."""
    missing = [token for token in tokens if not tokenizer.has_token(token)]
    if not missing:
        return
    logger.info("Added to the vocabulary, with new embeddings: %s.", ", ".join(missing))
    tokenizer.tokenizer.add_special_tokens({"additional_special_tokens": missing}, replace_extra_special_tokens=False)
    model: Any = backbone
    if len(tokenizer.tokenizer) > model.get_input_embeddings().num_embeddings:
        model.resize_token_embeddings(len(tokenizer.tokenizer))


@contextmanager
def quiet() -> Generator[None]:
    """Keep transformers from reports and progress bars while it loads or saves: lir says what matters."""
    from transformers.utils import logging as transformers_logging

    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def default_device(backend: Backend = "torch") -> torch.device:
    """Return the GPU if there is one and the backend runs there, else the CPU."""
    return torch.device("cuda" if backend == "torch" and torch.cuda.is_available() else "cpu")
