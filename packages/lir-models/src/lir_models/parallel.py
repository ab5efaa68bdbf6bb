"""Copies of a model in processes of their own, one a device, that share the texts among them."""

import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

import torch

from lir_models.batching import WINDOW_SIZE, windows
from lir_models.bi_encoder import BiEncoderModel
from lir_models.cross_encoder import CrossEncoderModel
from lir_models.embeddings import Encoded, concatenated
from lir_models.errors import ConfigError, LirModelsError, WrongModelKindError
from lir_models.fields import Side
from lir_models.inputs import as_lists, check_iterable, listed
from lir_models.outputs import ScoreOutput
from lir_models.tokenization import check_texts

Item = TypeVar("Item")
Result = TypeVar("Result")

# Shares of a list that a device gets: so that one which is done early takes what another has not begun.
_SHARES = 4


class ModelPool:
    """Encodes and scores with copies of a model, each in a process of its own.

    >>> with ModelPool(model, ["cuda:0", "cuda:1"]) as pool:  # doctest: +SKIP
    ...     embeddings = pool.encode_document(texts)

    The results are those of the model, in the order of the texts. In a script, it is to be made below
    ``if __name__ == "__main__":``, since the processes read the script anew.

    Args:
        model: A bi-encoder or a cross-encoder; the copies are as it is now.
        devices: Where each copy runs. None for every GPU; ``["cpu"] * n`` for n processes, which share the threads.

    Raises:
        ConfigError: If there is no such device.
    """

    def __init__(self, model: BiEncoderModel | CrossEncoderModel, devices: Iterable[str] | None = None) -> None:
        self._model = model
        self.devices = _checked(devices)
        num_on_cpu = sum(device == "cpu" for device in self.devices)
        threads = max(1, torch.get_num_threads() // max(1, num_on_cpu))
        copy = pickle.dumps(model)
        self._workers = [
            ProcessPoolExecutor(1, get_context("spawn"), _receive, (copy, device, threads)) for device in self.devices
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.shutdown(cancel_futures=True)

    def encode_query(self, texts: Iterable[str]) -> Encoded:
        """Embed queries, as `BiEncoderModel.encode_query` does."""
        return self._encode(texts, "query")

    def encode_document(self, texts: Iterable[str]) -> Encoded:
        """Embed documents, as `BiEncoderModel.encode_document` does."""
        return self._encode(texts, "doc")

    def _encode(self, texts: Iterable[str], side: Side) -> Encoded:
        texts = listed(texts)
        check_texts(texts)
        pieces = list(self.encode_stream(texts, side, window_size=self._share(len(texts))))
        return concatenated(pieces) if pieces else next(iter(self._run(_encode, [([], side)])))

    def encode_stream(self, texts: Iterable[str], side: Side, *, window_size: int = WINDOW_SIZE) -> Iterator[Encoded]:
        """Embed texts that may be more than fit in memory, as `BiEncoderModel.encode_stream` does."""
        if not isinstance(self._model, BiEncoderModel):
            raise WrongModelKindError(
                f"{self._model.name or 'The model'} is a cross-encoder: it embeds nothing.", hint="score scores with it"
            )
        check_iterable(texts, "texts")
        return self._run(_encode, ((window, side) for window in windows(texts, window_size)))

    def score(self, query: str | Iterable[str], docs: Iterable[str] | Iterable[Iterable[str]]) -> ScoreOutput:
        """Score documents for a query, or for each of several queries its own documents; as the model does."""
        queries, lists = as_lists(query, docs)
        check_texts(queries)
        for item in lists:
            check_texts(item)
        # Some models score the documents of a query together; of the others, those of one query are divided too.
        whole = isinstance(self._model, CrossEncoderModel) and self._model.scores_sets
        share = max(map(len, lists), default=0) if whole else self._share(sum(map(len, lists)))
        pieces = [
            (query, item[start : start + max(1, share)])
            for query, item in zip(queries, lists, strict=True)
            for start in range(0, len(item), max(1, share))
        ]
        scores = [torch.from_numpy(part) for part in self._run(_score, _gathered(pieces, share))]
        return ScoreOutput(torch.cat(scores) if scores else torch.zeros(0), tuple(map(len, lists)))

    def _share(self, count: int) -> int:
        return max(1, min(WINDOW_SIZE, -(-count // (_SHARES * len(self._workers)))))

    def _run(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Give each item to a process that is free, and return the results in order; few are read ahead."""
        free: SimpleQueue[ProcessPoolExecutor] = SimpleQueue()
        for worker in self._workers * 2:  # the next item waits in the process
            free.put(worker)
        rest, running = iter(items), deque[Future[Result]]()
        most = 2 * len(self._workers)
        try:
            while True:
                for item in islice(rest, most - len(running)):
                    worker = free.get()
                    future = worker.submit(work, item)
                    future.add_done_callback(lambda _, worker=worker: free.put(worker))
                    running.append(future)
                if not running:
                    return
                yield running.popleft().result()
        except BrokenProcessPool as error:
            raise LirModelsError(
                "A process of the pool has died: for want of memory, or since the script makes the pool outside of "
                '`if __name__ == "__main__":`, which each process reads anew.',
                hint="fewer processes on a device need less memory",
            ) from error
        finally:
            for future in running:
                future.cancel()


def _checked(devices: Iterable[str] | None) -> list[str]:
    num_gpus = torch.cuda.device_count()
    if devices is None:
        devices = [f"cuda:{number}" for number in range(num_gpus)]
        if not devices:
            raise ConfigError("There is no GPU to make a pool of; devices=['cpu', 'cpu'] makes one of two processes.")
    devices = devices if isinstance(devices, str) else list(devices)
    if isinstance(devices, str) or not devices:
        raise ConfigError(f"devices is {devices!r}; it is a list, such as ['cuda:0', 'cuda:1'].")
    for device in devices:
        try:
            parsed = torch.device(device)
        except RuntimeError as error:
            raise ConfigError(f"There is no device {device!r}; it is 'cpu', 'cuda:0', 'cuda:1', ….") from error
        if parsed.type == "cuda" and (parsed.index or 0) >= num_gpus:
            raise ConfigError(f"There is no device {device!r}: this machine has {num_gpus} GPUs.")
    return [str(torch.device(device)) for device in devices]


def _gathered(pieces: Sequence[tuple[str, list[str]]], size: int) -> Iterator[list[tuple[str, list[str]]]]:
    """Put short lists of documents together, until there are so many documents."""
    gathered: list[tuple[str, list[str]]] = []
    for piece in pieces:
        if gathered and sum(len(docs) for _, docs in [*gathered, piece]) > size:
            yield gathered
            gathered = []
        gathered.append(piece)
    if gathered:
        yield gathered


# The copy that this process has.
_model: Any = None


def _receive(copy: bytes, device: str, threads: int) -> None:
    global _model
    torch.set_num_threads(threads)
    _model = pickle.loads(copy).to(device)  # noqa: S301 - from the parent, through memory


def _encode(task: tuple[list[str], Side]) -> Encoded:
    texts, side = task
    return _model.encode_query(texts) if side == "query" else _model.encode_document(texts)


def _score(pieces: list[tuple[str, list[str]]]) -> Any:
    return _model.score([query for query, _ in pieces], [docs for _, docs in pieces]).scores.numpy()
