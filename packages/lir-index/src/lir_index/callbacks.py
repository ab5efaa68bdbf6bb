"""Indexing and searching as callbacks of a Lightning trainer, for any module that hands over embeddings.

What they need of a module is the result of its ``predict_step``: an object with ``doc_ids`` and ``doc_embeddings``, or
with ``query_ids`` and ``query_embeddings``. A module may also have ``index_metadata()``, a mapping with any of the fields
of :class:`lir_index.metadata.Metadata`; and its data module ``documents`` (where the texts are found) and ``names``
(of the datasets, for the run files).
"""

# ruff: noqa: ARG002 - Lightning hands over more than is needed here.

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from lir_index import parts
from lir_index.build import build, check_config
from lir_index.config import IndexConfig, SearchConfig
from lir_index.errors import EmbeddingsError, LirIndexError, RunFileError
from lir_index.index import Index
from lir_index.kinds import default_config
from lir_index.metadata import Metadata
from lir_index.ownership import PARTS, remove_parts
from lir_index.store import check_target
from lir_index.trec import check_run_path, write_run

Run = dict[str, dict[str, float]]


class IndexCallback(Callback):
    """Builds an index from the embeddings that the trainer's predict loop makes.

    Each process appends to its own part files; when all are done, the first builds the index. An interrupted run goes
    on from its parts: :meth:`num_docs_done` says how many documents the dataset may skip.

    Args:
        index_dir: Folder of the index.
        index_config: Which kind of index to build; None for an exact one that takes what the module makes.
        overwrite: Whether an index in that folder may be replaced; it stays until the new one is complete.
        keep_parts: Whether to keep the embeddings, in the folder ``parts``, so that another index can be built from
            them without encoding again.

    Raises:
        IndexExistsError: If there is an index, and ``overwrite`` is not set.
        ForeignIndexError: If the folder holds anything that is not of an index.
    """

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
        check_target(self.index_dir, overwrite=overwrite)

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
        return parts.num_docs_done(self.parts_dir, rank, world_size, self._metadata)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check everything that can be checked before the first document is encoded."""
        if stage != "predict":
            return
        check_target(self.index_dir, overwrite=self.overwrite)
        self._metadata = _metadata_of(trainer, pl_module)
        self._config = self.index_config or default_config(self._metadata.form)
        check_config(self._config, self._metadata)
        self._has_ended = False
        self.num_docs_done(trainer.global_rank, trainer.world_size)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the parts of this process."""
        if trainer.is_global_zero and parts.is_kept(self.parts_dir):
            remove_parts(self.parts_dir)
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
        if self._writer is not None:
            self._writer.append(*_ids_and_embeddings(outputs, "doc", "An index is built from documents"))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Build the index, in the first process."""
        if self._writer is None or self._config is None:
            return
        self._has_ended = True
        self._writer.close()
        self._writer = None
        trainer.strategy.barrier("all parts are written")
        if trainer.is_global_zero:
            build(self.parts_dir, self.index_dir, self._config, metadata=self._metadata, overwrite=self.overwrite)
            if self.keep_parts:
                parts.mark_kept(self.parts_dir)
            else:
                remove_parts(self.parts_dir)
        trainer.strategy.barrier("the index is complete")

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Build the index where no document was left to encode: Lightning then leaves out the whole loop."""
        if not self._has_ended:
            self.on_predict_start(trainer, pl_module)
            self.on_predict_end(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Keep what has been encoded so far."""
        self._has_ended = True
        writer, self._writer = self._writer, None
        if writer is not None:
            # A second error, as on a full disk, would hide the first.
            with suppress(LirIndexError):
                writer.flush()


class SearchCallback(Callback):
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

    Raises:
        RunFileError: If the run exists, and ``overwrite`` is not set.
    """

    def __init__(
        self,
        index_dir: str | Path,
        search_config: SearchConfig | None = None,
        run_path: str | Path | None = None,
        overwrite: bool = False,
        allow_other_model: bool = False,
        aggregate: Callable[[Run], Run] | None = None,
    ) -> None:
        super().__init__()
        self.index_dir = Path(index_dir)
        self.aggregate = aggregate
        self.search_config = search_config
        self.run_path = None if run_path is None else Path(run_path)
        self.overwrite = overwrite
        self.allow_other_model = allow_other_model
        self.index: Index | None = None
        self._runs: dict[int, Run] = {}
        self._paths: list[Path] = []
        if self.run_path is not None and not self.run_path.is_dir():
            check_run_path(self.run_path, overwrite=overwrite)

    @property
    def runs(self) -> dict[int, Run]:
        """For each dataset, by its number, the run: query id to document id to score, best first.

        After prediction these are the queries of all processes, in the order of the dataset.
        """
        return self._runs

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Open the index, and check everything that can be checked before the first query is encoded."""
        if stage != "predict":
            return
        names = getattr(getattr(trainer, "datamodule", None), "names", None)
        self._paths = self._run_paths(names or [""])
        for path in self._paths:
            check_run_path(path, overwrite=self.overwrite)
        self.index = Index.open(self.index_dir, self.search_config)
        self.index.check_model(_metadata_of(trainer, pl_module), allow_other_model=self.allow_other_model)

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
        run.update(self.index.search(embeddings).to_run(query_ids))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the runs of all processes together, and write them in the first."""
        if trainer.world_size > 1:
            self._runs = _merge(_gather(self._runs, trainer.world_size))
        if self.aggregate is not None:
            self._runs = {number: self.aggregate(run) for number, run in self._runs.items()}
        if not trainer.is_global_zero or self.run_path is None:
            return
        if len(self._runs) > len(self._paths):
            raise RunFileError(f"There are {len(self._runs)} datasets, and names for {len(self._paths)} run files.")
        for number, run in self._runs.items():
            write_run(self._paths[number], run, overwrite=self.overwrite)

    def _run_paths(self, names: Sequence[str]) -> list[Path]:
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


def _gather(runs: dict[int, Run], world_size: int) -> list[dict[int, Run]]:
    from torch import distributed

    gathered: list[Any] = [None] * world_size
    distributed.all_gather_object(gathered, runs)
    return gathered


def _merge(gathered: Sequence[dict[int, Run]]) -> dict[int, Run]:
    """Put the queries of all processes back into the order of the dataset, of which process i had i, i + n, ...."""
    merged: dict[int, Run] = {}
    for number in sorted({number for runs in gathered for number in runs}):
        rounds = itertools.zip_longest(*(runs.get(number, {}).items() for runs in gathered))
        merged[number] = dict(entry for entries in rounds for entry in entries if entry is not None)
    return merged
