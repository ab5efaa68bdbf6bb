"""The ways in which the checks are started lead to the same scripts, and those are there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
JUSTFILE = (ROOT / "justfile").read_text("utf-8")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("task", ["setup", "check", "test", "alone", "fmt", "types"])
def test_a_task_exists(task: str) -> None:
    assert re.search(rf"^{task}( [^:]*)?:$", JUSTFILE, re.MULTILINE)


def test_check_calls_the_one_definition_of_green() -> None:
    assert "check:\n    .ci/run\n" in JUSTFILE


@pytest.mark.parametrize("script", ["run", "alone"])
def test_a_script_can_be_executed(script: str) -> None:
    assert os.access(ROOT / ".ci" / script, os.X_OK)


@pytest.mark.parametrize("script", ["run", "alone"])
def test_a_script_is_bash_that_parses(script: str) -> None:
    subprocess.run(["bash", "-n", ROOT / ".ci" / script], check=True)


@pytest.mark.parametrize("arguments", [[], ["models"], ["nothing", "."], ["models", ".", "oldest"]])
def test_alone_says_how_it_is_used(arguments: list[str]) -> None:
    done = subprocess.run(["bash", ROOT / ".ci" / "alone", *arguments], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr.split(":")[0]) == (2, "usage")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_an_action_is_pinned_by_its_commit_with_the_version_beside_it(workflow: Path) -> None:
    for line in re.findall(r"uses: .*", workflow.read_text("utf-8")):
        assert re.fullmatch(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_the_same_action_has_the_same_commit_everywhere() -> None:
    used = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text("utf-8"))}
    assert len(used) == len({line.split("@")[0] for line in used})


def test_contributing_names_two_commands() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert "```sh\nuv run just setup\nuv run just check\n```" in text
