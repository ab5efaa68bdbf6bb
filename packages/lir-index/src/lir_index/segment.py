"""What an index kind is: how documents that are indexed together become files, and how these are searched.

An index is one or more segments: the first holds what it was built from, and each later addition is another one. A kind
is one heir of :class:`Segment` with its two configs, in a file of its own, and a row in :mod:`lir_index.kinds`.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lir_index.config import Aggregation, IndexConfig, SearchConfig, Similarity
from lir_index.doc_ids import DocIds
from lir_index.documents import Documents
from lir_index.embeddings import Batch, Form
from lir_index.errors import DamagedIndexError, UnsupportedError
from lir_index.fields import Fields
from lir_index.top_k import Found, Mask, Positions


@dataclass(frozen=True)
class Space:
    """What embeddings are like, and how two of them are compared.

    Args:
        form: Dense, sparse, multi-vector, COIL's or text.
        dim: Components of a vector; of texts, 0.
        similarity: How two vectors are compared.
        query_aggregation: How the values of a query's vectors become one score: sum, mean or max.
        doc_aggregation: How a query vector's similarities with a document's vectors become one value.
    """

    form: Form
    dim: int
    similarity: Similarity
    query_aggregation: Aggregation = "sum"
    doc_aggregation: Aggregation = "max"


class Segment(ABC):
    """Documents that were indexed together, opened for search.

    Attributes:
        kind: Name of the index kind.
        forms: The forms of embeddings that the kind takes.
        similarities: The similarities that it searches by.
        config_class: How it is built.
        search_config_class: How it is searched.
        scores_by_collection: Whether a score depends on all documents of the index; an addition rewrites the index then.
    """

    kind: ClassVar[str]
    forms: ClassVar[tuple[Form, ...]] = ("dense",)
    similarities: ClassVar[tuple[Similarity, ...]] = ("dot", "cosine", "l2")
    config_class: ClassVar[type[IndexConfig]]
    search_config_class: ClassVar[type[SearchConfig]]
    scores_by_collection: ClassVar[bool] = False

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        self.folder = folder
        self.space = space
        self.num_docs = num_docs
        self.details = Fields(folder.parent / "index.json", dict(details), f"segments[{folder.name}].details.")
        self.search_config = search_config
        self.doc_ids = DocIds(folder)
        if len(self.doc_ids) != num_docs:
            raise DamagedIndexError(f"'{folder}' is damaged: it has {len(self.doc_ids)} document ids, not {num_docs}.")

    def check(self) -> None:
        """Look at all values that a search relies on, as it has to be done once with files that came from elsewhere.

        Raises:
            DamagedIndexError: If a search could leave the arrays, or find what is no document.
        """
        self.doc_ids.check()

    @classmethod  # noqa: B027 - most kinds can always be built
    def check_config(cls, config: IndexConfig) -> None:
        """Refuse, before the first document is read, what cannot be built here.

        Raises:
            MissingExtraError: If a package that the kind needs is not installed.
            ArgumentError: If that package does not have what the config names.
        """

    @classmethod
    def dtype(cls, config: IndexConfig) -> str:  # noqa: ARG003 - heirs look at it
        """The type of a component on disk."""
        return "float32"

    @classmethod
    @abstractmethod
    def write(
        cls, folder: Path, documents: Documents, config: IndexConfig, space: Space, like: Self | None
    ) -> Mapping[str, Any]:
        """Write the files that this kind needs beside the document ids.

        Args:
            folder: Where to; it exists, and is not yet part of an index.
            documents: The embeddings, of one of this kind's forms.
            config: The config, of this kind.
            space: How the embeddings are compared.
            like: A segment of the same index, whose centroids and codes the new one takes over; None if it is the
                first.

        Returns:
            What the kind notes about its files: ``details`` in the manifest.
        """

    @abstractmethod
    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """Find the best documents for each query.

        Args:
            queries: Embeddings that have been checked: of this space, and finite.
            k: Number of results wanted, not more than there are allowed documents.
            allowed: Which documents may be found; None for all.

        Returns:
            Positions in this segment and scores, best first; of equal scores the smaller document id first.
        """

    def stored(self) -> Iterator[Batch]:
        """The embeddings as they lie in the segment, in order, a piece at a time.

        Raises:
            UnsupportedError: If the kind does not keep them as they were given.
        """
        raise UnsupportedError(
            f"An index of the kind {self.kind} cannot be rewritten: it does not keep the embeddings.",
            hint="Build it again from its parts ('lir index --keep-parts' keeps them).",
        )

    def positions(self, allowed: Mask | None) -> Positions | None:
        """Where the allowed documents lie, in rising order; None for all."""
        return None if allowed is None else np.flatnonzero(allowed)
