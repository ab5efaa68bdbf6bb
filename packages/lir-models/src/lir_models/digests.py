"""What tells weights apart: a hash of every value."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

# Values that are hashed at a time: few enough for all processors to have a share of a small model.
_CHUNK = 2**21


def digests(weights: Mapping[str, Tensor]) -> dict[str, bytes]:
    """Hash every value of each weight; floating point of any type as float32, so that the type does not matter."""
    tensors = {_place(weight): weight.detach().reshape(-1) for weight in weights.values()}  # tied ones once
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        waiting = {
            place: [threads.submit(_digest, part) for part in flat.split(_CHUNK)] for place, flat in tensors.items()
        }
        found = {
            place: hashlib.sha256(b"".join(part.result() for part in parts)).digest()
            for place, parts in waiting.items()
        }
    return {name: found[_place(weight)] for name, weight in weights.items()}


def _place(weight: Tensor) -> tuple[object, ...]:
    return weight.data_ptr(), weight.dtype, weight.shape, weight.stride()


def _digest(values: Tensor) -> bytes:
    if values.is_floating_point():
        values = values.float()
    return hashlib.sha256(values.cpu().contiguous().numpy().data).digest()
