"""Scores of all documents from postings, by torch, on any of its devices."""

from typing import Any

import numpy as np

from lir_index.postings import Rows
from lir_index.sparse_numpy import Candidates, NumpyEngine
from lir_index.sparse_rows import Terms, Weights
from lir_index.top_k import GROUP, Mask
from lir_index.torch_devices import load_torch, to_device


class TorchEngine(NumpyEngine):
    """See :class:`lir_index.sparse_numpy.NumpyEngine`; the results are the same.

    Args:
        postings: Weights by term; they are copied to the device.
        num_docs: Documents that they name.
        device: A device of torch.

    Raises:
        MissingExtraError: If torch is not installed.
        ArgumentError: If there is no such device, or it has no room for the postings.
    """

    def __init__(self, postings: Rows, num_docs: int, device: str) -> None:
        super().__init__(postings, num_docs)
        self._torch = load_torch(device)
        self._indices = to_device(postings.indices, device)
        self._data = to_device(postings.data, device)
        runs = -(-num_docs // GROUP)
        # Whole runs: what lies behind the last document stays 0, and is never found.
        self._scores: Any = self._torch.zeros(runs * GROUP, dtype=self._torch.float32, device=device)

    def candidates(self, terms: Terms, weights: Weights, k: int, margin: float, allowed: Mask | None) -> Candidates:
        """See :meth:`lir_index.sparse_numpy.NumpyEngine.candidates`."""
        torch, scores, indptr = self._torch, self._scores, self._postings.indptr
        scores.zero_()
        for term, weight in zip(terms.tolist(), weights.tolist(), strict=True):
            entries = slice(int(indptr[term]), int(indptr[term + 1]))
            scores.index_add_(0, self._indices[entries], self._data[entries], alpha=weight)
        if allowed is not None:
            scores[: len(allowed)].masked_fill_(torch.from_numpy(~allowed).to(scores.device), 0)
        maxima = scores.view(-1, GROUP).amax(dim=1)
        floor = 0.0 if len(maxima) < k else float(maxima.topk(k, sorted=False).values.min())
        least = max(floor * (1 - margin), float(np.finfo(np.float32).tiny))
        runs = (maxima >= least).nonzero()[:, 0]
        high = scores.view(-1, GROUP)[runs]
        row, column = (high >= least).nonzero(as_tuple=True)
        found, values = runs[row] * GROUP + column, high[row, column]
        if len(found) > k:
            found = found[values >= values.topk(k, sorted=False).values.min() * (1 - margin)]
        return found.cpu().numpy()
