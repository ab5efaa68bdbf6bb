"""Indexes of every kind that documents come to and go from, for the tests with writers, readers and kills."""

import sys
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from cases import CASES

from lir_index import Index, PartWriter, build
from lir_index.errors import UnsupportedError

VECTORS = np.random.default_rng(0).integers(0, 5, (400, 8)).astype(np.float32)
VECTORS[:, 0] += 1
QUERIES = VECTORS[:4]


def available(names):
    """Those of the cases whose packages are installed."""
    from importlib.util import find_spec

    return [name for name in names or CASES if find_spec({"bm25": "bm25s"}.get(CASES[name].needs, CASES[name].needs))]


class Changing:
    """An index of a case; documents are numbers.

    Args:
        name: Of the case.
        folder: Where it is, or is to be.
    """

    def __init__(self, name, folder):
        self.case, self.folder = CASES[name], folder
        self.path = folder / "index"

    def build(self, numbers):
        with PartWriter(self.folder / "parts") as writer:
            writer.append(self.ids(numbers), self.embeddings(numbers))
        build(self.folder / "parts", self.path, self.case.config())

    def open(self):
        search = {
            name: min(value, 1000) if isinstance(value, int) else value for name, value in self.case.search.items()
        }
        return Index.open(self.path, self.case.search_config(**search, num_threads=1))

    def add(self, numbers):
        self.open().add(self.ids(numbers), self.embeddings(numbers))

    def delete(self, numbers):
        self.open().delete(self.ids(numbers))

    def compact(self):
        """Compact it; of a kind that cannot, delete a document."""
        try:
            self.open().compact()
        except UnsupportedError:
            self.delete([2])

    def ids(self, numbers):
        return [f"d{number:03}" for number in numbers]

    def embeddings(self, numbers):
        return self.case.shape(VECTORS[list(numbers)])

    def state(self, index=None):
        """All that a reader sees of the index: its documents, and what is found."""
        index = self.open() if index is None else index
        found = index.search(self.case.shape(QUERIES), 5)
        return repr((list(index.doc_ids), found.doc_ids, [scores.tolist() for scores in found.scores]))


changes = {
    "add": partial(Changing.add, numbers=range(200, 260)),
    "delete": partial(Changing.delete, numbers=range(10, 40)),
    "compact": Changing.compact,
}
