"""Queries and the whole collection that they are searched for in."""

from collections.abc import Sequence

from lir_data.arguments import check_count
from lir_data.documents import DocDataset
from lir_data.errors import ArgumentError
from lir_data.named_arguments import NamedArguments
from lir_data.queries import QueryDataset
from lir_data.sources.given import Given, source_of
from lir_data.sources.names import is_collection, shown
from lir_data.trec import Qrels


class RetrievalDataset(NamedArguments):
    """A search through all documents, to validate with while a bi-encoder is trained: no index, no first stage.

    Args:
        queries: An id of ir_datasets that has queries, a file, or what is in memory (see `open_queries`).
        docs: What is searched (see `open_documents`); None for the documents of the queries' id.
        depth: Documents kept of each ranking.
        num_queries: Only so many queries, from the start; None for all.
        num_docs: Only so many documents, from the start; None for all.
        qrels: Judgements to measure with (see `read_qrels`); None for those of the queries' id.
        text_fields: Fields of a document to join by spaces; None for the default text.

    Raises:
        ArgumentError: If the documents are not named, and the queries come without any.
    """

    def __init__(
        self,
        queries: Given,
        docs: Given | None = None,
        depth: int = 100,
        num_queries: int | None = None,
        num_docs: int | None = None,
        qrels: Given | None = None,
        text_fields: Sequence[str] | None = None,
    ) -> None:
        source = source_of(queries, "queries")
        if docs is None and not is_collection(source):
            raise ArgumentError(
                f"RetrievalDataset: '{shown(source)}' has no documents; docs must say what is searched."
            )
        check_count("RetrievalDataset", "depth", depth)
        self.depth = depth
        self.queries = QueryDataset(source, num_queries, qrels)
        self.docs = DocDataset(source if docs is None else docs, num_docs, text_fields)
        self.name = self.queries.name

    @property
    def qrels(self) -> Qrels | None:
        """The judgements of all queries, if there are any."""
        return self.queries.qrels

    def __repr__(self) -> str:
        return f"RetrievalDataset(queries={self.queries!r}, docs={self.docs!r}, depth={self.depth})"
