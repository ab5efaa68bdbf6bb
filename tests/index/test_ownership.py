"""What belongs to others stays: only what carries lir's own marks is removed, whatever it is called."""

import ast
from pathlib import Path

import numpy as np
import pytest

import lir_index
from lir_index import FaissFlatIndexConfig, Index, PartWriter, build
from lir_index.errors import ForeignIndexError, StorageError
from lir_index.ownership import check_ours, remove_file, remove_parts, remove_segment
from lir_index.store import changing, check_target

FOREIGN = [
    "thesis.txt",
    "parts/thesis.txt",
    "parts/rank-00000.txt",
    "parts/deep/parts.json",
    "segment-1/thesis.txt",
    "segment-01/thesis.txt",
    "segment-1/vectors.npy",
    "segment-1/doc_ids.bin/thesis.txt",
    "segment-one/doc_ids.bin",
    "deleted-notes.txt",
    "deleted-1.npy.bak",
    "deleted-1.npy/thesis.txt",
    "deleted-1.npy",
    "verified.json",
    "index.json.bak",
    "index.json.d/thesis.txt",
]


def everything(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def parts(tmp_path):
    with PartWriter(tmp_path / "embeddings") as writer:
        writer.append(["a", "b"], np.eye(2))
    return tmp_path / "embeddings"


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("years of work")


def enter(folder):
    with changing(folder):
        pass


@pytest.mark.parametrize("name", FOREIGN)
def test_what_lir_did_not_put_there_is_named_and_stays(tmp_path, parts, name):
    folder = tmp_path / "mine"
    write(folder / name)
    before = everything(folder)
    for attempt in (
        lambda: check_target(folder, overwrite=False),
        lambda: check_target(folder, overwrite=True),
        lambda: build(parts, folder, FaissFlatIndexConfig(), overwrite=True),
        lambda: enter(folder),
    ):
        with pytest.raises(ForeignIndexError, match=f"'{folder}' holds something that lir did not put there") as caught:
            attempt()
        assert name.startswith(caught.value.args[0].rsplit("'", 2)[1])
        assert everything(folder) == before


@pytest.mark.parametrize("name", [name for name in FOREIGN if name not in ("deleted-1.npy", "verified.json")])
def test_beside_an_index_too(tmp_path, parts, name):
    folder = tmp_path / "index"
    index = build(parts, folder, FaissFlatIndexConfig())
    write(folder / name.replace("segment-1/", "segment-2/"))
    before = everything(folder)
    with pytest.raises(ForeignIndexError):
        build(parts, folder, FaissFlatIndexConfig(), overwrite=True)
    assert everything(folder) == before
    if name == "thesis.txt":
        # It is not called as if it were of the index, which may change beside it.
        index.delete(["a"])
        assert (folder / name).exists()
        return
    for change in (lambda: index.add(["c"], np.eye(2)[:1]), lambda: index.delete(["a"]), index.compact):
        with pytest.raises(ForeignIndexError):
            change()
        assert everything(folder) == before


def test_a_file_of_ones_own_in_a_segment_is_not_lost_when_the_index_is_compacted(tmp_path, parts):
    index = build(parts, tmp_path / "index", FaissFlatIndexConfig())
    index.delete(["a"])
    (index.path / "segment-1" / "notes.txt").write_text("years of work")
    with pytest.raises(ForeignIndexError, match=r"'segment-1/notes\.txt'"):
        index.compact()
    assert (index.path / "segment-1" / "notes.txt").read_text() == "years of work"
    assert list(Index.open(index.path).doc_ids) == ["b"]


@pytest.mark.parametrize("name", ["segment-2", "parts", "deleted-1.npy", "segment-2/doc_ids.bin", "parts/parts.json"])
def test_links_are_not_ours_and_are_not_followed(tmp_path, parts, name):
    folder, elsewhere = tmp_path / "index", tmp_path / "elsewhere"
    index = build(parts, folder, FaissFlatIndexConfig())
    elsewhere.mkdir()
    (elsewhere / "doc_ids.bin").write_text("years of work")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(elsewhere if "." not in name else elsewhere / "doc_ids.bin")
    with pytest.raises(ForeignIndexError, match=f"'{name}'"):
        index.delete(["a"])
    for remove in (remove_parts, remove_segment, remove_file):
        with pytest.raises(ForeignIndexError):
            remove(folder / name)
    assert (elsewhere / "doc_ids.bin").read_text() == "years of work"
    assert (folder / name).is_symlink()


def test_a_dangling_link_is_in_the_way_and_stays(tmp_path, parts):
    index = build(parts, tmp_path / "index", FaissFlatIndexConfig())
    (index.path / "segment-2").symlink_to("nowhere")
    with pytest.raises(ForeignIndexError, match="'segment-2'"):
        index.add(["c"], np.eye(2)[:1])


def test_what_interrupted_changes_left_is_removed(tmp_path, parts):
    folder = tmp_path / "index"
    index = build(parts, folder, FaissFlatIndexConfig())
    for name in ("segment-2/doc_ids.bin", "segment-2/unordered.npy", "deleted-7.npy", "index.json.0123abcd.tmp"):
        write(folder / name)
    write(folder / "verified.json.0123abcd.tmp")
    (folder / "segment-3").mkdir()
    index.delete(["a"])
    assert {path.name for path in folder.iterdir()} == {"index.json", "verified.json", "segment-1", "deleted-2.npy"}


def test_a_folder_is_known_as_ours_until_it_is_gone(tmp_path, parts, monkeypatch):
    index = build(parts, tmp_path / "index", FaissFlatIndexConfig())
    removed, unlink, count = [], Path.unlink, 0

    def fail_after_some(path, **arguments):
        if len(removed) == count:
            raise OSError(5, "Input/output error")
        removed.append(path.name)
        unlink(path, **arguments)

    monkeypatch.setattr(Path, "unlink", fail_after_some)
    while count < 3:
        count += 1
        with pytest.raises(StorageError, match="could not be removed: Input/output error"):
            remove_segment(index.path / "segment-1")
        check_ours(index.path)
    with pytest.raises(StorageError):
        remove_parts(parts)
    monkeypatch.undo()
    remove_parts(parts)
    remove_parts(parts)
    assert not parts.exists()


def test_what_nfs_keeps_for_readers_is_in_nobodys_way(tmp_path, parts):
    index = build(parts, tmp_path / "index", FaissFlatIndexConfig())
    write(index.path / "segment-7" / ".nfs0000000000a1b2c300000001")
    index.add(["c"], np.eye(2)[:1])
    check_target(index.path, overwrite=True)


def called(node):
    return getattr(node.func, "attr", getattr(node.func, "id", None))


def is_of_texts(node):
    """Whether it is the replace() of a text or a dataclass, which takes two arguments or names them."""
    is_of_os = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) in ("os", "shutil")
    return called(node) == "replace" and not is_of_os and (len(node.args) != 1 or bool(node.keywords))


def test_nothing_is_removed_or_replaced_elsewhere():
    """In lir_index alone the module of ownership removes, and that of storage gives a temporary file its name."""
    removing = {"rmtree", "unlink", "remove", "rmdir", "removedirs", "replace", "rename", "renames", "move"}
    allowed = {"ownership.py": {"unlink", "rmdir"}, "storage.py": {"replace", "unlink"}}
    seen = {}
    for path in sorted(Path(lir_index.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (name := called(node)) in removing and not is_of_texts(node):
                seen.setdefault(path.name, set()).add(name)
    assert seen == allowed
