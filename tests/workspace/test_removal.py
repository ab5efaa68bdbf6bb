"""Files and folders are removed and replaced in few places, which ask first whose they are."""

import ast
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
ALLOWED = {
    "lir-models": {"checkpoints/ownership.py"},
    "lir-train": {"partial_run.py"},  # which knows its own files by their first line
    "lir-cli": set[str](),
}
REMOVING = {"rmtree", "unlink", "rmdir", "remove", "removedirs", "rename", "renames", "move"}
# Of these, lists, mappings and tables have some too.
OWNERS = {"remove": {"os"}, "move": {"shutil"}}


def removals(path: Path) -> list[int]:
    """Return the lines of a module that remove or replace something in the file system."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        name = node.func.attr
        owners = OWNERS.get(name)
        # A text's replace has two arguments, a config's has names.
        is_replace = name == "replace" and (owner == "os" or (len(node.args) == 1 and not node.keywords))
        if is_replace or (name in REMOVING and (owners is None or owner in owners)):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("package", ALLOWED)
def test_nothing_else_removes_or_replaces(package: str) -> None:
    root = PACKAGES / package / "src" / package.replace("-", "_")
    found = {path.relative_to(root).as_posix(): removals(path) for path in root.rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines and path not in ALLOWED[package]} == {}


def test_removals_are_found(tmp_path: Path) -> None:
    code = "import os, shutil\nshutil.rmtree(x)\nx.unlink()\nx.replace(y)\nos.remove(x)\n'a'.replace('a', 'b')\n[1].remove(1)\n"
    (tmp_path / "x.py").write_text(code)
    assert removals(tmp_path / "x.py") == [2, 3, 4, 5]
