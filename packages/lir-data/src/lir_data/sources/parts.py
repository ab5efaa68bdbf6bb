"""The parts of a dataset, by the names of ir_datasets."""

from typing import Literal

PartName = Literal["docs", "queries", "qrels", "scoreddocs", "docpairs"]
