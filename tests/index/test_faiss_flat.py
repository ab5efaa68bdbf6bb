import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lir_index import FaissFlatIndexConfig, FaissSQIndexConfig
from lir_index.faiss_flat import FaissFlatSegment

faiss = pytest.importorskip("faiss")
VECTORS = np.random.default_rng(0).standard_normal((200, 16)).astype(np.float32)
IDS = [f"d{i:03}" for i in range(200)]


@pytest.mark.parametrize(("similarity", "metric"), [("dot", faiss.METRIC_INNER_PRODUCT), ("l2", faiss.METRIC_L2)])
def test_faiss_reads_the_file(make_index, similarity, metric):
    index = make_index(IDS, VECTORS, FaissFlatIndexConfig(similarity=similarity))
    read = faiss.read_index(str(index.path / "segment-1" / "index.faiss"))
    assert (read.ntotal, read.d, read.metric_type) == (200, 16, metric)
    assert np.array_equal(read.reconstruct_n(0, 200), VECTORS)


@pytest.mark.parametrize(("similarity", "flat"), [("dot", faiss.IndexFlatIP), ("l2", faiss.IndexFlatL2)])
def test_the_file_is_byte_for_byte_what_faiss_writes(make_index, similarity, flat):
    index = make_index(IDS, VECTORS, FaissFlatIndexConfig(similarity=similarity))
    written = flat(16)
    written.add(VECTORS)
    assert (index.path / "segment-1" / "index.faiss").read_bytes() == faiss.serialize_index(written).tobytes()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_the_file_is_memory_mapped(make_index):
    index = make_index(IDS, VECTORS, FaissFlatIndexConfig())
    assert str(index.path / "segment-1" / "index.faiss") in Path("/proc/self/maps").read_text()


def test_the_blas_threshold_is_six_queries_and_put_back(make_index, monkeypatch):
    index = make_index(IDS, VECTORS, FaissFlatIndexConfig())
    seen = []

    class Watch:
        def search(self, queries, k):
            seen.append(faiss.cvar.distance_compute_blas_threshold)
            raise KeyboardInterrupt

    before = faiss.cvar.distance_compute_blas_threshold
    monkeypatch.setattr(index._segments[0], "faiss", Watch())
    with pytest.raises(KeyboardInterrupt):
        index.search(VECTORS[:2], 1)
    assert (seen, faiss.cvar.distance_compute_blas_threshold) == ([6 * 16], before)


@pytest.mark.parametrize(("vectors", "calls"), [(VECTORS, 0), (np.ones((200, 16)), 3)])
def test_only_queries_with_unsettled_ties_are_compared_with_all(make_index, monkeypatch, vectors, calls):
    index = make_index(IDS, vectors, FaissFlatIndexConfig())
    made = []
    compare_all = FaissFlatSegment.compare_all
    monkeypatch.setattr(FaissFlatSegment, "compare_all", lambda *args: made.append(1) or compare_all(*args))
    index.search(VECTORS[:3], 5)
    assert len(made) == calls


def test_ties_within_the_few_more_results_are_settled_by_id(make_index):
    vectors = np.vstack([np.ones((10, 2)), np.zeros((190, 2))])
    index = make_index(IDS[::-1], vectors, FaissFlatIndexConfig())
    assert index.search(np.ones((1, 2)), 3).doc_ids == [sorted(IDS[::-1][:10])[:3]]


def test_the_number_of_queries_decides_no_score(make_index):
    # Below the threshold Faiss does not use a matrix product.
    index = make_index(IDS, VECTORS, FaissFlatIndexConfig(similarity="l2"))
    many, few = index.search(VECTORS[:50], 10), index.search(VECTORS[:2], 10)
    assert many.doc_ids[:2] == few.doc_ids
    assert np.array_equal(many.scores[:2], few.scores)


FORKED = """
import os, sys
import numpy as np
from lir_index import Index, FaissSearchConfig
index = Index.open(sys.argv[1], FaissSearchConfig(num_threads=2))
queries = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
expected = index.search(queries, 5).doc_ids
child = os.fork()
if child == 0:
    os._exit(0 if index.search(queries, 5).doc_ids == expected else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("config", [FaissFlatIndexConfig(), FaissSQIndexConfig()])
def test_a_forked_process_searches_after_a_search_with_threads(make_index, config):
    vectors = np.random.default_rng(1).normal(size=(3000, 16)).astype(np.float32)
    index = make_index([f"d{i}" for i in range(3000)], vectors, config)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED, str(index.path)], check=False, timeout=120)
    assert done.returncode == 0
