"""A few digits that tell one model from another, made of all that embeddings and scores depend on and of nothing else."""

import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lir_models.adapters import Adapter
from lir_models.digests import digests
from lir_models.fields import JsonConfig
from lir_models.onnx_runtime import runs_in_eight_bits
from lir_models.precision import before_rounding
from lir_models.tokenization import Tokenizer

#: What fingerprints made in this way begin with; those of lir-models 0.1 begin with nothing.
SCHEME = "2:"

# What a backbone's settings say of files, of training, or of how it is run.
_SETTINGS_OF_NO_SCORE = {
    "_name_or_path",
    "architectures",
    "attn_implementation",
    "auto_map",
    "dtype",
    "finetuning_task",
    "gradient_checkpointing",
    "id2label",
    "initializer_factor",
    "initializer_range",
    "label2id",
    "problem_type",
    "sbert_ce_default_activation_function",
    "sentence_transformers",
    "task_specific_params",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    "vocab_size",
}
# The same of an adapter's; where it is put the names of the weights say.
_ADAPTER_SETTINGS_OF_NO_SCORE = {
    "auto_mapping",
    "base_model_name_or_path",
    "exclude_modules",
    "inference_mode",
    "init_lora_weights",
    "modules_to_save",
    "peft_version",
    "revision",
    "target_modules",
    "task_type",
}


def fingerprint(
    model: nn.Module,
    config: JsonConfig,
    *,
    backbones: Sequence[nn.Module],
    tokenizers: Iterable[Tokenizer],
    adapters: Iterable[Adapter | None],
    unread: Collection[str] = (),
    rows: Mapping[str, Tensor] | None = None,
) -> str:
    """Return 16 hexadecimal digits, after the scheme by which they were made.

    They cover every value of each weight, the rule, the tokenizers, and what of the backbones' settings their weights do not
    show. Models that differ by rounding have one fingerprint: on a CPU or a GPU, by torch or by ONNX Runtime; and those whose
    weights were converted to half precision when they were loaded have that of the model in float32, so that documents may
    be embedded in bfloat16 on a GPU and queries in float32 on a CPU. Eight bits are more than rounding.

    Args:
        model: All weights.
        config: The rule.
        backbones: The transformers in it.
        tokenizers: Those of queries and of documents.
        adapters: What was put on the backbones.
        unread: Names of weights that no score depends on.
        rows: Those parts of them that scores do depend on.
    """
    weights = {name: weight for name, weight in model.state_dict().items() if name not in unread} | dict(rows or {})
    stored = {rounded: exact for backbone in backbones for rounded, exact in before_rounding(backbone).items()}
    told = {
        "rule": _rule(config),
        "backbones": [_settings(backbone) for backbone in backbones],
        "tokenizers": [_tokenizer(tokenizer) for tokenizer in tokenizers],
        "adapters": [
            None if adapter is None else _without(adapter.settings, _ADAPTER_SETTINGS_OF_NO_SCORE)
            for adapter in adapters
        ],
        "weights": {
            name: [list(weights[name].shape), stored.get(found, found).hex()]
            for name, found in digests(weights).items()
        },
    }
    text = json.dumps(told, sort_keys=True, default=_plain)
    return SCHEME + hashlib.sha256(text.encode()).hexdigest()[:16]


def _rule(config: JsonConfig) -> dict[str, Any]:
    """Return what differs from the defaults, so that a field which a later version adds changes no fingerprint."""
    defaults = {field.name: field.default for field in dataclasses.fields(config)}  # pyright: ignore[reportArgumentType]
    return {name: value for name, value in config.to_json().items() if name == "family" or value != defaults[name]}


def _settings(backbone: nn.Module) -> dict[str, Any]:
    config: Any = backbone.config
    values = _without(config.to_diff_dict(), _SETTINGS_OF_NO_SCORE)
    values = {name: value for name, value in values.items() if "drop" not in name}
    return values | ({"computed in": "int8"} if runs_in_eight_bits(backbone) else {})


def _tokenizer(tokenizer: Tokenizer) -> dict[str, Any]:
    inner = tokenizer.tokenizer
    backend = getattr(inner, "backend_tokenizer", None)
    if backend is None:  # one that is written in Python
        serialized = json.dumps([type(inner).__name__, inner.get_vocab()], sort_keys=True)
    else:
        # What comes before it is how the last batch was cut and padded.
        serialized = backend.to_str().partition('"added_tokens":')[2]
    return {
        "serialized": hashlib.sha256(serialized.encode()).hexdigest(),
        "max_length": tokenizer.max_length,
        "special": [inner.mask_token_id, inner.eos_token_id, tokenizer.pad_id],
        "inputs": sorted(inner.model_input_names),
        "chat_template": getattr(inner, "chat_template", None),
    }


def _without(values: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, set | frozenset) else str(value)
