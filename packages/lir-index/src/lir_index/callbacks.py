"""Indexing and searching as callbacks of a Lightning trainer, for any module that hands over embeddings.

What they need of a module is the result of its ``predict_step``: an object with ``doc_ids`` and ``doc_embeddings``, or
with ``query_ids`` and ``query_embeddings``. A module may also have ``index_metadata()``, a mapping with any of the fields
of :class:`lir_index.metadata.Metadata`; and its data module ``documents`` (where the texts are found), ``names`` (of the
datasets, for the run files) and ``query_ids(number)`` (of a dataset's queries in its order, for a search).

A callback's ``stage`` says in which stage of a pipeline it has something to do.
"""

# ruff: noqa: ARG002 - Lightning hands over more than is needed here.

import itertools
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only

from lir_index import parts
from lir_index.build import build, check_config, is_built
from lir_index.config import IndexConfig, SearchConfig
from lir_index.contents import NOTHING, extended, joined
from lir_index.embeddings import Batch, as_batch, first_not_finite
from lir_index.errors import DamagedPartsError, EmbeddingsError, LirIndexError, RunFileError
from lir_index.index import Index
from lir_index.kinds import default_config
from lir_index.locks import FolderLock, check_free
from lir_index.manifest import NAME, Manifest
from lir_index.metadata import Metadata
from lir_index.named_arguments import NamedArguments
from lir_index.ownership import PARTS, remove_parts
from lir_index.store import changing, check_target
from lir_index.trec import check_ids, check_new_run, check_run_path, write_run

logger = logging.getLogger("lir_index")

Run = dict[str, dict[str, float]]
Gathered = TypeVar("Gathered")

NOT_FINITE = "Half precision overflows in some models: try bfloat16 or float32."


