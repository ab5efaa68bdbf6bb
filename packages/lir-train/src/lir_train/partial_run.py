"""What an interrupted search or re-ranking has finished, beside the run that it was to write.

Of ``run.trec`` it is in ``run.trec.partial``, and of several processes in ``run.trec.partial-1`` and so on as well: a line
that says what was searched for by what, then a line per query, each with a checksum. Scores are written with all digits, so
that a run that was resumed has the bytes of one that was not interrupted.
"""

import hashlib
import json
import logging
import os
import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from lightning import Callback, LightningModule, Trainer

from lir_data import QueryDataset, QuerySample, RankSample, RunDataset
from lir_data.errors import UnwritableOutputError
from lir_train.batches import QueryBatch, RankBatch

logger = logging.getLogger("lir_train")

_FORMAT = "lir-partial-run"
_VERSION = 1
_LONGEST_HEADER = 1 << 20

# Rankings whose texts are in memory at once when they are compared with those of before.
_WINDOW = 16

Run = dict[str, dict[str, float]]


class PartialRuns(Callback):
    """Keeps each query that is finished, and gives back what an interrupted run of the same has kept.

    Args:
        callback: What makes the runs, with ``runs`` by the number of the dataset.
        datasets: The datasets.
        paths: Where the run of each is to be written.
        identities: What decides the scores of each: where it is another, nothing is taken up.
    """

    def __init__(
        self,
        callback: Any,
        datasets: Sequence[QueryDataset | RunDataset],
        paths: Sequence[Path],
        identities: Sequence[Mapping[str, Any]],
    ) -> None:
        self._callback = callback
        self._files = [PartialRun(path, identity) for path, identity in zip(paths, identities, strict=True)]
        # The texts of queries are in memory anyway, those of documents come with each batch.
        self._digests = [
            _digests(dataset, dataset.query_ids) if isinstance(dataset, QueryDataset) else {} for dataset in datasets
        ]
        #: What was finished before, by the number of the dataset.
        self.kept: dict[int, Run] = {}
        for number, (dataset, file) in enumerate(zip(datasets, self._files, strict=True)):
            found = file.read()
            digests = self._digests[number] or _digests(dataset, found.keys())
            self.kept[number] = {
                query_id: scores for query_id, (digest, scores) in found.items() if digests.get(query_id) == digest
            }

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take up what was finished before, and begin to keep more."""
        del pl_module
        if trainer.is_global_zero:
            for file in self._files:
                file.remove_others()
            for number, run in self.kept.items():
                self._callback.runs.setdefault(number, {}).update(run)
        trainer.strategy.barrier("what other runs have left is gone")
        for file in self._files:
            file.begin(trainer.global_rank)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: QueryBatch | RankBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the queries of a batch."""
        del trainer, pl_module, outputs, batch_idx
        digests = self._digests[dataloader_idx]
        if isinstance(batch, RankBatch):
            samples = zip(batch.query_ids, batch.queries, batch.doc_ids, batch.docs, strict=True)
            digests = {query_id: _digest(query, doc_ids, docs) for query_id, query, doc_ids, docs in samples}
        run = self._callback.runs[dataloader_idx]
        self._files[dataloader_idx].append((query_id, digests[query_id], run[query_id]) for query_id in batch.query_ids)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Forget what was kept: the run is written."""
        del pl_module
        self._close()
        if trainer.is_global_zero:
            for file in self._files:
                file.remove()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave what was kept for the next time."""
        del trainer, pl_module, exception
        self._close()

    def _close(self) -> None:
        for file in self._files:
            file.close()


