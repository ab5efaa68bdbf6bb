"""The judgements that belong to queries or a run."""

from functools import cached_property

from lir_data.sources import catalogue
from lir_data.sources.beir import has_qrels
from lir_data.sources.given import Given, source_of
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import Source, full_name, is_file_name
from lir_data.trec import Qrels, SubtopicQrels, read_qrels, read_subtopic_qrels


class Judgements:
    """The judgements of a source, read when they are needed; those of a file at once, so that its mistakes show early.

    Args:
        source: What `read_qrels` takes.
    """

    def __init__(self, source: Given) -> None:
        found = source_of(source, "qrels")
        self.source = found if isinstance(found, MemoryTable) else full_name(found)
        if isinstance(found, MemoryTable) or is_file_name(found):
            _ = self.qrels
        else:
            catalogue.load_with(found, "qrels")

    @cached_property
    def qrels(self) -> Qrels:
        """The relevance by document by query."""
        return read_qrels(self.source)

    @cached_property
    def subtopics(self) -> SubtopicQrels:
        """The relevance by document by subtopic by query."""
        return read_subtopic_qrels(self.source)


def find_qrels(named: Given | None, queries: Source) -> Judgements | None:
    """Return the judgements that are named, or else those that come with the id or folder of the queries, if any do."""
    if named is not None:
        return Judgements(named)
    if isinstance(queries, MemoryTable):
        return None
    own = has_qrels(queries) if is_file_name(queries) else catalogue.has(catalogue.load(queries), "qrels")
    return Judgements(queries) if own else None
