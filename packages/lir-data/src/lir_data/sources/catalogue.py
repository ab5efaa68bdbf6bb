"""The catalogue of ir_datasets: without its chatter, and with errors that name the nearest id.

MacAvaney et al. (2021), *Simplified Data Wrangling with ir_datasets*. https://arxiv.org/abs/2103.02280
"""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lir_data.errors import LirDataError, MissingPartError, SourceNotFoundError, UnreadableSourceError, did_you_mean
from lir_data.sources.names import no_beir_folder
from lir_data.sources.parts import PartName

_WORDS: dict[PartName, str] = {
    "docs": "documents",
    "queries": "queries",
    "qrels": "judgements",
    "scoreddocs": "a run",
    "docpairs": "training pairs",
}

# What ir_datasets logs of its own work; terms of use and instructions to get a collection are left to be read.
_CHATTER = ("[starting]", "[finished]", "[error]", "Opening ", "download error", "Download failed")


def names() -> list[str]:
    """Return the ids of all datasets, registered ones included."""
    import ir_datasets

    return [str(name) for name in ir_datasets.registry]


def load(dataset_id: str) -> Any:
    """Return a dataset of ir_datasets; nothing is downloaded before it is read.

    Raises:
        SourceNotFoundError: If there is no such id; the message names the nearest.
    """
    import ir_datasets  # takes half a second

    ir_datasets.log.easy().logger().addFilter(_is_worth_reading)
    try:
        return ir_datasets.load(dataset_id)
    except KeyError:
        if Path(dataset_id).is_dir():
            raise SourceNotFoundError(f"{no_beir_folder(dataset_id)} Nor is it an id of ir_datasets.") from None
        near = did_you_mean(dataset_id, names())
        raise SourceNotFoundError(
            f"There is no dataset '{dataset_id}' in ir_datasets, and no file of that name.{near}"
        ) from None


def load_with(dataset_id: str, part: PartName) -> Any:
    """Return a dataset that has a part.

    Raises:
        MissingPartError: If it lacks that part; the message says what it has.
    """
    dataset = load(dataset_id)
    if not has(dataset, part):
        there = ", ".join(words for name, words in _WORDS.items() if has(dataset, name)) or "nothing that lir reads"
        raise MissingPartError(f"The dataset '{dataset_id}' does not have {_WORDS[part]}; it has {there}.")
    return dataset


def has(dataset: Any, part: PartName) -> bool:
    """Whether a dataset has a part."""
    return bool(getattr(dataset, f"has_{part}")())


@contextmanager
def reading(dataset_id: str) -> Generator[None, None, None]:
    """Turn whatever goes wrong while ir_datasets downloads or reads into one sentence.

    Raises:
        UnreadableSourceError: Instead of any other error of this block.
    """
    try:
        yield
    except LirDataError:
        raise
    except Exception as error:
        raise UnreadableSourceError(
            f"ir_datasets could not read '{dataset_id}': {type(error).__name__}: {error}",
            hint=f"how to get it: https://ir-datasets.com/{dataset_id.split('/')[0]}.html",
        ) from error


def _is_worth_reading(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_CHATTER)
