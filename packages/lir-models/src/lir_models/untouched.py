"""Whether parts of a model are as transformers made them, so that what they compute may be computed in another way."""

from collections.abc import Iterator
from typing import Any

from torch import nn


def is_untouched(part: Any, **counts: int) -> bool:
    """Whether a part of transformers' has no hooks, adapters, quantization or shards.

    Args:
        part: A layer.
        **counts: How many modules it has of a class of torch's: ``Linear=6``.
    """
    modules = list(_modules(part))
    kinds = [type(module) for module in modules]
    return (
        type(part).__module__.startswith("transformers.models.")
        and all(kinds.count(getattr(nn, name)) == count for name, count in counts.items())
        and not any(
            module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)  # noqa: SLF001
            for module in modules
        )
    )


def _modules(part: Any) -> Iterator[Any]:
    """All modules of a part: ``nn.Module.modules`` would take longer than an operation of a layer."""
    waiting = [part]
    while waiting:
        module = waiting.pop()
        yield module
        waiting += filter(None, module._modules.values())  # noqa: SLF001
