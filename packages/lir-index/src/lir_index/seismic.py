"""Candidates by Seismic, which groups similar documents within each inverted list; exact scores for these alone."""

import math
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np

from lir_index.config import IndexConfig, SearchConfig, Similarity, check_count, check_share
from lir_index.documents import Documents
from lir_index.embeddings import Batch
from lir_index.errors import DamagedIndexError, IndexVersionError, MissingExtraError
from lir_index.postings import Rows
from lir_index.segment import Segment, Space
from lir_index.sparse_numpy import Candidates
from lir_index.sparse_rows import Terms, Weights
from lir_index.sparse_segment import RescoringSegment, write_documents
from lir_index.threads import in_threads
from lir_index.top_k import Found, Mask

_PACKAGE = "pyseismic-lsr"
_NAME = "clusters"


@dataclass(frozen=True)
class SeismicIndexConfig(IndexConfig):
    """Approximate search over sparse embeddings by Seismic (the extra ``seismic``).

    Args:
        similarity: How queries and documents are compared: dot or cosine. None takes what the model says.
        num_postings: Documents in a term's list, on average; those with the largest weights of all.
        centroid_fraction: Clusters of a list, as a share of its documents.
        min_cluster_size: Documents in a cluster, at least.
        summary_energy: Share of the sum of a cluster's weights that its summary keeps.

    References:
        Bruch, Nardini, Rulli and Venturini (2024), *Efficient Inverted Indexes for Approximate Retrieval over Learned
        Sparse Representations*. https://arxiv.org/abs/2404.18812
    """

    kind: ClassVar[str] = "seismic"
    similarity: Similarity | None = None
    num_postings: int = 4000
    centroid_fraction: float = 0.1
    min_cluster_size: int = 2
    summary_energy: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("num_postings", "min_cluster_size"):
            check_count(self, field)
        for field in ("centroid_fraction", "summary_energy"):
            check_share(self, field)


@dataclass(frozen=True)
class SeismicSearchConfig(SearchConfig):
    """How to search an index of the kind seismic.

    Args:
        k: Number of documents for each query.
        query_cut: Number of each query's heaviest terms whose lists are searched; all of its terms score.
        heap_factor: A cluster is looked into where its summary scores at least this share of the k-th best document so
            far: less finds more, and takes longer.
        num_threads: Queries that are searched at a time; None for as many as there are processors.
    """

    k: int = 10
    query_cut: int = 10
    heap_factor: float = 0.7
    num_threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "query_cut")
        check_share(self, "heap_factor")