class IndexCallback(Callback, NamedArguments):
    """Builds an index from the embeddings that the trainer's predict loop makes.

    Each process appends to its own part files; when all are done, the first builds the index. From the start to the end no
    other process can change the index.

    An interrupted run goes on from its parts, if their documents are still the same: the data module hands
    :meth:`resume_indexing` a hash for each document that it reads, and may leave out as many as the answer says. Its batches then
    have ``digests``, the same hashes. A data module that does not know of this may ask :meth:`num_docs_done`.

    Args:
        index_dir: Folder of the index.
        index_config: Which kind of index to build; None for an exact one that takes what the module makes.
        overwrite: Whether an index in that folder may be replaced; it stays until the new one is complete.
        keep_parts: Whether to keep the embeddings, in the folder ``parts``, so that another index can be built from
            them without encoding again.

    Raises:
        IndexExistsError: If there is an index, and ``overwrite`` is not set. An index that was complete when its run was
            killed, before it had removed its parts, is only refused when it turns out to be another.
        ForeignIndexError: If the folder holds anything that is not of an index.
        BusyIndexError: If another process is changing the index.
    """

    stage = "index"

    def __init__(
        self,
        index_dir: str | Path,
        index_config: IndexConfig | None = None,
        overwrite: bool = False,
        keep_parts: bool = False,
    ) -> None:
        super().__init__()
        self.index_dir = Path(index_dir)
        self.index_config = index_config
        self.overwrite = overwrite
        self.keep_parts = keep_parts
        self._config: IndexConfig | None = None
        self._metadata: Metadata | None = None
        self._writer: parts.PartWriter | None = None
        self._has_ended = True
        self._lock: FolderLock | None = None
        # What an interrupted run left: parts, or a complete index; why neither counts; whether documents were compared.
        self._done = parts.Done()
        self._complete: Manifest | None = None
        self._why_anew: str | None = None
        self._is_compared = False
        # Documents that come again though they are in the parts, since another callback lacks them.
        self._surplus = 0
        # Others of the processes that index together come here when the first is at work.
        if getattr(rank_zero_only, "rank", 0) == 0:
            check_free(self.index_dir)
        self._check_target()

    @property
    def parts_dir(self) -> Path:
        """Where the embeddings lie until the index is complete."""
        return self.index_dir / PARTS

    def num_docs_done(self, rank: int = 0, world_size: int = 1) -> int:
        """Count the documents that an interrupted run has encoded.

        Args:
            rank: Which process, from 0.
            world_size: Number of processes.

        Returns:
            Number of documents at the beginning of the process's shard that need not be encoded again.

        Raises:
            PartsError: If the interrupted run had another model, other documents or another number of processes.
        """
        try:
            return parts.num_docs_done(self.parts_dir, rank, world_size, self._metadata)
        except DamagedPartsError:
            return 0

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check everything that can be checked before the first document is encoded."""
        if stage != "predict":
            return
        if trainer.is_global_zero:
            self._lock = FolderLock(self.index_dir)
        self._check_target()
        self._metadata = _metadata_of(trainer, pl_module)
        self._config = self.index_config or default_config(self._metadata.form)
        check_config(self._config, self._metadata)
        self._has_ended, self._is_compared, self._surplus = False, False, 0
        self._done, self._complete, self._why_anew = parts.Done(), None, None
        if self._may_be_complete:
            self._complete = Manifest.read(self.index_dir)
            if self._complete.contents is None or not is_built(self._complete, self._config, self._metadata):
                check_target(self.index_dir, overwrite=False)
            return
        try:
            # Under which name the documents are found matters less than what they are.
            self._done = parts.find_done(
                self.parts_dir, trainer.global_rank, trainer.world_size, self._metadata, whatever=["documents"]
            )
        except DamagedPartsError as error:
            self._why_anew = str(error)

    def resume_indexing(self, trainer: Trainer, digests: Iterable[bytes]) -> int:
        """Compare the documents that an interrupted run has encoded with those that are read now.

        If one of them has changed, or the order has, in whichever process, all documents are encoded anew.

        Args:
            trainer: The trainer; all of its processes call this.
            digests: For each document of this process, in order, a hash of its id and its text. Only as many are drawn
                as are compared.

        Returns:
            Number of documents of this process, from the first on, that need not be encoded.

        Raises:
            IndexExistsError: If there is an index already, and it is of other documents.
        """
        self._is_compared = True
        to_compare = None if self._complete is not None else self._done.num_docs
        count, contents = 0, NOTHING
        for digest in itertools.islice(digests, to_compare):
            count, contents = count + 1, extended(contents, [digest])
        if self._complete is not None:
            if joined(_gather(contents, trainer.world_size)) != self._complete.contents:
                check_target(self.index_dir, overwrite=False)
            return count
        if self._why_anew is None and self._done.contents is None:
            self._why_anew = f"The parts in '{self.parts_dir}' do not say of which documents they are."
        elif self._why_anew is None and contents != self._done.contents:
            self._why_anew = "The documents are not those that were encoded before."
        self._why_anew = next(filter(None, _gather(self._why_anew, trainer.world_size)), None)
        if self._why_anew is not None:
            self._done = parts.Done()
        return self._done.num_docs

    def start_at(self, count: int) -> None:
        """Say with which document of this process the batches begin, where that is earlier than :meth:`resume_indexing` allowed."""
        self._surplus = self._done.num_docs - count

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the parts of this process."""
        if self._complete is not None:
            if not self._is_compared:
                check_target(self.index_dir, overwrite=False)
            return
        if trainer.is_global_zero:
            self._prepare_parts()
        trainer.strategy.barrier("parts of an earlier index are gone")
        self._writer = parts.PartWriter(
            self.parts_dir, trainer.global_rank, trainer.world_size, metadata=self._metadata
        )

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Append the embeddings of a batch."""
        if self._writer is None:
            return
        doc_ids, embeddings = _ids_and_embeddings(outputs, "doc", "An index is built from documents")
        # Not those of a module that hands over something else than it was given.
        digests = (getattr(batch, "digests", None) or None) if getattr(batch, "doc_ids", None) == doc_ids else None
        if self._surplus > 0:
            known = min(self._surplus, len(doc_ids))
            self._surplus -= known
            embeddings = as_batch(embeddings).rows(known, len(doc_ids))
            doc_ids, digests = doc_ids[known:], digests and digests[known:]
        self._writer.append(doc_ids, embeddings, digests)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Build the index, in the first process."""
        if self._has_ended or self._config is None:
            return
        self._has_ended = True
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            trainer.strategy.barrier("all parts are written")
        if trainer.is_global_zero:
            if self._complete is None:
                build(
                    self.parts_dir,
                    self.index_dir,
                    self._config,
                    metadata=self._metadata,
                    overwrite=self.overwrite,
                    held=self._lock,
                )
            else:
                # Which removes what else the killed run left.
                with changing(self.index_dir, self._lock):
                    pass
            if self.keep_parts:
                parts.mark_kept(self.parts_dir)
            else:
                remove_parts(self.parts_dir)
        self._unlock()
        trainer.strategy.barrier("the index is complete")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Build the index where no document was left to encode: Lightning then leaves out the whole loop."""
        try:
            if not self._has_ended:
                self.on_predict_start(trainer, pl_module)
                self.on_predict_end(trainer, pl_module)
        finally:
            self._unlock()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep what has been encoded so far."""
        self._has_ended = True
        writer, self._writer = self._writer, None
        if writer is not None:
            # A second error, as on a full disk, would hide the first.
            with suppress(LirIndexError):
                writer.flush()
        self._unlock()

    @property
    def _may_be_complete(self) -> bool:
        """Whether there is an index whose run was killed before it had removed its parts."""
        return not self.overwrite and (self.index_dir / NAME).exists() and parts.are_left_over(self.parts_dir)

    def _check_target(self) -> None:
        check_target(self.index_dir, overwrite=self.overwrite or self._may_be_complete)

    def _prepare_parts(self) -> None:
        """Remove parts that the run does not go on from."""
        if self._why_anew is not None:
            logger.warning("%s All documents are encoded anew.", self._why_anew)
            remove_parts(self.parts_dir)
        elif parts.is_kept(self.parts_dir):
            remove_parts(self.parts_dir)
        elif self._is_compared and self._metadata is not None:
            parts.name_anew(self.parts_dir, self._metadata)

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