class PartialRun:
    """The finished queries of one run, in a file for each process.

    Args:
        path: Where the run is to be written, whole.
        identity: What decides its scores.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        # As it is read: a tuple becomes a list.
        self.identity: dict[str, Any] = json.loads(json.dumps(identity))
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        # Up to where each file was found whole.
        self._ends: dict[Path, int] = {}

    def read(self) -> dict[str, tuple[str, dict[str, float]]]:
        """Return the digest of each query's texts and its ranking, from all files of the same identity."""
        found: dict[str, tuple[str, dict[str, float]]] = {}
        for path in self._own_files():
            with path.open("rb") as file:
                header = _header(file.readline())
                if header is None or header != self.identity:
                    self._say_other(header or {})
                    continue
                self._ends[path] = file.tell()
                for line in file:
                    record = _record(line)
                    if record is None:  # torn by the interruption
                        break
                    found[record["query"]] = (
                        record["digest"],
                        dict(zip(record["docs"], record["scores"], strict=True)),
                    )
                    self._ends[path] += len(line)
        return found

    def remove_others(self) -> None:
        """Remove the files of another identity."""
        for path in self._own_files():
            if path not in self._ends:
                path.unlink(missing_ok=True)

    def begin(self, rank: int) -> None:
        """Begin to keep what is finished, as one of several processes; nothing is written before there is something."""
        path = self._name(rank)
        if path not in self._ends and (path.exists() or path.is_symlink()):
            logger.warning("'%s' is not of lir and stays as it is; what is finished is not kept.", path)
            return
        self._path = path

    def append(self, rankings: Iterator[tuple[str, str, Mapping[str, float]]]) -> None:
        """Keep queries, each with the digest of its texts and its ranking."""
        if self._path is None:
            return
        lines = [
            _line({"query": query_id, "digest": digest, "docs": list(scores), "scores": list(scores.values())})
            for query_id, digest, scores in rankings
        ]
        try:
            self._file = self._file or self._opened(self._path)
            self._file.write(b"".join(lines))
            self._file.flush()
        except OSError as error:
            raise _unwritable(self._path, error) from error

    def _opened(self, path: Path) -> IO[bytes]:
        if path not in self._ends:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Whole from the start: a file whose first line is torn would be nobody's.
            temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
            temporary.write_bytes(_line({"format": _FORMAT, "version": _VERSION, "identity": self.identity}))
            return temporary.replace(path).open("ab")
        file = path.open("ab")
        file.truncate(self._ends[path])
        return file

    def close(self) -> None:
        """End to append."""
        file, self._file = self._file, None
        if file is not None:
            file.close()  # each batch was flushed

    def remove(self) -> None:
        """Remove the files of all processes."""
        for path in self._own_files():
            path.unlink(missing_ok=True)

    def _name(self, rank: int) -> Path:
        return self.path.with_name(f"{self.path.name}.partial{f'-{rank}' if rank else ''}")

    def _own_files(self) -> list[Path]:
        """Return the files beside the run that have its name and were written by lir."""
        pattern = re.compile(re.escape(self._name(0).name) + "(-[1-9][0-9]*)?")
        try:
            beside = [path for path in self.path.absolute().parent.iterdir() if pattern.fullmatch(path.name)]
        except OSError:  # there is no folder yet
            return []
        return [self.path.with_name(path.name) for path in sorted(beside) if _is_own(path)]

    def _say_other(self, identity: Mapping[str, Any]) -> None:
        differing = [name for name, value in self.identity.items() if identity.get(name) != value]
        logger.warning(
            "What was finished of '%s' before was made otherwise (%s): it begins anew.",
            self.path,
            ", ".join(differing) or "by another version of lir",
        )


def _digests(dataset: QueryDataset | RunDataset, query_ids: Collection[str]) -> dict[str, str]:
    """Return the digests of the texts of some queries, and of those of their documents."""
    if not query_ids:
        return {}
    wanted = set(query_ids)
    left_out = [place for place, query_id in enumerate(dataset.query_ids) if query_id not in wanted]
    samples: Iterator[QuerySample | RankSample] = (
        sample for window in dataset.without(left_out).windows(_WINDOW) for sample in window
    )
    return {
        sample.query_id: _digest(sample.query, sample.doc_ids, sample.docs)
        if isinstance(sample, RankSample)
        else _digest(sample.query)
        for sample in samples
    }


def _digest(query: str, doc_ids: Sequence[str] = (), docs: Sequence[str] = ()) -> str:
    hashed = hashlib.blake2b(digest_size=16)
    for text in (query, *doc_ids, *docs):
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "little"))
        hashed.update(data)
    return hashed.hexdigest()


def _line(values: Mapping[str, Any]) -> bytes:
    data = json.dumps(values).encode()
    return b"%08x %b\n" % (zlib.crc32(data), data)


def _record(line: bytes) -> dict[str, Any] | None:
    """Read a line; None if it is not as it was written."""
    checksum, _, data = line.removesuffix(b"\n").partition(b" ")
    if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(data):
        return None
    return json.loads(data)


def _header(line: bytes) -> dict[str, Any] | None:
    """Return the identity that a first line names; None if it is of another version."""
    record = _record(line) or {}
    return record.get("identity") if record.get("version") == _VERSION else None


def _is_own(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            record = _record(file.readline(_LONGEST_HEADER))
    except OSError:
        return False
    return record is not None and record.get("format") == _FORMAT


def _unwritable(path: Path, error: OSError) -> UnwritableOutputError:
    return UnwritableOutputError(f"'{path}' cannot be written: {error.strerror or error}.")
