"""Adding, deleting, compacting: a changed index is the index that would have been built at once."""

import fcntl
import os
import shutil

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_index import FaissFlatIndexConfig, Index, PartWriter, TorchDenseIndexConfig
from lir_index.errors import (
    ArgumentError,
    BusyIndexError,
    DamagedIndexError,
    DocumentIdError,
    EmbeddingsError,
    NoIndexError,
    OtherModelError,
    StorageError,
)
from lir_index.manifest import Manifest

CONFIG = TorchDenseIndexConfig()
VECTORS = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
IDS = [f"d{i:02}" for i in range(20)]


@pytest.fixture
def index(make_index):
    return make_index(IDS[:10], VECTORS[:10], CONFIG, model="m", fingerprint="f")


def contents(index):
    return {name: (index.path / name).read_bytes() for name in index.manifest.files}


def equal(found, expected):
    pairs = zip(found.scores, expected.scores, strict=True)
    return found.doc_ids == expected.doc_ids and all(np.array_equal(a, b) for a, b in pairs)


def test_what_was_added_is_found_beside_the_rest(index, make_index):
    index.add(IDS[10:], VECTORS[10:])
    assert len(index) == 20
    assert equal(index.search(VECTORS, 7), make_index(IDS, VECTORS, CONFIG).search(VECTORS, 7))
    assert equal(Index.open(index.path).search(VECTORS, 7), index.search(VECTORS, 7))


def test_what_was_deleted_is_found_no_more(index, make_index):
    assert index.delete(["d03", "d04", "unknown"]) == 2
    left = [i for i in range(10) if i not in (3, 4)]
    alone = make_index([IDS[i] for i in left], VECTORS[left], CONFIG)
    assert (len(index), list(index.doc_ids)) == (8, [IDS[i] for i in left])
    assert equal(index.search(VECTORS, 10), alone.search(VECTORS, 10))


def test_a_document_is_replaced_by_deleting_and_adding(index):
    index.delete(["d03"])
    index.add(["d03"], VECTORS[15:16])
    assert index.search(VECTORS[15], 1).doc_ids == [["d03"]]
    assert index.doc_ids.positions(["d03"]).tolist() == [10]


@pytest.mark.parametrize("similarity", ["dot", "cosine", "l2"])
@pytest.mark.parametrize("config_class", [TorchDenseIndexConfig, FaissFlatIndexConfig])
def test_compacting_gives_the_files_that_building_would_have_given(make_index, config_class, similarity):
    config = config_class(similarity=similarity)
    index = make_index(IDS[:10], VECTORS[:10], config)
    index.add(IDS[10:], VECTORS[10:])
    index.delete(["d00", "d11", "d19"])
    index.compact()
    left = [i for i in range(20) if i not in (0, 11, 19)]
    expected = make_index([IDS[i] for i in left], VECTORS[left], config)
    assert (len(index), index.info()["num_segments"], index.info()["num_deleted"]) == (17, 1, 0)
    assert list(contents(index).values()) == list(contents(expected).values())
    left_over = {path.name for path in index.path.iterdir()} - {"index.json", "verified.json"}
    assert left_over == {index.manifest.segments[0].folder}


def test_compacting_a_compact_index_changes_nothing(index):
    before = index.manifest
    index.compact()
    assert index.manifest == before


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changes_in_any_order_give_the_index_of_what_is_left(make_index, data):
    # Small whole numbers, so that ties go across segments.
    vectors = np.random.default_rng(1).integers(-1, 2, (30, 3)).astype(np.float32)
    ids = [f"d{(7 * i) % 30}" for i in range(30)]
    index, held, following = make_index(ids[:3], vectors[:3], CONFIG), [0, 1, 2], 3
    for step in data.draw(st.lists(st.sampled_from(["add", "delete", "compact"]), max_size=6)):
        if step == "add":
            stop = min(30, following + data.draw(st.integers(1, 6)))
            index.add(ids[following:stop], vectors[following:stop])
            held += range(following, stop)
            following = stop
        elif step == "delete" and len(held) > 1:
            gone = data.draw(st.lists(st.sampled_from(held), max_size=len(held) - 1, unique=True))
            assert index.delete([ids[i] for i in gone]) == len(gone)
            held = [i for i in held if i not in gone]
        elif step == "compact":
            index.compact()
    expected = make_index([ids[i] for i in held], vectors[held], CONFIG)
    k = data.draw(st.integers(1, 32))
    assert equal(index.search(vectors, k), expected.search(vectors, k))
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(held), max_size=len(held))))
    allowed = [doc_id for doc_id, taken in zip(index.doc_ids, mask, strict=True) if taken]
    assert equal(index.search(vectors, k, mask), expected.search(vectors, k, mask))
    assert equal(index.search(vectors, k, allowed), expected.search(vectors, k, allowed))
    assert [index.doc_ids[i] for i in range(len(index))] == list(index.doc_ids)
    index.verify()


def test_parts_are_added_as_they_are_built_from(index, tmp_path):
    with PartWriter(tmp_path / "more", metadata={"fingerprint": "f"}, max_bytes=1) as writer:
        writer.append(IDS[10:], VECTORS[10:])
    index.add_parts(tmp_path / "more")
    assert list(index.doc_ids) == IDS


