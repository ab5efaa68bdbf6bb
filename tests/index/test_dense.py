import numpy as np

from lir_index import TorchDenseIndexConfig


def test_numpy_reads_the_vectors(make_index):
    index = make_index(["a", "b"], [[1.0, 2.0], [3.0, 4.0]], TorchDenseIndexConfig())
    assert np.load(index.path / "segment-1" / "vectors.npy").tolist() == [[1, 2], [3, 4]]


def test_of_the_cosine_unit_vectors_are_kept(make_index):
    index = make_index(["a"], [[3.0, 4.0]], TorchDenseIndexConfig(similarity="cosine"))
    assert np.load(index.path / "segment-1" / "vectors.npy").tolist() == [[np.float32(0.6), np.float32(0.8)]]


def test_the_vectors_are_memory_mapped(make_index):
    index = make_index(["a"], [[3.0, 4.0]], TorchDenseIndexConfig())
    assert not index._segments[0]._vectors.flags.owndata
    assert not index._segments[0]._vectors.flags.writeable
