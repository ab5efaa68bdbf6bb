"""Several vectors for each document, each a centroid and a few bits: the engine of PLAID and WARP."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import numpy as np
from jaxtyping import Float32, Int64

from lir_index.array_checks import check_range, check_vectors
from lir_index.cells import check_cells, open_cells, write_cells
from lir_index.config import DenseIndexConfig, IndexConfig, SearchConfig, Similarity, check_count
from lir_index.documents import Documents, prepared
from lir_index.embeddings import Batch, Form
from lir_index.errors import ArgumentError, MissingExtraError, did_you_mean
from lir_index.max_sim import max_sim
from lir_index.packed import open_lengths, write_lengths
from lir_index.plaid_numpy import NumpyEngine, Tokens, choose
from lir_index.ragged import cut
from lir_index.residuals import Codec
from lir_index.segment import Segment, Space
from lir_index.similarity import Vectors, norms, prepare
from lir_index.storage import ArrayWriter, map_array
from lir_index.threads import blas_threads, in_threads
from lir_index.top_k import Found, Mask, Positions, best
from lir_index.training import Assigner, draw, find_centroids

# Components that are decoded at once: a megabyte, which stays in a core's cache.
_DECODED = 2**18


@dataclass(frozen=True)
class PlaidIndexConfig(DenseIndexConfig):
    """Approximate search over multi-vector embeddings: each vector is the nearest of some centroids, and a few bits.

    Args:
        similarity: How two vectors are compared: dot or cosine. None takes what the model says.
        truncate_dim: How many components of each vector are kept, of Matryoshka embeddings; None for all.
        num_centroids: Number of centroids; None takes the power of two below 16 times the root of the number of vectors.
        k_means_iters: Iterations of k-means.
        n_bits: Bits of a component of what a centroid leaves over: 2, 4 or 8; 16 keeps the vectors whole, in half
            precision.
        num_train_embeddings: How many vectors the centroids are found from; None for 32 a centroid.
        seed: Decides which, and where k-means begins.

    References:
        Santhanam et al. (2022), *PLAID*, https://arxiv.org/abs/2205.09707
        Scheerer et al. (2025), *WARP*, https://arxiv.org/abs/2501.17788
    """

    kind: ClassVar[str] = "plaid"
    num_centroids: int | None = None
    k_means_iters: int = 4
    n_bits: Literal[2, 4, 8, 16] = 4
    num_train_embeddings: int | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_centroids", "k_means_iters", "num_train_embeddings"):
            check_count(self, name)
        if self.n_bits not in (2, 4, 8, 16):
            raise ArgumentError(f"n_bits is 2, 4, 8 or 16; it is {self.n_bits!r}.")


@dataclass(frozen=True)
class PlaidSearchConfig(SearchConfig):
    """How to search an index of the kind plaid.

    Args:
        k: Number of documents for each query.
        candidate_k: Documents whose vectors are decoded and compared; None takes 4 times ``k``, and 128 at least.
        n_cells: Centroids whose documents are looked at, for each query vector; None takes 16.
        centroid_score_threshold: Least similarity of such a centroid to the query vector; None for any.
        imputation_strategy: What a query vector finds in a document at least: ``gather`` takes the best match, as
            MaxSim does; ``min`` no less than the similarity of the first centroid that was not looked at, as XTR does.
        engine: ``numba`` (the extra ``fast``) or ``numpy``; None takes numba where it is installed. The results are the
            same.
        num_threads: Queries that are searched at a time; None for as many as there are processors.
    """

    k: int = 10
    candidate_k: int | None = None
    n_cells: int | None = None
    centroid_score_threshold: float | None = None
    imputation_strategy: Literal["gather", "min"] = "gather"
    engine: Literal["numba", "numpy"] | None = None
    num_threads: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self, "candidate_k")
        check_count(self, "n_cells")
        for name, known in (("imputation_strategy", ("gather", "min")), ("engine", ("numba", "numpy", None))):
            value = getattr(self, name)
            if value not in known:
                names = [one for one in known if one]
                raise ArgumentError(
                    f"There is no {name} '{value}', only {' and '.join(names)}.{did_you_mean(value, names)}"
                )


class PlaidSegment(Segment):
    """A segment of the kind plaid."""

    kind = "plaid"
    forms: ClassVar[tuple[Form, ...]] = ("multi-vector",)
    similarities: ClassVar[tuple[Similarity, ...]] = ("dot", "cosine")
    config_class = PlaidIndexConfig
    search_config_class = PlaidSearchConfig

    def __init__(
        self, folder: Path, space: Space, num_docs: int, details: Mapping[str, Any], search_config: SearchConfig
    ) -> None:
        super().__init__(folder, space, num_docs, details, search_config)
        self.settings = cast("PlaidSearchConfig", search_config)
        lengths = np.array(open_lengths(folder, num_docs))
        codec = Codec.open(folder, space.dim, self.details.one_of("n_bits", (2, 4, 8, 16)))
        count, (row, dtype) = int(lengths.sum()), codec.row
        self._longest = self.details.number("longest")
        self.tokens = Tokens(
            codec,
            map_array(folder / "codes.npy", np.int32, (count,)),
            map_array(folder / "residuals.npy", dtype, (count, *row)),
            np.cumsum(lengths),
            lengths,
            *open_cells(folder, len(codec.centroids)),
        )
        self._engine = make_engine(self.tokens, self.settings)

    def check(self) -> None:
        """See :meth:`Segment.check`."""
        super().check()
        tokens = self.tokens
        tokens.codec.check(self.folder)
        check_range(self.folder / "codes.npy", tokens.codes, len(tokens.codec.centroids))
        check_cells(self.folder, tokens.list_ends, tokens.lists, self.num_docs)
        if tokens.codec.n_bits == 16:
            check_vectors(self.folder / "residuals.npy", tokens.packed)

    @classmethod
    def dtype(cls, config: IndexConfig) -> str:
        """See :meth:`Segment.dtype`."""
        n_bits = cast("PlaidIndexConfig", config).n_bits
        return "float16" if n_bits == 16 else f"uint{n_bits}"

    @classmethod
    def write(
        cls, folder: Path, documents: Documents, config: IndexConfig, space: Space, like: Segment | None
    ) -> Mapping[str, Any]:
        """See :meth:`Segment.write`."""
        settings = cast("PlaidIndexConfig", config)
        if space.query_aggregation == "max" or space.doc_aggregation != "max":
            raise ArgumentError(
                "An index of the kind plaid sums, or averages, the best match of each query vector; the model aggregates "
                f"documents by {space.doc_aggregation} and queries by {space.query_aggregation}."
            )
        count = write_lengths(folder, documents)
        if like is None:
            codec, assign = _train(documents, settings, space.similarity, count)
            codec.save(folder)
        else:
            codec = cast("PlaidSegment", like).tokens.codec
            assign = Assigner(codec.centroids)
            for name in ("centroids", "scale", "values"):
                _link(like.folder / f"{name}.npy", folder / f"{name}.npy")
        longest = 0.0
        row, dtype = codec.row
        with (
            ArrayWriter(folder / "codes.npy", dtype=np.int32) as code_file,
            ArrayWriter(folder / "residuals.npy", row, dtype) as file,
        ):
            for vectors, _ in prepared(documents, space.similarity):
                codes = assign(vectors)
                packed = codec.encode(vectors, codes)
                code_file.append(codes)
                file.append(packed)
                longest = max(longest, _longest(codec, codes, packed))
        write_cells(
            folder,
            map_array(folder / "codes.npy", np.int32, (count,)),
            open_lengths(folder, documents.num_docs),
            len(codec.centroids),
        )
        return {"n_bits": settings.n_bits, "longest": longest}

    def search(self, queries: Batch, k: int, allowed: Mask | None) -> Found:
        """See :meth:`Segment.search`."""
        vectors, _ = prepare(queries.values, self.space.similarity, lambda i: f"query {queries.row_of_value(i) + 1}")
        ends = np.cumsum(queries.arrays["lengths"])
        asked = np.split(vectors, ends[:-1])
        # One thread for each query's products: queries do not wait for each other, and sums do not depend on threads.
        with blas_threads(1):
            return in_threads(lambda query: self._search_one(query, k, allowed), asked, self.settings.num_threads)

    def _search_one(
        self, query: Vectors, k: int, allowed: Mask | None
    ) -> tuple[Int64[np.ndarray, " found"], Float32[np.ndarray, " found"]]:
        similarities = np.ascontiguousarray(self.tokens.codec.centroids @ query.T)
        documents, imputed = self._candidates(similarities, k, allowed)
        if len(documents) == 0:
            return documents, np.empty(0, dtype=np.float32)
        rough = self._scores(similarities, query, documents, imputed)
        k = min(k, len(documents))
        # A centroid and the rest may be longer than their sum, hence twice.
        error = 2 * (self.space.dim + len(query) + 8) * float(np.finfo(np.float32).eps)
        margin = error * float(norms(query).sum()) * self._longest
        if self.space.query_aggregation == "mean":
            margin /= len(query)
        documents = documents[rough >= np.partition(rough, len(rough) - k)[len(rough) - k] - margin]
        scores = self._compare(query, documents, imputed)
        order = best(scores, self.doc_ids.ranks[documents], k)
        return documents[order], scores[order] + np.float32(0)

    def _candidates(
        self, similarities: Float32[np.ndarray, "centroids q_vectors"], k: int, allowed: Mask | None
    ) -> tuple[Positions, Float32[np.ndarray, " q_vectors"] | None]:
        """Find the documents that are compared, by the centroids alone; and the least similarity that counts."""
        settings, lengths = self.settings, self.tokens.lengths
        count = max(k, settings.candidate_k or max(4 * k, 128))
        has_vectors = lengths > 0
        mask = has_vectors if allowed is None else has_vectors & allowed
        everything = np.flatnonzero(mask)
        if settings.imputation_strategy == "gather" and len(everything) <= count:
            return everything, None
        threshold = -np.inf if settings.centroid_score_threshold is None else settings.centroid_score_threshold
        found, above, imputed = self._engine.probe(similarities, settings.n_cells or 16, threshold)
        found = choose(found, above, 4 * count, allowed)
        if len(found) < k:
            found = everything
        if len(found) > count:
            found = choose(found, self._engine.interact(similarities, found), count)
        return found, imputed if settings.imputation_strategy == "min" else None

    def _scores(
        self,
        similarities: Float32[np.ndarray, "centroids q_vectors"],
        query: Vectors,
        documents: Positions,
        imputed: Float32[np.ndarray, " q_vectors"] | None,
    ) -> Float32[np.ndarray, " docs"]:
        """Score documents by their decoded vectors, roughly."""
        scaled = np.ascontiguousarray((query * self.tokens.codec.scale).T)
        scores = np.empty(len(documents), dtype=np.float32)
        for some in self._blocks(documents):
            matches = self._engine.matches(similarities, scaled, documents[some])
            if imputed is not None:
                np.maximum(matches, imputed, out=matches)
            scores[some] = getattr(matches, self.space.query_aggregation)(axis=1)
        return scores

    def _compare(
        self, query: Vectors, documents: Positions, imputed: Float32[np.ndarray, " q_vectors"] | None
    ) -> Float32[np.ndarray, " docs"]:
        """Score documents by their decoded vectors, so that equal documents have equal scores."""
        tokens, scores = self.tokens, np.empty(len(documents), dtype=np.float32)
        for some in self._blocks(documents):
            decoded, codes = self._engine.decoded(documents[some]), tokens.codes[tokens.rows(documents[some])]
            scores[some] = max_sim(
                query,
                tokens.codec.vectors(codes, decoded),
                tokens.lengths[documents[some]],
                self.space.similarity,
                self.space.query_aggregation,
                floor=imputed,
            )
        return scores

    def _blocks(self, documents: Positions) -> Iterator[slice]:
        """Cut documents into blocks that are decoded at once."""
        return (some for some, _ in cut(self.tokens.lengths[documents], _DECODED // self.space.dim))


def make_engine(tokens: Tokens, settings: PlaidSearchConfig) -> NumpyEngine:
    """Make what finds and compares candidates.

    Raises:
        MissingExtraError: If numba was asked for, and is not installed.
    """
    name = settings.engine or ("numba" if find_spec("numba") else "numpy")
    if name == "numpy":
        return NumpyEngine(tokens)
    try:
        from lir_index.plaid_numba import NumbaEngine
    except ImportError as error:
        raise MissingExtraError(
            "The engine numba needs numba, which is not installed.", hint="pip install 'lir-index[fast]'"
        ) from error
    return NumbaEngine(tokens)


def _train(
    documents: Documents, settings: PlaidIndexConfig, similarity: Similarity, count: int
) -> tuple[Codec, Assigner]:
    number = settings.num_centroids or max(1, min(2 ** int(np.log2(16 * count**0.5)), count // 16))
    if number > count:
        raise ArgumentError(f"num_centroids is {number}, and there are only {count} vectors.")
    size = max(number, settings.num_train_embeddings or 32 * number)
    sample = draw(documents, similarity, count, size, settings.seed)
    centroids = find_centroids(sample, number, settings.k_means_iters, settings.seed)
    assign = Assigner(centroids)
    few = sample[: 2**16]
    return Codec.train(centroids, few, assign(few), settings.n_bits), assign


def _longest(codec: Codec, codes: Int64[np.ndarray, " n"], packed: Any) -> float:
    """The greatest sum of the lengths of a centroid and of what it leaves over."""
    if codec.n_bits == 16:
        return float(norms(packed).max(initial=0))
    longest = 0.0
    for start in range(0, len(codes), 8192):
        some = slice(start, start + 8192)
        rest = norms(codec.decode(packed[some]) * codec.scale)
        longest = max(longest, float((norms(codec.centroids[codes[some]]) + rest).max(initial=0)))
    return longest


def _link(source: Path, target: Path) -> None:
    """Give a file that never changes a second name, or copy it where the file system has one name a file."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