def test_parts_of_another_model_are_refused(index, tmp_path):
    with PartWriter(tmp_path / "more", metadata={"model": "n", "fingerprint": "g"}) as writer:
        writer.append(IDS[10:], VECTORS[10:])
    with pytest.raises(OtherModelError, match=r"built with the model 'm' \(fingerprint f\), and this is 'n'"):
        index.add_parts(tmp_path / "more")


def test_an_id_that_is_there_is_not_added_again(index):
    with pytest.raises(DocumentIdError, match="The document id 'd07' is in the index already") as caught:
        index.add(["new", "d07"], VECTORS[:2])
    assert caught.value.hint == "Delete the document first, and add its new version then."
    assert len(Index.open(index.path)) == 10


def test_other_embeddings_are_not_added(index):
    with pytest.raises(
        EmbeddingsError, match="holds dense embeddings of 4 dimensions, and these are dense embeddings of 3"
    ):
        index.add(["new"], np.ones((1, 3)))
    with pytest.raises(EmbeddingsError, match="and these are multi-vector embeddings of 4"):
        index.add(["new"], (np.ones((1, 4)), np.array([1])))


def test_nothing_added_or_deleted_writes_nothing(index):
    before = index.manifest
    index.add([], np.empty((0, 4)))
    assert (index.delete(["unknown"]), index.manifest) == (0, before)


def test_an_index_of_which_all_is_deleted_finds_nothing(index):
    index.delete(IDS)
    assert index.search(VECTORS[:2], 3).doc_ids == [[], []]
    with pytest.raises(ArgumentError, match=r"All documents of the index in .* are deleted"):
        index.compact()
    index.add(["a"], VECTORS[:1])
    assert index.search(VECTORS[:1], 3).doc_ids == [["a"]]


def test_one_text_is_no_list_of_ids_to_delete(index):
    with pytest.raises(ArgumentError, match="doc_ids is a list of document ids; this is the one text 'd01'"):
        index.delete("d01")


def test_an_index_opened_before_a_change_goes_on_as_it_was(index):
    old = Index.open(index.path)
    expected = old.search(VECTORS, 5)
    index.add(IDS[10:], VECTORS[10:])
    index.compact()
    assert equal(old.search(VECTORS, 5), expected)


def test_an_index_opened_before_a_change_of_another_adds_to_what_there_is_now(index):
    other = Index.open(index.path)
    index.add(IDS[10:12], VECTORS[10:12])
    other.add(IDS[12:], VECTORS[12:])
    assert list(Index.open(index.path).doc_ids) == IDS


def test_two_do_not_change_an_index_at_once(index):
    descriptor = os.open(index.path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(BusyIndexError, match="Another process is changing the index"):
            index.add(IDS[10:], VECTORS[10:])
    finally:
        os.close(descriptor)
    index.add(IDS[10:], VECTORS[10:])


@pytest.mark.parametrize(
    "change", [lambda index: index.add(IDS[10:], VECTORS[10:]), lambda index: index.delete(IDS[:2])]
)
def test_an_interrupted_change_leaves_the_index_as_it_was(index, monkeypatch, change):
    before, expected = index.manifest, index.search(VECTORS, 5)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Manifest, "write", fail)
    with pytest.raises(KeyboardInterrupt):
        change(index)
    monkeypatch.undo()
    assert Index.open(index.path).manifest == before
    assert equal(Index.open(index.path).search(VECTORS, 5), expected)
    change(index)
    named = {name.split("/")[0] for name in index.manifest.files}
    assert {path.name for path in index.path.iterdir()} == named | {"index.json", "verified.json"}


def test_damaged_deletions_are_found(index):
    index.delete(["d03"])
    path = index.path / index.manifest.deleted.file
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(DamagedIndexError, match=f"'{path}' has"):
        Index.open(index.path)
    path.write_bytes(content[:-8] + b"\x01" * 8)
    with pytest.raises(DamagedIndexError, match=f"'{path}' is not as it was written"):
        Index.open(index.path)


def test_an_index_that_has_gone_is_not_changed_and_leaves_no_folder(index):
    expected = index.search(VECTORS, 3)
    shutil.rmtree(index.path)
    for change in (lambda: index.add(IDS[10:], VECTORS[10:]), lambda: index.delete(IDS[:2]), index.compact):
        with pytest.raises(NoIndexError, match="There is no index in"):
            change()
    assert not index.path.exists()
    # What was open stays open.
    assert equal(index.search(VECTORS, 3), expected)


def test_who_may_only_read_an_index_opens_it_and_is_told_that_it_cannot_be_changed(index):
    if os.geteuid() != 0:
        pytest.skip("needs root, who becomes nobody")
    (index.path / "verified.json").unlink()
    for folder in (index.path, *index.path.parents):
        if folder.stat().st_uid == 0 and str(folder).count("/") > 1:
            folder.chmod(0o755)
    os.seteuid(65534)
    try:
        reader = Index.open(index.path)
        assert equal(reader.search(VECTORS, 3), index.search(VECTORS, 3))
        reader.verify()
        for change in (lambda: reader.add(IDS[10:], VECTORS[10:]), lambda: reader.delete(IDS[:2])):
            with pytest.raises(StorageError, match=f"'{index.path}' could not be written: Permission denied"):
                change()
    finally:
        os.seteuid(0)
    assert {path.name for path in index.path.iterdir()} == {"index.json", "segment-1"}
