"""Where the texts of a run are that nobody names: in the run itself, or at the dataset that its file is named after.

Both are how Lightning IR has its runs: ``msmarco-passage-trec-dl-2019-judged.run`` is one of
``msmarco-passage/trec-dl-2019/judged``, and so is ``bm25__msmarco-passage-trec-dl-2019-judged.run``; a table may have the texts
beside the ids, as ``query`` and ``text``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lir_data.sources import catalogue
from lir_data.sources.fields import KNOWN, QUERY_TEXTS, key_of
from lir_data.sources.given import Given
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import Source, is_file_name, split_fields
from lir_data.sources.rows import Table, fields_of, find_table, has_columns, rows
from lir_data.sources.tables import id_field
from lir_data.sources.unicode import clean


class RunTexts(NamedTuple):
    """What the ids of a run name, and judgements, as far as that is known; None where it is not."""

    docs: Given | None = None
    queries: Given | None = None
    qrels: Given | None = None


def texts_of(run: Source) -> RunTexts:
    """Find the texts of a run that is a file or in memory.

    Args:
        run: Its name, or the table.
    """
    table = find_table(run, "run")
    if has_columns(table):
        first: Mapping[str, Any] = next((row for _, row in rows(table)), {})
        query, doc = _first_of(QUERY_TEXTS, first), _first_of(KNOWN["docs", "text"], first)
        if query is not None or doc is not None:
            return _read(table, query, doc, with_qrels="relevance" in first)
    if isinstance(run, MemoryTable) or not is_file_name(run):
        return RunTexts()
    dataset_id = _named_after(Path(split_fields(run)[0]).name)
    return RunTexts(dataset_id, dataset_id)


def _first_of(names: tuple[str, ...], row: Mapping[str, Any]) -> str | None:
    return next((name for name in names if isinstance(row.get(name), str)), None)


def _read(table: Table, query: str | None, doc: str | None, *, with_qrels: bool) -> RunTexts:
    """Read the texts beside the ids; a table that has them is small enough to be in memory."""
    fields = fields_of(table)
    query_key, doc_key = key_of("run", "query_id", fields), key_of("run", "doc_id", fields)
    queries: dict[str, str] = {}
    docs: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for _, row in rows(table):
        query_id, doc_id = id_field(row, query_key.of(row)), id_field(row, doc_key.of(row))
        for name, id_, texts in ((query, query_id, queries), (doc, doc_id, docs)):
            if name is not None and isinstance(text := row.get(name), str):
                texts.setdefault(id_, clean(text))
        if with_qrels and row.get("relevance") is not None:
            qrels.setdefault(query_id, {})[doc_id] = int(row["relevance"])
    return RunTexts(docs or None, queries or None, qrels or None)


def _named_after(file: str) -> str | None:
    """Return the id of ir_datasets that a file is named after: with dashes, up to the first point, behind two underscores."""
    stem = file.partition(".")[0].rpartition("__")[2]
    found = next((name for name in catalogue.names() if name.replace("/", "-") == stem), None)
    if found is None:
        return None
    dataset = catalogue.load(found)
    return found if catalogue.has(dataset, "docs") and catalogue.has(dataset, "queries") else None
