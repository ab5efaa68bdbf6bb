"""Training tuples: a query with a relevant document and, mostly, others that are not."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Literal, get_args

from lir_data.arguments import check_choice, check_count
from lir_data.documents import Documents, open_documents
from lir_data.errors import (
    ArgumentError,
    EmptySourceError,
    MalformedLineError,
    MissingPartError,
    UnusableLineError,
    unknown_ids,
)
from lir_data.order import OrderedDataset
from lir_data.queries import Queries
from lir_data.samples import RankSample
from lir_data.sampling import generator, sample_tuple
from lir_data.sources import catalogue
from lir_data.sources.external import DOCS, QUERIES, find_external
from lir_data.sources.given import Given, source_of
from lir_data.sources.lines import binary_lines, is_blank, parse_line
from lir_data.sources.local_files import LocalFile, local_file
from lir_data.sources.memory import MemoryTable
from lir_data.sources.names import Source, beir_folder, full_name, is_collection, is_file_name, short_name, shown
from lir_data.sources.registered import registered_source
from lir_data.sources.rows import Table, find_table, has_columns, rows
from lir_data.sources.training_files import Form, TrainingTuple, looks_like_qrels, recognise, split_line
from lir_data.trec import read_qrels

Targets = Literal["order", "score"]
Kind = Literal["docpairs", "qrels", "file"]

#: The number of a line with its bytes, the place of a row with its values, or what needs no parsing.
Record = tuple[int, bytes] | tuple[str, Mapping[str, Any]] | TrainingTuple

# Documents are looked up for so many tuples at a time: a store is quicker asked once than often.
_TOGETHER = 512


class TupleDataset(OrderedDataset[Record, RankSample]):
    """Tuples of a query and documents, the relevant one first, each as a `RankSample` with targets; for fine-tuning.

    Sources:
        - an id of ir_datasets with training pairs (``docpairs``), or of a published training set beside it, such as
          ``msmarco-passage/train/colbert-docpairs``;
        - an id, a BEIR folder or a qrels file with judgements: one tuple of one document for each judgement above 0,
          for losses that take the other queries' documents as negatives;
        - a file (tsv, jsonl, parquet) or a dataset of Hugging Face (``hf:NAME``) of one of these forms, which is
          recognised by the first record: ``query<TAB>relevant<TAB>other<TAB>…``; ``{"query": …, "docs": […],
          "scores": […]}``, of ids with ``query_id`` and ``doc_ids``; ``[query, document, …]`` or ``[query, [document,
          score], …]`` of ColBERT; the rows of sentence-transformers (``anchor``, ``positive``, ``negative``),
          FlagEmbedding (``pos``, ``neg``) and Tevatron (``positive_passages``, ``negative_passages``).

    tsv and jsonl may be packed, and are read in a stream. They hold texts, or ids if ``docs`` and ``queries`` say where
    the texts are. A text without an id is its own id. Where a form has lists of relevant and of other documents, a
    sample has one of the former and ``num_docs - 1`` of the latter, drawn anew each epoch.

    Args:
        tuples_dataset: The source.
        targets: ``order``: 1 for the first document, 0 for the others. ``score``: the scores of the source.
        num_docs: Documents of a sample; None for all, of several that are relevant one.
        docs: What document ids name (see `open_documents`).
        queries: What query ids name (see `open_queries`).
        num_tuples: Only so many tuples, from the start; None for all.
        text_fields: Fields of a document to join by spaces; None for the default text.
        seed: Decides what is drawn, together with the epoch (see `set_epoch`) and the query.
    """

    def __init__(
        self,
        tuples_dataset: Given,
        targets: Targets = "order",
        num_docs: int | None = None,
        docs: Given | None = None,
        queries: Given | None = None,
        num_tuples: int | None = None,
        text_fields: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        check_choice("TupleDataset", "targets", targets, get_args(Targets))
        source = source_of(tuples_dataset, "tuples")
        if seed < 0:
            raise ArgumentError(f"TupleDataset: seed is {seed}; it must be 0 or more.")
        self.targets: Targets = targets
        self.num_docs = check_count("TupleDataset", "num_docs", num_docs)
        self.num_tuples = check_count("TupleDataset", "num_tuples", num_tuples)
        self.seed = seed
        self.name = short_name(source)
        self._external = None if isinstance(source, MemoryTable) else find_external(source)
        self.source = (
            None if isinstance(source, MemoryTable) else full_name(source) if self._external is None else source
        )
        # ir_datasets knows pairs alone; a file that is registered as an id may have more documents, and scores.
        registered = None if isinstance(source, MemoryTable) else registered_source(source, "docpairs")
        self._file: Source = registered or (source if self.source is None else self.source)
        self._kind = self._kind_of_source()
        if targets == "score" and self._kind != "file":
            raise ArgumentError(f"TupleDataset: targets is 'score', but '{shown(source)}' has no scores; use 'order'.")
        own = (
            (DOCS, QUERIES)
            if self._external is not None
            else (source, source)
            if is_collection(source)
            else (None, None)
        )
        docs, queries = own[0] if docs is None else docs, own[1] if queries is None else queries
        self._check_texts(docs, queries)
        if docs is None and text_fields is not None:
            raise ArgumentError(f"TupleDataset: '{shown(source)}' holds texts, which have no fields to choose from.")
        self._documents: Documents | None = None if docs is None else open_documents(docs, text_fields)
        self._queries: Queries | None = None if queries is None else Queries(queries)
        if self._documents is not None:
            self.together = _TOGETHER
        if self._kind == "file" and self._external is None:
            for record in islice(self.records(0), 1):  # a record of another form shows at once
                self._tuple(record, 0)

    def records(self, _: int, /) -> Iterable[Record]:
        """Return the lines or rows of a file, the pairs of an id or the judgements."""
        if self._kind == "qrels":
            return self._judged[: self.num_tuples]
        return islice(self._in_file() if self._kind == "file" else self._pairs(), self.num_tuples)

    def complete(self, records: Sequence[Record], epoch: int, /) -> Sequence[RankSample]:
        """Parse records, draw documents, and look up the texts of all."""
        tuples = [self._tuple(record, epoch) for record in records]
        queries = self._query_texts([item.query for item in tuples if item.query_text is None])
        texts: Mapping[str, str] = {}
        if self._documents is not None:
            texts = self._documents.get_many(doc for item in tuples if item.doc_texts is None for doc in item.docs)
        return [
            RankSample(
                item.query,
                queries[item.query] if item.query_text is None else item.query_text,
                item.docs,
                tuple(texts[doc] for doc in item.docs) if item.doc_texts is None else item.doc_texts,
                self._targets(item),
            )
            for item in tuples
        ]

    @cached_property
    def _table(self) -> Table:
        if self._external is not None:
            return local_file(self._external.path(), "tuples")
        return find_table(self._file, "tuples")

    @cached_property
    def _is_json(self) -> bool:
        return isinstance(self._table, LocalFile) and self._table.layout == "json lines"

    @cached_property
    def _form(self) -> Form:
        """The form of the file, by its first record."""
        if self._external is not None:
            return self._external.tuples
        for record in self._in_file():
            return self._read(record, lambda values: recognise(values, with_scores=self.targets == "score"))
        raise EmptySourceError(f"'{self._table}' holds no tuples.")

    def _kind_of_source(self) -> Kind:
        if self._external is not None:
            if self._external.is_run:
                raise MissingPartError(f"'{self._file}' holds rankings, not tuples; read it with RunDataset.")
            return "file"
        if beir_folder(self._file) is not None:
            return "qrels"
        if is_file_name(self._file):
            return "qrels" if isinstance(self._table, LocalFile) and looks_like_qrels(self._table) else "file"
        dataset = catalogue.load(str(self._file))
        for kind in ("docpairs", "qrels"):
            if catalogue.has(dataset, kind):
                return kind
        raise MissingPartError(
            f"The dataset '{self._file}' has neither training pairs nor judgements, so it makes no tuples."
        )

    def _check_texts(self, docs: Given | None, queries: Given | None) -> None:
        """Refuse ids without texts, and a place of texts for what holds them itself."""
        holds = "ids" if self._kind != "file" else self._form.holds
        if holds == "texts" and (docs is not None or queries is not None):
            raise ArgumentError(
                f"TupleDataset: '{shown(self._file)}' holds texts, as {self._form.example}; leave out docs and queries."
            )
        knows_queries = self._kind == "file" and docs is not None and queries is None and self._has_query_text()
        if (docs is None) != (queries is None) and not knows_queries:
            raise ArgumentError(
                "TupleDataset: give docs and queries (the file holds ids), or neither (it holds texts)."
            )
        if docs is None and holds == "ids":
            raise ArgumentError(f"'{shown(self._file)}' holds ids: docs and queries must say where the texts are.")

    def _has_query_text(self) -> bool:
        first = next(iter(self._in_file()))
        return self._read(first, self._form.parse).query_text is not None

    def _in_file(self) -> Iterator[Record]:
        if not isinstance(self._table, LocalFile) or (has_columns(self._table) and not self._is_json):
            yield from rows(self._table)
            return
        for number, line in enumerate(binary_lines(self._table.path), start=1):
            if not is_blank(line) and not (self._external is not None and self._external.lacks_positives(line)):
                yield number, line

    def _pairs(self) -> Iterator[TrainingTuple]:
        with catalogue.reading(str(self._file)):
            for pair in catalogue.load(str(self._file)).docpairs_iter():
                yield TrainingTuple(pair.query_id, (pair.doc_id_a, pair.doc_id_b))

    @cached_property
    def _judged(self) -> list[TrainingTuple]:
        judged = [
            TrainingTuple(query_id, (doc_id,))
            for query_id, judgements in read_qrels(self._file).items()
            for doc_id, relevance in judgements.items()
            if relevance > 0
        ]
        if not judged:
            raise EmptySourceError(f"No judgement of '{shown(self._file)}' is above 0, so it makes no tuples.")
        return judged

    def _read(self, record: Record, parse: Callable[[Any], Any]) -> Any:
        """Parse a record of a file; what is wrong with it is said with its place."""
        assert not isinstance(record, TrainingTuple)
        place, values = record
        if isinstance(values, bytes):
            assert isinstance(place, int)
            assert isinstance(self._table, LocalFile)
            return parse_line(
                self._table.path, place, values, lambda line: parse(split_line(line, is_json=self._is_json))
            )
        try:
            return parse(values)
        except UnusableLineError as error:
            raise MalformedLineError(f"{place}: {error}") from None

    def _parse(self, values: Any) -> TrainingTuple:
        parse = self._form.parse if self._external is None else self._external.parse
        item = parse(values)
        if self.targets == "score" and item.scores is None:
            raise UnusableLineError("there is no score of each document; use targets='order'.")
        if self._documents is not None and self._queries is None and item.query_text is None:
            raise UnusableLineError(f"there is no text of the query '{item.query}'; queries must say where it is.")
        return item

    def _tuple(self, record: Record, epoch: int) -> TrainingTuple:
        """Return what a record says, with the documents that are drawn."""
        item = record if isinstance(record, TrainingTuple) else self._read(record, self._parse)
        if item.num_positives is None:
            places: Sequence[int] = range(len(item.docs[: self.num_docs]))
        else:
            draw = generator(self.seed, epoch, item.query)
            places = sample_tuple(item.num_positives, len(item.docs), self.num_docs, draw)
        query_text, doc_texts = item.query_text, item.doc_texts
        if self._documents is None:
            query_text, doc_texts = query_text or item.query, doc_texts or item.docs
        return TrainingTuple(
            item.query,
            tuple(item.docs[place] for place in places),
            None if item.scores is None else tuple(item.scores[place] for place in places),
            item.num_positives,
            query_text,
            None if doc_texts is None else tuple(doc_texts[place] for place in places),
        )

    def _query_texts(self, query_ids: Sequence[str]) -> Mapping[str, str]:
        if self._queries is None:
            return {}
        texts = self._queries.texts
        if unknown := [query_id for query_id in query_ids if query_id not in texts]:
            asker = f"the dataset '{self.name}'"
            raise unknown_ids("query", list(dict.fromkeys(unknown)), shown(self._queries.source), asker)
        return texts

    def _targets(self, item: TrainingTuple) -> tuple[float, ...]:
        if self.targets == "score":
            assert item.scores is not None
            return item.scores
        return tuple(float(place == 0) for place in range(len(item.docs)))
