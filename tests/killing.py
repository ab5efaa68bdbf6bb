"""Work that is killed at a random moment, which nothing can prepare for: what all tests of interruptions share.

Python's own work is forked, so that no moment is lost on imports: call these in a process without threads, one that a test
starts for it. A command is started in a session of its own and killed with everything that it has started.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path


def seconds_of(work: Callable[[], object]) -> float:
    """How long the work takes in a child of this process, until its end."""
    began = time.monotonic()
    if killed(work, 600):
        raise TimeoutError("the work takes longer than ten minutes")
    return time.monotonic() - began


def killed(work: Callable[[], object], seconds: float) -> bool:
    """Do the work in a child of this process, and kill it after so many seconds.

    Returns:
        Whether it was killed; False if it had come to its end.

    Raises:
        RuntimeError: If the work failed by itself.
    """
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
        time.sleep(min(0.001, max(0.0, end - time.monotonic())))
    if ended == (0, 0):
        os.kill(pid, signal.SIGKILL)
        ended = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(ended[1])
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the work failed by itself, with exit code {code}")
    return code != 0


def killed_command(
    command: Sequence[str], seconds: float, *, cwd: Path | None = None, by: int = signal.SIGKILL
) -> subprocess.CompletedProcess[str] | None:
    """Run a command, and send it and all its children a signal after so many seconds.

    Returns:
        What it printed and its exit code, if it had come to its end before; None if it was killed.
    """
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, err = process.communicate(timeout=seconds)
        return subprocess.CompletedProcess(command, process.returncode, out, err)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, by)
        process.communicate()
        return None
