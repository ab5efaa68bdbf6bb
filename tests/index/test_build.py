import shutil
import sys

import numpy as np
import pytest
from scipy.sparse import csr_array

from lir_index import FaissFlatIndexConfig, Index, PartWriter, TorchDenseIndexConfig, build
from lir_index.dense import TorchDenseSegment
from lir_index.errors import (
    ArgumentError,
    DocumentIdError,
    EmbeddingsError,
    ForeignIndexError,
    IndexExistsError,
    NoIndexError,
    PartsError,
    StorageError,
)
from lir_index.manifest import Manifest

CONFIG = TorchDenseIndexConfig()
STEPS = ["doc ids", "payload", "manifest"]


@pytest.fixture
def write_parts(tmp_path):
    def write(doc_ids, embeddings, folder="parts", **arguments):
        with PartWriter(tmp_path / folder, **arguments) as writer:
            writer.append(doc_ids, embeddings)
        return tmp_path / folder

    return write


@pytest.fixture
def interrupt(monkeypatch):
    """Interrupts the build at one of its steps."""

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    def at(step):
        if step == "doc ids":
            monkeypatch.setattr(sys.modules["lir_index.store"], "write_doc_ids", fail)
        elif step == "payload":
            monkeypatch.setattr(TorchDenseSegment, "write", fail)
        else:
            monkeypatch.setattr(Manifest, "write", fail)

    return at


def test_builds_from_many_parts_what_it_builds_from_one(tmp_path, write_parts):
    vectors, doc_ids = np.random.default_rng(0).random((50, 6)), [f"d{i}" for i in range(50)]
    one = build(write_parts(doc_ids, vectors, "one"), tmp_path / "a", CONFIG)
    many = build(write_parts(doc_ids, vectors, "many", max_bytes=40), tmp_path / "b", CONFIG)
    assert one.manifest.files == many.manifest.files


def test_takes_the_metadata_of_the_parts(tmp_path, write_parts):
    parts = write_parts(["a"], [[1.0]], metadata={"model": "m", "similarity": "l2"})
    index = build(parts, tmp_path / "idx", CONFIG)
    assert (index.metadata["model"], index.similarity) == ("m", "l2")


def test_metadata_given_replaces_that_of_the_parts(tmp_path, write_parts):
    parts = write_parts(["a"], [[1.0]], metadata={"model": "m"})
    assert build(parts, tmp_path / "idx", CONFIG, metadata={"model": "n"}).metadata["model"] == "n"


def test_the_similarity_of_config_and_model_must_agree(tmp_path, write_parts):
    parts = write_parts(["a"], [[1.0]], metadata={"similarity": "cosine"})
    with pytest.raises(ArgumentError, match="TorchDenseIndexConfig has the similarity dot, and the model has cosine"):
        build(parts, tmp_path / "idx", TorchDenseIndexConfig(similarity="dot"))


def test_half_precision_parts_make_the_index_of_their_values(tmp_path, write_parts):
    vectors = np.random.default_rng(0).random((9, 4)).astype(np.float16)
    half = build(write_parts(list("abcdefghi"), vectors, "half"), tmp_path / "a", CONFIG)
    full = build(write_parts(list("abcdefghi"), vectors.astype(np.float32), "full"), tmp_path / "b", CONFIG)
    assert half.manifest.files == full.manifest.files


@pytest.mark.parametrize(
    ("config", "taken"),
    [
        (TorchDenseIndexConfig(), "dense"),
        (FaissFlatIndexConfig(), "dense or multi-vector"),
    ],
)
def test_another_form_is_refused_and_named(tmp_path, write_parts, config, taken):
    parts = write_parts(["a"], csr_array([[0.0, 2]]))
    with pytest.raises(
        EmbeddingsError, match=f"{config.kind} is built from {taken} embeddings, not from sparse embeddings"
    ):
        build(parts, tmp_path / "idx", config)


def test_a_duplicate_across_ranks_is_refused(tmp_path, write_parts):
    write_parts(["a", "b"], np.eye(2), world_size=2)
    parts = write_parts(["c", "a"], np.eye(2), rank=1, world_size=2)
    with pytest.raises(DocumentIdError, match="The document id 'a' occurs twice, as documents 1 and 4"):
        build(parts, tmp_path / "idx", CONFIG)
    assert not list((tmp_path / "idx").iterdir())


def test_a_vector_too_long_is_refused_with_its_document(tmp_path, write_parts):
    with pytest.raises(EmbeddingsError, match=r"The embedding of document 'b' has the length 1e\+30"):
        build(write_parts(["a", "b"], [[1.0], [1e30]]), tmp_path / "idx", CONFIG)


def test_unfinished_parts_are_refused(tmp_path):
    PartWriter(tmp_path / "parts")
    with pytest.raises(PartsError, match="unfinished"):
        build(tmp_path / "parts", tmp_path / "idx", CONFIG)


