"""What all index kinds of Faiss share: Faiss finds candidates, and their vectors are compared exactly.

So the scores are those of the vectors themselves, ties are settled by document id, and an index that compresses differs
from an exact one only in which candidates it finds. The vectors are kept beside Faiss' file (``refine``), or else what
Faiss makes of its codes stands for them.
"""

from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Literal, cast

import numpy as np
from jaxtyping import Float32, Float64, Int64

from lir_index.array_checks import check_vectors
from lir_index.config import IndexConfig, SearchConfig, Similarity, check_count
from lir_index.documents import Documents, pieces, prepared
from lir_index.embeddings import Batch, Form
from lir_index.errors import ArgumentError, DamagedIndexError, StorageError, did_you_mean
from lir_index.exhaustive import rescore, search_exhaustively, thinned_out
from lir_index.faiss_settings import faiss_settings, load_faiss
from lir_index.imputation import documents_of, imputed_scores
from lir_index.max_sim_ranking import MaxSimRanking
from lir_index.max_sim_rough import NumpyEngine
from lir_index.packed import VECTORS, open_lengths, write_lengths
from lir_index.segment import Segment, Space
from lir_index.similarity import Vectors, prepare, slack
from lir_index.storage import ArrayWriter, map_array
from lir_index.top_k import Found, Mask, best
from lir_index.training import draw

FILE = "index.faiss"

Imputation = Literal["gather", "min", "zero"]


@dataclass(frozen=True)
class FaissSearchConfig(SearchConfig):
    """How to search an index of Faiss.

    Args:
        k: Number of documents for each query.
        candidate_k: How many vectors Faiss finds for each query vector, to be compared exactly; None chooses by ``k``.
        n_probe: How many of its clusters an IVF index searches; None takes three times the root of their number.
        ef_search: How many vectors an HNSW index keeps in view; None takes 256, or more for a greater ``candidate_k``.
        imputation_strategy: Of multi-vector embeddings, what stands for a query vector's similarity with a document of
            which it found no vector: ``gather`` computes it, ``min`` takes the least similarity that it found, ``zero``
            is zero.
        num_threads: None for as many as there are.
    """

    k: int = 10
    candidate_k: int | None = None
    n_probe: int | None = None
    ef_search: int | None = None
    imputation_strategy: Imputation = "gather"
    num_threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("candidate_k", "n_probe", "ef_search"):
            check_count(self, name)
        known = ("gather", "min", "zero")
        if self.imputation_strategy not in known:
            raise ArgumentError(
                f"There is no imputation_strategy '{self.imputation_strategy}', only gather, min and zero."
                f"{did_you_mean(self.imputation_strategy, known)}"
            )


