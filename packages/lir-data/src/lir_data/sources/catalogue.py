"""The catalogue of ir_datasets: quietly, and with errors that name the nearest id.

MacAvaney et al. (2021), *Simplified Data Wrangling with ir_datasets*. https://arxiv.org/abs/2103.02280
"""

import logging
from functools import lru_cache
from typing import Any

from lir_data.errors import MissingPartError, SourceNotFoundError, did_you_mean

_PARTS = {
    "docs": "documents",
    "queries": "queries",
    "qrels": "judgements",
    "scoreddocs": "run",
    "docpairs": "training pairs",
}


@lru_cache(maxsize=64)
def load(dataset_id: str) -> Any:
    """Return a dataset of ir_datasets; nothing is downloaded before it is read.

    Raises:
        SourceNotFoundError: If there is no such id; the message names the nearest.
    """
    import ir_datasets

    ir_datasets.log.easy().logger().setLevel(logging.WARNING)  # it reports every file that it opens
    try:
        return ir_datasets.load(dataset_id)
    except KeyError:
        known = [str(name) for name in ir_datasets.registry]
        raise SourceNotFoundError(
            f"There is no dataset '{dataset_id}' in ir_datasets, and no such file.{did_you_mean(dataset_id, known)}"
        ) from None


def load_with(dataset_id: str, part: str) -> Any:
    """Return a dataset that has a part: ``docs``, ``queries``, ``qrels``, ``scoreddocs`` or ``docpairs``.

    Raises:
        MissingPartError: If it lacks that part; the message says what it has.
    """
    dataset = load(dataset_id)
    if not has(dataset, part):
        there = ", ".join(words for name, words in _PARTS.items() if has(dataset, name)) or "nothing that lir reads"
        raise MissingPartError(f"The dataset '{dataset_id}' has no {_PARTS[part]}; it has: {there}.")
    return dataset


def has(dataset: Any, part: str) -> bool:
    """Whether a dataset has a part."""
    return bool(getattr(dataset, f"has_{part}")())
