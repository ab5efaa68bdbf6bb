"""What a source's name means, and which one was meant."""

from pathlib import Path

import pytest

from lir_data import read_run
from lir_data.errors import SourceNotFoundError


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("rnu.trec", "There is no file 'rnu.trec'. Did you mean 'run.trec'?"),
        ("runs/dence.trec", "There is no file 'runs/dence.trec'. Did you mean 'runs/dense.trec'?"),
        ("bm25.trec", "There is no file 'bm25.trec'."),
        ("rnus/dense.trec", "There is no file 'rnus/dense.trec'."),
    ],
)
def test_a_mistyped_file_is_answered_with_the_nearest_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.trec").touch()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "dense.trec").touch()
    with pytest.raises(SourceNotFoundError) as raised:
        read_run(asked)
    assert str(raised.value) == message


def test_in_a_folder_far_away_the_whole_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.trec").touch()
    with pytest.raises(SourceNotFoundError, match=f"Did you mean '{tmp_path}/run.trec'"):
        read_run(tmp_path / "rnu.trec")
