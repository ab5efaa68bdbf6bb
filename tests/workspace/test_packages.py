"""What each of the five packages has, and how they agree with each other and with the root."""

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
NAMES = ["lir-cli", "lir-data", "lir-index", "lir-models", "lir-train"]
# The arrows of docs/decisions/0001-five-packages.md.
BELOW = {
    "lir-cli": {"lir-data", "lir-index", "lir-models", "lir-train"},
    "lir-data": set(),
    "lir-index": set(),
    "lir-models": set(),
    "lir-train": {"lir-data", "lir-models"},
}


def project(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / "packages" / name / "pyproject.toml").read_text("utf-8"))["project"]


def siblings(name: str) -> list[Requirement]:
    requirements = [Requirement(text) for text in project(name)["dependencies"]]
    return [requirement for requirement in requirements if requirement.name.startswith("lir-")]


def test_there_are_these_five() -> None:
    assert sorted(path.name for path in (ROOT / "packages").iterdir() if path.is_dir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", ["README.md", "CHANGELOG.md", "pyproject.toml"])
def test_a_package_has_its_own_file(name: str, file: str) -> None:
    assert (ROOT / "packages" / name / file).read_text("utf-8").strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_typed(name: str) -> None:
    assert (ROOT / "packages" / name / "src" / name.replace("-", "_") / "py.typed").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_the_public_names_are_sorted(name: str) -> None:
    public = importlib.import_module(name.replace("-", "_")).__all__
    assert public == sorted(public)


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_can_be_imported(name: str) -> None:
    module = importlib.import_module(name.replace("-", "_"))
    assert [public for public in module.__all__ if not hasattr(module, public)] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_license_is_the_root_s(name: str) -> None:
    license_file = ROOT / "packages" / name / "LICENSE"
    assert license_file.read_bytes() == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_begins_with_the_package_s_name(name: str) -> None:
    assert (ROOT / "packages" / name / "README.md").read_text("utf-8").startswith(f"# {name}\n")


@pytest.mark.parametrize("name", NAMES)
def test_a_project_carries_its_own_name(name: str) -> None:
    assert project(name)["name"] == name


@pytest.mark.parametrize("name", NAMES)
def test_all_packages_run_on_the_same_pythons(name: str) -> None:
    assert project(name)["requires-python"] == ">=3.11"


@pytest.mark.parametrize("name", NAMES)
def test_the_arrows_go_down_only(name: str) -> None:
    assert {requirement.name for requirement in siblings(name)} == BELOW[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_range_holds_the_sibling_s_version(name: str) -> None:
    for requirement in siblings(name):
        assert requirement.specifier.contains(project(requirement.name)["version"]), str(requirement)


@pytest.mark.parametrize("name", NAMES)
def test_a_range_ends_before_the_sibling_s_next_minor_version(name: str) -> None:
    for requirement in siblings(name):
        major, minor, _ = project(requirement.name)["version"].split(".")
        assert f"<{major}.{int(minor) + 1}" in str(requirement.specifier).split(","), str(requirement)


@pytest.mark.parametrize("name", NAMES)
def test_no_tool_settings_lie_in_a_package(name: str) -> None:
    whole = tomllib.loads((ROOT / "packages" / name / "pyproject.toml").read_text("utf-8"))
    assert whole.keys() == {"project", "build-system"}


@pytest.mark.parametrize("name", NAMES)
def test_a_changelog_names_the_version_or_what_is_unreleased(name: str) -> None:
    titles = re.findall(
        r"^## \[?([^\]\s]+)", (ROOT / "packages" / name / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert {"Unreleased", project(name)["version"]} & set(titles)


@pytest.mark.parametrize("name", NAMES)
def test_a_package_has_tests(name: str) -> None:
    assert list((ROOT / "tests" / name.removeprefix("lir-")).glob("test_*.py"))