class FaissSegment(Segment):
    """A segment of one of Faiss' kinds."""

    forms: ClassVar[tuple[Form, ...]] = ("dense", "multi-vector")
    search_config_class = FaissSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self.settings = cast("FaissSearchConfig", search_config)
        check_imputation(self.settings.imputation_strategy, space)
        self.faiss: Any = read_faiss(folder / FILE)
        self._lengths: Int64[np.ndarray, " docs"] | None = None
        if space.form == "multi-vector":
            self._lengths = open_lengths(folder, num_docs)
            self._ends = np.cumsum(self._lengths)
        count = num_docs if self._lengths is None else int(self._ends[-1])
        expected = (count, space.dim, metric(space.similarity), True)
        if (self.faiss.ntotal, self.faiss.d, self.faiss.metric_type, self.faiss.is_trained) != expected:
            raise DamagedIndexError(
                f"'{folder / FILE}' is damaged: it does not hold {count} vectors of {space.dim} dimensions, "
                f"compared by {space.similarity}."
            )
        self.vectors = self._open_vectors(count)
        # A vector that Faiss makes of its codes may be longer than the one that was given.
        self._longest = self.details.number("longest") * (2 if isinstance(self.vectors, _Decoded) else 1)
        if self._lengths is not None:
            engine = NumpyEngine(self.vectors, self.settings.num_threads)
            ranks = self.doc_ids.ranks
            self._ranking = MaxSimRanking(engine, self.vectors, self._lengths, self._longest, space, ranks)

    def _open_vectors(self, count: int) -> Any:
        if not (self.folder / VECTORS).exists():
            return _Decoded(self.faiss, self.folder / FILE)
        return map_array(self.folder / VECTORS, np.float32, (count, self.space.dim))

    def check(self) -> None:
        """See :meth:`Segment.check`. What Faiss reads is its own; it looks at some of that while it reads."""
        super().check()
        if not isinstance(self.vectors, _Decoded):
            check_vectors(self.folder / VECTORS, self.vectors)

    @classmethod
    @abstractmethod
    def factory(cls, config: Any, space: Space, count: int) -> str:
        """Describe the index for ``faiss.index_factory``.

        Args:
            config: The config of the kind.
            space: Of the vectors.
            count: How many there are.
        """

    @classmethod
    def tune(cls, index: Any, config: Any) -> None:
        """Set what the description cannot say, before vectors are added."""

    @classmethod
    def refines(cls, config: Any) -> bool:
        """Whether the vectors are kept beside Faiss' own file."""
        return getattr(config, "refine", False)

    @classmethod
    def write(
        cls, folder: Path, documents: Documents, config: IndexConfig, space: Space, like: Segment | None
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        count = documents.num_docs if space.form == "dense" else write_lengths(folder, documents)
        details: dict[str, Any] = {"longest": 0.0}
        if like is None:
            details["factory"] = cls.factory(config, space, count)
            index = _train(details["factory"], documents, space, count, getattr(config, "num_train_embeddings", None))
        else:
            details["factory"] = like.details.text("factory")
            index = _empty_copy(cast("FaissSegment", like).faiss)
        cls.tune(index, config)
        if not cls.refines(config) and isinstance(_inner(index), load_faiss().IndexIVFFastScan):
            raise ArgumentError(
                f"Of '{details['factory']}', Faiss cannot read the codes back; keep the vectors (refine), or leave out 'fs'."
            )
        with ExitStack() as stack:
            file = None
            if cls.refines(config):
                file = stack.enter_context(ArrayWriter(folder / VECTORS, (space.dim,)))
            for vectors, lengths in prepared(documents, space.similarity):
                index.add(vectors)
                if file is not None:
                    file.append(vectors)
                details["longest"] = max(details["longest"], float(lengths.max(initial=0)))
        write_faiss(index, folder / FILE)
        return details

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        vectors, lengths = prepare(
            queries.values, self.space.similarity, lambda i: f"query {queries.row_of_value(i) + 1}"
        )
        if self._lengths is not None:
            return self._search_several(vectors, lengths, queries.arrays["lengths"], k, allowed)
        count, candidate_k = self.num_docs if allowed is None else np.count_nonzero(allowed), self._candidate_k(k)
        if candidate_k >= count or 10 * count < self.num_docs:
            # Where nearly all are compared anyway, or few may be found, Faiss saves nothing.
            return self.compare_all(vectors, lengths, k, allowed)
        similarity, ranks = self.space.similarity, self.doc_ids.ranks
        margins = slack(lengths, self._longest, self.space.dim, similarity)
        results: Found = []
        for query, places in enumerate(self._candidates(vectors, candidate_k, allowed)):
            if len(places) < k:
                results += self.compare_all(vectors[query : query + 1], lengths[query : query + 1], k, allowed)
            else:
                places = thinned_out(self.vectors, vectors[query], margins[query], places, k, similarity)
                results.append(rescore(self.vectors, vectors[query], places, k, similarity, ranks))
        return results

    def compare_all(self, vectors: Vectors, lengths: np.ndarray, k: int, allowed: Mask | None) -> Found:
        """Compare queries with all allowed documents."""
        return search_exhaustively(
            self.vectors,
            vectors,
            lengths,
            k,
            similarity=self.space.similarity,
            longest=self._longest,
            ranks=self.doc_ids.ranks,
            allowed=allowed,
        )

    def stored(self) -> Iterator[Batch]:
        """See :meth:`Segment.stored`."""
        if isinstance(self.vectors, _Decoded):
            return super().stored()
        return pieces(self.vectors, self._lengths)

    def _candidate_k(self, k: int) -> int:
        if self.settings.candidate_k is not None:
            return self.settings.candidate_k if self._lengths is not None else max(k, self.settings.candidate_k)
        if self._lengths is not None:
            return max(128, k)
        is_same = isinstance(self.vectors, _Decoded) and _compares_decoded(self.faiss)
        return with_ties(k) if is_same else min(10 * k, 2 * k + 800)

    def _candidates(self, vectors: Vectors, count: int, allowed: Mask | None) -> list[Int64[np.ndarray, " found"]]:
        """For each query vector, the vectors that Faiss finds among the allowed ones."""
        if allowed is None or _takes_selector(self.faiss):
            return [places[places >= 0] for places in self._search_faiss(vectors, count, allowed)]
        # This kind of Faiss' cannot be told which vectors are allowed, and is asked for more.
        allowed_share = np.count_nonzero(allowed) / len(allowed)
        found = self._search_faiss(vectors, int(1.5 * count / allowed_share), None)
        return [kept[allowed[kept]][:count] for places in found for kept in [places[places >= 0]]]

    def _search_faiss(self, vectors: Vectors, count: int, allowed: Mask | None) -> Int64[np.ndarray, "q found"]:
        faiss = load_faiss()
        bits = None if allowed is None else np.packbits(allowed, bitorder="little")
        selector = None if bits is None else faiss.IDSelectorBitmap(bits)
        count = min(count, self.faiss.ntotal)
        parameters = self._parameters(count, selector)
        with faiss_settings(self.space.dim, self.settings.num_threads), naming_damage(self.folder / FILE):
            places = self.faiss.search(vectors, count, params=parameters)[1]
        if places.max(initial=-1) >= self.faiss.ntotal:
            raise DamagedIndexError(f"'{self.folder / FILE}' is damaged: it names vectors that it does not hold.")
        return places

    def _parameters(self, count: int, selector: Any) -> Any:
        """What Faiss is told for a search; it differs by the kind of index that the factory made."""
        faiss = load_faiss()
        index = _inner(self.faiss)
        if isinstance(index, faiss.IndexIVF):
            n_probe = self.settings.n_probe or max(1, round(3 * index.nlist**0.5))
            parameters = faiss.SearchParametersIVF(sel=selector, nprobe=min(n_probe, index.nlist))
        elif isinstance(index, faiss.IndexHNSW):
            ef_search = max(self.settings.ef_search or 256, count)
            parameters = faiss.SearchParametersHNSW(sel=selector, efSearch=ef_search)
        else:
            parameters = None if selector is None else faiss.SearchParameters(sel=selector)
        if parameters is None or index is self.faiss:
            return parameters
        return faiss.SearchParametersPreTransform(index_params=parameters)

    def _search_several(
        self,
        vectors: Vectors,
        norms: Float64[np.ndarray, " q_vectors"],
        lengths: Int64[np.ndarray, " q"],
        k: int,
        allowed: Mask | None,
    ) -> Found:
        assert self._lengths is not None
        by_vector = None if allowed is None else np.repeat(allowed, self._lengths)
        candidates = self._candidates(vectors, self._candidate_k(k), by_vector)
        results: Found = []
        for query, stop in enumerate(np.cumsum(lengths).tolist()):
            rows = slice(stop - int(lengths[query]), stop)
            documents = documents_of(candidates[rows], self._ends)
            if len(documents) == 0:
                results.append((documents, np.empty(0, np.float32)))
            elif self.settings.imputation_strategy == "gather":
                some = lengths[query : query + 1]
                results += self._ranking.best(vectors[rows], norms[rows], some, k, documents)
            else:
                scores = imputed_scores(
                    vectors[rows],
                    candidates[rows],
                    documents,
                    self.vectors,
                    self._ends,
                    self.space,
                    self.settings.imputation_strategy,
                )
                order = best(scores, self.doc_ids.ranks[documents], k)
                results.append((documents[order], scores[order] + np.float32(0)))
        return results


class _Decoded:
    """Vectors as Faiss makes them of its codes, read like an array."""

    def __init__(self, index: Any, file: Path) -> None:
        self._index = index
        self._file = file
        self._is_ready = False
        self._lock = Lock()
        self.shape = (index.ntotal, index.d)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places: slice | Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n dim"]:
        if isinstance(places, slice):
            places = np.arange(*places.indices(len(self)))
        with naming_damage(self._file):
            with self._lock:
                if not self._is_ready:
                    _prepare_decoding(self._index)
                    self._is_ready = True
            return self._index.reconstruct_batch(np.ascontiguousarray(places, dtype=np.int64))


@contextmanager
def naming_damage(file: Path) -> Generator[None]:
    """Say which file it is that Faiss cannot use."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else "there is not enough memory"
        raise DamagedIndexError(f"Faiss cannot use '{file}': {reason}") from error


def read_faiss(file: Path) -> Any:
    """Read, or memory-map where Faiss can, an index.

    Raises:
        DamagedIndexError: If Faiss cannot read it.
    """
    faiss = load_faiss()
    with naming_damage(file):
        return faiss.read_index(str(file), faiss.IO_FLAG_MMAP_IFC)


def write_faiss(index: Any, file: Path) -> None:
    """Write an index.

    Raises:
        StorageError: If that fails, for instance because the disk is full.
    """
    faiss = load_faiss()
    try:
        faiss.write_index(index, str(file))
    except RuntimeError as error:
        raise StorageError(f"'{file}' could not be written; is the disk full? Faiss says: {error}") from error


def check_imputation(strategy: Imputation, space: Space) -> None:
    """Refuse what cannot stand for a similarity that was not found.

    Raises:
        ArgumentError: If documents are not scored by their best match, or zero is the best of all.
    """
    if strategy != "gather" and space.doc_aggregation != "max":
        raise ArgumentError(
            f"imputation_strategy '{strategy}' scores a document by its best match, and this index by "
            f"{space.doc_aggregation}; 'gather' does that."
        )
    if strategy == "zero" and space.similarity == "l2":
        raise ArgumentError(
            "imputation_strategy 'zero' does not go with l2: of negative distances, no distance is better than any."
        )


def metric(similarity: Similarity) -> int:
    """Faiss' number for a similarity of prepared vectors."""
    faiss = load_faiss()
    return faiss.METRIC_L2 if similarity == "l2" else faiss.METRIC_INNER_PRODUCT


def _train(factory: str, documents: Documents, space: Space, count: int, num_train: int | None) -> Any:
    faiss = load_faiss()
    try:
        index = faiss.index_factory(space.dim, factory, metric(space.similarity))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ArgumentError(f"Faiss makes no index of '{factory}' for {space.dim} dimensions: {reason}") from error
    if not index.is_trained:
        sample = draw(documents, space.similarity, count, num_train or _train_size(index))
        # Faiss warns, at the terminal, where there are fewer than 39 vectors for a centroid, and fails below one.
        repeats = -(-39 * _most_centroids(index) // len(sample))
        # Of one dimension: codes are found for pieces of a few components, many vectors at a time.
        with faiss_settings(dim=1):
            index.train(np.tile(sample, (repeats, 1)) if repeats > 1 else sample)
    return index


def _inner(index: Any) -> Any:
    """The index behind a transformation of its vectors, where there is one."""
    faiss = load_faiss()
    return faiss.downcast_index(index.index) if isinstance(index, faiss.IndexPreTransform) else index


def _most_centroids(index: Any) -> int:
    """The most centroids that a part of the index is trained with."""
    index = _inner(index)
    centroids = [index.nlist] if isinstance(index, load_faiss().IndexIVF) else [1]
    if hasattr(index, "pq"):
        centroids.append(index.pq.ksub)
    return max(centroids)


def _train_size(index: Any) -> int:
    # Faiss takes at most 256 vectors a centroid; 64 make clusters that are hardly worse in a quarter of the time.
    return max(65536, 64 * _most_centroids(index))


def _empty_copy(index: Any) -> Any:
    """An index with the same centroids and codes, and no vectors."""
    faiss = load_faiss()
    # A memory-mapped index cannot be emptied; one that was read from bytes can.
    copy = faiss.deserialize_index(faiss.serialize_index(index))
    copy.reset()
    return copy


def with_ties(k: int) -> int:
    """A few more results than asked for: nearly every query shows where its ties end."""
    return k + k // 8 + 16


def _compares_decoded(index: Any) -> bool:
    """Whether Faiss compares queries with what it decodes, and not with an estimate."""
    faiss = load_faiss()
    exactly = faiss.IndexIVFFlat | faiss.IndexHNSWFlat | faiss.IndexScalarQuantizer | faiss.IndexPQ | faiss.IndexIVFPQ
    return isinstance(_inner(index), exactly)


def _takes_selector(index: Any) -> bool:
    faiss = load_faiss()
    return not isinstance(_inner(index), faiss.IndexPQ | faiss.IndexPQFastScan | faiss.IndexLSH | faiss.IndexRefine)


def _prepare_decoding(index: Any) -> None:
    inner = _inner(index)
    if isinstance(inner, load_faiss().IndexIVF):
        inner.make_direct_map()
