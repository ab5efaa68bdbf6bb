"""An index that keeps its vectors in files is built in memory that does not grow with the collection."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from lir_index import Index, PartWriter

DIM, STEP = 256, 4096
BUILD = """
    import resource, sys
    import faiss, lir_index

    told = open("/proc/self/status").read().split("VmData:")[1].split()[0]
    most = 1024 * int(told) + int(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    lir_index.build(sys.argv[1], sys.argv[2], getattr(lir_index, sys.argv[3])())
"""


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """An eighth of a GiB of vectors: 16 of a document for the multi-vector kinds, one for the others."""
    folder = tmp_path_factory.mktemp("large")
    vectors = np.random.default_rng(0).standard_normal((STEP, DIM), dtype=np.float32)
    lengths = np.full(STEP // 16, 16)
    options = {"max_bytes": 2**22}  # a few parts are in memory at a time
    with PartWriter(folder / "dense", **options) as dense, PartWriter(folder / "several", **options) as several:
        for start in range(0, 32 * STEP, STEP):
            dense.append([str(i) for i in range(start, start + STEP)], vectors)
            several.append([str(i) for i in range(start // 16, (start + STEP) // 16)], (vectors, lengths))
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says and limits what a process has")
@pytest.mark.parametrize(
    ("config", "form"),
    [
        ("FaissFlatIndexConfig", "dense"),
        ("TorchDenseIndexConfig", "dense"),
        ("MultiVectorIndexConfig", "several"),
    ],
)
def test_a_large_collection_is_indexed_in_little_memory(parts, tmp_path, config, form):
    size = sum(file.stat().st_size for file in (parts / form).rglob("*") if file.is_file())
    allowed = 2**25
    assert size >= 4 * allowed
    command = [sys.executable, "-c", textwrap.dedent(BUILD), str(parts / form), str(tmp_path / "index"), config]
    done = subprocess.run([*command, str(allowed)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(Index.open(tmp_path / "index")) == 32 * STEP // (16 if form == "several" else 1)
