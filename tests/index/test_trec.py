import gzip

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lir_index.errors import RunFileError, StorageError
from lir_index.trec import write_run


def test_six_columns_on_each_line(tmp_path):
    write_run(tmp_path / "run.trec", {"q1": {"d2": 2.5, "d1": -1.0}, "q2": {}}, tag="me")
    assert (tmp_path / "run.trec").read_text() == "q1 Q0 d2 1 2.5 me\nq1 Q0 d1 2 -1.0 me\n"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_scores_are_read_as_the_same_float32(tmp_path, score):
    write_run(tmp_path / "run", {"q": {"d": score}}, overwrite=True)
    assert np.float32((tmp_path / "run").read_text().split()[4]) == np.float32(score)


def test_a_name_in_gz_is_compressed_always_to_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_run(tmp_path / name / "run.gz", {"q": {"d": 1.0}})
    assert gzip.decompress((tmp_path / "a" / "run.gz").read_bytes()) == b"q Q0 d 1 1.0 lir\n"
    assert (tmp_path / "a" / "run.gz").read_bytes() == (tmp_path / "b" / "run.gz").read_bytes()


def test_a_run_is_not_overwritten_unasked(tmp_path):
    (tmp_path / "run").write_text("old")
    with pytest.raises(RunFileError, match=f"The run '{tmp_path}/run' exists already"):
        write_run(tmp_path / "run", {})
    assert (tmp_path / "run").read_text() == "old"


@pytest.mark.parametrize("name", ["a b", "", "a\n", "a\u00a0b"])
def test_an_id_with_a_space_is_refused_and_nothing_written(tmp_path, name):
    with pytest.raises(RunFileError, match=r"The document id .* cannot stand in a run file"):
        write_run(tmp_path / "run", {"q": {"d": 2.0, name: 1.0}})
    with pytest.raises(RunFileError, match=r"The query id .* cannot stand in a run file"):
        write_run(tmp_path / "run", {name: {"d": 2.0}})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file/run' could not be written"):
        write_run(tmp_path / "file" / "run", {})


@pytest.mark.parametrize("name", ["run.jsonl", "run.parquet", "run.trec.zst", "run.jsonl.gz", "run.JSON"])
def test_a_name_that_asks_for_another_format_is_refused(tmp_path, name):
    with pytest.raises(RunFileError, match=rf"'{tmp_path}/{name}' cannot be written: .* writes TREC, plain or as .gz"):
        write_run(tmp_path / name, {"q": {"d": 1.0}})
    assert not list(tmp_path.iterdir())


def test_a_nan_is_refused(tmp_path):
    with pytest.raises(RunFileError, match="A score of the query 'q' is NaN"):
        write_run(tmp_path / "run", {"q": {"d": float("nan")}})


def test_equal_scores_are_ordered_by_id(tmp_path):
    write_run(tmp_path / "run", {"q": {"b": 1.0, "c": 2.0, "a": 1.0}})
    assert [line.split()[2] for line in (tmp_path / "run").read_text().splitlines()] == ["c", "a", "b"]
