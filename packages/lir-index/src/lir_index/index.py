"""An index that lies on disk: open it, search it, ask about it, verify it."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from jaxtyping import Bool, Float32

from lir_index.config import IndexConfig, SearchConfig, Similarity, check_k
from lir_index.doc_ids import DocIds
from lir_index.embeddings import Batch, Form, as_batch, first_not_finite
from lir_index.errors import ArgumentError, DamagedIndexError, EmbeddingsError
from lir_index.exhaustive import Found, Positions
from lir_index.kinds import index_class
from lir_index.manifest import Manifest
from lir_index.parts import Parts


@dataclass(frozen=True)
class SearchResult:
    """The documents found for each query, best first; of equal scores, the smaller document id first.

    Args:
        doc_ids: For each query the ids of its documents; fewer than k where the index holds fewer.
        scores: For each query one float32 score for each of these documents.
    """

    doc_ids: list[list[str]]
    scores: list[Float32[np.ndarray, " found"]]

    def __len__(self) -> int:
        return len(self.doc_ids)

    def __iter__(self) -> Iterator[tuple[list[str], Float32[np.ndarray, " found"]]]:
        return zip(self.doc_ids, self.scores, strict=True)

    def to_run(self, query_ids: Sequence[str]) -> dict[str, dict[str, float]]:
        """Give the queries their ids: a run, as evaluation and run files have it."""
        return {
            query_id: dict(zip(doc_ids, scores.tolist(), strict=True))
            for query_id, (doc_ids, scores) in zip(query_ids, self, strict=True)
        }


class Index(ABC):
    """A searchable index; ``Index.open(path)`` gives the class that its kind needs.

    Attributes:
        kind: Name of the index kind.
        form: The form of embeddings that it holds: dense, sparse or multi-vector.
        search_config_class: What it takes as ``search_config``.
        path: The folder.
        search_config: How it is searched.
        doc_ids: The ids of its documents, by position.
    """

    kind: ClassVar[str]
    form: ClassVar[Form] = "dense"
    search_config_class: ClassVar[type[SearchConfig]]

    def __init__(self, path: Path, manifest: Manifest, search_config: SearchConfig) -> None:
        self.path = path
        self.manifest = manifest
        self.search_config = search_config
        self.doc_ids = DocIds(self.folder)
        if len(self.doc_ids) != manifest.num_docs:
            raise DamagedIndexError(
                f"The index in '{path}' is damaged: it has {len(self.doc_ids)} document ids, not {manifest.num_docs}."
            )

    @staticmethod
    def open(path: str | Path, search_config: SearchConfig | None = None) -> "Index":
        """Open the index in a folder, whatever its kind. The files are memory-mapped, and their sizes checked.

        Args:
            path: The folder, as given to :func:`lir_index.build`.
            search_config: How to search it; None takes the defaults of its kind.

        Raises:
            NoIndexError: If there is no index, or no finished one.
            DamagedIndexError: If a file is missing, or of another size than it was written with.
            ForeignIndexError: If the folder belongs to something else.
            IndexVersionError: If the index has a format that this version does not read.
            UnknownKindError: If this version does not have the index's kind.
            ArgumentError: If ``search_config`` is that of another kind.
        """
        folder = Path(path)
        manifest = Manifest.read(folder)
        found = index_class(manifest.kind)
        if search_config is None:
            search_config = found.search_config_class()
        elif not isinstance(search_config, found.search_config_class):
            raise ArgumentError(
                f"The index in '{folder}' is of the kind {manifest.kind} and searched with a "
                f"{found.search_config_class.__name__}, not with a {type(search_config).__name__}."
            )
        manifest.check_sizes(folder)
        return found(folder, manifest, search_config)

    def search(
        self,
        embeddings: object,
        k: int | None = None,
        allowed: Collection[str] | Bool[np.ndarray, " docs"] | None = None,
    ) -> SearchResult:
        """Find the best documents for each query.

        Args:
            embeddings: The queries' embeddings, in the index's form; of dense ones ``[n, dim]``, or ``[dim]`` for one.
            k: Number of documents for each query; None takes the search config's.
            allowed: Restricts the search to these documents: their ids (those that the index does not hold are passed
                over), or one boolean for each document of the index.

        Returns:
            For each query up to ``k`` documents; of documents with equal scores, those with the smaller ids.

        Raises:
            EmbeddingsError: If the embeddings are of another form or dimension, or hold a NaN or an infinity.
            ArgumentError: If ``k`` is less than 1, or ``allowed`` does not fit the index.
        """
        k = self.search_config.k if k is None else k
        check_k(k)
        queries, positions = self._check_queries(embeddings), self._positions(allowed)
        found = self._search(queries, min(k, len(self)), positions) if len(queries) else []
        doc_ids = iter(self.doc_ids.at(np.concatenate([np.empty(0, np.int64), *(places for places, _ in found)])))
        return SearchResult([[next(doc_ids) for _ in scores] for _, scores in found], [scores for _, scores in found])

    def info(self) -> dict[str, Any]:
        """What the manifest says, and the size of all files in ``bytes``."""
        told = self.manifest
        return {
            "path": str(self.path),
            "kind": told.kind,
            "num_docs": told.num_docs,
            "dim": told.dim,
            "dtype": told.dtype,
            "similarity": told.similarity,
            "parameters": told.parameters,
            **self.metadata,
            "bytes": sum(file["bytes"] for file in told.files.values()),
            "format_version": told.format_version,
            "created_by": told.created_by,
        }

    def verify(self) -> None:
        """Read all files and compare them with their checksums.

        Raises:
            DamagedIndexError: If a file is not as it was written.
        """
        self.manifest.check_contents(self.path)

    def __len__(self) -> int:
        return self.manifest.num_docs

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.path}', num_docs={len(self)}, dim={self.dim}, similarity='{self.similarity}')"

    @property
    def dim(self) -> int:
        """Components of a vector."""
        return self.manifest.dim

    @property
    def similarity(self) -> Similarity:
        """How queries and documents are compared."""
        return self.manifest.similarity

    @property
    def metadata(self) -> dict[str, str | None]:
        """Where the embeddings come from: ``model``, ``fingerprint`` and ``documents``; None where unknown."""
        told = self.manifest
        return {"model": told.model, "fingerprint": told.fingerprint, "documents": told.documents}

    @property
    def folder(self) -> Path:
        """Where the files of the index lie."""
        return self.path / self.manifest.data

    @classmethod
    @abstractmethod
    def write(cls, folder: Path, parts: Parts, config: IndexConfig, similarity: Similarity) -> Mapping[str, Any]:
        """Write the files that this kind needs beside the document ids.

        Args:
            folder: Where to; it exists, and is not yet part of an index.
            parts: The embeddings, of this kind's form, to be read once and in order.
            config: The config, of this kind.
            similarity: How queries and documents are compared.

        Returns:
            What the kind notes about its files: ``details`` in the manifest.
        """

    @abstractmethod
    def _search(self, queries: Batch, k: int, positions: Positions | None) -> Found:
        """Search, with arguments that have been checked; ``k`` is at most the number of documents."""

    def _check_queries(self, embeddings: object) -> Batch:
        if getattr(embeddings, "ndim", 2) == 1:
            embeddings = cast("Any", embeddings)[None]
        queries = as_batch(embeddings)
        if queries.form != self.form:
            raise EmbeddingsError(f"The index holds {self.form} embeddings, and the queries' are {queries.form}.")
        if queries.dim != self.dim:
            built_with = f" (it names '{self.manifest.model}')" if self.manifest.model else ""
            raise EmbeddingsError(
                f"The index holds vectors of {self.dim} dimensions, the model makes {queries.dim}. "
                f"Was {self.path}/ built with another model{built_with}?"
            )
        bad = first_not_finite(queries)
        if bad is not None:
            raise EmbeddingsError(f"The embedding of query {bad[0] + 1} holds the value {bad[1]}.")
        return queries

    def _positions(self, allowed: Collection[str] | Bool[np.ndarray, " docs"] | None) -> Positions | None:
        if allowed is None:
            return None
        if isinstance(allowed, str):
            raise ArgumentError(f"allowed is a list of document ids; this is the one text '{allowed}'.")
        if not isinstance(allowed, np.ndarray) or allowed.dtype.kind in "UO":
            return self.doc_ids.positions(cast("Collection[str]", allowed))
        if allowed.dtype != np.bool_ or allowed.shape != (len(self),):
            raise ArgumentError(
                f"A mask of allowed documents has {len(self)} booleans, one for each document of the index; "
                f"this one is {allowed.dtype} {list(allowed.shape)}."
            )
        return np.flatnonzero(allowed)
