"""Rough scores by torch, on any of its devices."""

from typing import Any

import numpy as np
from jaxtyping import Float32

from lir_index.config import Similarity
from lir_index.errors import ArgumentError, MissingExtraError
from lir_index.exhaustive import Hits, bounds
from lir_index.similarity import Vectors
from lir_index.top_k import Mask


class TorchEngine:
    """An :class:`lir_index.exhaustive.Engine` that keeps all vectors on a device.

    Args:
        vectors: Prepared vectors of the documents.
        similarity: How they are compared.
        device: A device of torch.

    Raises:
        MissingExtraError: If torch is not installed.
        ArgumentError: If there is no such device, or it has no room for the vectors.
    """

    def __init__(self, vectors: Vectors, similarity: Similarity, device: str) -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError(
                f"Searching on '{device}' needs torch, which is not installed.", hint="pip install 'lir-index[torch]'"
            ) from error
        self._torch: Any = torch
        self._similarity: Similarity = similarity
        try:
            # A copy in one piece, since torch takes no array that cannot be written to.
            self._vectors = torch.empty(vectors.shape, dtype=torch.float32, device=device)
            for start in range(0, len(vectors), 65536):
                block = torch.from_numpy(vectors[start : start + 65536].copy())
                self._vectors[start : start + 65536] = block
        except (RuntimeError, AssertionError) as error:
            # A build of torch without CUDA answers with an AssertionError.
            reason = str(error).splitlines()[0]
            raise ArgumentError(f"The vectors cannot be copied to the device '{device}': {reason}") from error
        self._squares = (self._vectors * self._vectors).sum(dim=1) if similarity == "l2" else None

    def hits(
        self,
        start: int,
        stop: int,
        queries: Vectors,
        floor: Float32[np.ndarray, " q"],
        margin: Float32[np.ndarray, " q"],
        k: int,
        allowed: Mask | None,
    ) -> Hits:
        """See :class:`lir_index.exhaustive.Engine`."""
        torch, device = self._torch, self._vectors.device
        asked = torch.from_numpy(queries).to(device)
        documents = self._vectors[start:stop]
        scores = self._product(asked, documents.T)
        if self._squares is not None:
            scores = 2 * scores - self._squares[start:stop] - (asked * asked).sum(dim=1)[:, None]
        if allowed is not None:
            scores.masked_fill_(torch.from_numpy(~allowed).to(device), -torch.inf)
        if stop - start >= k:
            kth = scores.topk(k, dim=1).values[:, -1].cpu().numpy()
            floor = np.maximum(floor, kth)
        least = torch.from_numpy(bounds(floor, margin)).to(device)
        query, document = torch.nonzero(scores >= least[:, None], as_tuple=True)
        values = scores[query, document]
        return floor, query.cpu().numpy(), document.cpu().numpy(), values.cpu().numpy()

    def _product(self, left: Any, right: Any) -> Any:
        # TF32 keeps 10 bits of a factor, and the margin counts on 23.
        torch = self._torch
        asked_for = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            return left @ right
        finally:
            torch.set_float32_matmul_precision(asked_for)
