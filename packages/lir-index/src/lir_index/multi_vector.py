"""Several vectors for each document, all of them compared: exact MaxSim."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from lir_index.array_checks import check_vectors
from lir_index.config import DenseIndexConfig, IndexConfig, SearchConfig
from lir_index.documents import Documents, pieces, prepared
from lir_index.embeddings import Batch, Form
from lir_index.max_sim_ranking import MaxSimRanking
from lir_index.max_sim_rough import NumpyEngine
from lir_index.packed import VECTORS, open_lengths, write_lengths
from lir_index.ragged import cut
from lir_index.segment import Segment, Space
from lir_index.similarity import prepare
from lir_index.storage import ArrayWriter, map_array
from lir_index.top_k import Found, Mask

# Queries whose vectors are multiplied with the documents' at once: the product of a block stays in the cache.
_QUERY_VECTORS = 256


@dataclass(frozen=True)
class MultiVectorIndexConfig(DenseIndexConfig):
    """Exact search over multi-vector embeddings, by numpy or torch; on disk plain ``.npy`` arrays.

    Args:
        similarity: How two vectors are compared: dot, cosine or l2. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
    """

    kind: ClassVar[str] = "multi-vector"


@dataclass(frozen=True)
class MultiVectorSearchConfig(SearchConfig):
    """How to search an index of the kind multi-vector.

    Args:
        k: Number of documents for each query.
        device: ``cpu`` searches with numpy; anything else is a device of torch, as ``cuda`` or ``cuda:1``, that the
            vectors are copied to (the extra ``torch``). The result is the same.
        num_threads: Threads of a search; None for as many as there are.
    """

    k: int = 10
    device: str = "cpu"
    num_threads: int | None = None


class MultiVectorSegment(Segment):
    """A segment of the kind multi-vector."""

    kind = "multi-vector"
    forms: ClassVar[tuple[Form, ...]] = ("multi-vector",)
    config_class = MultiVectorIndexConfig
    search_config_class = MultiVectorSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        settings = cast("MultiVectorSearchConfig", search_config)
        self._lengths = open_lengths(folder, num_docs)
        self._vectors = map_array(folder / VECTORS, np.float32, (int(self._lengths.sum()), space.dim))
        if settings.device == "cpu":
            engine: Any = NumpyEngine(self._vectors, settings.num_threads)
        else:
            from lir_index.max_sim_torch import TorchEngine

            engine = TorchEngine(self._vectors, settings.device)
        self._ranking = MaxSimRanking(
            engine, self._vectors, self._lengths, self.details.number("longest"), space, self.doc_ids.ranks
        )

    @classmethod
    def write(
        cls,
        folder: Path,
        documents: Documents,
        config: IndexConfig,  # noqa: ARG003 - nothing to tune
        space: Space,
        like: Segment | None,  # noqa: ARG003 - nothing was trained
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        write_lengths(folder, documents)
        longest = 0.0
        with ArrayWriter(folder / VECTORS, (space.dim,)) as file:
            for vectors, norms in prepared(documents, space.similarity):
                file.append(vectors)
                longest = max(longest, float(norms.max(initial=0)))
        return {"longest": longest}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        vectors, norms = prepare(
            queries.values, self.space.similarity, lambda i: f"query {queries.row_of_value(i) + 1}"
        )
        # What has no vector is similar to nothing.
        has_vectors = self._lengths > 0
        documents = np.flatnonzero(has_vectors if allowed is None else has_vectors & allowed)
        lengths = queries.arrays["lengths"]
        if len(documents) == 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(lengths)
        results: Found = []
        for some, rows in cut(lengths, _QUERY_VECTORS):
            results += self._ranking.best(vectors[rows], norms[rows], lengths[some], k, documents)
        return results

    def check(self) -> None:
        """See :meth:`Segment.check`."""
        super().check()
        check_vectors(self.folder / VECTORS, self._vectors)

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        return pieces(self._vectors, self._lengths)