def test_an_index_is_not_overwritten_unasked(tmp_path, write_parts):
    build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG)
    with pytest.raises(IndexExistsError, match=f"There is an index in '{tmp_path}/idx' already"):
        build(tmp_path / "parts", tmp_path / "idx", CONFIG)


def test_overwriting_leaves_nothing_of_the_old_index(tmp_path, write_parts):
    build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG)
    build(write_parts(["b"], [[1.0]], "others"), tmp_path / "idx", FaissFlatIndexConfig(), overwrite=True)
    assert Index.open(tmp_path / "idx").search([1.0] @ np.eye(1), 1).doc_ids == [["b"]]
    assert sorted(path.name for path in (tmp_path / "idx").iterdir()) == [
        "index.json",
        "segment-2",
        "verified.json",
    ]


@pytest.mark.parametrize("text", ["half", '{"format": "lir-index", "format_version": 9}'])
def test_a_damaged_or_newer_index_can_be_overwritten(tmp_path, write_parts, text):
    build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG)
    (tmp_path / "idx" / "index.json").write_text(text)
    build(tmp_path / "parts", tmp_path / "idx", CONFIG, overwrite=True).verify()
    assert len(list((tmp_path / "idx").glob("segment-*"))) == 1


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("name", ["thesis.tex", "index.json"])
def test_a_folder_of_something_else_is_left_alone(tmp_path, write_parts, name, overwrite):
    (tmp_path / "idx").mkdir()
    (tmp_path / "idx" / name).write_text('{"a": 1}')
    with pytest.raises(ForeignIndexError, match=name):
        build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG, overwrite=overwrite)
    assert (tmp_path / "idx" / name).read_text() == '{"a": 1}'


def test_a_file_is_no_folder_for_an_index(tmp_path, write_parts):
    (tmp_path / "idx").write_text("text")
    with pytest.raises(ForeignIndexError, match="idx' is a file, and an index is a folder"):
        build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG, overwrite=True)


@pytest.mark.parametrize("step", STEPS)
def test_an_interrupted_build_leaves_nothing_that_opens_and_can_be_repeated(
    tmp_path, write_parts, interrupt, monkeypatch, step
):
    parts = write_parts(["a"], [[1.0]])
    interrupt(step)
    with pytest.raises(KeyboardInterrupt):
        build(parts, tmp_path / "idx", CONFIG)
    with pytest.raises(NoIndexError, match="There is no index"):
        Index.open(tmp_path / "idx")
    monkeypatch.undo()
    assert len(build(parts, tmp_path / "idx", CONFIG)) == 1


@pytest.mark.parametrize("step", STEPS)
def test_the_old_index_stays_until_the_new_one_is_complete(tmp_path, write_parts, interrupt, step):
    old = build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG)
    others = write_parts(["b"], [[1.0]], "others")
    interrupt(step)
    with pytest.raises(KeyboardInterrupt):
        build(others, tmp_path / "idx", CONFIG, overwrite=True)
    Index.open(tmp_path / "idx").verify()
    assert Index.open(tmp_path / "idx").manifest == old.manifest


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path, write_parts):
    (tmp_path / "idx" / "segment-1").mkdir(parents=True)
    for name in ("doc_ids.bin", "vectors.npy"):
        (tmp_path / "idx" / "segment-1" / name).write_text("half")
    build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG)
    assert [path.name for path in (tmp_path / "idx").glob("segment-*")] == ["segment-1"]
    Index.open(tmp_path / "idx").verify()


def test_a_folder_that_goes_meanwhile_is_not_made_again(tmp_path, write_parts, monkeypatch):
    def lose(folder, manifest):
        shutil.rmtree(folder)
        manifest.write(folder)

    monkeypatch.setattr(sys.modules["lir_index.build"], "commit", lose)
    with pytest.raises(StorageError, match=r"index\.json' could not be written: No such file or directory"):
        build(write_parts(["a"], [[1.0]]), tmp_path / "idx", CONFIG)
    assert not (tmp_path / "idx").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_is_told_in_a_sentence(tmp_path, write_parts, monkeypatch):
    from lir_index import dense

    monkeypatch.setattr(dense, "_VECTORS", "/dev/full")
    with pytest.raises(StorageError, match="could not be written: No space left on device"):
        build(write_parts(["a"], np.ones((1, 100000))), tmp_path / "idx", CONFIG)


def test_results_are_independent_of_the_order_of_parts(tmp_path, write_parts):
    vectors = np.random.default_rng(0).integers(-2, 3, (40, 3))
    doc_ids = [f"d{i}" for i in range(40)]
    forward = build(write_parts(doc_ids, vectors, "forward"), tmp_path / "a", CONFIG)
    backward = build(write_parts(doc_ids[::-1], vectors[::-1], "backward"), tmp_path / "b", CONFIG)
    assert forward.search(vectors, 11).doc_ids == backward.search(vectors, 11).doc_ids
