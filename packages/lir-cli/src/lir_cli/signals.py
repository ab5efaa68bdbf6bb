"""SIGINT and SIGTERM end a command within seconds, whatever it is doing.

The first raises `Stopped` in the main thread, so that every block that tidies up runs. Python does that between two of its
own instructions alone, and not while native code builds an index. So a thread watches too, and ends the process where it
has not ended by itself some seconds later, or when a second signal comes. All that lir keeps is written whole or not at all,
so this leaves the old state or the new.
"""

import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import cache
from types import FrameType

from lir_cli.terminal import clean

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# From the signal to the end by force. Kubernetes kills after 30 seconds, Slurm too.
_GRACE = 5.0
# `timeout` sends its signal to the process and to its group, so that it comes twice.
_SAME = 0.5


class Stopped(BaseException):
    """Raised in the main thread by the first SIGINT or SIGTERM; no handler of errors takes it for one."""


class _Stop:
    """The one stop of this process, and what is to be said of it."""

    def __init__(self) -> None:
        self.is_on = False
        self.signal: signal.Signals | None = None
        self.deadline = float("inf")
        self.is_deferred = False
        self.is_raised = False
        self.is_said = False
        self.words: Callable[[], str] = _nothing_kept

    def begin(self, number: int) -> None:
        if self.signal is None:
            self.deadline = time.monotonic() + _GRACE
            self.signal = signal.Signals(number)

    def sentence(self) -> str:
        name = "" if self.signal is None else f"Stopped by {self.signal.name}. "
        return f"{name}{self.words()}"


def _nothing_kept() -> str:
    return "Nothing was written; the same command begins anew."


_stop = _Stop()


@contextmanager
def listening(*, is_whole_process: bool) -> Generator[None]:
    """End by SIGINT and SIGTERM within this block; outside of the main thread nothing changes.

    Args:
        is_whole_process: Whether the process ends with the block, so that its last moments are watched too.
    """
    global _stop
    _stop = _Stop()
    # One that is ignored, as in a shell's background, stays ignored.
    caught = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread() or not caught:
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    old_descriptor = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    old_handlers = {number: signal.getsignal(number) for number in (*caught, signal.SIGCHLD)}
    _stop.is_on = True
    _forget_in_children()
    install()
    threading.Thread(target=_watch, args=(reading, _stop), name="lir-signals", daemon=True).start()
    try:
        yield
    finally:
        if _stop.signal is not None and is_whole_process:
            _leave_tidily(_stop)
        else:
            _stop.is_on = False
            for number, handler in old_handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_descriptor)
            os.close(writing)


def install() -> None:
    """Make the handlers ours, once more after a library has set its own."""
    if _stop.is_on and threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _handle)


def say_on_stop(words: str | Callable[[], str]) -> None:
    """Say what is kept, and how to go on, if the process is stopped from now on.

    Args:
        words: A sentence or two, without what stopped the process; or what returns them.
    """
    _stop.words = (lambda: words) if isinstance(words, str) else words


def defer() -> None:
    """Let a signal wait for `stop_if_asked`: for a step that is to be done whole, and takes seconds at most."""
    _stop.is_deferred = True


def stop_if_asked() -> None:
    """End the deferral.

    Raises:
        Stopped: If a signal came in the meantime.
    """
    if _stop.is_deferred:
        _stop.is_deferred = False
        if _stop.signal is not None:
            _raise_once()


def allow(seconds: float) -> None:
    """Let the end by force wait for longer, since something is being kept."""
    _stop.deadline = max(_stop.deadline, time.monotonic() + seconds)


def is_stopped() -> bool:
    """Whether a signal came."""
    return _stop.signal is not None


def tell(write: Callable[[str], object]) -> int:
    """Say what stopped the process, and what is kept; of several processes, the first says it.

    Returns:
        What the process leaves with: 128 and the signal's number, as a shell has it.
    """
    if not _stop.is_said:
        _stop.is_said = True
        if os.environ.get("LOCAL_RANK", "0") == "0":
            write(_stop.sentence())
    return 128 + (_stop.signal or signal.SIGTERM)


def _handle(number: int, frame: FrameType | None) -> None:
    del frame
    _stop.begin(number)
    # Workers that were sent the same signal are no news.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if not _stop.is_deferred:
        _raise_once()


def _raise_once() -> None:
    if not _stop.is_raised:
        _stop.is_raised = True
        raise Stopped


def _watch(descriptor: int, stop: _Stop) -> None:
    """Read the signals as they come, and end the process when it is time."""
    with open(descriptor, "rb", buffering=0) as signals:
        first = 0.0
        while True:
            left = None if stop.signal is None else max(0.0, min(stop.deadline - time.monotonic(), 1.0))
            if not select.select([signals], [], [], left)[0]:
                if time.monotonic() >= stop.deadline:
                    _leave(stop)
                continue
            numbers = [number for number in signals.read(64) or b"" if number in _SIGNALS]
            if not stop.is_on:
                return
            for number in numbers:
                if not first:
                    first = time.monotonic()
                    stop.begin(number)
                elif time.monotonic() - first > _SAME:
                    _leave(stop)


def _leave_tidily(stop: _Stop) -> None:
    """End the process as Python does, without waiting for threads, nor for libraries that end slowly, or with a word."""
    with suppress(Exception):
        atexit._run_exitfuncs()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] # of `multiprocessing` too
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(128 + (stop.signal or signal.SIGTERM))


def _leave(stop: _Stop) -> None:
    """End the process at once, and those that it started."""
    try:
        if sys.stderr.isatty():
            os.write(2, b"\x1b[?25h\n")  # a bar of progress hides the cursor
        # Not by way of sys.stderr, which the main thread may hold.
        tell(lambda text: os.write(2, f"{clean(text)}\n".encode()))
        _kill_children()
    finally:
        os._exit(128 + (stop.signal or signal.SIGTERM))


def _kill_children() -> None:
    if multiprocessing := sys.modules.get("multiprocessing"):
        children = multiprocessing.active_children()
        for process in children:
            process.kill()
        for process in children:
            process.join(1.0)


@cache
def _forget_in_children() -> None:
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    """Leave a forked child, such as a worker that reads, to its parent: Ctrl-C reaches both."""
    if _stop.is_on:
        _stop.is_on = False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
