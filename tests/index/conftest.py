"""What the tests of lir-index share: a slow and obvious search to compare with, and indexes to search."""

import itertools

import numpy as np
import pytest

from lir_index import PartWriter, build


def pytest_collect_file(file_path, parent):
    if file_path.name == "conformance.py" and not parent.session.isinitpath(file_path):
        return pytest.Module.from_parent(parent, path=file_path)
    return None


@pytest.fixture(autouse=True, scope="session")
def one_thread_for_faiss():
    """Trained on so little, threads wait for each other more than they work, and on a busy machine for minutes."""
    import faiss

    faiss.omp_set_num_threads(1)


def score_slowly(query, document, similarity):
    """The score of one pair, from the definition, in float64."""
    query, document = np.asarray(query, dtype=np.float64), np.asarray(document, dtype=np.float64)
    if similarity == "l2":
        return -float(np.sqrt(((query - document) ** 2).sum()))
    product = float((query * document).sum())
    if similarity == "dot":
        return product
    lengths = float(np.linalg.norm(query) * np.linalg.norm(document))
    return product / lengths if lengths else 0.0


def share_a_term(query, document):
    """Whether a document of term weights has a term of the query: one that has none is not found."""
    return bool(np.any((np.asarray(query) != 0) & (np.asarray(document) != 0)))


def search_slowly(queries, documents, doc_ids, k, similarity, *, by_terms=False):
    """For each query the best k pairs of document id and score, ties in the order of ids."""
    rankings = []
    for query in queries:
        scored = [
            (float(np.float32(score_slowly(query, document, similarity))), doc_id)
            for doc_id, document in zip(doc_ids, documents, strict=True)
            if not by_terms or share_a_term(query, document)
        ]
        rankings.append([(doc_id, score) for score, doc_id in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[:k]])
    return rankings


def agree(result, queries, documents, doc_ids, k, similarity, tolerance=1e-5):
    """Whether a result is the exact one, where scores closer than the tolerance may change places."""
    number = {doc_id: i for i, doc_id in enumerate(doc_ids)}
    for query, found, scores in zip(queries, result.doc_ids, result.scores, strict=True):
        if len(found) != min(k, len(doc_ids)) or len(set(found)) != len(found):
            return False
        if list(zip(-scores, found, strict=True)) != sorted(zip(-scores, found, strict=True)):
            return False
        exact = np.array([score_slowly(query, document, similarity) for document in documents])
        places = [number[doc_id] for doc_id in found]
        if not np.allclose(exact[places], scores, rtol=tolerance, atol=tolerance):
            return False
        if np.delete(exact, places).max(initial=-np.inf) > scores.min() + tolerance * max(1, abs(scores.min())):
            return False
    return True


@pytest.fixture
def slowly():
    return search_slowly


@pytest.fixture
def is_exact():
    return agree


@pytest.fixture
def make_index(tmp_path):
    """Builds an index in a new folder."""
    numbers = itertools.count()

    def make(doc_ids, embeddings, config, **metadata):
        folder = tmp_path / f"made-{next(numbers)}"
        with PartWriter(folder / "parts", metadata=metadata) as writer:
            writer.append(doc_ids, embeddings)
        return build(folder / "parts", folder / "index", config)

    return make
