import numpy as np
import pytest

from lir_index import TorchDenseIndexConfig, TorchDenseSearchConfig
from lir_index.errors import ArgumentError
from lir_index.exhaustive import search_exhaustively
from lir_index.index import Index
from lir_index.similarity import prepare

torch = pytest.importorskip("torch")
from lir_index.torch_engine import TorchEngine  # noqa: E402


@pytest.mark.parametrize("similarity", ["dot", "cosine", "l2"])
@pytest.mark.parametrize("k", [1, 10, 400])
@pytest.mark.parametrize("ties", [False, True])
def test_equals_numpy(similarity, k, ties):
    random = np.random.default_rng(0)
    documents, queries = random.standard_normal((300, 20)), random.standard_normal((7, 20))
    if ties:
        documents, queries = documents.round(), queries.round()
    vectors, lengths = prepare(documents, similarity, str)
    asked, query_lengths = prepare(queries, similarity, str)

    def search(engine):
        return search_exhaustively(
            vectors,
            asked,
            query_lengths,
            k,
            similarity=similarity,
            longest=lengths.max(),
            ranks=np.arange(300),
            engine=engine,
        )

    expected, found = search(None), search(TorchEngine(vectors, similarity, "cpu"))
    assert all(np.array_equal(a, b) for pair in zip(found, expected, strict=True) for a, b in zip(*pair, strict=True))


def test_the_precision_of_products_is_put_back():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        engine = TorchEngine(np.ones((3, 2), dtype=np.float32), "dot", "cpu")
        zeros = np.zeros(1, dtype=np.float32)
        engine.hits(0, 3, np.ones((1, 2), dtype=np.float32), zeros, zeros, 1, None)
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_device_that_does_not_exist_is_named(make_index):
    index = make_index(["a"], [[1.0]], TorchDenseIndexConfig())
    with pytest.raises(ArgumentError, match="cannot be copied to the device 'nowhere'"):
        Index.open(index.path, TorchDenseSearchConfig(device="nowhere"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_finds_what_numpy_finds(make_index):
    random = np.random.default_rng(0)
    index = make_index([str(i) for i in range(5000)], random.standard_normal((5000, 64)), TorchDenseIndexConfig())
    queries = random.standard_normal((9, 64))
    found = Index.open(index.path, TorchDenseSearchConfig(device="cuda")).search(queries, 50)
    assert found.doc_ids == index.search(queries, 50).doc_ids
