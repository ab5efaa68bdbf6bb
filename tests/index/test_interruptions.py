"""Indexing that is killed at any moment, and disks that are full: what was there stays readable, and work goes on."""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from lir_index import (
    CoilIndexConfig,
    FaissFlatIndexConfig,
    FaissPQIndexConfig,
    Index,
    MultiVectorIndexConfig,
    PartWriter,
    PlaidIndexConfig,
    SeismicIndexConfig,
    SparseIndexConfig,
    SparseTwoStepIndexConfig,
    TorchDenseIndexConfig,
    build,
)
from lir_index.errors import NoIndexError, StorageError
from lir_index.integrity import describe

sys.path.insert(0, str(Path(__file__).parents[1]))

from killing import killed

CONFIGS = [
    FaissFlatIndexConfig(),
    FaissPQIndexConfig(),
    TorchDenseIndexConfig(),
    SparseIndexConfig(),
    SparseTwoStepIndexConfig(),
    MultiVectorIndexConfig(),
    CoilIndexConfig(),
    PlaidIndexConfig(num_centroids=64),
    *([SeismicIndexConfig()] if find_spec("seismic") else []),
]
VECTORS = np.random.default_rng(0).standard_normal((2000, 16)).astype(np.float32)
IDS = [f"d{i:04}" for i in range(2000)]


