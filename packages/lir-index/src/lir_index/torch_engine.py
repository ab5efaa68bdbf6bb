"""Rough scores by torch, on any of its devices."""

import numpy as np
from jaxtyping import Float32

from lir_index.config import Similarity
from lir_index.exhaustive import Hits, bounds
from lir_index.similarity import Vectors
from lir_index.top_k import Mask
from lir_index.torch_devices import load_torch, multiply, to_device


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
        self._torch = load_torch(device)
        self._similarity: Similarity = similarity
        self._vectors = to_device(vectors, device)
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
        scores = multiply(asked, documents.T)
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
