"""Where one of several processes ends, the others end too, and the first says which it was.

Without this the first is killed without a word, or every process shows what the C++ of its collective says. The first
process started the others, and asks whether they run; they ask whether the first does.
"""

import ctypes
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from lightning import Callback

from lir_train.errors import RankEndedError

# Tells the processes that the first starts which it is.
_FIRST = "LIR_FIRST_PROCESS"
# Between two questions.
_INTERVAL = 0.5
# What a collective says of a process that is gone may come before the system says that it is.
_UNTIL_KNOWN = 5.0
# As a process that was told to stop has stopped, the others were told too.
_UNTIL_STOPPED = 5.0
# A process that waits in native code hears of nothing.
_UNTIL_FORCE = 10.0

_COLLECTIVE = re.compile(
    r"gloo|nccl|TCPStore|c10d|connection (was )?(closed|reset|refused)|broken pipe|\bpeer\b", re.IGNORECASE
)


class _Ended(BaseException):
    """Raised in the main thread when another process has ended."""


@contextmanager
def watched(trainer: Any, hint: str) -> Generator[None]:
    """Watch the other processes within this block; of one process, nothing is done.

    Args:
        trainer: Lightning's.
        hint: How to go on.

    Raises:
        RankEndedError: If another process ended.
    """
    if trainer.world_size == 1:
        yield
        return
    watch = _Watch(trainer, hint)
    trainer.callbacks.insert(0, watch.callback)
    watch.start()
    try:
        yield
    except BaseException as error:
        watch.callback.is_unwinding = True
        ended = watch.error_after(error)
        watch.end_others()
        if ended is not None:
            raise ended from error
        raise
    finally:
        watch.stop()
        trainer.callbacks.remove(watch.callback)


class _Unwinding(Callback):
    """Knows that something else has ended the work already."""

    is_unwinding = False

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Note it."""
        del trainer, pl_module, exception
        self.is_unwinding = True


class _Watch:
    """Asks for the other processes, in a thread."""

    def __init__(self, trainer: Any, hint: str) -> None:
        self.callback = _Unwinding()
        self._launcher = getattr(trainer.strategy, "launcher", None)
        self._rank: int = trainer.global_rank
        self._hint = hint
        # Of processes that torchrun or a cluster started, none is another's child.
        first = os.environ.get(_FIRST)
        self._parent = int(first) if first is not None and self._rank > 0 else None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lir-ranks", daemon=True)

    def start(self) -> None:
        # What the others were told stays: one that trains and then indexes asks for the same process again.
        if self._launcher is not None and self._rank == 0:
            os.environ[_FIRST] = str(os.getpid())
        self._thread.start()

    def stop(self) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def _others(self) -> Sequence["subprocess.Popen[Any]"]:
        """The processes that this one started, of ranks 1, 2 and so on."""
        return getattr(self._launcher, "procs", [])

    def _ended(self) -> str | None:
        """Say which process has ended, if one has; of several, the one that was killed."""
        if self._parent is not None and os.getppid() != self._parent:
            return f"Rank 0 (process {self._parent}), which started the others, has ended."
        codes = [(process.poll(), rank) for rank, process in enumerate(self._others, start=1)]
        failed = sorted((code, rank) for code, rank in codes if code)
        if not failed:
            return None
        code, rank = failed[0]
        return f"Rank {rank} (process {self._others[rank - 1].pid}) {_manner(code)}."

    def _run(self) -> None:
        main = threading.main_thread().ident
        while not self._is_over.wait(_INTERVAL):
            _silence_observer(self._others)
            message = self._ended()
            if message is None:
                continue
            stopped = {128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGTERM, -signal.SIGINT}
            if any(process.poll() in stopped for process in self._others) and self._is_over.wait(_UNTIL_STOPPED):
                return
            if not self.callback.is_unwinding:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main or 0), ctypes.py_object(_Ended))
            if not self._is_over.wait(_UNTIL_FORCE) and not self.callback.is_unwinding:
                self._end_by_force(message)
            return

    def error_after(self, error: BaseException) -> RankEndedError | None:
        """Return the error that names the process whose end was the reason for another error; None for another reason."""
        is_collective = isinstance(error, RuntimeError) and _COLLECTIVE.search(str(error)) is not None
        if not isinstance(error, _Ended) and not is_collective:
            return None
        until = time.monotonic() + (_UNTIL_KNOWN if self._others else _UNTIL_FORCE)
        while (message := self._ended()) is None and time.monotonic() < until and self._knows:
            time.sleep(_INTERVAL / 5)
        if message is None and not self._knows:
            message = f"Another rank has ended, and rank {self._rank} lost its connection to it."
        if message is None and not self._others:
            raise SystemExit(1)  # the first process is there, and says it
        return None if message is None else self._named(message)

    @property
    def _knows(self) -> bool:
        """Whether this process can know which has ended."""
        return bool(self._others) or self._parent is not None

    def _named(self, message: str) -> RankEndedError:
        if self._parent is not None and self._rank > 1:
            raise SystemExit(1)  # one says it
        return RankEndedError(message, hint=self._hint)

    def end_others(self) -> None:
        """End the processes that this one started: they may keep what they have, for a few seconds."""
        running = [process for process in self._others if process.poll() is None]
        for process in running:
            process.terminate()
        until = time.monotonic() + _UNTIL_STOPPED
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
        for process in running:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _end_by_force(self, message: str) -> None:
        if self._parent is None or self._rank == 1:
            with suppress(OSError):
                os.write(2, f"Error: {message}\nhint: {self._hint}\n".encode())
        for process in self._others:
            if process.poll() is None:
                process.kill()
        os._exit(1)


def _manner(code: int) -> str:
    """Say how a process ended."""
    if code > 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    memory = ", as the system does when memory runs out" if -code == signal.SIGKILL else ""
    return f"was killed by {name}{memory}"


def _silence_observer(others: Sequence["subprocess.Popen[Any]"]) -> None:
    """Let Lightning's own watch end, which kills the first process without a word."""
    for thread in threading.enumerate():
        if getattr(thread, "_child_processes", None) is others:
            setattr(thread, "_child_processes", [])  # noqa: B010 - unknown to a type checker
