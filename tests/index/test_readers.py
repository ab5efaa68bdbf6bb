"""A little of what readers.py does: a reader beside a writer, which adds, deletes and compacts."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lir_index import Index, TorchDenseIndexConfig
from lir_index import index as module
from lir_index.errors import BusyIndexError, DamagedIndexError
from lir_index.manifest import Manifest
from lir_index.ownership import remove_segment

SCRIPT = Path(__file__).parent / "readers.py"


def run(*options):
    # In a process of its own: one that has threads, as that of the tests, cannot be forked safely.
    command = [sys.executable, str(SCRIPT), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def writer(make_index):
    index = make_index(["a", "b", "c"], np.eye(3), TorchDenseIndexConfig())
    index.delete(["b"])
    return index


def test_what_is_removed_while_it_is_opened_is_looked_for_anew(writer, monkeypatch):
    def add_and_compact():
        writer.add(["d"], np.eye(3)[:1])
        writer.compact()

    check, changes = module.check_files, [writer.compact, add_and_compact]

    def change_first(*arguments, **settings):
        monkeypatch.setattr(module, "check_files", check)
        if changes:
            changes.pop(0)()
            monkeypatch.setattr(module, "check_files", change_first)
        return check(*arguments, **settings)

    monkeypatch.setattr(module, "check_files", change_first)
    assert list(Index.open(writer.path).doc_ids) == ["a", "c", "d"]
    assert changes == []


def test_a_missing_file_is_damage_where_nobody_changes_the_index(writer):
    remove_segment(writer.path / "segment-1")
    with pytest.raises(DamagedIndexError, match="segment-1' is missing"):
        Index.open(writer.path)


def test_what_changes_at_every_look_is_busy(writer, monkeypatch):
    check, numbers = module.check_files, iter(range(100))

    def change_first(folder, *arguments, **settings):
        monkeypatch.setattr(module, "check_files", check)
        writer.add([f"d{next(numbers)}"], np.eye(3)[:1])
        writer.compact()
        monkeypatch.setattr(module, "check_files", change_first)
        return check(folder, *arguments, **settings)

    monkeypatch.setattr(module, "check_files", change_first)
    monkeypatch.setattr(module, "_TRIES", 3)
    with pytest.raises(BusyIndexError, match="changes faster than it can be opened"):
        Index.open(writer.path)


def test_an_index_that_was_open_before_verifies_what_there_is_now(writer):
    before = Index.open(writer.path)
    writer.compact()
    before.verify()
    assert before.search(np.eye(3), 1).doc_ids == Index.open(writer.path).search(np.eye(3), 1).doc_ids
    remove_segment(writer.path / writer.manifest.segments[0].folder)
    with pytest.raises(DamagedIndexError, match="is missing"):
        before.verify()


def test_no_file_ever_has_the_name_of_another(writer):
    names = set()
    for number in range(6):
        writer.add([f"d{number}"], np.eye(3)[:1])
        writer.delete(["a" if number == 0 else f"d{number - 1}"])
        if number % 2:
            writer.compact()
        for name, told in writer.manifest.files.items():
            names.add((name, told["sha256"]))
    assert len({name for name, _ in names}) == len(names)
    assert Manifest.read(writer.path) == writer.manifest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("case", ["torch-dense", "faiss-ivf", "sparse by numpy", "bm25"])
def test_a_reader_beside_a_writer_sees_what_was_committed(case):
    if case == "bm25":
        pytest.importorskip("bm25s")
    done = run("--minutes", "0.025", "--cases", case)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{case}: opened ")


@pytest.mark.long
def test_so_it_is_of_every_kind_for_five_minutes():
    done = run("--minutes", "5")
    assert done.returncode == 0, done.stderr
