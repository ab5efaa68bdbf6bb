"""Other libraries, each in an environment of its own, so that what they pin stays out of the workspace."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_HERE = Path(__file__).parent
_ENVIRONMENTS = _HERE / ".environments"


class Peer:
    """A library that answers requests from a process of its own.

    Args:
        name: Names the script in ``peer_scripts``, and the environment.
        requirements: What uv installs, pinned; options of ``uv pip install`` may stand among them.
        num_threads: How many it works with. One, unless it is compared by the clock: what is compared is work, not
            machines.
    """

    def __init__(self, name: str, requirements: tuple[str, ...], num_threads: int = 1) -> None:
        python = _environment(name, requirements) / "bin" / "python"
        threads = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), str(num_threads))
        self._process = subprocess.Popen(
            [python, _HERE / "peer_scripts" / f"run_{name}.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **threads},
        )

    def ask(self, action: str, **arguments: Any) -> Any:
        """Let the script do something, and return what it says; large arrays go through files.

        Raises:
            RuntimeError: If it ends instead; what it wrote to stderr says why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"action": action, **arguments}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"The peer has ended, with status {self._process.wait()}.")
        return json.loads(answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _environment(name: str, requirements: tuple[str, ...]) -> Path:
    """Make the environment, or take the one that was made for the same requirements."""
    digest = hashlib.sha256(" ".join(requirements).encode()).hexdigest()[:8]
    folder = _ENVIRONMENTS / f"{name}-{digest}"
    if not (folder / "complete").exists():
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", "3.11", folder], check=True)
        python = folder / "bin" / "python"
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *requirements], check=True)
        (folder / "complete").touch()
    return folder
