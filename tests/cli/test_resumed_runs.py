"""A search that was interrupted goes on where it was."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lir_index import Index

Lir = Callable[..., Any]


@pytest.fixture
def broken_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Let searches fail after some batches, and count the queries of each batch."""
    search = Index.search

    def patch(count: int) -> list[int]:
        seen: list[int] = []

        def searched(self: Index, queries: Any, *arguments: Any) -> Any:
            if len(seen) == count:
                raise RuntimeError("the power went out")
            seen.append(len(queries))
            return search(self, queries, *arguments)

        monkeypatch.setattr(Index, "search", searched)
        return seen

    return patch


@pytest.mark.parametrize("kind", ["bm25", "dense"])
def test_an_interrupted_search_goes_on(
    lir: Lir, collection: Path, backbone: Path, broken_after: Callable[[int], list[int]], kind: str
) -> None:
    model = () if kind == "bm25" else ("--model", backbone)
    assert lir("index", "--type", kind, *model, "--docs", "docs.tsv", "--index", "idx").code == 0
    texts = ("--queries", "queries.tsv", "--qrels", "qrels.txt", "-m", "RR", "--batch-size", 3)
    command = ("search", "--index", "idx", *texts, "-k", 4, "--run")
    whole = lir(*command, "whole.trec")
    assert whole.code == 0, whole.err
    broken_after(2)
    assert lir(*command, "run.trec").code == 1
    assert not Path("run.trec").exists()
    seen = broken_after(9)
    done = lir(*command, "run.trec")
    assert done.code == 0, done.err
    assert "6 queries were done before; going on from there.\n" in done.err
    assert "search: 4 queries in" in done.err
    assert seen == [3, 1]
    assert done.out == whole.out
    assert Path("run.trec").read_bytes() == Path("whole.trec").read_bytes()
    assert not list(collection.glob("*.partial*"))

    broken_after(1)
    assert lir(*command, "run.trec", "--overwrite").code == 1
    assert Path("run.trec").read_bytes() == Path("whole.trec").read_bytes()
    seen = broken_after(9)
    done = lir(*command[:-2], 5, "--run", "run.trec", "--overwrite")
    assert done.code == 0, done.err
    assert "What was finished of 'run.trec' before was made otherwise (search_config): it begins anew." in done.err
    assert sum(seen) == 10
