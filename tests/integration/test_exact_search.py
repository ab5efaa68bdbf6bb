"""Every kind of index that says it is exact finds what comparing everything finds, on embeddings of real models.

Dense embeddings are those of all-MiniLM-L6-v2, sparse ones those of a small SPLADE. No ColBERT is at hand:
the multi-vector embeddings are MiniLM's token outputs, before pooling, which are real, but not trained to be compared.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lir_data import DocDataset, QueryDataset
from lir_index import (
    FaissAutoIndexConfig,
    FaissFlatIndexConfig,
    FaissSearchConfig,
    Index,
    IndexConfig,
    MultiVectorIndexConfig,
    MultiVectorSearchConfig,
    PartWriter,
    SearchConfig,
    SparseIndexConfig,
    SparseSearchConfig,
    TorchDenseIndexConfig,
    TorchDenseSearchConfig,
    build,
)
from lir_models import BiEncoderModel, ColConfig, SpladeConfig
from lir_models.embeddings import take

pytestmark = pytest.mark.slow

#: The kinds that are exact, in every way that they can be searched: form, how to build, how to search.
EXACT: dict[str, tuple[str, IndexConfig, SearchConfig]] = {
    "faiss-flat": ("dense", FaissFlatIndexConfig(), FaissSearchConfig()),
    "faiss-auto": ("dense", FaissAutoIndexConfig(), FaissSearchConfig()),
    "torch-dense-numpy": ("dense", TorchDenseIndexConfig(), TorchDenseSearchConfig()),
    "torch-dense-torch": ("dense", TorchDenseIndexConfig(), TorchDenseSearchConfig(device="cpu:0")),
    "sparse-numba": ("sparse", SparseIndexConfig(), SparseSearchConfig(engine="numba")),
    "sparse-torch": ("sparse", SparseIndexConfig(), SparseSearchConfig(engine="torch")),
    "sparse-numpy": ("sparse", SparseIndexConfig(), SparseSearchConfig(engine="numpy")),
    "multi-vector-numpy": ("multi-vector", MultiVectorIndexConfig(), MultiVectorSearchConfig()),
    "multi-vector-torch": ("multi-vector", MultiVectorIndexConfig(), MultiVectorSearchConfig(device="cpu:0")),
    # Documents are found by their nearest vectors, so all of them are where all vectors are near enough.
    "faiss-flat-gather": (
        "multi-vector",
        FaissFlatIndexConfig(),
        FaissSearchConfig(candidate_k=10**6, imputation_strategy="gather"),
    ),
}


@dataclass(frozen=True)
class Collection:
    """Documents and queries, embedded and scored by a model.

    Args:
        doc_ids: Of the documents.
        docs: Their embeddings.
        queries: Embeddings of the queries.
        scores: The model's own scores ``[queries, documents]``.
        metadata: How the model compares.
    """

    doc_ids: list[str]
    docs: Any
    queries: Any
    scores: np.ndarray
    metadata: dict[str, str]


@pytest.fixture(scope="module")
def texts(shared: Path) -> tuple[list[str], list[str], list[str]]:
    """Document ids, documents and queries of Cranfield; document 471 is empty."""
    folder = shared / "data" / "cranfield"
    docs = list(DocDataset(folder / "docs.jsonl.gz"))[280:480]
    queries = list(QueryDataset(folder / "queries.tsv"))[:20]
    return [doc.doc_id for doc in docs], [doc.doc for doc in docs], [query.query for query in queries]


@pytest.fixture(scope="module")
def collection(shared: Path, model: str, texts: tuple[list[str], ...]) -> Callable[[str], Collection]:
    """What embeds and scores the texts, in one of the forms, once."""

    # Cut short: the whole texts would find nothing else, and take a minute to embed.
    def load(form: str) -> BiEncoderModel:
        if form == "dense":
            return BiEncoderModel.from_pretrained(model, doc_length=32)
        if form == "multi-vector":
            config = ColConfig(similarity_function="cosine", embedding_dim=None, doc_length=32)
            return BiEncoderModel.from_pretrained(model, config)
        return BiEncoderModel.from_pretrained(shared / "models" / "splade-tiny", SpladeConfig(doc_length=32))

    @cache
    def make(form: str) -> Collection:
        doc_ids, docs, queries = texts
        model = load(form)
        scores = model.score(queries, [docs] * len(queries)).scores.numpy().reshape(len(queries), -1)
        # Every tenth document twice more, under an id before its own and one behind, so that there are ties.
        again = range(0, len(docs), 10)
        places = [*again, *range(len(docs)), *again]
        ids = [f"{doc_ids[place]}-again" for place in again] + doc_ids + [f"0-{doc_ids[place]}" for place in again]
        return Collection(
            ids,
            take(model.encode_document(docs), places),
            model.encode_query(queries),
            scores[:, places],
            {
                "similarity": model.config.similarity_function,
                "query_aggregation": model.config.query_aggregation_function,
                "doc_aggregation": model.config.doc_aggregation_function,
            },
        )

    return make


@pytest.fixture(scope="module", params=EXACT)
def searched(
    request: pytest.FixtureRequest, collection: Callable[[str], Collection], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Index, Collection]:
    """An index of each kind, with what it was built from."""
    form, config, search_config = EXACT[request.param]
    made, folder = collection(form), tmp_path_factory.mktemp(request.param)
    with PartWriter(folder / "parts", metadata=made.metadata) as writer:
        writer.append(made.doc_ids, made.docs)
    build(folder / "parts", folder / "index", config)
    return Index.open(folder / "index", search_config), made


def brute_force(collection: Collection) -> np.ndarray:
    """Compare everything in float64; vectors are first scaled as an index keeps them, in float32."""
    queries, docs = collection.queries, collection.docs
    if isinstance(docs, tuple):
        similarities = unit(docs[0]) @ unit(queries[0]).T
        matches = np.maximum.reduceat(similarities, starts(docs[1]), axis=0)
        return np.add.reduceat(matches, starts(queries[1]), axis=1).T
    if isinstance(docs, np.ndarray):
        return unit(queries) @ unit(docs).T
    return queries.toarray().astype(np.float64) @ docs.toarray().astype(np.float64).T


def unit(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    return (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)


def starts(lengths: np.ndarray) -> np.ndarray:
    return np.cumsum(lengths) - lengths


def ranking(scores: Sequence[np.float32], doc_ids: list[str], k: int) -> list[str]:
    return [doc_id for _, doc_id in sorted(zip(-np.asarray(scores), doc_ids, strict=True))[:k]]


def test_scores_are_those_of_the_model(searched: tuple[Index, Collection]) -> None:
    index, collection = searched
    places = {doc_id: place for place, doc_id in enumerate(collection.doc_ids)}
    for expected, (doc_ids, scores) in zip(
        collection.scores, index.search(collection.queries, len(places)), strict=True
    ):
        # Of term weights, documents that share no term with the query are not found.
        is_found = expected > 0 if index.form == "sparse" else np.ones(len(places), dtype=bool)
        assert sorted(doc_ids) == sorted(doc_id for doc_id, place in places.items() if is_found[place])
        np.testing.assert_allclose(scores, expected[[places[doc_id] for doc_id in doc_ids]], rtol=0, atol=1e-4)


@pytest.mark.parametrize("k", [1, 10, 1000])
def test_ranking_is_that_of_brute_force(searched: tuple[Index, Collection], k: int) -> None:
    index, collection = searched
    expected = brute_force(collection).astype(np.float32)
    found = index.search(collection.queries, k).doc_ids
    if index.form == "sparse":
        num_found = [min(k, int((scores > 0).sum())) for scores in expected]
    else:
        num_found = [k] * len(expected)
    assert found == [
        ranking(scores, collection.doc_ids, most) for scores, most in zip(expected, num_found, strict=True)
    ]


def test_documents_that_are_equal_are_ties(searched: tuple[Index, Collection]) -> None:
    index, collection = searched
    for doc_ids, scores in index.search(collection.queries, len(collection.doc_ids)):
        by_id = dict(zip(doc_ids, scores.tolist(), strict=True))
        copies = [doc_id.removeprefix("0-") for doc_id in doc_ids if doc_id.startswith("0-")]
        assert len(copies) == 20 or (index.form == "sparse" and copies)
        assert all(by_id[f"0-{doc_id}"] == by_id[doc_id] == by_id[f"{doc_id}-again"] for doc_id in copies)