def embeddings(config, start, stop):
    vectors = VECTORS[start:stop]
    if "sparse" in config.kind or config.kind == "seismic":
        return csr_array(np.maximum(vectors, 0))
    if config.kind in ("multi-vector", "plaid"):
        return vectors, np.full(len(vectors) // 2, 2)
    if config.kind == "coil":
        return vectors, vectors[:, :4], np.arange(len(vectors)) % 7, np.ones(len(vectors), dtype=np.int64)
    return vectors


def ids(config, start, stop):
    return IDS[start // 2 : stop // 2] if config.kind in ("multi-vector", "plaid") else IDS[start:stop]


def index_it(folder, config):
    """Go on where the last process was."""
    with PartWriter(folder / "parts", max_bytes=8192) as writer:
        per_row = 2 if config.kind in ("multi-vector", "plaid") else 1
        for start in range(writer.num_docs * per_row, 2000, 100):
            writer.append(ids(config, start, start + 100), embeddings(config, start, start + 100))
    build(folder / "parts", folder / "index", config, overwrite=True)


def change_it(folder, config):
    """Documents come and go; what was done is not done again."""
    index = Index.open(folder / "index")
    new = ids(config, 1000, 1400)
    if len(index.doc_ids.positions(new)) < len(new):
        index.add(new, embeddings(config, 1000, 1400))
    index.delete(ids(config, 100, 300))
    if config.kind != "plaid":
        index.compact()


def contents(index):
    # Seismic clusters at random.
    reproducible = [{n: f for n, f in entry.files.items() if "seismic" not in n} for entry in index.manifest.segments]
    return [(entry.num_docs, files) for entry, files in zip(index.manifest.segments, reproducible, strict=True)]


def kill_at_random(folder, config, kills, seed):
    """Kill and go on, again and again; then let it finish, and compare with work that nobody killed."""
    moments = random.Random(seed)
    index_it(folder / "first", config)  # which imports what it needs
    began = time.monotonic()
    index_it(folder / "undisturbed", config)
    whole = time.monotonic() - began
    for _ in range(kills):
        killed(partial(index_it, folder / "killed", config), moments.uniform(0, whole))
        try:
            index = Index.open(folder / "killed" / "index")
        except NoIndexError:
            continue
        index.verify()
        assert len(index) == len(ids(config, 0, 2000))
    index_it(folder / "killed", config)
    ended, undisturbed = (Index.open(folder / name / "index") for name in ("killed", "undisturbed"))
    assert contents(ended) == contents(undisturbed)
    assert not list((folder / "killed").rglob("*.tmp"))
    kill_changes(folder, config, kills, moments)


def kill_changes(folder, config, kills, moments):
    base = folder / "base"
    with PartWriter(base / "parts") as writer:
        writer.append(ids(config, 0, 1000), embeddings(config, 0, 1000))
    build(base / "parts", base / "index", config)
    shutil.copytree(base, folder / "changed undisturbed")
    began = time.monotonic()
    change_it(folder / "changed undisturbed", config)
    whole = time.monotonic() - began
    sizes = {len(ids(config, 0, stop)) - gone for stop in (1000, 1400) for gone in (0, len(ids(config, 100, 300)))}
    for _ in range(kills):
        killed(partial(change_it, base, config), moments.uniform(0, whole))
        index = Index.open(base / "index")
        index.verify()
        assert len(index) in sizes
    change_it(base, config)
    changed, undisturbed = (Index.open(path / "index") for path in (base, folder / "changed undisturbed"))
    assert list(changed.doc_ids) == list(undisturbed.doc_ids)
    assert contents(changed) == contents(undisturbed)
    left = {path.name for path in changed.path.iterdir()} - {"index.json", "verified.json"}
    assert left == {name.split("/")[0] for name in changed.manifest.files}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_killed_at_any_moment_it_goes_on_and_ends_as_if_never_killed(tmp_path, config):
    # In a process of its own: one that has threads, as that of the tests, cannot be forked safely.
    script = "import sys, pathlib; from {0} import CONFIGS, kill_at_random; "
    script += "kill_at_random(pathlib.Path(sys.argv[1]), CONFIGS[int(sys.argv[2])], 12, int(sys.argv[2]))"
    folder, name = os.path.split(__file__)
    done = subprocess.run(
        [sys.executable, "-c", script.format(name.removesuffix(".py")), str(tmp_path), str(CONFIGS.index(config))],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def base(tmp_path):
    """Gives an index of the first half, and parts of all."""

    def make(config):
        for name, stop in (("half", 1000), ("all", 2000)):
            with PartWriter(tmp_path / name) as writer:
                writer.append(ids(config, 0, stop), embeddings(config, 0, stop))
        return build(tmp_path / "half", tmp_path / "index", config)

    return make


@contextmanager
def no_file_larger_than(size):
    """What a full disk does, done to this process: a write beyond the size fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_where_nothing_more_can_be_written_the_old_index_stays(base, tmp_path, config):
    index = base(config)
    queries = embeddings(config, 0, 10)
    before, expected = {path: describe(path) for path in files(index.path)}, index.search(queries, 5)
    largest = max(file["bytes"] for file in index.manifest.files.values())
    for size in (100, 2000, largest // 2):
        with no_file_larger_than(size), pytest.raises(StorageError, match="could not be written"):
            index.add(ids(config, 1000, 2000), embeddings(config, 1000, 2000))
        with no_file_larger_than(size), pytest.raises(StorageError, match="could not be written"):
            build(tmp_path / "all", index.path, config, overwrite=True)
        assert {path: describe(path) for path in files(index.path)} == before
    assert Index.open(index.path).search(queries, 5).doc_ids == expected.doc_ids


def test_where_nothing_more_can_be_written_parts_go_on_later(tmp_path):
    writer = PartWriter(tmp_path, max_bytes=20000)
    writer.append(IDS[:100], VECTORS[:100])
    writer.flush()
    with no_file_larger_than(5000), pytest.raises(StorageError, match="could not be written"):
        writer.append(IDS[100:1000], VECTORS[100:1000])
    with PartWriter(tmp_path) as writer:
        assert writer.num_docs == 100
        writer.append(IDS[100:], VECTORS[100:])
    assert len(build(tmp_path, tmp_path / "index", TorchDenseIndexConfig())) == 2000


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.kind)
def test_a_full_disk_leaves_the_old_index(tmp_path, config):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted")
    try:
        for name, stop in (("half", 600), ("all", 2000)):
            with PartWriter(tmp_path / name) as writer:
                writer.append(ids(config, 0, stop), embeddings(config, 0, stop))
        index = build(tmp_path / "half", disk / "index", config)
        queries = embeddings(config, 0, 10)
        expected = index.search(queries, 5)
        with suppress(OSError), (disk / "ballast").open("wb") as file:
            while True:
                file.write(bytes(4096))
        with pytest.raises(StorageError, match="could not be written"):
            index.add(ids(config, 600, 2000), embeddings(config, 600, 2000))
        with pytest.raises(StorageError, match="could not be written"):
            build(tmp_path / "all", index.path, config, overwrite=True)
        reopened = Index.open(index.path)
        reopened.verify()
        assert reopened.search(queries, 5).doc_ids == expected.doc_ids
        (disk / "ballast").unlink()
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "verified.json")
