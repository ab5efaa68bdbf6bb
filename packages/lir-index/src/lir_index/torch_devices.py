"""torch, where it is installed, and copies of arrays on its devices."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lir_index.errors import ArgumentError, MissingExtraError


def load_torch(device: str) -> Any:
    """Import torch.

    Args:
        device: What it is wanted for, named in the message.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            f"Searching on '{device}' needs torch, which is not installed.", hint="pip install 'lir-index[torch]'"
        ) from error
    return torch


def to_device(array: npt.NDArray[Any], device: str) -> Any:
    """Copy an array, which may be memory-mapped, to a device of torch, some megabytes at a time.

    Raises:
        MissingExtraError: If torch is not installed.
        ArgumentError: If there is no such device, or it has no room.
    """
    torch = load_torch(device)
    step = max(1, 2**22 // max(1, int(np.prod(array.shape[1:]))))
    try:
        copy = torch.empty(array.shape, dtype=getattr(torch, array.dtype.name), device=device)
        for start in range(0, len(array), step):
            # torch takes no array that cannot be written to, hence the copy of a piece.
            copy[start : start + step] = torch.from_numpy(array[start : start + step].copy())
    except (RuntimeError, AssertionError) as error:
        # A build of torch without CUDA answers with an AssertionError.
        reason = str(error).splitlines()[0]
        raise ArgumentError(f"The index cannot be copied to the device '{device}': {reason}") from error
    return copy


def multiply(left: Any, right: Any) -> Any:
    """Multiply matrices with all bits of a float32, where TF32 would keep 10 of a factor's 23."""
    torch = load_torch(str(left.device))
    asked_for = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        return left @ right
    finally:
        torch.set_float32_matmul_precision(asked_for)