class SeismicSegment(RescoringSegment):
    """A segment of the kind seismic."""

    kind = "seismic"
    config_class = SeismicIndexConfig
    search_config_class = SeismicSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self._seismic = load_seismic()
        written_by = self.details.text_or_none("written_by")
        self._clusters: Any = load_clusters(folder, space.dim, written_by) if written_by else None

    @classmethod
    def check_config(cls, config: IndexConfig) -> None:  # noqa: ARG003 - which one does not matter
        """See :meth:`Segment.check_config`."""
        load_seismic()

    @classmethod
    def write(
        cls,
        folder: Path,
        documents: Documents,
        config: IndexConfig,
        space: Space,
        like: Segment | None,  # noqa: ARG003 - lists are clustered anew
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        details = write_documents(folder, documents, space)
        rows = Rows.open(folder, "documents", documents.num_docs)
        # Seismic knows no negative weights; such documents are all scored.
        if details["least"] < 0 or len(rows.data) == 0:
            return {**details, "written_by": None}
        write_clusters(folder, rows, space.dim, cast("SeismicIndexConfig", config))
        return {**details, "written_by": version(_PACKAGE)}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        rows = self.prepared(queries)
        # More than wanted: Seismic rounds weights to half precision, and does not know who is allowed.
        count = k + 10
        if allowed is not None:
            count = math.ceil(1.5 * count * self.num_docs / np.count_nonzero(allowed))
        if self._clusters is None or (allowed is not None and count >= np.count_nonzero(allowed)):
            candidates: list[Candidates | None] = [None] * len(rows)
        else:
            candidates = self._candidates(rows, count)
        if allowed is not None:
            candidates = [None if found is None else found[allowed[found]] for found in candidates]
        return in_threads(
            lambda number: self.rank(*rows[number], candidates[number], k, allowed),
            range(len(rows)),
            self.search_config.num_threads,
        )

    def _candidates(self, queries: Sequence[tuple[Terms, Weights]], count: int) -> list[Candidates | None]:
        """Ask for all queries at once: Seismic has threads of its own, and lets no other thread run meanwhile."""
        settings = cast("SeismicSearchConfig", self.search_config)
        text = self._seismic.get_seismic_string()
        asked = [number for number, (_, weights) in enumerate(queries) if self.is_positive(weights)]
        results = self._clusters.batch_search(
            np.array(asked, dtype=text),
            [queries[number][0].astype(text) for number in asked],
            [queries[number][1] for number in asked],
            k=count,
            query_cut=settings.query_cut,
            heap_factor=settings.heap_factor,
            num_threads=settings.num_threads or 0,
        )
        candidates: list[Candidates | None] = [None] * len(queries)
        for number in asked:
            candidates[number] = np.empty(0, dtype=np.int64)
        # They come in any order; where a query has none, nothing says which one it was.
        for hits in results:
            if hits:
                candidates[int(hits[0][0])] = self._positions([doc for _, _, doc in hits])
        return candidates

    def _positions(self, names: list[str]) -> Candidates:
        """Read documents' positions back, which are their names in Seismic's file."""
        try:
            places = np.sort(np.array(names, dtype=np.int64))
        except (ValueError, OverflowError):
            places = np.array([-1])
        if places[0] < 0 or places[-1] >= self.num_docs:
            path = self.folder / f"{_NAME}.index.seismic"
            raise DamagedIndexError(f"'{path}' is damaged: it names documents that the index does not hold.")
        return places


def load_seismic() -> Any:
    """Import Seismic.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return import_module("seismic")
    except ImportError as error:
        raise MissingExtraError(
            "An index of the kind seismic needs Seismic, which is not installed.",
            hint="pip install 'lir-index[seismic]', on Linux with Python 3.11 or 3.12.",
        ) from error


def write_clusters(folder: Path, rows: Rows, dim: int, config: SeismicIndexConfig) -> None:
    """Let Seismic build its index.

    Args:
        folder: Where to.
        rows: Weights by document, none of them negative.
        dim: Size of the vocabulary.
        config: How to build it.
    """
    names = _names(dim)
    seismic = load_seismic()
    dataset = getattr(seismic, names[0])(dim)
    # Half precision ends at 65504; so the ranking is the same, and no weight is out of its range.
    largest = max(float(rows.data[entries].max(initial=0)) for _, entries in rows.blocks())
    with _quiet():
        for some, _ in rows.blocks():
            part = rows.part(some)
            places = [str(place) for place in range(some.start, some.stop)]
            dataset.add_documents_by_id(
                places, part.indices.astype(np.int64), part.data / np.float32(largest), part.indptr
            )
        clusters = getattr(seismic, names[1]).build_from_dataset(
            dataset,
            n_postings=config.num_postings,
            centroid_fraction=config.centroid_fraction,
            min_cluster_size=config.min_cluster_size,
            summary_energy=config.summary_energy,
        )
        clusters.save(str(folder / _NAME))


def load_clusters(folder: Path, dim: int, written_by: str) -> Any:
    """Read what Seismic has built.

    Args:
        folder: Where it is.
        dim: Size of the vocabulary.
        written_by: The version of Seismic that wrote it.

    Raises:
        IndexVersionError: If another version is installed: it might read something else into the file, and end the process.
        DamagedIndexError: If the file cannot be read.
    """
    path = folder / f"{_NAME}.index.seismic"
    installed = version(_PACKAGE)
    if installed != written_by:
        raise IndexVersionError(
            f"'{path}' was written by {_PACKAGE} {written_by}, and {installed} is installed.",
            hint=f"pip install {_PACKAGE}=={written_by}, or build the index again.",
        )
    try:
        return getattr(load_seismic(), _names(dim)[1]).load(str(path))
    except BaseException as error:
        # What Rust calls a panic is no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise DamagedIndexError(f"'{path}' is damaged: {error}.") from error
        raise


def _names(dim: int) -> tuple[str, str]:
    # Seismic has classes of their own for vocabularies whose terms need more than 16 bits.
    return ("SeismicDataset", "SeismicIndex") if dim <= 2**16 else ("SeismicDatasetLV", "SeismicIndexLV")


@contextmanager
def _quiet() -> Generator[None]:
    """Send to stderr what Seismic prints: stdout is for results."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
