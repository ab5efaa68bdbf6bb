"""Training sets that ir_datasets does not have: their ids, where they come from, and in which form."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from lir_data.errors import UnreadableSourceError
from lir_data.sources.training_files import ARRAY, MINED, SCORED_PAIR, Form, TrainingTuple, mined

_FORMS = {"array": ARRAY, "scored pair": SCORED_PAIR, "mined": MINED}

#: Where the texts of all sets are.
DOCS = "msmarco-passage"
QUERIES = "msmarco-passage/train"


@dataclass(frozen=True, slots=True)
class ExternalSet:
    """A training set of someone else.

    Args:
        ids: Its names; the first is shown.
        form: The name of the form of its records, or ``run``.
        url: Where it comes from.
        md5: Of the file that lies there.
        file: Its name in ir_datasets' home folder.
        systems: Of mined negatives, those whose are taken; None for all.
    """

    ids: tuple[str, ...]
    form: str
    url: str
    md5: str
    file: str
    systems: tuple[str, ...] | None = None

    @property
    def is_run(self) -> bool:
        """Whether it holds rankings, not tuples."""
        return self.form == "run"

    @property
    def tuples(self) -> Form:
        """The form of its tuples."""
        return _FORMS[self.form]

    @property
    def parse(self) -> Callable[[Any], TrainingTuple]:
        """What makes a tuple of a record."""
        return self.tuples.parse if self.systems is None else partial(mined, systems=self.systems)

    def lacks_positives(self, line: bytes) -> bool:
        """Whether a line is a query without a relevant document, of which some sets have many: no tuple."""
        return self.form == "mined" and b'"pos": []' in line

    def path(self) -> Path:
        """Return its file, which is downloaded by ir_datasets, and its checksum compared, if it is not there.

        Raises:
            UnreadableSourceError: If it cannot be downloaded; the hint says where it would be found.
        """
        import ir_datasets
        from ir_datasets.util import Download, RequestsDownload

        path = Path(ir_datasets.util.home_path()) / self.file
        # Lightning IR unpacks what it has downloaded.
        for there in (path, path.with_suffix("") if path.suffix == ".gz" else path):
            if there.is_file():
                return there
        try:
            Download([RequestsDownload(self.url)], cache_path=path, expected_md5=self.md5).path()
        except Exception as error:
            raise UnreadableSourceError(
                f"'{self.ids[0]}' could not be downloaded from {self.url}: {type(error).__name__}: {error}",
                hint=f"download it yourself, and put it here: {path}",
            ) from error
        return path


def find_external(name: str) -> ExternalSet | None:
    """Return the set of an id, if there is one."""
    return _sets().get(name)


@cache
def _sets() -> dict[str, ExternalSet]:
    listed = tomllib.loads(Path(__file__).with_name("external.toml").read_text("utf-8"))["sets"]
    sets = [
        ExternalSet(
            tuple(entry["ids"]),
            entry["form"],
            entry["url"],
            entry["md5"],
            entry["file"],
            tuple(entry["systems"]) if "systems" in entry else None,
        )
        for entry in listed
    ]
    return {name: entry for entry in sets for name in entry.ids}
