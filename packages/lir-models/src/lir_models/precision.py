"""Half precision for what takes the time, the linear layers and attention; the rest of a transformer in float32.

Embeddings, norms, sums of residuals and heads lose digits in half precision that nothing later brings back, and cost little.
"""

from functools import partial
from typing import Any

import torch
from torch import nn

from lir_models.digests import digests
from lir_models.errors import ConfigError, did_you_mean
from lir_models.fields import T5_KINDS

#: Types of half precision.
HALF = (torch.float16, torch.bfloat16)

# The attribute of a backbone that says what its weights were.
_BEFORE = "_digests_before_rounding"


def as_dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    """Return the type that a name means; None is float32.

    Raises:
        ConfigError: If there is no such type.
    """
    if isinstance(dtype, torch.dtype):
        return dtype
    names = {"float32": torch.float32, "fp32": torch.float32, "float16": torch.float16, "fp16": torch.float16}
    names |= {"bfloat16": torch.bfloat16, "bf16": torch.bfloat16, "int8": torch.int8}
    if dtype is not None and dtype not in names:
        raise ConfigError(
            f"There is no dtype '{dtype}'; it is float32, float16, bfloat16 or int8.{did_you_mean(dtype, names)}"
        )
    return names[dtype or "float32"]


def check_precision(kind: str, dtype: torch.dtype) -> None:
    """Refuse a type in which a kind of transformer overflows.

    Raises:
        ConfigError: If it does.
    """
    if kind in T5_KINDS and dtype == torch.float16:
        raise ConfigError(
            "dtype='float16' does not suit T5, whose feed-forward layers go beyond its largest number; bfloat16 does."
        )


def use_half_precision(backbone: nn.Module, dtype: torch.dtype) -> None:
    """Have a backbone compute its linear layers and attention in half precision.

    The weights of those layers are converted; all others become float32.

    Args:
        backbone: A transformer, with or without a head of its own, which stays in float32.
        dtype: One of `HALF`.
    """
    backbone.float()
    embeddings = {id(part.weight) for part in backbone.modules() if isinstance(part, nn.Embedding)}
    stored: dict[bytes, bytes] = {}
    for trunk in _trunks(backbone):
        pooler: Any = getattr(trunk, "pooler", None)
        kept = set() if pooler is None else set(pooler.modules())
        for part in trunk.modules():
            # An output layer may share its weights with the embeddings.
            if isinstance(part, nn.Linear) and part not in kept and id(part.weight) not in embeddings:
                exact = _state(part)
                part.to(dtype)
                stored |= _rounded(exact, _state(part))
        trunk.forward = partial(_in_half, trunk, dtype)
        if pooler is not None:
            pooler.forward = partial(_in_full, pooler.forward)
    setattr(backbone, _BEFORE, stored)


def before_rounding(backbone: nn.Module) -> dict[bytes, bytes]:
    """Return digests of weights that were rounded when they were converted, and of the same weights before."""
    return getattr(backbone, _BEFORE, {})


def linear_dtype(backbone: nn.Module) -> torch.dtype:
    """Return the type in which a backbone computes its linear layers."""
    return next((part.weight.dtype for part in backbone.modules() if isinstance(part, nn.Linear)), torch.float32)


def _trunks(backbone: Any) -> list[Any]:
    """Return the parts that are run as wholes, without heads."""
    if backbone.config.model_type in T5_KINDS:
        base = backbone.base_model
        return [stack for stack in (base.encoder, getattr(base, "decoder", None)) if stack is not None]
    # What a masked language model has between its layers and the output layer is like a layer.
    return [backbone if type(backbone).__name__.endswith("ForMaskedLM") else backbone.base_model]


def _state(part: nn.Module) -> dict[str, torch.Tensor]:
    # Not the tensors themselves, whose data is replaced.
    return {name: weight.detach() for name, weight in part.state_dict().items()}


def _rounded(exact: dict[str, torch.Tensor], converted: dict[str, torch.Tensor]) -> dict[bytes, bytes]:
    """Return what `before_rounding` does, of one layer; of weights that were stored in half precision, nothing."""
    changed = [name for name, weight in exact.items() if not torch.equal(weight, converted[name].to(weight.dtype))]
    before = digests({name: exact[name] for name in changed})
    after = digests({name: converted[name] for name in changed})
    return {after[name]: before[name] for name in changed}


def _in_half(trunk: Any, dtype: torch.dtype, *arguments: Any, **options: Any) -> Any:
    with torch.autocast(trunk.device.type, dtype):
        output = type(trunk).forward(trunk, *arguments, **options)
    for name, value in output.items():
        if isinstance(value, torch.Tensor) and value.dtype == dtype:
            output[name] = value.float()
    return output


def _in_full(forward: Any, values: torch.Tensor) -> Any:
    with torch.autocast(values.device.type, enabled=False):
        return forward(values.float())
