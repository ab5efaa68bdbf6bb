"""A release's tag, version and changelog agree, or the message says what to change."""

import importlib.util
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / ".ci" / "release.py"
SPEC = importlib.util.spec_from_file_location("lir_release", PATH)
assert SPEC is not None
assert SPEC.loader is not None
release = importlib.util.module_from_spec(SPEC)
sys.modules["lir_release"] = release  # dataclasses look their module up by its name
SPEC.loader.exec_module(release)

CHANGELOG = """# Changelog of lir-models

## Unreleased

## 0.2.0 - 2026-05-01

### Added

- A family.

## 0.1.0

- The first version.
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace whose lir-models is ready to be released as 0.2.0."""
    folder = tmp_path / "packages" / "lir-models"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "lir-models"\nversion = "0.2.0"\n', "utf-8")
    (folder / "CHANGELOG.md").write_text(CHANGELOG, "utf-8")
    return tmp_path


def replace_in_changelog(root: Path, old: str, new: str) -> None:
    (root / "packages" / "lir-models" / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new), "utf-8")


def test_what_agrees_is_released(root: Path) -> None:
    assert release.check("lir-models-v0.2.0", root) == release.Release("lir-models", "0.2.0")


def test_a_release_names_the_package_and_its_module(root: Path) -> None:
    found = release.check("lir-models-v0.2.0", root)
    assert (found.package, found.module) == ("models", "lir_models")


def test_a_linked_heading_is_a_heading(root: Path) -> None:
    replace_in_changelog(root, "## 0.2.0 - 2026-05-01", "## [0.2.0] - 2026-05-01")
    assert release.check("lir-models-v0.2.0", root).version == "0.2.0"


@pytest.mark.parametrize(
    "tag", ["v0.2.0", "lir-models-0.2.0", "lir-models-v0.2", "lir-models-v0.2.0-1", "lir-models-v0.2.0\nx=1", ""]
)
def test_another_tag_is_refused(root: Path, tag: str) -> None:
    with pytest.raises(release.ReleaseError, match=r"is no tag of a release: it would look like 'lir-models-v0\.1\.0'"):
        release.check(tag, root)


def test_a_pre_release_has_a_tag() -> None:
    assert release.parse_tag("lir-train-v1.0.0rc1") == release.Release("lir-train", "1.0.0rc1")


def test_an_unknown_package_is_named_with_the_known_ones(root: Path) -> None:
    with pytest.raises(release.ReleaseError, match=r"no package 'lir-model'\. The packages are lir-models\."):
        release.check("lir-model-v0.2.0", root)


def test_another_version_is_named(root: Path) -> None:
    with pytest.raises(release.ReleaseError, match=r"tag says 0\.3\.0, the pyproject\.toml of lir-models says 0\.2\.0"):
        release.check("lir-models-v0.3.0", root)


def test_a_changelog_without_the_version_is_refused(root: Path) -> None:
    replace_in_changelog(root, "## 0.2.0 - 2026-05-01", "## 0.1.9")
    with pytest.raises(release.ReleaseError, match=r"says nothing below a heading '## 0\.2\.0'"):
        release.check("lir-models-v0.2.0", root)


def test_an_empty_section_is_refused(root: Path) -> None:
    replace_in_changelog(root, "### Added\n\n- A family.\n", "")
    with pytest.raises(release.ReleaseError, match=r"says nothing below a heading '## 0\.2\.0'"):
        release.check("lir-models-v0.2.0", root)


def test_lines_left_below_unreleased_are_refused(root: Path) -> None:
    replace_in_changelog(root, "## Unreleased\n", "## Unreleased\n\n- A family.\n")
    with pytest.raises(release.ReleaseError, match=r"below 'Unreleased': move them under '## 0\.2\.0'"):
        release.check("lir-models-v0.2.0", root)


def test_a_good_tag_prints_what_the_workflow_reads(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release, "__file__", str(root / ".ci" / "release.py"))
    assert release.main(["lir-models-v0.2.0"]) == 0
    assert capsys.readouterr().out == "package=models\nmodule=lir_models\nversion=0.2.0\n"


def test_a_wrong_tag_prints_the_reason_and_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert release.main(["v1"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err[:17]) == ("", "Error: 'v1' is no")
