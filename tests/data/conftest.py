"""A collection of four documents, two queries, judgements and a run, as local files."""

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

DOCS = [
    {"doc_id": "d1", "title": "Berlin", "text": "the capital of Germany"},
    {"doc_id": "d2", "text": "a river"},
    {"doc_id": "d 3", "title": "", "text": "ein Straßenfest"},
    {"doc_id": "d4", "title": "paris", "text": ""},
]


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """The folder of the files."""
    lines = "".join(json.dumps(doc, ensure_ascii=False) + "\n" for doc in DOCS)
    (tmp_path / "docs.jsonl").write_text(lines, encoding="utf-8")
    with gzip.open(tmp_path / "docs.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(lines)
    (tmp_path / "docs.tsv").write_text("d1\tthe capital\nd2\ta river\nd4\tparis", encoding="utf-8")
    (tmp_path / "queries.tsv").write_text("q1\tcapital\nq2\twater\n", encoding="utf-8")
    (tmp_path / "qrels.txt").write_text("q1 0 d1 2\nq1 0 d2 -1\nq2 0 d2 1\nq2 0 d4 1\n", encoding="utf-8")
    (tmp_path / "run.trec").write_text("q1 Q0 d2 1 0.5 x\nq1 Q0 d1 2 0.25 x\nq2 Q0 d1 1 3 x\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def write_parquet() -> Callable[[Path, Sequence[Mapping[str, Any]]], None]:
    """What writes rows as parquet; skips where pyarrow, which is optional, is not installed."""
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is an extra")
    from pyarrow import parquet

    def write(path: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> None:
        parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path, **options)

    return write
