"""An index that lies on disk: open it, search it, ask about it, verify it, change it."""

import dataclasses
import logging
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
from jaxtyping import Float32

from lir_index.array_checks import check_rising
from lir_index.catalogue import Catalogue
from lir_index.config import IndexConfig, SearchConfig, Similarity, check_k
from lir_index.documents import Documents, GivenDocuments, JoinedDocuments, StoredDocuments, truncate
from lir_index.embeddings import Batch, Form, as_batch, described, first_not_finite
from lir_index.errors import (
    ArgumentError,
    BusyIndexError,
    DamagedIndexError,
    DocumentIdError,
    EmbeddingsError,
    OtherModelError,
)
from lir_index.integrity import check_files, note_sound
from lir_index.kinds import segment_class
from lir_index.manifest import FORMAT_VERSION, Manifest
from lir_index.metadata import Metadata, Origin, is_older_fingerprint
from lir_index.parts import Parts
from lir_index.storage import map_array
from lir_index.store import changing, commit, write_deleted, write_segment
from lir_index.top_k import Found, Mask, Positions

logger = logging.getLogger(__name__)

# A change takes many times as long as opening the index after it.
_TRIES = 1000


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


class Index:
    """A searchable index; :meth:`open` finds its kind by itself.

    Attributes:
        path: The folder.
        search_config: How it is searched.
        doc_ids: The ids of its documents, in the order they were indexed.
    """

    def __init__(self, path: Path, manifest: Manifest, search_config: SearchConfig) -> None:
        self.path = path
        self.search_config = search_config
        self._load(manifest)

    @classmethod
    def open(cls, path: str | Path, search_config: SearchConfig | None = None) -> "Index":
        """Open the index in a folder, whatever its kind. The files are memory-mapped.

        Their checksums are compared; a file is read for that the first time, and when it has changed since. Where another
        process changes the index meanwhile, this opens what there was before the change, or after it.

        Args:
            path: The folder, as given to :func:`lir_index.build`.
            search_config: How to search it; None takes the defaults of its kind.

        Raises:
            NoIndexError: If there is no index, or no finished one.
            DamagedIndexError: If a file is missing, or not as it was written.
            ForeignIndexError: If the folder belongs to something else.
            IndexVersionError: If the index has a format that this version does not read.
            UnknownKindError: If this version does not have the index's kind.
            ArgumentError: If ``search_config`` is that of another kind.
        """
        folder = Path(path)
        manifest = Manifest.read(folder)
        for _ in range(_TRIES):
            try:
                return cls._open(folder, manifest, search_config)
            except DamagedIndexError:
                # Files that a change has made useless are removed, perhaps while they were being opened here.
                before, manifest = manifest, Manifest.read(folder)
                if manifest == before:
                    raise
        raise BusyIndexError(
            f"The index in '{folder}' changes faster than it can be opened.",
            hint="Wait until that has come to its end.",
        )

    @classmethod
    def _open(cls, folder: Path, manifest: Manifest, search_config: SearchConfig | None) -> "Index":
        expected = segment_class(manifest.kind).search_config_class
        if search_config is None:
            search_config = expected()
        elif not isinstance(search_config, expected):
            raise ArgumentError(
                f"The index in '{folder}' is of the kind {manifest.kind} and searched with a "
                f"{expected.__name__}, not with a {type(search_config).__name__}."
            )
        return cls(folder, manifest, search_config)

    def _load(self, manifest: Manifest) -> None:
        kind = segment_class(manifest.kind)
        if manifest.form not in kind.forms or manifest.similarity not in kind.similarities:
            raise DamagedIndexError(
                f"The index in '{self.path}' is damaged: one of the kind {manifest.kind} does not hold {manifest.form} "
                f"embeddings that are compared by {manifest.similarity}."
            )
        new = check_files(self.path, manifest.files)
        self.manifest = manifest
        self._segments = [
            kind(self.path / entry.folder, manifest.space, entry.num_docs, entry.details, self.search_config)
            for entry in manifest.segments
        ]
        self.doc_ids = Catalogue([segment.doc_ids for segment in self._segments], self._deleted())
        if len(self.doc_ids) != manifest.num_docs:
            raise DamagedIndexError(
                f"The index in '{self.path}' is damaged: it has {len(self.doc_ids)} documents, not {manifest.num_docs}."
            )
        if new:
            for segment in self._segments:
                if any(name.startswith(f"{segment.folder.name}/") for name in new):
                    segment.check()
            note_sound(self.path, manifest.files)

    def _deleted(self) -> Positions:
        told = self.manifest.deleted
        if told is None:
            return np.empty(0, np.int64)
        positions = map_array(self.path / told.file, np.int64, (told.num_docs,))
        end = sum(entry.num_docs for entry in self.manifest.segments)
        check_rising(self.path / told.file, positions, -1, end - 1, strictly=True)
        return positions

    def search(
        self, embeddings: object, k: int | None = None, allowed: Collection[str] | Mask | None = None
    ) -> SearchResult:
        """Find the best documents for each query.

        Args:
            embeddings: The queries' embeddings, in the index's form; of dense ones ``[n, dim]``, or ``[dim]`` for one. Of
                a kind that holds texts, the queries themselves, or one query.
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
        queries, mask = self._check_queries(embeddings), self.doc_ids.mask(allowed)
        pieces = [self._search_segment(number, queries, k, mask) for number in range(len(self._segments))]
        places = [np.concatenate([piece[query][0] for piece in pieces]) for query in range(len(queries))]
        scores = [np.concatenate([piece[query][1] for piece in pieces]) for query in range(len(queries))]
        # All at once: looking ids up has a cost of its own each time.
        ids = self.doc_ids.at(np.concatenate([np.empty(0, np.int64), *places]))
        ends = np.cumsum([0, *(len(found) for found in places)]).tolist()
        doc_ids = [ids[start:end] for start, end in pairwise(ends)]
        if len(pieces) > 1:
            for query, found in enumerate(doc_ids):
                order = sorted(range(len(found)), key=lambda i: (-scores[query][i], found[i]))[:k]
                doc_ids[query], scores[query] = [found[i] for i in order], scores[query][order]
        return SearchResult(doc_ids, scores)

    def _search_segment(self, number: int, queries: Batch, k: int, mask: Mask | None) -> Found:
        segment, start = self._segments[number], int(self.doc_ids.starts[number])
        mask = None if mask is None else mask[start : start + segment.num_docs]
        k = min(k, segment.num_docs if mask is None else int(np.count_nonzero(mask)))
        if k == 0 or len(queries) == 0:
            return [(np.empty(0, np.int64), np.empty(0, np.float32))] * len(queries)
        return [(places + start, scores) for places, scores in segment.search(queries, k, mask)]

    def add(self, doc_ids: Sequence[str], embeddings: object) -> None:
        """Add documents.

        Args:
            doc_ids: One id for each document.
            embeddings: Their embeddings, of the index's form and dimension; or their texts.

        Raises:
            EmbeddingsError: If the embeddings are of another form or dimension, or hold a NaN or an infinity.
            DocumentIdError: If an id occurs twice, or is in the index already.
            BusyIndexError: If another process is changing the index.
            StorageError: If the operating system refuses to write; the index is as before.
        """
        self._add(GivenDocuments(doc_ids, embeddings))

    def add_parts(self, parts_dir: str | Path) -> None:
        """Add the documents of parts that :class:`lir_index.PartWriter` wrote; errors as of :meth:`add`.

        Raises:
            PartsError: If the parts are missing, unfinished or damaged.
            OtherModelError: If they were made by another model than the index.
        """
        parts = Parts(parts_dir)
        self.check_model(parts.metadata)
        self._add(parts)

    def _add(self, documents: Documents) -> None:
        if documents.num_docs == 0:
            return
        with self._changing():
            told = self.manifest
            if (documents.form, documents.dim) != (told.form, told.embedding_dim):
                raise EmbeddingsError(
                    f"The index holds {described(told.form, told.embedding_dim)}, "
                    f"and these are {described(documents.form, documents.dim)}."
                )
            for doc_ids in documents.doc_ids():
                known = self.doc_ids.positions(doc_ids)
                if len(known):
                    raise DocumentIdError(
                        f"The document id '{self.doc_ids.at(known[:1])[0]}' is in the index already.",
                        hint="Delete the document first, and add its new version then.",
                    )
            kind = segment_class(told.kind)
            config, num_docs = self._config(), told.num_docs + documents.num_docs
            if kind.scores_by_collection:
                everything = JoinedDocuments(StoredDocuments(self._segments, self.doc_ids, told.space), documents)
                entry = write_segment(self.path, everything, kind, config, told.space)
                self._commit(segments=(entry,), deleted=None, num_docs=num_docs)
                return
            entry = write_segment(self.path, truncate(documents, config), kind, config, told.space, self._segments[0])
            self._commit(segments=(*told.segments, entry), num_docs=num_docs)

    def delete(self, doc_ids: Collection[str]) -> int:
        """Delete documents: they are found no more. Their space is given back by :meth:`compact`.

        Args:
            doc_ids: Ids; those that the index does not hold are passed over.

        Returns:
            Number of documents deleted.

        Raises:
            BusyIndexError: If another process is changing the index.
            StorageError: If the operating system refuses to write; the index is as before.
        """
        if isinstance(doc_ids, str):
            raise ArgumentError(f"doc_ids is a list of document ids; this is the one text '{doc_ids}'.")
        with self._changing():
            gone = self.doc_ids.positions(doc_ids)
            if len(gone):
                deleted = write_deleted(self.path, np.union1d(self._deleted(), gone))
                self._commit(deleted=deleted, num_docs=self.manifest.num_docs - len(gone))
        return len(gone)

    def compact(self) -> None:
        """Rewrite the index as it would have been built from the documents that are left.

        Raises:
            UnsupportedError: If the kind does not keep the embeddings as they were given.
            ArgumentError: If no document is left.
            BusyIndexError: If another process is changing the index.
            StorageError: If the operating system refuses to write; the index is as before.
        """
        with self._changing():
            if len(self._segments) == 1 and self.manifest.deleted is None:
                return
            if len(self) == 0:
                raise ArgumentError(f"All documents of the index in '{self.path}' are deleted; an index needs one.")
            kind = segment_class(self.manifest.kind)
            config = self._config()
            rest = StoredDocuments(self._segments, self.doc_ids, self.manifest.space)
            entry = write_segment(self.path, rest, kind, config, self.manifest.space)
            self._commit(segments=(entry,), deleted=None)

    @contextmanager
    def _changing(self) -> Generator[None]:
        # Where the index has gone, no empty folder takes its place.
        Manifest.read(self.path)
        with changing(self.path):
            self._load(Manifest.read(self.path))
            yield

    def _config(self) -> IndexConfig:
        try:
            return segment_class(self.kind).config_class(**self.manifest.parameters)
        except (TypeError, ArgumentError) as error:
            raise DamagedIndexError(
                f"The index in '{self.path}' is damaged: an index of the kind {self.kind} is not built with "
                f"{self.manifest.parameters!r:.100}."
            ) from error

    def _commit(self, **changes: Any) -> None:
        manifest = dataclasses.replace(self.manifest, format_version=FORMAT_VERSION, contents=None, **changes)
        commit(self.path, manifest)
        self._load(manifest)

    def check_model(self, model: Metadata, *, allow_other_model: bool = False) -> None:
        """Refuse a model that does not fit the index.

        Args:
            model: What is known of the model; what is not known is not checked.
            allow_other_model: Whether the model may have another fingerprint or similarity; one of another dimension
                never fits.

        Raises:
            EmbeddingsError: If forms or dimensions differ.
            OtherModelError: If fingerprint or similarity differ, and that is not allowed.
        """
        told = self.manifest
        # A dense vector is a multi-vector embedding of one vector.
        if model.form not in (None, told.form) and (model.form, told.form) != ("dense", "multi-vector"):
            searched = "the queries themselves, without a model" if told.form == "text" else "the model that built it"
            raise EmbeddingsError(
                f"The index in '{self.path}' holds {described(told.form)}, and the queries are {described(model.form)}.",
                hint=f"Search it with {searched}.",
            )
        if model.dim is not None and model.dim != told.embedding_dim:
            raise EmbeddingsError(self._other_dim(model.dim))
        if allow_other_model:
            return
        hint = "Search with the model that built the index, or allow another one."
        if is_older_fingerprint(told.fingerprint, than=model.fingerprint) and model.model == told.model:
            logger.warning(
                "The index in '%s' was built by an older lir, whose fingerprint of '%s' does not say whether the model has "
                "changed since. An index that is built anew says so.",
                self.path,
                told.model,
            )
        elif None not in (model.fingerprint, told.fingerprint) and model.fingerprint != told.fingerprint:
            raise OtherModelError(
                f"The index in '{self.path}' was built with the model '{told.model}' (fingerprint {told.fingerprint}), "
                f"and this is '{model.model}' (fingerprint {model.fingerprint}).",
                hint=hint,
            )
        if model.similarity not in (None, self.similarity):
            raise OtherModelError(
                f"The index in '{self.path}' compares by {self.similarity}, and the model by {model.similarity}.",
                hint=hint,
            )

    def info(self) -> dict[str, Any]:
        """What the manifest says, and the size of all files in ``bytes``."""
        told = self.manifest
        return {
            "path": str(self.path),
            "kind": told.kind,
            "num_docs": told.num_docs,
            "num_deleted": 0 if told.deleted is None else told.deleted.num_docs,
            "num_segments": len(told.segments),
            "form": told.form,
            "dim": told.dim,
            "embedding_dim": told.embedding_dim,
            "dtype": told.dtype,
            "similarity": told.similarity,
            "parameters": told.parameters,
            **self.metadata,
            "bytes": sum(file["bytes"] for file in told.files.values()),
            "format_version": told.format_version,
            "created_by": told.created_by,
        }

    def verify(self) -> None:
        """Read all files and compare them with their checksums, whether or not they have changed since the last time.

        Where the index was changed since it was opened, the files that it has now are read.

        Raises:
            DamagedIndexError: If a file is not as it was written.
        """
        try:
            check_files(self.path, self.manifest.files, thoroughly=True)
            for segment in self._segments:
                segment.check()
        except DamagedIndexError:
            current = Index.open(self.path, self.search_config)
            if current.manifest == self.manifest:
                raise
            # The files that are open here have been replaced since.
            current.verify()

    def __len__(self) -> int:
        return self.manifest.num_docs

    def __repr__(self) -> str:
        return (
            f"Index('{self.path}', kind='{self.kind}', num_docs={len(self)}, dim={self.dim}, "
            f"similarity='{self.similarity}')"
        )

    @property
    def kind(self) -> str:
        """Name of the index kind."""
        return self.manifest.kind

    @property
    def form(self) -> Form:
        """What it is searched with: dense, sparse or multi-vector embeddings, or text."""
        return self.manifest.form

    @property
    def dim(self) -> int:
        """Components of a vector; of texts, 0."""
        return self.manifest.dim

    @property
    def similarity(self) -> Similarity:
        """How queries and documents are compared."""
        return self.manifest.similarity

    @property
    def metadata(self) -> Origin:
        """Where the embeddings come from: ``model``, ``fingerprint``, ``documents`` and ``rule``; None where unknown."""
        told = self.manifest
        return {
            "model": told.model,
            "fingerprint": told.fingerprint,
            "documents": told.documents,
            "rule": told.rule,
        }

    def _check_queries(self, embeddings: object) -> Batch:
        if isinstance(embeddings, str):
            embeddings = [embeddings]
        elif getattr(embeddings, "ndim", 2) == 1 and self.form != "text":
            embeddings = cast("Any", embeddings)[None]
        queries = as_batch(embeddings)
        told = self.manifest
        if (queries.form, told.form) == ("dense", "multi-vector"):
            queries = as_batch((queries.values, np.ones(len(queries), dtype=np.int64)))
        if queries.form != told.form:
            raise EmbeddingsError(
                f"The index holds {described(told.form)}, and the queries are {described(queries.form)}."
            )
        if queries.dim != told.embedding_dim:
            raise EmbeddingsError(self._other_dim(queries.dim))
        if queries.form == "multi-vector" and not queries.arrays["lengths"].all():
            raise EmbeddingsError(f"Query {int(queries.arrays['lengths'].argmin()) + 1} has no vector.")
        bad = first_not_finite(queries)
        if bad is not None:
            raise EmbeddingsError(f"The embedding of query {bad[0] + 1} holds the value {bad[1]}.")
        return queries if told.dim == told.embedding_dim else queries.truncated(told.dim)

    def _other_dim(self, dim: int) -> str:
        built_with = f" (it names '{self.manifest.model}')" if self.manifest.model else ""
        return (
            f"The index holds vectors of {self.manifest.embedding_dim} dimensions, the model makes {dim}. "
            f"Was {self.path}/ built with another model{built_with}?"
        )
