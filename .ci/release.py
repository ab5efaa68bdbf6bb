"""Does a release's tag agree with the version and the changelog of its package?

usage: python .ci/release.py lir-models-v0.1.0

Prints the release as lines of ``name=value``, as a GitHub workflow reads them from ``$GITHUB_OUTPUT``.
"""

import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

TAG = re.compile(r"(?P<name>lir-[a-z]+)-v(?P<version>\d+\.\d+\.\d+((a|b|rc)\d+)?)")
HEADING = re.compile(r"^## \[?(?P<title>[^\]\s]+)\]?.*$", re.MULTILINE)


class ReleaseError(Exception):
    """The tag, the version and the changelog do not agree."""


@dataclass(frozen=True)
class Release:
    """One package in one version."""

    name: str
    version: str

    @property
    def package(self) -> str:
        """The name as the scripts and the folders of tests have it: ``models``."""
        return self.name.removeprefix("lir-")

    @property
    def module(self) -> str:
        """The name as it is imported, and as the built files begin: ``lir_models``."""
        return self.name.replace("-", "_")


def parse_tag(tag: str) -> Release:
    """Read the package and the version out of a tag such as ``lir-models-v0.1.0``."""
    match = TAG.fullmatch(tag)
    if match is None:
        raise ReleaseError(f"'{tag}' is no tag of a release: it would look like 'lir-models-v0.1.0'.")
    return Release(match["name"], match["version"])


def changelog_sections(text: str) -> dict[str, str]:
    """Map the title of each section, a version or ``Unreleased``, to what is written below it."""
    headings = list(HEADING.finditer(text))
    ends = [heading.start() for heading in headings[1:]] + [len(text)]
    return {heading["title"]: text[heading.end() : end].strip() for heading, end in zip(headings, ends, strict=True)}


def check(tag: str, root: Path) -> Release:
    """Compare the tag with the version in ``pyproject.toml`` and with the changelog.

    Args:
        tag: The tag, such as ``lir-models-v0.1.0``.
        root: The folder of the workspace.

    Raises:
        ReleaseError: If they disagree. The message says what to change.
    """
    release = parse_tag(tag)
    folder = root / "packages" / release.name
    if not folder.is_dir():
        names = ", ".join(sorted(path.name for path in folder.parent.glob("lir-*")))
        raise ReleaseError(f"There is no package '{release.name}'. The packages are {names}.")

    version = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    if version != release.version:
        raise ReleaseError(f"The tag says {release.version}, the pyproject.toml of {release.name} says {version}.")

    sections = changelog_sections((folder / "CHANGELOG.md").read_text("utf-8"))
    if not sections.get(version):
        raise ReleaseError(f"The changelog of {release.name} says nothing below a heading '## {version}'.")
    if sections.get("Unreleased"):
        raise ReleaseError(
            f"The changelog of {release.name} still holds lines below 'Unreleased': move them under '## {version}'."
        )
    return release


def main(arguments: list[str]) -> int:
    """Check the one tag that is given; 1 if it is wrong, 2 if there is not exactly one."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python .ci/release.py TAG\n")
        return 2
    try:
        release = check(arguments[0], Path(__file__).parents[1])
    except ReleaseError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    sys.stdout.write(f"package={release.package}\nmodule={release.module}\nversion={release.version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
