"""MaxSim of queries with all documents by torch, on any of its devices."""

import numpy as np
from jaxtyping import Float32, Int64

from lir_index.max_sim import aggregate
from lir_index.max_sim_rough import blocks_of, rows_of_block
from lir_index.segment import Space
from lir_index.similarity import Vectors
from lir_index.top_k import Positions
from lir_index.torch_devices import load_torch, multiply, to_device


class TorchEngine:
    """See :class:`lir_index.max_sim_rough.NumpyEngine`; all vectors are kept on a device.

    Args:
        vectors: Prepared vectors of all documents.
        device: A device of torch.

    Raises:
        MissingExtraError: If torch is not installed.
        ArgumentError: If there is no such device, or it has no room for the vectors.
    """

    def __init__(self, vectors: Vectors, device: str) -> None:
        self._torch = load_torch(device)
        self._vectors = to_device(vectors, device)

    def scores(
        self,
        queries: Vectors,
        query_lengths: Int64[np.ndarray, " q"],
        lengths: Int64[np.ndarray, " docs"],
        documents: Positions,
        space: Space,
    ) -> Float32[np.ndarray, "q chosen"]:
        """See :meth:`lir_index.max_sim_rough.NumpyEngine.scores`."""
        torch, device = self._torch, self._vectors.device
        ends = np.cumsum(lengths)
        asked = torch.from_numpy(queries).to(device)
        matches = []
        for block in blocks_of(documents, lengths, 2**18):
            rows = rows_of_block(block, lengths, ends)
            vectors = self._vectors[rows if isinstance(rows, slice) else torch.from_numpy(rows).to(device)]
            values = multiply(vectors, asked.T)
            if space.similarity == "l2":
                squares = (vectors * vectors).sum(dim=1)[:, None] + (asked * asked).sum(dim=1)
                values = -(squares - 2 * values).clamp_(min=0).sqrt_()
            counts = torch.from_numpy(lengths[block]).to(device)
            matches.append(torch.segment_reduce(values, space.doc_aggregation, lengths=counts, axis=0, unsafe=True))
        matches = torch.cat(matches).T.cpu().numpy()
        return aggregate(matches, query_lengths, space.query_aggregation)