class SearchCallback(Callback, NamedArguments):
    """Searches an index with the query embeddings that the trainer's predict loop makes.

    Args:
        index_dir: Folder of the index.
        search_config: How to search it; None takes the defaults of the index's kind.
        run_path: Where to write the run; a folder, with one file for each dataset, if there are several datasets.
            None writes none.
        overwrite: Whether run files may be replaced.
        allow_other_model: Whether to search with a model that did not build the index.
        aggregate: What is made of each run before it is written or measured; for an index of passages, a run of their
            documents.
        write: What writes a run, called with the path, the run and ``overwrite``, such as ``lir_data.write_run``; it
            checks the path and the ids too. None for TREC files, plain or as .gz.
        ignore_identical_ids: Whether a document is left out that has the query's own id, where queries are documents;
            a query has k others then.

    Raises:
        RunFileError: If the run exists, and ``overwrite`` is not set.
    """

    elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(("save_dir", "run_name"), "Did you mean 'run_path'?")
    stage = "search"

    def __init__(
        self,
        index_dir: str | Path,
        search_config: SearchConfig | None = None,
        run_path: str | Path | None = None,
        overwrite: bool = False,
        allow_other_model: bool = False,
        aggregate: Callable[[Run], Run] | None = None,
        write: Callable[..., None] | None = None,
        ignore_identical_ids: bool = False,
    ) -> None:
        super().__init__()
        self.index_dir = Path(index_dir)
        self.aggregate = aggregate
        self.search_config = search_config
        self.run_path = None if run_path is None else Path(run_path)
        self.overwrite = overwrite
        self.allow_other_model = allow_other_model
        self.write = write
        self.ignore_identical_ids = ignore_identical_ids
        self.index: Index | None = None
        self._runs: dict[int, Run] = {}
        self._paths: list[Path] = []
        if self.run_path is not None and not self.run_path.is_dir():
            check_new_run(self.run_path, overwrite=overwrite)

    @property
    def runs(self) -> dict[int, Run]:
        """For each dataset, by its number, the run: query id to document id to score, best first.

        After prediction these are the queries of all processes, in the order of the dataset.
        """
        return self._runs

    def open(self) -> Index:
        """Open the index, or return it if it is open and has not changed since."""
        if self.index is None or Manifest.read(self.index_dir) != self.index.manifest:
            self.index = Index.open(self.index_dir, self.search_config)
        return self.index

    def identity(self) -> dict[str, Any]:
        """Return what decides the scores of a run, beside model and queries."""
        index = self.open()
        return {
            "index": index.manifest.checksum,
            "search_config": repr(index.search_config),
            "ignore_identical_ids": self.ignore_identical_ids,
        }

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the index, and check everything that can be checked before the first query is encoded."""
        if stage != "predict":
            return
        data = getattr(trainer, "datamodule", None)
        self._paths = self.run_paths(getattr(data, "names", None) or [""])
        for path in self._paths:
            check_new_run(path, overwrite=self.overwrite)
        index = self.open()
        index.check_model(_metadata_of(trainer, pl_module), allow_other_model=self.allow_other_model)
        if self.write is None and self._paths:
            for number, path in enumerate(self._paths):
                check_run_path(path, overwrite=self.overwrite)
                check_ids("query", _query_ids(data, number) or [])
            check_ids("document", index.doc_ids.unusual())

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget the runs of an earlier prediction."""
        self._runs = {}

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Search with the embeddings of a batch."""
        if self.index is None:
            return
        query_ids, embeddings = _ids_and_embeddings(outputs, "query", "An index is searched with queries")
        run = self._runs.setdefault(dataloader_idx, {})
        for query_id in query_ids:
            if query_id in run:
                raise RunFileError(f"The query id '{query_id}' occurs twice, and a run has one ranking for each query.")
        queries = as_batch(embeddings)
        if (bad := first_not_finite(queries)) is not None:
            raise EmbeddingsError(
                f"The embedding of the query '{query_ids[bad[0]]}' holds the value {bad[1]}, by the model "
                f"'{_metadata_of(trainer, pl_module).model}'.",
                hint=NOT_FINITE,
            )
        run.update(self._found(self.index, query_ids, queries))

    def _found(self, index: Index, query_ids: Sequence[str], queries: Batch) -> Run:
        if not self.ignore_identical_ids:
            return index.search(queries).to_run(query_ids)
        k = index.search_config.k
        run = index.search(queries, k + 1).to_run(query_ids)
        for query_id, scores in run.items():
            if scores.pop(query_id, None) is None and len(scores) > k:
                scores.popitem()  # the last
        return run

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the runs of all processes together, and write them in the first."""
        data = getattr(trainer, "datamodule", None)
        if trainer.world_size > 1:
            self._runs = _merge(_gather(self._runs, trainer.world_size))
        self._runs = {number: _in_order(run, _query_ids(data, number)) for number, run in self._runs.items()}
        if self.aggregate is not None:
            self._runs = {number: self.aggregate(run) for number, run in self._runs.items()}
        if not trainer.is_global_zero or self.run_path is None:
            return
        if len(self._runs) > len(self._paths):
            raise RunFileError(f"There are {len(self._runs)} datasets, and names for {len(self._paths)} run files.")
        for number, path in enumerate(self._paths):
            (self.write or write_run)(path, self._runs.get(number, {}), overwrite=self.overwrite)

    def run_paths(self, names: Sequence[str]) -> list[Path]:
        """Return where the run of each dataset is written; nowhere without a ``run_path``.

        Args:
            names: The datasets' names.

        Raises:
            RunFileError: If there is one file for several datasets, or two would have the same.
        """
        if self.run_path is None:
            return []
        if len(names) == 1 and not self.run_path.is_dir():
            return [self.run_path]
        if self.run_path.is_file():
            raise RunFileError(f"'{self.run_path}' is a file, and {len(names)} datasets need a folder for their runs.")
        files = [f"{name.replace('/', '-') or 'run'}.trec" for name in names]
        if len(set(files)) < len(files):
            raise RunFileError(f"Two datasets would write the same run file: {', '.join(files)}.")
        return [self.run_path / file for file in files]


