"""Whether an output can be written is known before the work."""

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lir_data.errors import OutputExistsError, UnwritableOutputError
from lir_data.writing import check_output, check_place


@pytest.mark.parametrize("name", ["run.trec", "new/folders/run.trec"])
def test_asking_leaves_nothing(tmp_path: Path, name: str) -> None:
    check_output(tmp_path / name, overwrite=False)
    check_place(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_file_that_exists_is_refused_unless_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "run.trec").write_text("old")
    with pytest.raises(OutputExistsError, match=r"run.trec' exists already"):
        check_output(tmp_path / "run.trec", overwrite=False)
    check_output(tmp_path / "run.trec", overwrite=True)
    assert (tmp_path / "run.trec").read_text() == "old"


@pytest.mark.parametrize("check", [check_place, lambda path: check_output(path, overwrite=False)])
def test_a_folder_that_nobody_may_write_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: Any
) -> None:
    def refuse(**options: Path) -> None:
        assert options == {"dir": tmp_path}
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(UnwritableOutputError, match=r"new/run.trec' cannot be written: Read-only file system\."):
        check(tmp_path / "new" / "run.trec")


def test_a_file_on_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnwritableOutputError, match=r"file/run.trec' cannot be written: Not a directory\."):
        check_output(tmp_path / "file" / "run.trec", overwrite=False)


def test_a_name_that_is_too_long_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnwritableOutputError, match=r"cannot be written: File name too long\."):
        check_output(tmp_path / ("x" * 255), overwrite=False)


@pytest.mark.parametrize(
    ("path", "message"), [("", "is a folder; the output is a file"), ("/dev/null", "is no regular")]
)
def test_what_is_no_file_is_not_replaced(tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(UnwritableOutputError, match=message):
        check_output(tmp_path / path, overwrite=True)