def _metadata_of(trainer: Trainer, pl_module: LightningModule) -> Metadata:
    tell = getattr(pl_module, "index_metadata", None)
    told = cast("Mapping[str, Any]", tell()) if callable(tell) else {}
    return Metadata.of({"documents": getattr(getattr(trainer, "datamodule", None), "documents", None), **told})


def _ids_and_embeddings(outputs: Any, of: str, purpose: str) -> tuple[list[str], Any]:
    ids, embeddings = getattr(outputs, f"{of}_ids", None), getattr(outputs, f"{of}_embeddings", None)
    if ids is None or embeddings is None:
        raise EmbeddingsError(
            f"{purpose}: predict_step has to return an object with {of}_ids and {of}_embeddings, "
            f"and this {type(outputs).__name__} has none."
        )
    return list(ids), embeddings


def _gather(mine: Gathered, world_size: int) -> list[Gathered]:
    """Return what each process has."""
    if world_size == 1:
        return [mine]
    from torch import distributed

    gathered: list[Any] = [None] * world_size
    distributed.all_gather_object(gathered, mine)
    return gathered


def _merge(gathered: Sequence[dict[int, Run]]) -> dict[int, Run]:
    """Put the queries of all processes back into the order of the dataset, of which process i had i, i + n, ...."""
    merged: dict[int, Run] = {}
    for number in sorted({number for runs in gathered for number in runs}):
        rounds = itertools.zip_longest(*(runs.get(number, {}).items() for runs in gathered))
        merged[number] = dict(entry for entries in rounds for entry in entries if entry is not None)
    return merged


def _query_ids(data: object, number: int) -> Sequence[str] | None:
    """Return the ids of a dataset's queries in its order, if the data module knows them."""
    known = cast("Callable[[int], Sequence[str]] | None", getattr(data, "query_ids", None))
    return None if known is None else known(number)


def _in_order(run: Run, query_ids: Sequence[str] | None) -> Run:
    """Put a run in the order of the dataset: queries that were found before an interruption come first otherwise."""
    if query_ids is None:
        return run
    known = {query_id: run[query_id] for query_id in query_ids if query_id in run}
    return known | run
